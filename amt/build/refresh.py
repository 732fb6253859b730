"""Bring up to date what DVC reads of this project: dvc.yaml, and the code file of every stage.

DVC knows files and settings, not Python modules. So before a `dvc` command looks (amt.build.dvc_hooks), and when a
build by Snakemake starts, each stage's code file is written anew if the code that the stage is made of has changed, and
dvc.yaml if the rules or the recipe have. While a build runs nothing is written: it is judged by what it started from.
"""

import contextlib
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from amt.build.code import SourceTree
from amt.build.pin import is_building
from amt.build.stages import CODE_FOLDER, BuildError, Stage, described
from amt.publish import publish_file

EXPORTED = Path(".amt/exported.json")
HISTORY = Path(".amt/code-history")
"""Code files by their digest: what `amt why` compares with."""
SOURCES_STORE = Path(".amt/sources.json")


def refresh() -> None:
    """
    Raises:
        BuildError: the rules or the recipe are faulty, or a module has a syntax error.
    """
    if is_building():
        return
    export_if_stale()
    sources = source_tree()
    write_code_files(described(), sources)
    sources.save()


def source_tree(root: Path = Path(".")) -> SourceTree:
    SOURCES_STORE.parent.mkdir(exist_ok=True)
    return SourceTree(root, cache=SOURCES_STORE)


def write_code_files(stages: list[Stage], sources: SourceTree) -> None:
    folder = Path(CODE_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    for stage in stages:
        write_code_file(stage, sources.code_of(stage.words).text())
    for file in set(folder.iterdir()) - {Path(stage.code_file) for stage in stages}:
        file.unlink()


def write_code_file(stage: Stage, text: str) -> None:
    """Write it if it changed: its time stamp says when."""
    file = Path(stage.code_file)
    if not file.exists() or file.read_text() != text:
        with publish_file(file) as temporary:
            temporary.write_text(text)
    kept = HISTORY / hashlib.md5(text.encode()).hexdigest()
    if not kept.exists():
        with publish_file(kept) as temporary:
            temporary.write_text(text)


def export_if_stale() -> None:
    """Write dvc.yaml if the rules, or the recipe that shapes them, are others than when it was written."""
    now = export_sources()
    if is_exported(now):
        return
    done = subprocess.run([sys.executable, "-m", "amt.build", "export"], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"dvc.yaml cannot be written from the rules:\n{(done.stderr or done.stdout).strip()}")
    remember_export(now)


def is_exported(now: str | None = None) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(EXPORTED.read_text()) == [now or export_sources(), _digest([Path("dvc.yaml")])]
    return False


def remember_export(now: str | None = None) -> None:
    EXPORTED.parent.mkdir(exist_ok=True)
    with publish_file(EXPORTED) as temporary:
        temporary.write_text(json.dumps([now or export_sources(), _digest([Path("dvc.yaml")])]))


def export_sources() -> str:
    """Digest of what dvc.yaml is written from."""
    own = sorted(Path(__file__).parent.glob("*.py"))
    schema = Path("amt/params.py")
    rules = [Path("Snakefile"), *sorted(Path("rules").rglob("*.smk")), Path("params.yaml")]
    return _digest([*own, *([schema] if schema.exists() else []), *rules])


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()
