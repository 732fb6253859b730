"""The columns of every table.

Tables are Parquet, written in a fixed order (by the first column unless a stage says otherwise), so equal
content is equal bytes. Structured cells (messages, tests, instructions) are canonical JSON strings: one
schema then serves every source.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amt.errors import DataError
from amt.publish import publish_file

CATEGORIES = ("math", "code", "science", "instruction_follow", "general_chat")

_text = pa.string()
ROW_GROUP_ROWS = 20_480
"""Rows of a table that are read at once, by one thread: a few large groups would halve the speed of those who ask."""
ROW_GROUP_BYTES = 64 * 2**20
"""Bytes that are read at once, at most, or one row."""
READ_ROWS = 1000
"""Rows that are held as objects at a time, at most: they take more room than those of a table."""
_AGAIN = " Delete it and run snakemake again."

QUERY = pa.schema(
    [
        pa.field("row_id", _text, nullable=False),  # "{source}:{16 hex digits}", stable over builds
        pa.field("source", _text, nullable=False),
        pa.field("category", _text, nullable=False),  # one of CATEGORIES
        pa.field("origin", _text),  # the sub-source that the dataset itself names
        pa.field("query", _text, nullable=False),  # the last user turn, prompt suffixes of the dataset stripped
        pa.field("messages", _text, nullable=False),  # JSON [{"role", "content"}, ...], ends with that user turn
        pa.field("ground_truth", _text),  # final answer (math, science); "B" for multiple choice
        pa.field("tests", _text),  # JSON, see amt.rewards.code_tests
        pa.field("instructions", _text),  # JSON {"instruction_id_list": [...], "kwargs": [...]} (paper, Figure 3)
        pa.field("starter_code", _text),
        pa.field("reference_solution", _text),
    ]
)

RESPONSE = pa.schema(
    [
        pa.field("response_id", _text, nullable=False),  # "{row_id}/{sample}"
        pa.field("row_id", _text, nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("model", _text, nullable=False),
        pa.field("response", _text, nullable=False),  # <think>…</think><answer>…</answer>
        pa.field("finish_reason", _text, nullable=False),  # as the endpoint says; only "stop" is a whole answer
        pa.field("tokens", pa.int32(), nullable=False),  # generated tokens as counted by the endpoint
    ]
)

PERPLEXITY = pa.schema(
    [
        pa.field("response_id", _text, nullable=False),
        pa.field("row_id", _text, nullable=False),
        pa.field("perplexity", pa.float64(), nullable=False),  # infinite where no token could be judged
        pa.field("tokens", pa.int32(), nullable=False),  # response tokens judged
    ]
)

# Three outcomes wherever something is judged; only "scored" has a number.
SCORE = pa.schema(
    [
        pa.field("response_id", _text, nullable=False),
        pa.field("row_id", _text, nullable=False),
        pa.field("reward_kind", _text, nullable=False),  # math | code | instructions | reward_model
        pa.field("status", _text, nullable=False),  # scored | invalid | error
        pa.field("reward", pa.float64()),  # in [0, 1]; null unless scored
        pa.field("reason", _text),  # why it is invalid or an error, or what failed
    ]
)

# Every answer that decided about a math query.
VOTE = pa.schema(
    [
        pa.field("vote_id", _text, nullable=False),  # "{row_id}/{role}/{sample}"
        pa.field("row_id", _text, nullable=False),
        pa.field("role", _text, nullable=False),  # teacher | second_opinion | rewriting_judge
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("response", _text, nullable=False),
        pa.field(
            "answer", _text
        ),  # the last boxed; null if there is none, the response was cut off, or a judge gave it
        pa.field("answer_class", pa.int32()),  # equal answers of one query share a number, from 0, commonest first
        pa.field("equals_ground_truth", pa.bool_(), nullable=False),  # the one before any revision
    ]
)

# What of a query decides which others it duplicates (amt.curate.fingerprint).
FINGERPRINT = pa.schema(
    [
        pa.field("row_id", _text, nullable=False),
        pa.field("exact_high", pa.uint64(), nullable=False),
        pa.field("exact_low", pa.uint64(), nullable=False),
        pa.field("formulas", pa.uint64(), nullable=False),
        pa.field("comparing", pa.binary(), nullable=False),  # amt.curate.senses
        pa.field("in_order", pa.uint64(), nullable=False),
        pa.field("bag", pa.uint64(), nullable=False),
        pa.field("numbers", pa.int32(), nullable=False),
        pa.field("truths", pa.list_(pa.uint64()), nullable=False),  # what is asked, its answer, and so on in pairs
        pa.field("signature", pa.binary(), nullable=False),  # 2 bytes a permutation
    ]
)

LEDGER = pa.schema(
    [
        pa.field("row_id", _text, nullable=False),
        pa.field("source", _text, nullable=False),
        pa.field("stage", _text, nullable=False),
        pa.field("outcome", _text, nullable=False),  # dropped | kept | changed | repeated | packed | used
        pa.field("reason", _text),  # one reason for every dropped or changed row
        pa.field("detail", _text),  # e.g. the benchmark item matched, the old ground truth; text, or a JSON object
    ]
)


def ledger_of(stage: str) -> pa.Schema:
    """LEDGER of one stage, which its file names even where it has no line."""
    return LEDGER.with_metadata({"stage": stage})


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values are equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row_id(source: str, *content: Any) -> str:
    """Id of a row: its source and a digest of what identifies it there (published id, or its content)."""
    digest = hashlib.blake2b(canonical_json(list(content)).encode(), digest_size=8).hexdigest()
    return f"{source}:{digest}"


def write_rows(path: str | Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as Parquet, sorted by the schema's first column, under a temporary name until complete."""
    key = schema.names[0]
    ordered = sorted(rows, key=lambda row: row[key])
    for row in ordered:
        if unknown := set(row) - set(schema.names):
            raise ValueError(f"{path}: row {row[key]} has columns outside the schema: {sorted(unknown)}")
    table = pa.Table.from_pylist(ordered, schema=schema)
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise ValueError(f"{path}: column {field.name} must not be null")
    write_table(path, table)


