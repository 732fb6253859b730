"""Write dvc.yaml from the rules: one stage a job, with the rule's own command. Runs nothing.

A stage's command is the rule's without its log: DVC shows in the terminal what Snakemake writes there.
Everything is relative to the project, so that equal rules give equal bytes on every machine.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from amt.build.pin import PINS
from amt.build.records import remember_renamed
from amt.build.stages import RECIPE, Stage, planned, stages_of
from amt.publish import publish_file

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

HEADER = """\
# Generated from rules/*.smk and params.yaml by `make dvc.yaml`: do not edit. A test says when it is stale.
# `dvc repro` runs the same commands as `snakemake`; `dvc.lock` is written by either (amt/build/).
"""
DVC_YAML = Path("dvc.yaml")
EXPORTED = Path(".amt/exported.json")
"""From which files dvc.yaml was written, with digests of these and of it."""
EDITED = Path(".amt/dvc.yaml.edited")
"""What dvc.yaml held when it was not as it had been written."""
log = logging.getLogger(__name__)


def export() -> None:
    """Write dvc.yaml if it changes. What somebody else wrote into it is kept as EDITED."""
    known = _exported() or {"files": [], "dvc_yaml": None}
    candidates = {*known["files"], "Snakefile", RECIPE, *_rule_files()}
    before = {file: _digest([file]) for file in candidates if os.path.isfile(file)}
    with _watched() as read, planned() as workflow:
        content = _dvc_yaml(workflow)
    files = _sources(workflow, read)
    digest = _digest(files)
    held = DVC_YAML.read_bytes() if DVC_YAML.exists() else None
    if held != content.encode():
        if held and known["dvc_yaml"] not in (None, hashlib.sha256(held).hexdigest()):
            with publish_file(EDITED) as temporary:
                temporary.write_bytes(held)
            log.warning("dvc.yaml was edited, and is written anew from the rules. What it held is in %s.", EDITED)
        with publish_file(DVC_YAML) as temporary:
            temporary.write_text(content)
        remember_renamed(yaml.safe_load(content)["stages"])
    if all(_digest([file]) == before[file] for file in before.keys() & set(files)):  # none was edited meanwhile
        written = hashlib.sha256(content.encode()).hexdigest()
        with publish_file(EXPORTED) as temporary:
            temporary.write_text(json.dumps({"files": files, "digest": digest, "dvc_yaml": written}))


def is_exported() -> bool:
    """Whether dvc.yaml was written from rules, recipe and code as they are, and is as it was written."""
    known = _exported()
    with contextlib.suppress(OSError):
        return known is not None and (
            known["digest"] == _digest(sorted({*known["files"], *_rule_files()}))
            and known["dvc_yaml"] == hashlib.sha256(DVC_YAML.read_bytes()).hexdigest()
        )
    return False


def dvc_yaml(params_file: str = RECIPE) -> str:
    with planned(params_file) as workflow:
        return _dvc_yaml(workflow, params_file)


def _dvc_yaml(workflow: "Workflow", params_file: str = RECIPE) -> str:
    stages = stages_of(workflow, params_file)
    content: dict = {"stages": {stage.name: as_dvc(stage) for stage in stages}}
    if plots := [_plot(path, columns) for stage in stages for path, columns in stage.plots.items()]:
        content["plots"] = plots
    return HEADER + yaml.dump(content, sort_keys=False, width=110, default_flow_style=False)


def as_dvc(stage: Stage) -> dict:
    """The entry of a stage in dvc.yaml."""
    entry: dict = {"cmd": stage.command, "deps": [*stage.inputs, stage.code_file]}
    if stage.settings:
        entry["params"] = list(stage.settings)
    if stage.outputs:
        entry["outs"] = list(stage.outputs)
    if stage.metrics:
        entry["metrics"] = list(stage.metrics)
    return entry


def _plot(path: str, columns: dict | None) -> str | dict:
    return path if columns is None else {path: {"x": columns["x"], "y": {path: columns["y"]}}}


# --- what it is written from ------------------------------------------------------------------------------


def _exported() -> dict | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        known = json.loads(EXPORTED.read_text())
        is_whole = {"files", "digest", "dvc_yaml"} <= known.keys() and all(
            isinstance(file, str) for file in known["files"]
        )
        return known if is_whole else None
    return None


def _rule_files() -> list[str]:
    """A Snakefile may include whatever it finds in a folder: a new file there counts."""
    return [str(path) for path in Path("rules").rglob("*.smk")]


_watching: set[str] | None = None


@contextlib.contextmanager
def _watched() -> Iterator[set[str]]:
    """Collects what is read meanwhile: files, and folders ("name/") that are listed."""
    global _watching
    _watching = set()
    sys.addaudithook(_note_read)  # which cannot be taken away again
    try:
        yield _watching
    finally:
        _watching = None


def _note_read(event: str, arguments: tuple) -> None:
    if _watching is None or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0] if arguments[0] is not None else "."
    by_import = re.search(r"\bimportlib\b|/pkgutil\.py$", sys._getframe(1).f_code.co_filename)
    if by_import or not isinstance(path, str | bytes | os.PathLike):
        return
    if event != "open":
        _watching.add(os.path.abspath(os.fsdecode(path)) + "/")
    elif str(arguments[1]).startswith("r") and "+" not in arguments[1]:
        _watching.add(os.path.abspath(os.fsdecode(path)))


def _may_shape(path: str) -> bool:
    """Whether rules may depend on it: not on what tools leave in hidden folders."""
    return not (path.startswith((".", "dvc.")) or "__pycache__" in path) and os.path.exists(path)


def _sources(workflow: "Workflow", read: set[str]) -> list[str]:
    """Recipe, rules, what these imported and read; and how we export."""
    root = os.getcwd() + os.sep
    modules = [getattr(module, "__file__", None) for name, module in sys.modules.items() if name != "__main__"]
    rules = [source.get_path_or_uri(secret_free=True) for source in workflow.included]
    found = {_unpinned(os.path.abspath(file), root) for file in [*rules, *filter(None, modules)]}
    own = {os.path.abspath(file) for file in Path(__file__).parent.glob("*.py")}
    ours = {file.removeprefix(root) for file in found if file.startswith(root) and "/site-packages/" not in file}
    ours |= {path for file in read if file.startswith(root) and _may_shape(path := file.removeprefix(root))}
    return sorted(
        ours | {_unpinned(file, root).removeprefix(root) for file in own} | {RECIPE, *_rule_files()},
    )


def _unpinned(file: str, root: str) -> str:
    """Of a file in the copy that a build runs from, the one that was copied."""
    pins = f"{root}{PINS}{os.sep}"
    return root + file.removeprefix(pins).partition(os.sep)[2] if file.startswith(pins) else file


def _digest(files: list[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = "\n".join(sorted(os.listdir(file))).encode() if file.endswith("/") else Path(file).read_bytes()
        digest.update(f"{file}\0".encode() + content + b"\0")
    return digest.hexdigest()
