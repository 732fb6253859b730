"""Collect: rows as published, and the same rows as unified queries (paper 2.1).

Invariant: every raw row has one line in the ledger, under an id of its own: that of its query, or, with the reason why
it was left out, one made of what was published. Equal published rows get different ids, so that finding duplicates is
the business of `unique`. `detail` of a line says which raw row it was.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, tee
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amt.errors import SourceError
from amt.ledger import Ledger, StageReport
from amt.licences import canonical, is_excluded
from amt.params import Source
from amt.publish import publish_file
from amt.rows import QUERY, READ_ROWS, TableWriter, canonical_json, in_batches, row_id, told, write_table
from amt.sources.catalogue import dataset
from amt.sources.dataset import Dataset, LeftOut, Unified
from amt.sources.reading import Part, check_columns, check_fields, hub_parts, json_rows, local_parts

MANY_ROWS = 100
"""Of so many rows some come in, or the dataset is another than its adapter knows."""


@dataclass(frozen=True)
class CollectReport:
    """Counts of one source: rows_in = kept + Σ dropped."""

    stage: str
    source: str
    licence: str
    gated: bool
    rows_in: int
    kept: int
    dropped: dict[str, int]
    kept_by_category: dict[str, int]
    kept_by_licence: dict[str, int]
    """As amt.licences names them: of each row where rows declare their own, else the dataset's."""
    planted: dict[str, list[dict[str, Any]]]
    """Faults planted among the kept rows by kind, see amt.sources.planted; empty for rows of the hub."""


# --- raw ---------------------------------------------------------------------------------------------------


def write_raw(name: str, settings: Source, path: Path, at_hand: Path | None) -> int:
    """Write the source's rows as published to Parquet; returns their number.

    Args:
        at_hand: of samples, JSON lines that stand for the dataset; of origin local, a file or folder.

    Raises:
        SourceError: no adapter, no network, no such revision, or a needed column is missing.
    """
    described = dataset(name)
    if settings.origin == "hub":
        return write_hub_rows(described, settings, path)
    if at_hand is None or not at_hand.exists():
        raise SourceError(
            f"sources.{name}: {at_hand or 'no file'} does not exist. Set its origin to hub, or name its rows as path."
        )
    if settings.origin == "local":
        return write_local_rows(described, settings.limit, at_hand, path)
    rows = read_samples(described, at_hand, settings.limit)
    table = _sample_table(described, rows, at_hand)
    write_table(path, table)
    return table.num_rows


