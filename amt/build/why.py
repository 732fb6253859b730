"""Why an artifact is up to date or not: which setting, function, library, input or output, from what to what."""

import hashlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from amt.build.code import Code, SourceTree
from amt.build.judge import MISSING, Judge, State, Verdict
from amt.build.pin import PACKAGES
from amt.build.refresh import HISTORY
from amt.build.stages import RECIPE, BuildError, Stage

MOST = 6
"""Lines of one kind; `amt why TARGET --full` lists all."""


def reasons(verdict: Verdict, verdicts: dict[str, Verdict], judge: Judge, *, full: bool = False) -> list[str]:
    """A line for each thing that keeps a stage from being up to date; none if it is.

    Args:
        verdicts: of the stages that it may wait for, by name.
    """
    if verdict.state is State.CURRENT:
        return []
    most = 10**9 if full else MOST
    last = judge.records.last(verdict.stage)
    lines = [f"input {path} is missing, and no rule makes it" for path in verdict.missing]
    if last is None:
        lines.append("it was never built here")
    else:
        lines += _changes(verdict, last, judge, most)
    by_path = {path: other.stage.name for other in verdicts.values() for path in other.stage.outs}
    waits = [f"input {path} may change: {by_path[path]} must run" for path in verdict.waits_for if path in by_path]
    lines += waits[:most]
    if len(waits) > most:
        lines.append(f"{len(waits) - most} more inputs may change")
    if last is not None and not lines:  # else what lies there is of no interest: it is made anew
        lines += [f"output {path} is {what}" for path, what in verdict.spoilt]
    return lines or ["its outputs were made by another run than the last one recorded here"]


def _changes(verdict: Verdict, last: dict, judge: Judge, most: int) -> Iterator[str]:
    stage = verdict.stage
    if last["cmd"] != stage.command:
        yield "its rule's command changed"
    yield from setting_changes(last.get("params", {}).get(RECIPE, {}), judge.settings(stage))
    then = {dep["path"]: dep["md5"] for dep in last.get("deps", [])}
    yield from code_changes(stage, then.pop(stage.code_file, None), judge.code(stage).text(), judge.sources, most)
    now = {dep["path"]: dep["md5"] for dep in (verdict.identity or {"deps": []})["deps"]}
    for path in stage.inputs:
        if path not in then:
            yield f"input {path} is new"
        elif path in now and now[path] != then[path]:
            yield f"input {path} changed ({then[path][:7]} -> {now[path][:7]})"
    for path in sorted(then.keys() - set(stage.inputs)):
        yield f"input {path} is no longer one"


def setting_changes(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """`sft.learning_rate: 0.004 -> 0.0039`."""
    for key in dict.fromkeys([*now, *then]):
        yield from _leaf_changes(key, then.get(key, MISSING), now.get(key, MISSING))


def _leaf_changes(key: str, then: Any, now: Any) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from _leaf_changes(f"{key}.{name}", then.get(name, MISSING), now.get(name, MISSING))
    elif then is MISSING:
        yield f"setting {key} is new: {_shown(now)}"
    elif now is MISSING:
        yield f"setting {key} is gone (was {_shown(then)})"
    elif then != now:
        yield f"setting {key}: {_shown(then)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def code_changes(stage: Stage, digest: str | None, now: str, sources: SourceTree, most: int) -> Iterator[str]:
    """Lines for what differs between the recorded code and today's.

    Args:
        digest: MD5 of the code file that the record names; None if it names none.
    """
    if digest is None:
        yield "its code was not recorded"
        return
    if hashlib.md5(now.encode()).hexdigest() == digest:
        return
    then = recorded_code(stage, digest)
    if then is None:
        yield f"its code changed (what it was is neither here nor in the commit of dvc.lock: {digest[:7]})"
        return
    today = Code.parse(now)
    yield from _library_changes(then.libraries, today.libraries)
    yield from _definition_changes(then.definitions, today.definitions, sources, most)


def _library_changes(then: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield f"library {name}: {then.get(name, 'not used')} -> {now.get(name, 'not used')}"


def _definition_changes(then: dict[str, str], now: dict[str, str], sources: SourceTree, most: int) -> Iterator[str]:
    for verb, names in (
        ("changed", [name for name in now if name in then and now[name] != then[name]]),
        ("is new", [name for name in now if name not in then]),
        ("is gone", [name for name in then if name not in now]),
    ):
        for name in sorted(names)[:most]:
            place = sources.file_of(name) if verb != "is gone" else None
            yield f"code {name} {verb}" + (f" ({place[0]}:{place[1]})" if place else "")
        if len(names) > most:
            yield f"code: {len(names) - most} more {verb}"


def recorded_code(stage: Stage, digest: str) -> Code | None:
    """The code that a record names, from what was kept here or from the commit of dvc.lock; None if in neither."""
    kept = HISTORY / digest
    if kept.exists():
        return Code.parse(kept.read_text())
    then = _committed_sources()
    if then is None:
        return None
    try:
        text = then[1].code_of(stage.words).text()
    except BuildError:  # then there was no such script, or its folder is no package
        return None
    # Library versions are those installed now: where they differ, the digest cannot fit, and nothing is claimed.
    return Code.parse(text) if hashlib.md5(text.encode()).hexdigest() == digest else None


@lru_cache
def _committed_sources() -> tuple[tempfile.TemporaryDirectory, SourceTree] | None:
    """The modules as they were committed together with dvc.lock, and the folder that they need; None without such a
    commit."""
    commit = _git("log", "-1", "--format=%H", "--", "dvc.lock").decode().strip()
    packages = _git("ls-tree", "--name-only", commit, "--", *PACKAGES).decode().split() if commit else []
    archive = _git("archive", commit, "--", *packages) if packages else b""
    if not archive:
        return None
    folder = tempfile.TemporaryDirectory(prefix="amt-why-")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder.name, filter="data")
    return folder, SourceTree(Path(folder.name))


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True)
    return done.stdout if done.returncode == 0 else b""