def write_table(path: str | Path, table: pa.Table) -> None:
    with TableWriter(path, table.schema) as writer:
        writer.write(table)


class TableWriter(contextlib.AbstractContextManager):
    """Writes a table in parts, in the order they come, under a temporary name until complete.

    Where a row group ends depends on the rows alone, not on the parts: at `group_rows` rows, or before the row that
    would make it heavier than ROW_GROUP_BYTES.
    """

    def __init__(self, path: str | Path, schema: pa.Schema, group_rows: int | None = None):
        """
        Args:
            group_rows: of a row group, in place of ROW_GROUP_ROWS; as many rows wait in memory.
        """
        self._schema, self._group_rows = schema, group_rows or ROW_GROUP_ROWS
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._open = contextlib.ExitStack()
        temporary = self._open.enter_context(publish_file(path))
        self._writer = self._open.enter_context(pq.ParquetWriter(temporary, schema, compression="zstd"))

    def write(self, part: pa.Table) -> None:
        self._waiting.append(part)
        self._rows += len(part)
        self._bytes += sum(_bytes_of_rows(part))
        if self._rows >= self._group_rows or self._bytes > ROW_GROUP_BYTES:
            self._flush()

    def _flush(self, *, all_rows: bool = False) -> None:
        rows = pa.concat_tables(self._waiting) if self._waiting else self._schema.empty_table()
        sizes = _bytes_of_rows(rows)
        start = 0
        for stop in _full_groups(sizes, self._group_rows):
            self._writer.write_table(rows.slice(start, stop - start), row_group_size=self._group_rows)
            start = stop
        rest = rows.slice(start)
        if all_rows and len(rest):
            self._writer.write_table(rest, row_group_size=self._group_rows)
            rest = rest.slice(len(rest))
        # Taken, which copies: a slice would hold the memory of all.
        self._waiting = [rest.take(pa.array(range(len(rest)), pa.int64()))]
        self._rows, self._bytes = len(rest), sum(sizes[start:])

    def __exit__(self, kind, error, trace) -> bool | None:
        if kind is not None:
            return self._open.__exit__(kind, error, trace)
        with self._open:  # which closes where the last rows do not fit on the disk, too
            self._flush(all_rows=True)
        return None