def read_samples(described: Dataset, path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows that ship with the adapter, in their order."""
    rows = []
    for number, row in enumerate(islice(json_rows(path), limit), start=1):
        check_columns(described, row.keys(), f"{path} line {number}", described.columns.names)
        rows.append(row)
    return rows


def _sample_table(described: Dataset, rows: list[dict[str, Any]], path: Path) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema=described.columns)
    except (pa.ArrowException, TypeError):
        for number, row in enumerate(rows, start=1):
            for column in described.columns:
                try:
                    pa.array([row[column.name]], column.type)
                except (pa.ArrowException, TypeError) as error:
                    where = f"{path} line {number}: column {column.name}"
                    raise SourceError(f"{where} is not {column.type} ({error}).") from None
        raise


def write_hub_rows(described: Dataset, settings: Source, path: Path) -> int:
    """Stream the needed columns at the pinned revision; memory holds one batch."""
    if settings.revision is None:
        raise SourceError(
            f"sources.{described.name} has origin hub but no revision: what is built must not depend on the day. "
            f"Set sources.{described.name}.revision to a commit of https://huggingface.co/datasets/{described.hub_id}, "
            f"of which `git ls-remote https://huggingface.co/datasets/{described.hub_id} HEAD` prints the newest."
        )
    return _write_parts(
        described,
        hub_parts(described, settings.revision),
        settings.limit,
        path,
        f"{described.hub_id} at {settings.revision} has no rows in split {described.split}.",
    )


def write_local_rows(described: Dataset, limit: int | None, place: Path, path: Path) -> int:
    """The needed columns of files that lie here in the dataset's published form."""
    mend = f"{place} holds no rows. Name a file or folder that has some as sources.{described.name}.path."
    return _write_parts(described, local_parts(described, place), limit, path, mend)


def _write_parts(described: Dataset, parts: Iterable[Part], limit: int | None, path: Path, if_none: str) -> int:
    """Write what is needed of the parts, one after the other."""
    known = described.columns.names
    schema = pa.schema([described.columns.field(name) for name in described.needs if name in known])
    count = 0
    with publish_file(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for where, is_first, rows in _batches(parts, limit):
                if is_first:
                    check_columns(described, {name: None for row in rows for name in row}, where)
                check_fields(described, rows, where, is_first=is_first)
                writer.write_table(_table_of(described, rows, schema, where))
                count += len(rows)
        if count == 0:
            raise SourceError(if_none)
    return count


def _batches(parts: Iterable[Part], limit: int | None) -> Iterator[tuple[str, bool, list[dict[str, Any]]]]:
    """(what an error names, whether it is the first of its part, rows) of so many rows."""
    left = limit
    for where, batches in parts:
        is_first = True
        for batch in batches:
            rows = batch[:left]
            yield where, is_first, rows
            is_first = False
            if left is not None and (left := left - len(rows)) == 0:
                return


def _table_of(described: Dataset, rows: list[dict[str, Any]], schema: pa.Schema, where: str) -> pa.Table:
    """The rows in the declared types; a column that is of another is named with what it holds."""
    columns = []
    for field in schema:
        values = [_plain(row.get(field.name), field.type) for row in rows]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowException, TypeError, ValueError) as error:
            held = next((value for value in values if value is not None), None)
            raise SourceError(
                f"source {described.name}: column {field.name} of {where} is not {field.type}: it holds "
                f"{repr(held)[:200]} ({error}). Pin sources.{described.name}.revision to a commit whose schema the "
                "adapter in amt/sources knows, or mend the adapter."
            ) from None
    return pa.Table.from_arrays(columns, schema=schema)


def _plain(value: Any, declared: pa.DataType) -> Any:
    """A time where text is declared, as text: readers of JSON recognise times."""
    return value.isoformat() if isinstance(value, datetime) and pa.types.is_string(declared) else value


# --- queries -----------------------------------------------------------------------------------------------


def write_queries(
    name: str,
    raw: Path,
    queries: Path,
    ledger: Path,
    planted: dict[str, list[dict[str, Any]]] | None = None,
    excluded_licences: Collection[str] = (),
    shard: int = 0,
    shards: int = 1,
    contests_before: date | None = None,
) -> CollectReport:
    """Read raw Parquet, write unified queries and what became of every raw row, with its licence; returns the counts.

    Args:
        shard: only the rows of this one of so many shards, from 0.

    Raises:
        SourceError: a needed column is missing, or of many rows none can be used.
    """
    described = dataset(name)
    book = Ledger("queries")
    wanted = {entry["row_id"] for entries in (planted or {}).values() for entry in entries}
    found: set[str] = set()
    licences: Counter[str] = Counter()
    rows_in = 0
    with TableWriter(queries, QUERY) as out:
        rows = _with_licence(described, _published(described, raw), excluded_licences, contests_before, shard, shards)
        for batch in in_batches(rows):
            ours = [entry for entry in batch if entry[2] is not None]
            for number, licence, row in ours:
                place = canonical_json({"raw_row": number, "licence": licence})
                if isinstance(row, LeftOutRow):
                    book.drop({"row_id": row.row_id, "source": name}, row.reason, place)
                else:
                    book.keep(row, place)
                    licences[licence] += 1
            stays = [row for _, _, row in ours if not isinstance(row, LeftOutRow)]
            out.write(pa.Table.from_pylist(stays, schema=QUERY))
            found.update(wanted & {row["row_id"] for row in stays})
            rows_in += len(ours)
        counts = book.report(rows_in, licences.total())
        _check_share(described, counts)
    book.write(ledger)
    return CollectReport(
        stage=counts.stage,
        source=name,
        licence=described.licence,
        gated=described.gated,
        rows_in=counts.rows_in,
        kept=counts.kept,
        dropped=counts.dropped,
        kept_by_category={described.category: counts.kept},
        kept_by_licence=dict(sorted(licences.items())),
        planted={kind: [entry for entry in some if entry["row_id"] in found] for kind, some in (planted or {}).items()},
    )


def _published(described: Dataset, raw: Path) -> Iterator[dict[str, Any]]:
    """Needed columns of all rows, in the order of the raw file."""
    with told(raw):
        file = pq.ParquetFile(raw)
    with file:
        check_columns(described, file.schema_arrow.names, str(raw), described.needs)
        with told(raw):
            # A row group is of bounded weight, as it was written here; so many rows of the group need not be.
            for group in range(file.num_row_groups):
                for part in file.read_row_group(group, columns=list(described.needs)).to_batches(READ_ROWS):
                    yield from part.to_pylist()


def _check_share(described: Dataset, counts: StageReport) -> None:
    """Raises SourceError where no row came in of so many that it is no matter of odd rows, nor of settings."""
    asked_for = (EXCLUDED_LICENCE, EVALUATED)
    if counts.rows_in >= MANY_ROWS and not counts.kept and not any(reason in counts.dropped for reason in asked_for):
        raise SourceError(
            f"source {described.name}: none of {counts.rows_in} rows can be used ({_listed(counts.dropped)}). Its "
            f"adapter in amt/sources reads what {described.hub_id} holds; pin sources.{described.name}.revision to a "
            "commit that it knows, raise sources."
            f"{described.name}.limit if it is set, or mend the adapter."
        )


def _listed(dropped: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in dropped.items())


@dataclass(frozen=True)
class LeftOutRow:
    """A published row that is no query."""

    row_id: str
    reason: str


def unify(
    described: Dataset,
    published: Iterable[dict[str, Any]],
    excluded_licences: Collection[str] = (),
    contests_before: date | None = None,
    shard: int = 0,
    shards: int = 1,
) -> Iterator[dict[str, Any] | LeftOutRow | None]:
    """One entry a published row, in order: a row of amt.rows.QUERY, what names a row that was left out, or None for a
    row of another shard.

    Rows that would have the same id, because they are the same or the dataset names them so, are numbered. What names
    a row decides its shard, so that those meet in one: every shard therefore looks at all rows.

    Args:
        contests_before: rows from contests of this day or later are left out; None takes all.
    """
    excluded = set(map(canonical, excluded_licences))
    lists = [name for name in described.needs if _is_list_of_structs(described, name)]
    occurrences: Counter[int] = Counter()
    for row in published:
        unified = _unified(described, row, lists, contests_before)
        if isinstance(unified, Unified) and not unified.query:
            unified = LeftOut("empty_query")
        if isinstance(unified, Unified) and is_excluded(licence_of(described, row), excluded):
            unified = LeftOut(EXCLUDED_LICENCE)
        if isinstance(unified, Unified):
            content = _row(described, unified)
            if not _is_unicode(unified.published_id, *content.values()):
                unified = LeftOut("not_unicode")
        if isinstance(unified, LeftOut):
            identity = [LEFT_OUT, repr(sorted(row.items()))]
        else:
            identity = [unified.published_id] if unified.published_id not in (None, "") else sorted(content.items())
        name = row_id(described.name, *identity)
        digest = int(name.rpartition(":")[2], 16)
        if digest % shards != shard:
            yield None
            continue
        if occurrence := occurrences[digest]:
            name = row_id(described.name, *identity, occurrence)
        occurrences[digest] += 1
        yield LeftOutRow(name, unified.reason) if isinstance(unified, LeftOut) else {"row_id": name, **content}


def _unified(
    described: Dataset, row: dict[str, Any], lists: list[str], contests_before: date | None
) -> Unified | LeftOut:
    if is_evaluated(described, row, contests_before):
        return LeftOut(EVALUATED)
    if any(None in (row[name] or ()) for name in lists):
        return LeftOut("null_in_a_list")
    return described.unify(row)


def _is_unicode(*cells: Any) -> bool:
    """JSON and Python literals within a column may spell half of a surrogate pair, which is no text of a table."""
    try:
        for cell in cells:
            str(cell).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_list_of_structs(described: Dataset, name: str) -> bool:
    declared = described.columns.field(name).type
    return pa.types.is_list(declared) and pa.types.is_struct(declared.value_type)


EXCLUDED_LICENCE, EVALUATED = "excluded_licence", "of_the_evaluation_window"
LEFT_OUT = "left out"
"""Keeps ids of rows that were left out apart from those of queries."""


def _with_licence(
    described: Dataset, published: Iterator[dict[str, Any]], *how: Any
) -> Iterator[tuple[int, str, dict[str, Any] | LeftOutRow | None]]:
    """(number, licence, what `unify` makes of it) of every published row."""
    as_published, to_unify = tee(published)  # in step: it holds one row
    for number, (raw_row, row) in enumerate(zip(as_published, unify(described, to_unify, *how), strict=True)):
        yield number, licence_of(described, raw_row), row


def is_evaluated(described: Dataset, published: dict[str, Any], contests_before: date | None) -> bool:
    """Whether a row is from a contest of `contests_before` or later, or might be."""
    if described.contest_day is None or contests_before is None:
        return False
    day = described.contest_day(published)
    return day is None or day >= contests_before


def licence_of(described: Dataset, published: dict[str, Any]) -> str:
    """The licence of a row as amt.licences names it: its own, or the dataset's."""
    own = published[described.licence_column] if described.licence_column else None
    return canonical(own or described.licence)


def _row(described: Dataset, unified: Unified) -> dict[str, Any]:
    messages = unified.messages or ({"role": "user", "content": unified.query},)
    return {
        "source": described.name,
        "category": described.category,
        "origin": unified.origin,
        "query": unified.query,
        "messages": canonical_json(list(messages)),
        "ground_truth": unified.ground_truth,
        "tests": None if unified.tests is None else canonical_json(unified.tests),
        "instructions": None if unified.instructions is None else canonical_json(unified.instructions),
        "starter_code": unified.starter_code,
        "reference_solution": unified.reference_solution,
    }
