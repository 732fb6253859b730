"""Where rows went: counts by stage, source and reason."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from amt.errors import DataError
from amt.flow.ledgers import Ledgers
from amt.flow.stages import STAGE, TRAINING, position, trunk

By = Literal["stage", "source", "category"]


@dataclass
class StageCount:
    """Of one stage, and of one group of sources where they are told apart."""

    stage: str
    rows_in: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    changed: Counter[str] = field(default_factory=Counter)
    """By reason; they are among the kept."""

    @property
    def label(self) -> str:
        return STAGE[self.stage].label if self.stage in STAGE else self.stage

    @property
    def unit(self) -> str:
        return STAGE[self.stage].unit if self.stage in STAGE else "queries"


@dataclass(frozen=True)
class Counts:
    """{source: {stage: its counts}}, both in reading order."""

    of_source: dict[str, dict[str, StageCount]]

    def by_stage(self) -> list[StageCount]:
        return list(_sum(list(self.of_source.values())).values())

    def grouped(self, group_of: Mapping[str, str]) -> dict[str, dict[str, StageCount]]:
        """Counts of groups of sources.

        Args:
            group_of: {source: its group}; a group that a source lacks is "unknown".
        """
        members: dict[str, list[dict[str, StageCount]]] = {}
        for source, stages in self.of_source.items():
            members.setdefault(group_of.get(source, "unknown"), []).append(stages)
        return {group: _sum(of_sources) for group, of_sources in sorted(members.items())}


def count(ledgers: Ledgers) -> Counts:
    found: dict[str, dict[str, StageCount]] = {}
    lines = ledgers.ask("SELECT source, stage, outcome, reason, count(*) FROM ledger GROUP BY ALL")
    for source, stage, outcome, reason, rows in sorted(lines, key=_in_order):
        here = found.setdefault(source, {}).setdefault(stage, StageCount(stage))
        here.rows_in += rows
        if outcome == "dropped":
            here.dropped[reason] += rows
        else:
            here.kept += rows
        if outcome == "changed":
            here.changed[reason] += rows
    return Counts(found)


def _in_order(line: tuple) -> tuple:
    source, stage, outcome, reason, _ = line
    return source, position(stage), stage, outcome, reason or ""


def _sum(of_sources: Sequence[dict[str, StageCount]]) -> dict[str, StageCount]:
    total: dict[str, StageCount] = {}
    for stages in of_sources:
        for name, one in stages.items():
            here = total.setdefault(name, StageCount(name))
            here.rows_in += one.rows_in
            here.kept += one.kept
            here.dropped += one.dropped
            here.changed += one.changed
    return dict(sorted(total.items(), key=lambda item: (position(item[0]), item[0])))


def category_of_source(root: Path = Path(".")) -> dict[str, str]:
    """From the reports of collect."""
    found = {}
    for path in sorted((root / "data" / "queries").rglob("*report.json")):
        try:
            report = json.loads(path.read_text())
            found |= dict.fromkeys([report["source"]], next(iter(report["kept_by_category"])))
        except (ValueError, KeyError, StopIteration) as error:
            raise DataError(f"{path} is no report of collect ({error}). Delete it and run snakemake again.") from None
    return found


@dataclass(frozen=True)
class Fates:
    """What became of the rows that came in first, of one group: each has one fate."""

    rows_in: int
    kept: int
    """Passed all stages of the trunk."""
    dropped: dict[tuple[str, str], int]
    """{(stage, reason): rows}, in the order of the stages, most frequent first."""


def fates(stages: Mapping[str, StageCount]) -> Fates:
    """Over the stages that every row passes."""
    passed = [stages[stage.name] for stage in trunk() if stage.name in stages]
    dropped = {(one.stage, reason): rows for one in passed for reason, rows in one.dropped.most_common()}
    rows_in = passed[0].rows_in if passed else 0
    return Fates(rows_in, rows_in - sum(dropped.values()), dropped)


# --- in the terminal ---------------------------------------------------------------------------------------


def stage_table(counts: Sequence[StageCount]) -> list[str]:
    rows = [("stage", "in", "kept", "left out", "reasons")]
    for one in counts:
        label = one.label + (" (responses)" if one.unit == "responses" else "")
        rows.append((label, f"{one.rows_in:,}", f"{one.kept:,}", f"{one.dropped.total():,}", reasons_in_words(one)))
    return _aligned(rows)


def group_table(what: str, groups: Mapping[str, Mapping[str, StageCount]]) -> list[str]:
    """A line for each group: rows that came in, rows that go on from each stage, and why most were left out.

    Of the stages, those that every row passes, and those that train.
    """
    shown = [*trunk(), *(STAGE[name] for name in TRAINING)]
    stages = [stage for stage in shown if any(stage.name in of for of in groups.values())]
    labels = [stage.label + (" responses" if stage.unit == "responses" else "") for stage in stages]
    rows = [(what, "rows", *labels, "left out most for")]
    for group, of_stage in [*groups.items(), ("all", _sum([dict(of) for of in groups.values()]))]:
        gone = fates(of_stage)
        most = max(gone.dropped.items(), key=lambda item: item[1], default=None)
        kept = [f"{of_stage[stage.name].kept:,}" if stage.name in of_stage else "–" for stage in stages]
        worst = f"{_words(most[0][1])} {most[1]:,}" if most else ""
        rows.append((group, f"{gone.rows_in:,}", *kept, worst))
    return _aligned(rows)


def reasons_in_words(one: StageCount) -> str:
    told = [f"{_words(reason)} {rows:,}" for reason, rows in one.dropped.most_common()]
    told += [f"(changed: {_words(reason)} {rows:,})" for reason, rows in one.changed.most_common()]
    return ", ".join(told)


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Text left, numbers right; the last column as it is."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1])), row[-1]]
        lines.append("  ".join(cells).rstrip())
    return lines
