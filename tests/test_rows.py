"""Tables and reports that do not hold what the next stage needs."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.errors import DataError
from amt.ledger import read_report
from amt.rows import ROW_GROUP_ROWS, TableWriter, batches, in_batches, read_rows, read_table, write_table

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("count", pa.int32())])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", None, None], "count": [1, 2, 3]}, r"t\.parquet: column id is null in 2 of 3 rows\."),
        ({"id": ["a"], "count": ["many"]}, r"t\.parquet: column count is string, not int32 \("),
        ({"id": ["a"], "count": [2**40]}, r"t\.parquet: column count is int64, not int32 \("),
        ({"id": ["a"], "count": [{"n": 1}]}, r"t\.parquet: column count is struct<n: int64>, not int32 \("),
        ({"id": ["a"]}, r"t\.parquet lacks column count \(it has: id\)"),
    ],
)
def test_a_column_that_does_not_fit_is_named_with_its_file(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "t.parquet", SCHEMA)


def test_columns_are_read_in_the_order_and_types_of_the_schema(tmp_path):
    pq.write_table(pa.table({"more": [0], "count": [7], "id": ["a"]}), tmp_path / "t.parquet")
    assert read_rows(tmp_path / "t.parquet", SCHEMA) == [{"id": "a", "count": 7}]


def test_columns_that_a_schema_does_not_name_are_not_read(tmp_path, own_pool):
    text = [f"{number:0100}" for number in range(100_000)]
    pq.write_table(pa.table({"id": ["a"] * 100_000, "count": range(100_000), "text": text}), tmp_path / "t.parquet")
    with own_pool() as pool:
        assert len(read_table(tmp_path / "t.parquet", SCHEMA)) == 100_000
        assert pool.max_memory() < 5_000_000
        assert len(read_table(tmp_path / "t.parquet")) == 100_000
        assert pool.max_memory() > 10_000_000


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", None], "count": [1, 2]}, r"t\.parquet: column id is null in 1 of 2 rows\."),
        ({"id": ["a"]}, r"t\.parquet lacks column count \(it has: id\)"),
    ],
)
def test_a_table_read_in_parts_is_checked_alike(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        list(batches(tmp_path / "t.parquet", SCHEMA))
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t\.parquet is not readable as Parquet"):
        list(batches(tmp_path / "t.parquet", SCHEMA))


@given(st.lists(st.integers(0, 2 * ROW_GROUP_ROWS), max_size=4))
@settings(max_examples=20)
def test_a_table_written_in_parts_is_the_same_bytes_whatever_the_parts(tmp_path_factory, ends):
    folder = tmp_path_factory.mktemp("tables")
    rows = pa.table({"id": map(str, range(50_000)), "count": range(50_000)}, schema=SCHEMA)
    cuts = [0, *sorted(ends), len(rows)]
    with TableWriter(folder / "parts.parquet", SCHEMA) as writer:
        for first, last in pairwise(cuts):
            writer.write(rows.slice(first, last - first))
    with TableWriter(folder / "whole.parquet", SCHEMA) as writer:
        writer.write(rows)
    assert (folder / "parts.parquet").read_bytes() == (folder / "whole.parquet").read_bytes()
    assert pa.concat_tables(batches(folder / "parts.parquet", SCHEMA)).equals(rows)
    assert [len(part) for part in batches(folder / "parts.parquet", SCHEMA)] == [20_480, 20_480, 9_040]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=40), st.data())
@settings(max_examples=80)
def test_row_groups_end_by_rows_and_bytes_whatever_the_parts(tmp_path_factory, sizes, data):
    """sizes: (characters, entries of a list) of each row; a group takes 5 rows, or 20 bytes."""
    folder = tmp_path_factory.mktemp("groups")
    schema = pa.schema([pa.field("text", pa.string()), pa.field("ids", pa.list_(pa.int32()))])
    table = pa.table({"text": ["é" * (n // 2) + "x" * (n % 2) or None for n, _ in sizes],
                      "ids": [[7] * entries or None for _, entries in sizes]}, schema=schema)  # fmt: skip
    expected: list[list[int]] = []
    for size in (characters + 8 * entries for characters, entries in sizes):
        if not expected or len(expected[-1]) == 5 or sum(expected[-1]) + size > 20:
            expected.append([])
        expected[-1].append(size)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(table)), max_size=4))), len(table)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amt.rows.ROW_GROUP_ROWS", 5)
        patch.setattr("amt.rows.ROW_GROUP_BYTES", 20)
        with TableWriter(folder / "parts.parquet", schema) as writer:
            for first, last in pairwise(cuts):
                writer.write(table.slice(first, last - first))
        write_table(folder / "whole.parquet", table)
    assert (folder / "parts.parquet").read_bytes() == (folder / "whole.parquet").read_bytes()
    parts = list(batches(folder / "parts.parquet", schema))
    assert [len(part) for part in parts] == [len(group) for group in expected]
    assert pa.concat_tables([schema.empty_table(), *parts]).equals(table)


@given(st.lists(st.integers(0, 30), max_size=40))
@settings(max_examples=80)
def test_batches_of_rows_end_by_rows_and_weight(sizes):
    """A batch takes 5 rows, or ends with the row that brings it to 20."""
    rows = [{"text": "x" * size} for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amt.rows.READ_ROWS", 5)
        patch.setattr("amt.rows.ROW_GROUP_BYTES", 20)
        found = list(in_batches(iter(rows)))
    assert [row for batch in found for row in batch] == rows
    for number, batch in enumerate(found):
        weights = [len(row["text"]) for row in batch]
        assert len(weights) <= 5
        assert sum(weights[:-1]) < 20
        assert len(weights) == 5 or sum(weights) >= 20 or number == len(found) - 1


@pytest.mark.parametrize(
    ("row", "rows"),  # of a batch of 100
    [
        ({"text": "x" * 50}, 2),
        ({"turns": [{"content": "x" * 20}, {"content": "y" * 20}], "none": None, "n": 1.5}, 2),  # 40 and twice 8
        ((7, "mit", {"tests": ["x" * 89]}), 1),
        ({"deep": json.loads("[" * 900 + '"' + "x" * 99 + '"' + "]" * 900)}, 2),
        ({"small": 1}, 5),
    ],
)
def test_the_weight_of_a_row_is_all_text_within_it(monkeypatch, row, rows):
    monkeypatch.setattr("amt.rows.READ_ROWS", 5)
    monkeypatch.setattr("amt.rows.ROW_GROUP_BYTES", 100)
    assert len(next(in_batches([row] * 9))) == rows


def test_a_part_of_heavy_rows_is_of_bounded_size(tmp_path):
    rows = pa.table({"id": ["x" * 1_000_000] * 200, "count": [1] * 200}, schema=SCHEMA)
    write_table(tmp_path / "t.parquet", rows)
    sizes = [part.nbytes for part in batches(tmp_path / "t.parquet", SCHEMA)]
    assert len(sizes) == 3
    assert max(sizes) < 68_000_000


def test_rows_that_wait_hold_no_memory_of_those_that_were_written(tmp_path, own_pool):
    def rows(count: int) -> pa.Table:
        return pa.table({"id": [f"{n:0100}" for n in range(count)], "count": range(count)}, schema=SCHEMA)

    with own_pool() as pool, TableWriter(tmp_path / "t.parquet", SCHEMA) as writer:
        writer.write(rows(30_000))
        assert pool.bytes_allocated() < 2_900_000  # where a slice of all that was written would hold 4,600,000
        for _ in range(9):
            writer.write(rows(20_480))
        assert pool.bytes_allocated() < 2_900_000


FULL_DISK = """
import os, random, resource, signal, sys
import pyarrow as pa
from amt.rows import TableWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
schema = pa.schema([("id", pa.string())])
try:
    with TableWriter("t.parquet", schema) as writer:
        writer.write(pa.table({"id": [random.randbytes(2000).hex()]}, schema=schema))
