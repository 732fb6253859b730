"""Collect: rows as published, and the same rows as unified queries (paper 2.1).

Invariant: every raw row has one line in the ledger, under an id of its own: that of its query, or, with the reason why
it was left out, one made of what was published. Equal published rows get different ids, so that finding duplicates is
the business of `unique`. `detail` of a line says which raw row it was.
"""

import contextlib
import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amt.errors import SourceError
from amt.ledger import Ledger
from amt.licences import canonical, is_excluded
from amt.params import Source
from amt.publish import publish_file
from amt.rows import QUERY, canonical_json, row_id, told, write_rows, write_table
from amt.sources.catalogue import dataset
from amt.sources.dataset import Dataset, LeftOut, Unified

HUB_BATCH_ROWS = 1000


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
    for number, row in enumerate(islice(json_lines(path), limit), start=1):
        check_columns(described, row.keys(), f"{path} line {number}", described.columns.names)
        rows.append(row)
    return rows


def json_lines(path: str | Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON-lines file; a line that is none is a SourceError that names it."""
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line.decode())
            except ValueError as error:
                raise SourceError(f"{path} line {number} is not JSON ({error}).") from None
            if not isinstance(row, dict):
                raise SourceError(f"{path} line {number} is a {type(row).__name__}, not a JSON object.")
            yield row


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
    if described.files:
        urls = [_url(described, settings.revision, file) for file in described.files]
        streams = [_file_stream(described, urls, settings.revision)]
    else:
        streams = _config_streams(described, settings.revision)
    return _write_streams(described, streams, settings.limit, path, f"{described.hub_id} at {settings.revision}")


def write_local_rows(described: Dataset, limit: int | None, place: Path, path: Path) -> int:
    """The needed columns of files that lie here in the dataset's published form."""
    files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
    files = [str(file) for file in files if file.suffix in FORMATS]
    if not files:
        raise SourceError(
            f"sources.{described.name}.path: {place} holds no file in a form that can be read "
            f"({', '.join(FORMATS)}). Name a file or folder with the rows of {described.hub_id}."
        )
    return _write_streams(described, [_file_stream(described, files, "")], limit, path, str(place))


FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv", ".tsv": "csv"}
"""Reader of `datasets` by the ending of a file."""


def _write_streams(described: Dataset, streams: Iterable, limit: int | None, path: Path, where: str) -> int:
    """Write what is needed of the streams, one after the other."""
    known = described.columns.names
    schema = pa.schema([described.columns.field(name) for name in described.needs if name in known])
    count = 0
    with publish_file(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for stream in streams:
                # Some datasets publish no schema: the first rows tell it.
                stream = stream if stream.column_names else stream._resolve_features()
                required = [name for name in described.needs if name not in described.optional]
                check_columns(described, stream.column_names, where, required)
                stream = stream.select_columns([name for name in described.needs if name in stream.column_names])
                if limit is not None:
                    stream = stream.take(limit - count)
                for batch in _batches(described, where, stream):
                    writer.write_table(_table_of(described, batch, schema, where))
                    count += len(batch)
                if limit is not None and count >= limit:
                    break
        if count == 0:
            raise SourceError(f"{where} has no rows in split {described.split}.")
    return count


def _config_streams(described: Dataset, revision: str) -> Iterator:
    import datasets

    for config in (described.config or "").split("+"):
        for split in described.split.split("+"):
            with _told(described, f"{described.hub_id} (config {config or None}, split {split}) at {revision}"):
                yield datasets.load_dataset(
                    described.hub_id, config or None, split=split, revision=revision, streaming=True
                )


def _url(described: Dataset, revision: str, file: str) -> str:
    folder = Path(described.hub_id)
    return str(folder / file) if folder.is_dir() else f"hf://datasets/{described.hub_id}@{revision}/{file}"


def _file_stream(described: Dataset, files: list[str], revision: str):
    import datasets

    ending = Path(files[0]).suffix
    options = {"delimiter": "\t"} if ending == ".tsv" else {}
    with _told(described, f"{files[0]}{f' at {revision}' if revision else ''}"):
        return datasets.load_dataset(FORMATS[ending], data_files=files, split="train", streaming=True, **options)


def _batches(described: Dataset, where: str, stream) -> Iterator[list[dict[str, Any]]]:
    with _told(described, where):
        for batch in stream.iter(batch_size=HUB_BATCH_ROWS):
            names = list(batch)
            yield [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]


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


@contextlib.contextmanager
def _told(described: Dataset, where: str) -> Iterator[None]:
    try:
        yield
    except hub_errors() as error:
        raise _unreadable(described, where, error) from error


def hub_errors() -> tuple[type[Exception], ...]:
    """What reading from the hub raises for want of network, access, revision or file."""
    import httpx

    return (OSError, ValueError, RuntimeError, httpx.HTTPError)


def _unreadable(described: Dataset, where: str, error: Exception) -> SourceError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    terms = f"accept its terms at https://huggingface.co/datasets/{described.hub_id} and set HF_TOKEN, "
    return SourceError(
        f"{where} cannot be read: {type(error).__name__}: {reason}. Of the hub, check the network, "
        f"{terms if described.gated else ''}and sources.{described.name}.revision in params.yaml; of files of your "
        "own, the file."
    )


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
    """
    described = dataset(name)
    book = Ledger("queries")
    kept = []
    licences: Counter[str] = Counter()
    published = list(_published(described, raw, shard, shards))
    unified = unify(described, [row for _, row in published], excluded_licences, contests_before)
    for (number, as_published), row in zip(published, unified, strict=True):
        licence = licence_of(described, as_published)
        place = canonical_json({"raw_row": number, "licence": licence})
        if isinstance(row, LeftOutRow):
            book.drop({"row_id": row.row_id, "source": name}, row.reason, place)
        else:
            book.keep(row, place)
            kept.append(row)
            licences[licence] += 1
    counts = book.report(len(published), len(kept))
    write_rows(queries, kept, QUERY)
    book.write(ledger)
    ids = {row["row_id"] for row in kept}
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
        planted={kind: [entry for entry in some if entry["row_id"] in ids] for kind, some in (planted or {}).items()},
    )


def _published(described: Dataset, raw: Path, shard: int, shards: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number in the raw file, needed columns) of one shard's rows.

    Equal rows lie in one shard, so that their ids can tell them apart.
    """
    with told(raw):
        file = pq.ParquetFile(raw)
    number = 0
    with file:
        check_columns(described, file.schema_arrow.names, str(raw), described.needs)
        for group in range(file.num_row_groups):
            with told(raw):
                rows = file.read_row_group(group, columns=described.needs).to_pylist()
            for row in rows:
                if shards == 1 or zlib.crc32(repr(row).encode("utf-8", "surrogatepass")) % shards == shard:
                    yield number, row
                number += 1


@dataclass(frozen=True)
class LeftOutRow:
    """A published row that is no query."""

    row_id: str
    reason: str


def unify(
    described: Dataset,
    published: list[dict[str, Any]],
    excluded_licences: Collection[str] = (),
    contests_before: date | None = None,
) -> Iterator[dict[str, Any] | LeftOutRow]:
    """One entry a published row, in order: a row of amt.rows.QUERY, or what names a row that was left out.

    Rows that would have the same id, because they are the same or the dataset names them so, are numbered.

    Args:
        contests_before: rows from contests of this day or later are left out; None takes all.
    """
    excluded = set(map(canonical, excluded_licences))
    occurrences: Counter[str] = Counter()
    for row in published:
        unified = _EVALUATED if is_evaluated(described, row, contests_before) else described.unify(row)
        if isinstance(unified, Unified) and not unified.query:
            unified = LeftOut("empty_query")
        if isinstance(unified, Unified) and is_excluded(licence_of(described, row), excluded):
            unified = LeftOut("excluded_licence")
        if isinstance(unified, LeftOut):
            identity = [LEFT_OUT, repr(sorted(row.items()))]
        else:
            content = _row(described, unified)
            identity = [unified.published_id] if unified.published_id not in (None, "") else sorted(content.items())
        occurrence = occurrences[canonical_json(identity)]
        occurrences[canonical_json(identity)] += 1
        name = row_id(described.name, *identity, *([occurrence] if occurrence else []))
        yield LeftOutRow(name, unified.reason) if isinstance(unified, LeftOut) else {"row_id": name, **content}


_EVALUATED = LeftOut("of_the_evaluation_window")
LEFT_OUT = "left out"
"""Keeps ids of rows that were left out apart from those of queries."""


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


def check_columns(described: Dataset, present: Any, where: str, needed: Any) -> None:
    """Raises SourceError that names the source, the missing columns and what there is."""
    if missing := [name for name in needed if name not in present]:
        raise SourceError(
            f"source {described.name}: {where} lacks column {', '.join(missing)} (it has: {', '.join(present)}). "
            f"The adapter in amt/sources reads the schema of {described.hub_id}; pin "
            f"sources.{described.name}.revision to a commit that has it, or mend the adapter."
        )
