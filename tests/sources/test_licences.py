"""Which licence a row has, where it is recorded, and which rows a recipe keeps out by it."""

import json
from collections import Counter

import pyarrow as pa
import pytest

from amt.licences import LICENCES
from amt.rows import LEDGER, read_rows, write_table
from amt.sources.catalogue import DATASETS
from amt.sources.collect import LeftOutRow, read_samples, unify, write_queries
from tests.sources.test_adapters import ROWS, SAMPLES


@pytest.mark.parametrize(
    ("name", "licences", "is_left_out"),
    [
        ("kodcode_v1", ["cc-by-nc-4.0"], True),
        ("kodcode_v1", ["CC BY NC 4.0", "mit"], True),
        ("kodcode_v1", ["cc-by-4.0"], False),
        # A row may have a licence of its own.
        ("nemotron_science", ["odc-by"], True),
        ("nemotron_science", ["cc-by-4.0"], False),
        ("nemotron_science", ["odc-by-1.0"], True),
        ("nemotron_if", ["odc-by-1.0"], True),
        ("nemotron_if", ["cc-by-4.0"], False),  # the dataset's: of rows that declare none
        ("tulu3_if", ["ODC-BY"], True),
        ("chemistryqa", ["C-UDA"], True),
        ("openhermes_2_5", ["not declared"], True),
        ("openhermes_2_5", ["unlisted"], False),
    ],
)
def test_a_recipe_can_exclude_licences(name, licences, is_left_out):
    (row,) = unify(DATASETS[name], [ROWS[name][0]], licences)
    assert isinstance(row, LeftOutRow) is is_left_out
    assert not is_left_out or row.reason == "excluded_licence"


@pytest.mark.parametrize(
    ("declared", "excluded", "is_left_out"),
    [
        ("apache_v2", ["apache-2.0"], True),
        ("Apache License 2.0", ["apache_v2"], True),
        (None, ["cc-by-4.0"], True),
        ("", ["cc-by-4.0"], True),
        ("GPL-3.0", ["apache-2.0", "cc-by-4.0"], False),
        ("GPL-3.0", ["unlisted"], True),
        ("mit", ["unlisted"], False),
    ],
)
def test_a_row_goes_by_the_licence_that_it_declares(declared, excluded, is_left_out):
    (row,) = unify(DATASETS["nemotron_if"], [ROWS["nemotron_if"][0] | {"license": declared}], excluded)
    assert isinstance(row, LeftOutRow) is is_left_out


def test_every_dataset_declares_a_licence_that_a_recipe_can_name():
    assert {described.licence for described in DATASETS.values()} <= set(LICENCES)


def test_the_licence_of_every_row_is_recorded_and_counted(tmp_path):
    rows = read_samples(DATASETS["nemotron_science"], SAMPLES / "nemotron_science.jsonl")
    write_table(tmp_path / "rows.parquet", pa.Table.from_pylist(rows, schema=DATASETS["nemotron_science"].columns))
    report = write_queries(
        "nemotron_science", tmp_path / "rows.parquet", tmp_path / "queries.parquet", tmp_path / "ledger.parquet"
    )
    spelled = {"CC BY 4.0": "cc-by-4.0", "ODC-BY": "odc-by-1.0"}
    entries = read_rows(tmp_path / "ledger.parquet", LEDGER)
    assert len(entries) == 60
    for entry in entries:
        said = json.loads(entry["detail"])
        assert said["licence"] == spelled[rows[said["raw_row"]]["license"]]
    kept = Counter(json.loads(entry["detail"])["licence"] for entry in entries if entry["outcome"] == "kept")
    assert report.kept_by_licence == kept
    assert kept.keys() == {"cc-by-4.0", "odc-by-1.0"}
