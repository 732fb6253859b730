"""Tables and reports that do not hold what the next stage needs."""

from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.errors import DataError
from amt.ledger import read_report
from amt.rows import ROW_GROUP_ROWS, TableWriter, batches, read_rows

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
@settings(max_examples=20, deadline=None)
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