except OSError as error:
    print(f"{type(error).__name__}, left: {os.listdir()}")
"""


def test_a_disk_that_is_full_at_the_last_rows_leaves_nothing(tmp_path):
    """While the error is on its way: nothing waits for the interpreter to clear up."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "OSError, left: []\n", done.stderr


def test_no_more_rows_than_asked_for_wait_until_they_are_written(tmp_path):
    path = tmp_path / "t.parquet"
    with TableWriter(path, SCHEMA, group_rows=10) as out:
        for number in range(5):
            out.write(pa.table({"id": [str(number)] * 5, "count": [number] * 5}, schema=SCHEMA))
    assert [len(part) for part in batches(path, SCHEMA)] == [10, 10, 5]
    assert [row["count"] for row in read_rows(path)] == [number for number in range(5) for _ in range(5)]


def test_a_table_that_fails_half_way_leaves_nothing(tmp_path):
    def write():
        with TableWriter(tmp_path / "t.parquet", SCHEMA) as writer:
            writer.write(SCHEMA.empty_table())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b'{"kept": 1', b"\xff\xfe\x00"])
def test_a_corrupt_report_is_named(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(DataError, match=r"report\.json is not readable as JSON"):
        read_report(tmp_path / "report.json")


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(DataError, match=r"report\.json does not exist\. Build it with: snakemake "):
        read_report(tmp_path / "report.json")
