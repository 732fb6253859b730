"""What became of every row.

Every stage that drops or changes rows records one line for each row that came in: kept, dropped (one
reason) or changed (one reason), and a report with the counts. Counts add up, or the stage fails.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amt.errors import DataError
from amt.publish import publish_file
from amt.rows import LEDGER, write_rows


@dataclass(frozen=True)
class StageReport:
    """Counts of one stage. `changed` rows are among the kept ones."""

    stage: str
    rows_in: int
    kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)


def total(reports: Iterable[StageReport]) -> StageReport:
    """Of the shards of one stage."""
    reports = list(reports)
    dropped = sum((Counter(report.dropped) for report in reports), Counter())
    changed = sum((Counter(report.changed) for report in reports), Counter())
    return StageReport(
        reports[0].stage,
        sum(report.rows_in for report in reports),
        sum(report.kept for report in reports),
        dict(sorted(dropped.items())),
        dict(sorted(changed.items())),
    )


class Ledger:
    """Collects what a stage did with each row. `row` is any mapping with row_id and source."""

    def __init__(self, stage: str):
        self.stage = stage
        self._entries: dict[str, dict[str, Any]] = {}

    def _record(self, row: dict[str, Any], outcome: str, reason: str | None, detail: str | None) -> None:
        if row["row_id"] in self._entries:
            raise ValueError(f"{self.stage}: row {row['row_id']} was recorded twice")
        self._entries[row["row_id"]] = {
            "row_id": row["row_id"],
            "source": row["source"],
            "stage": self.stage,
            "outcome": outcome,
            "reason": reason,
            "detail": detail,
        }

    def keep(self, row: dict[str, Any]) -> None:
        self._record(row, "kept", None, None)

    def drop(self, row: dict[str, Any], reason: str, detail: str | None = None) -> None:
        self._record(row, "dropped", reason, detail)

    def change(self, row: dict[str, Any], reason: str, detail: str | None = None) -> None:
        """The row goes on in a changed form under the same row_id."""
        self._record(row, "changed", reason, detail)

    def report(self, rows_in: int, rows_out: int) -> StageReport:
        """Counts by outcome and reason.

        Raises:
            ValueError: a row was lost, or appeared: rows_in = kept + changed + Σ dropped does not hold.
        """
        entries = self._entries.values()
        dropped = Counter(entry["reason"] for entry in entries if entry["outcome"] == "dropped")
        changed = Counter(entry["reason"] for entry in entries if entry["outcome"] == "changed")
        kept = sum(entry["outcome"] != "dropped" for entry in entries)
        if rows_in != kept + dropped.total() or rows_out != kept:
            raise ValueError(
                f"{self.stage}: {rows_in} rows in, {rows_out} out, but the ledger holds {kept} kept and "
                f"{dropped.total()} dropped"
            )
        return StageReport(self.stage, rows_in, kept, dict(sorted(dropped.items())), dict(sorted(changed.items())))

    def write(self, path: str | Path) -> None:
        write_rows(path, list(self._entries.values()), LEDGER)


def write_report(path: str | Path, report: StageReport | dict[str, Any]) -> None:
    """Write a report as JSON with sorted keys."""
    content = asdict(report) if isinstance(report, StageReport) else report
    with publish_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_report(path: str | Path) -> dict[str, Any]:
    """Read a report; a missing or corrupt file is a DataError that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it with: snakemake {path}") from None
    except ValueError as error:
        raise DataError(f"{path} is not readable as JSON ({error}). Delete it and run snakemake again.") from None