def _bytes_of_rows(rows: pa.Table) -> list[int]:
    """Of each row: its text, and 8 for each entry of a list. What else it holds is of no weight."""
    sizes = pa.chunked_array([pa.repeat(pa.scalar(0, pa.int64()), len(rows))])
    for column in rows.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            sizes = pc.add(sizes, pc.fill_null(pc.binary_length(column), 0))
        elif pa.types.is_list(column.type):
            sizes = pc.add(sizes, pc.multiply(pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64()), 8))
    return sizes.to_pylist()


def _full_groups(sizes: list[int], group_rows: int) -> Iterator[int]:
    """Where row groups end that no further row belongs to; what is behind the last of them may still grow."""
    rows = weight = 0
    for number, size in enumerate(sizes):
        if rows and weight + size > ROW_GROUP_BYTES:
            yield number
            rows = weight = 0
        rows, weight = rows + 1, weight + size
        if rows == group_rows:
            yield number + 1
            rows = weight = 0


def in_batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Rows as they come, in lists for what need not lie in memory whole.

    A list ends at READ_ROWS, or with the row that makes it as heavy as ROW_GROUP_BYTES.
    """
    batch, weight = [], 0
    for row in rows:
        batch.append(row)
        weight += _weight(row)
        if len(batch) == READ_ROWS or weight >= ROW_GROUP_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _weight(row: Any) -> int:
    """Characters of its text, however deep within it, and 8 for what is no text."""
    waiting, weight = [row], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        else:
            weight += 8
    return weight


@contextlib.contextmanager
def told(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it with: snakemake {path}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not readable as Parquet ({error}).{_AGAIN}") from None


def read_table(path: str | Path, schema: pa.Schema | None = None) -> pa.Table:
    """Read Parquet, of it the columns of the schema; a corrupt file and a column that is missing or does not fit are a
    DataError that names them."""
    with told(path), pq.ParquetFile(path) as file:
        if schema is None:
            return file.read()
        _check_columns(path, file.schema_arrow.names, schema)
        table = file.read(columns=schema.names)
    return _fitted(path, table, schema)


def batches(path: str | Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """A table in parts of one row group each, for what need not lie in memory whole; errors as of read_table.

    Of a table that was written here a part has at most ROW_GROUP_ROWS rows and ROW_GROUP_BYTES, or one row.
    """
    for _, read in row_groups(path, schema):
        yield read()


def row_groups(path: str | Path, schema: pa.Schema) -> Iterator[tuple[int, Callable[[], pa.Table]]]:
    """(rows, what reads them) of each row group, for what need not be read whole; errors as of read_table."""
    with told(path):
        file = pq.ParquetFile(path)
    with file:
        _check_columns(path, file.schema_arrow.names, schema)
        for group in range(file.num_row_groups):
            yield file.metadata.row_group(group).num_rows, functools.partial(_read_group, path, file, group, schema)


def _read_group(path: str | Path, file: pq.ParquetFile, group: int, schema: pa.Schema) -> pa.Table:
    with told(path):
        part = file.read_row_group(group, columns=schema.names)
    return _fitted(path, part, schema)


def _fitted(path: str | Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
    _check_columns(path, table.column_names, schema)
    return pa.table([_column_of(path, table, field) for field in schema], schema=schema)


def _check_columns(path: str | Path, present: list[str], schema: pa.Schema) -> None:
    if missing := [name for name in schema.names if name not in present]:
        raise DataError(f"{path} lacks column {', '.join(missing)} (it has: {', '.join(present)}).")


def _column_of(path: str | Path, table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    column = table.column(field.name)
    if not field.nullable and column.null_count:
        raise DataError(f"{path}: column {field.name} is null in {column.null_count} of {len(column)} rows.{_AGAIN}")
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise DataError(f"{path}: column {field.name} is {column.type}, not {field.type} ({error}).{_AGAIN}") from None


def read_rows(path: str | Path, schema: pa.Schema | None = None) -> list[dict[str, Any]]:
    return read_table(path, schema).to_pylist()


def read_shards(paths: Iterable[Path], schema: pa.Schema | None = None) -> list[dict[str, Any]]:
    """The rows of one table that lies in several files."""
    return [row for path in paths for row in read_rows(path, schema)]
