"""Bring up to date what DVC reads of this project: dvc.yaml, and the code file of every stage.

DVC knows files and settings, not Python modules. So before a `dvc` command looks (amt.build.dvc_hooks), and when a
build by Snakemake starts, each stage's code file is written anew if the code that the stage is made of has changed, and
dvc.yaml if the rules or the recipe have. While a build runs nothing is written: it is judged by what it started from.
"""

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

from amt.build.code import SourceTree
from amt.build.export import is_exported
from amt.build.pin import holder, is_building, is_mine
from amt.build.records import cache_folder, is_shared
from amt.build.stages import CODE_FOLDER, BuildError, Stage, described
from amt.errors import AmtError
from amt.publish import publish_file

HISTORY = Path(".amt/code-history")
"""Code files by their digest: what `amt why` compares with."""
SOURCES_STORE = Path(".amt/sources.json")
log = logging.getLogger(__name__)


def refresh() -> str | None:
    """Returns what could not be brought up to date, and why: faulty rules, a module that is not Python.

    Then nothing can be built; the stages that it concerns count as changed.
    """
    if is_building():
        if not is_mine():
            log.warning("a build runs here (%s): code and rules are judged as they were when it started.", holder())
        return None
    faults = []
    try:
        export_if_stale()
    except BuildError as error:
        faults.append(str(error))
    stages = described()
    try:
        _drop_dead_links(stages)
    except BuildError as error:
        faults.append(str(error))
    sources = source_tree()
    faults += write_code_files(stages, sources)
    sources.save()
    return "\n".join(dict.fromkeys(faults)) or None


def _drop_dead_links(stages: list[Stage]) -> None:
    """Links to objects that are gone from the cache: DVC stumbles over them, where it takes a missing output calmly.

    Raises:
        BuildError: the whole cache is away, and may come back.
    """
    dead = []
    for path in (path for stage in stages for path in stage.outs):
        inside = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        for link in [path, *inside]:
            if os.path.islink(link) and not os.path.exists(link):
                dead.append(link)
    if dead and is_shared() and not cache_folder().is_dir():
        raise BuildError(
            f"the DVC cache {cache_folder()} is not there, and {len(dead)} outputs are links into it: mount it."
        )
    for link in dead:
        os.unlink(link)


def source_tree(root: Path = Path(".")) -> SourceTree:
    return SourceTree(root, cache=SOURCES_STORE)


def write_code_files(stages: list[Stage], sources: SourceTree) -> list[str]:
    """Returns what is wrong with the code of stages: their files say so, and are like no other."""
    faults = []
    for stage in stages:
        try:
            write_code_file(stage, sources.code_of(stage.words).text())
        except AmtError as error:
            faults.append(str(error))
            _write_changed(Path(stage.code_file), f"fault {error}\n")
    for file in set(Path(CODE_FOLDER).rglob("*")) - {Path(stage.code_file) for stage in stages}:
        if file.is_file():
            file.unlink(missing_ok=True)
    return faults


def write_code_file(stage: Stage, text: str) -> None:
    _write_changed(Path(stage.code_file), text)
    kept = HISTORY / hashlib.md5(text.encode()).hexdigest()
    if not kept.exists():
        with publish_file(kept) as temporary:
            temporary.write_text(text)


def _write_changed(file: Path, text: str) -> None:
    """Write it if it changed: its time stamp says when. What it held before a power cut does not count."""
    if not file.exists() or file.read_text() != text:
        with publish_file(file, is_cache=True) as temporary:
            temporary.write_text(text)


def export_if_stale() -> None:
    """Write dvc.yaml if the rules, or the recipe that shapes them, are others than when it was written.

    Raises:
        BuildError: the rules or the recipe are faulty.
    """
    if is_exported():
        return
    done = subprocess.run([sys.executable, "-m", "amt.build", "export"], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"dvc.yaml cannot be written from the rules:\n{(done.stderr or done.stdout).strip()}")
    if done.stderr:
        log.warning(done.stderr.strip())
