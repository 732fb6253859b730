"""Which artifacts are up to date, which can be had from the cache, which must be made, and why.

An artifact is made of the content of its inputs, its settings, the code that makes it and its command. It is up to date
if a record says that just these gave what lies there. Snakemake asks here before it plans and again before it starts a
job; DVC comes to the same answers by itself, because the records are its own (docs/what-rebuilds-what.md).
"""

import json
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import md5
from pathlib import Path
from typing import Any

from amt.build.code import Code, SourceTree
from amt.build.records import Records
from amt.build.stages import RECIPE, Stage
from amt.contents import Content, Contents
from amt.errors import DataError
from amt.yaml12 import load_yaml

STORE = Path(".amt")


class State(Enum):
    CURRENT = "up to date"
    RESTORE = "in the cache"
    """Made before of just the same: it comes back without a run."""
    RUN = "must run"


@dataclass(frozen=True)
class Verdict:
    stage: Stage
    state: State
    identity: dict | None
    """What it is made of now; None while an input is yet to be made, or is missing."""
    record: dict | None
    """The record that it is up to date by, or comes back by."""
    waits_for: tuple[str, ...] = ()
    """Inputs that other stages make first. If they come out as they were, this stage will not run."""
    missing: tuple[str, ...] = ()
    """Inputs that no stage makes."""
    spoilt: tuple[tuple[str, str], ...] = ()
    """Outputs that are not what the record says: (path, "missing" or "changed")."""


class Judge:
    """Judges stages by what lies there now.

    Args:
        params_file: the recipe.
        sources: the code.
    """

    def __init__(self, params_file: str, *, sources: SourceTree) -> None:
        self.params_file = params_file
        self.sources = sources
        self.records = Records()
        self.contents = Contents(STORE / "contents.json")
        self._settings = load_yaml(params_file)

    def plan(self, stages: list[Stage]) -> dict[str, Verdict]:
        """Verdict of each stage by name.

        Args:
            stages: each after those that it reads.
        """
        verdicts: dict[str, Verdict] = {}
        makers: dict[str, Verdict] = {}
        for stage in stages:
            verdict = self.verdict(stage, makers)
            verdicts[stage.name] = verdict
            makers |= dict.fromkeys(stage.outs, verdict)
        return verdicts

    def verdict(self, stage: Stage, makers: dict[str, Verdict] | None = None) -> Verdict:
        """Judge one stage.

        Args:
            makers: verdicts of the stages whose outputs it reads, by path; without them what lies there is final.
        """
        makers = makers or {}
        settings, _ = self.settings(stage), self.code(stage)  # what is wrong with them is told now, not by the build
        waits_for = tuple(path for path in stage.inputs if path in makers and makers[path].state is State.RUN)
        found = {path: self._content(path, makers) for path in stage.inputs if path not in waits_for}
        missing = tuple(path for path, content in found.items() if content is None)
        undecided = Verdict(stage, State.RUN, None, None, waits_for, missing, self._spoilt(stage))
        if waits_for or missing:
            return undecided
        identity = self._identity(stage, found, settings)
        record = self.records.fitting(stage, identity)
        judged = replace(undecided, identity=identity, record=record)
        if record is None:
            return judged
        spoilt = self._differing(record)
        if not spoilt:
            return replace(judged, state=State.CURRENT, spoilt=())
        if self.records.holds(record, self.contents):
            return replace(judged, state=State.RESTORE, spoilt=spoilt)
        return replace(judged, spoilt=spoilt)

    def code(self, stage: Stage) -> Code:
        return self.sources.code_of(stage.words)

    def settings(self, stage: Stage) -> dict[str, Any]:
        """
        Raises:
            DataError: one is a value that two programs may read differently.
        """
        settings = {key: value for key in stage.settings if (value := _dotted(self._settings, key)) is not MISSING}
        for key, value in settings.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                raise DataError(f"{self.params_file}: {key} is or holds a date or .nan: write it as text.") from None
        return settings

    def record_of(self, stage: Stage, identity: dict) -> dict:
        """The record of a run that has just ended.

        Raises:
            FileNotFoundError: an output is missing.
        """
        found = {path: self.contents.of(path) for path in sorted(stage.outs)}
        if lacking := [path for path, content in found.items() if content is None]:
            raise FileNotFoundError(lacking[0])
        return identity | {"outs": [content.entry(path) for path, content in found.items()]}

    def _content(self, path: str, makers: dict[str, Verdict]) -> Content | None:
        """Of an input: what it will be when this stage may run."""
        if path in makers and (record := makers[path].record):
            (out,) = (out for out in record["outs"] if out["path"] == path)
            return Content(out["md5"], out["size"], out.get("nfiles"))
        return self.contents.of(path)

    def _identity(self, stage: Stage, found: dict[str, Content], settings: dict[str, Any]) -> dict:
        """What a stage is made of, in the form of dvc.lock."""
        code = self.code(stage).text().encode()
        deps = found | {stage.code_file: Content(md5(code).hexdigest(), len(code))}
        identity = {"cmd": stage.command, "deps": [deps[path].entry(path) for path in sorted(deps)]}
        if settings:
            identity["params"] = {RECIPE: settings}
        return identity

    def _spoilt(self, stage: Stage) -> tuple[tuple[str, str], ...]:
        last = self.records.last(stage)
        return self._differing(last) if last else ()

    def _differing(self, record: dict) -> tuple[tuple[str, str], ...]:
        differing = []
        for out in record["outs"]:
            content = self.contents.of(out["path"])
            if content is None:
                differing.append((out["path"], "missing"))
            elif content.md5 != out["md5"]:
                differing.append((out["path"], "changed"))
        return tuple(differing)


class _Missing:
    pass


MISSING = _Missing()


def _dotted(settings: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(settings, dict) or part not in settings:
            return MISSING
        settings = settings[part]
    return settings
