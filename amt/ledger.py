"""What became of every row.

Every stage records one line for each row that came in: kept, dropped (one reason), changed (one reason), repeated,
packed or used, and a report with the counts. Counts add up and no row is recorded twice, or the stage fails.

A ledger may have more rows than memory has room for: lines are buffered, spilled as sorted runs, and merged when the
ledger is written. Runs are files without a name, so that a kill at any moment leaves nothing of them.
"""

import bisect
import contextlib
import json
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amt.errors import DataError
from amt.placement import placement
from amt.publish import publish_file
from amt.rows import LEDGER, ROW_GROUP_ROWS, canonical_json, ledger_of

BUFFER_ROWS = 100_000
"""Lines in memory before they are spilled: about 10 MB. A stage may write a ledger a shard at once, so they lie in
columns: as Python objects they would take ten times as much."""
MOST_RUNS = 64
"""Runs of one size before they become one larger run: each is an open file, and a batch of each lies in memory."""
_BATCH_ROWS = 4096

_Line = tuple[str, str, str, str | None, str | None]
"""row_id, source, outcome, reason, detail"""


@dataclass(frozen=True)
class StageReport:
    """Counts of one stage. `changed` rows are among the kept ones; so are repeated, packed and used ones."""

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
    """Collects what a stage did with each row. `row` is any mapping with row_id and source.

    Args:
        buffer_rows: lines in memory before they are spilled, to `scratch` of the placement.
        most_runs: see MOST_RUNS.
    """

    def __init__(self, stage: str, *, buffer_rows: int = BUFFER_ROWS, most_runs: int = MOST_RUNS):
        self.stage = stage
        self._buffer_rows, self._most_runs = buffer_rows, most_runs
        self._lines: list[_Line] = []
        self._tables: list[pa.Table] = []
        """Lines before those, not sorted."""
        self._recorded = 0
        self._dropped: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._tiers: list[list[IO[bytes]]] = []
        """Sorted runs; those of a tier are as many times larger than those before it as a tier has room for."""
        self._files = contextlib.ExitStack()
        weakref.finalize(self, self._files.close)

    def _record(self, row: Mapping[str, Any], outcome: str, reason: str | None, detail: str | None) -> None:
        self._recorded += 1
        self._lines.append((row["row_id"], row["source"], outcome, reason, detail))
        if len(self._lines) >= min(_BATCH_ROWS, self._buffer_rows):
            self._tables.append(self._lines_in_columns())
            self._lines = []
            if sum(map(len, self._tables)) >= self._buffer_rows:
                self._spill(iter([self._sorted_lines()]), tier=0)
                self._tables = []

    def keep(self, row: Mapping[str, Any], detail: str | None = None) -> None:
        self._record(row, "kept", None, detail)

    def drop(self, row: Mapping[str, Any], reason: str, detail: str | None = None) -> None:
        self._dropped[reason] += 1
        self._record(row, "dropped", reason, detail)

    def change(self, row: Mapping[str, Any], reason: str, detail: str | None = None) -> None:
        """The row goes on in a changed form under the same row_id."""
        self._changed[reason] += 1
        self._record(row, "changed", reason, detail)

    def pack(self, row: Mapping[str, Any], places: Iterable[tuple[int, int]]) -> None:
        """The row goes on, packed: once, or repeated as often as it has places.

        Args:
            places: (packed sequence, position in it) of each copy.
        """
        packs = sorted(map(list, places))
        self._record(row, "packed" if len(packs) == 1 else "repeated", None, canonical_json({"packs": packs}))

    def use(self, row: Mapping[str, Any], steps: Sequence[int], **measured: Any) -> None:
        """The row was trained on.

        Args:
            steps: of the optimizer, from 1.
            measured: what else is known of the row there, as JSON values.
        """
        self._record(row, "used", None, canonical_json({"steps": list(steps), **measured}))

    def report(self, rows_in: int, rows_out: int) -> StageReport:
        """Counts by outcome and reason.

        Raises:
            ValueError: a row was lost, or appeared: rows_in = kept + Σ dropped does not hold, or rows_out is not kept.
        """
        dropped = self._dropped.total()
        kept = self._recorded - dropped
        if rows_in != self._recorded or rows_out != kept:
            raise ValueError(
                f"{self.stage}: {rows_in} rows in, {rows_out} out, but the ledger holds {kept} kept and "
                f"{dropped} dropped"
            )
        return StageReport(
            self.stage, rows_in, kept, dict(sorted(self._dropped.items())), dict(sorted(self._changed.items()))
        )

    def write(self, path: str | Path) -> None:
        """Write the lines, sorted by row_id. Nothing can be recorded afterwards.

        Raises:
            ValueError: a row was recorded twice.
        """
        runs = [_read(run) for tier in self._tiers for run in tier]
        last_lines = iter(self._sorted_lines().to_batches(_BATCH_ROWS))
        schema = ledger_of(self.stage)
        with publish_file(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for group in _row_groups(self._each_once(_merged([*runs, last_lines]))):
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        self._files.close()
        del self._lines, self._tables, self._tiers

    def _sorted_lines(self) -> pa.Table:
        return pa.concat_tables([*self._tables, self._lines_in_columns()]).sort_by("row_id")

    def _lines_in_columns(self) -> pa.Table:
        columns = zip(*self._lines, strict=True) if self._lines else [()] * 5
        row_id, source, outcome, reason, detail = map(list, columns)
        stage = [self.stage] * len(row_id)
        return pa.table([row_id, source, stage, outcome, reason, detail], schema=LEDGER)

    def _spill(self, tables: Iterator[pa.Table], tier: int) -> None:
        """Write a run; when its tier is full, make a run of the next tier of it."""
        scratch = Path(placement().scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        run = self._files.enter_context(tempfile.TemporaryFile(dir=scratch))  # noqa: SIM115
        with pa.ipc.new_stream(run, LEDGER, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            for table in tables:
                stream.write_table(table, max_chunksize=_BATCH_ROWS)
        if tier == len(self._tiers):
            self._tiers.append([])
        self._tiers[tier].append(run)
        if len(self._tiers[tier]) == self._most_runs:
            full, self._tiers[tier] = self._tiers[tier], []
            self._spill(_merged([_read(run) for run in full]), tier + 1)
            for run in full:
                run.close()

    def _each_once(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        last = None
        for table in tables:
            ids = table.column("row_id").combine_chunks()
            again = pc.index(pc.equal(ids[1:], ids[:-1]), True).as_py()
            if ids[0].as_py() == last or again >= 0:
                raise ValueError(f"{self.stage}: row {ids[max(again, 0)].as_py()} was recorded twice")
            last = ids[-1].as_py()
            yield table


def _read(run: IO[bytes]) -> Iterator[pa.RecordBatch]:
    run.seek(0)
    yield from pa.ipc.open_stream(run)


def _merged(runs: list[Iterator[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """One sorted stream of several. Memory holds a batch of each."""
    heads = [(batch, run) for run in runs if (batch := next(run, None)) is not None]
    while heads:
        # Up to the smallest last id, all that comes next is in memory.
        bound = min(batch["row_id"][-1].as_py() for batch, _ in heads)
        ready, left = [], []
        for batch, run in heads:
            ids = batch["row_id"]
            count = bisect.bisect_right(range(len(ids)), bound, key=lambda place, ids=ids: ids[place].as_py())
            ready.append(batch.slice(0, count))
            rest = batch.slice(count) if count < len(ids) else next(run, None)
            if rest is not None:
                left.append((rest, run))
        heads = left
        yield pa.Table.from_batches(ready).sort_by("row_id")


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of one row group each, so that the bytes do not depend on how they came."""
    waiting, count = [], 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        while count >= ROW_GROUP_ROWS:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, ROW_GROUP_ROWS).combine_chunks()
            waiting, count = [whole.slice(ROW_GROUP_ROWS)], count - ROW_GROUP_ROWS
    if count:
        yield pa.concat_tables(waiting).combine_chunks()


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
