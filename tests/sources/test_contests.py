"""Contests of the evaluation window are never trained on, wherever a recipe lets it begin."""

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amt.errors import ParamsError
from amt.params import load
from amt.rows import LEDGER, read_rows, write_table
from amt.sources.catalogue import DATASETS
from amt.sources.collect import LeftOutRow, read_samples, unify
from tests.sources.test_adapters import ROWS, SAMPLES, _script
from tests.test_recipes import PAPER

DAYS = st.dates(date(1980, 1, 1), date(2035, 1, 1))


def published_on(name, day):
    last_second = datetime.combine(day, time(23, 59, 59), UTC)
    when = {
        "livecodebench_generation": {"contest_date": f"{day}T00:00:00"},
        "codeforces_cots": {"contest_start": int(last_second.timestamp())},
    }
    return ROWS[name][0] | when[name]


@pytest.mark.parametrize("name", ["livecodebench_generation", "codeforces_cots"])
@given(day=DAYS, first=DAYS, apart=st.integers(-2, 2) | st.none())
def test_a_contest_comes_in_if_it_took_place_before_the_day(name, day, first, apart):
    if apart is not None:
        day = first + timedelta(days=apart)
    (row,) = unify(DATASETS[name], [published_on(name, day)], contests_before=first)
    assert isinstance(row, LeftOutRow) == (day >= first)
    assert not isinstance(row, LeftOutRow) or row.reason == "of_the_evaluation_window"


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("livecodebench_generation", {"contest_date": None}),
        ("livecodebench_generation", {"contest_date": "spring"}),
        ("codeforces_cots", {"contest_start": None}),
        ("codeforces_cots", {"contest_start": 2**62}),
    ],
)
def test_a_contest_of_an_unknown_day_might_be_of_the_window(name, unknown):
    (row,) = unify(DATASETS[name], [ROWS[name][0] | unknown], contests_before=date(2024, 10, 1))
    assert row.reason == "of_the_evaluation_window"


def test_the_day_of_the_recipe_reaches_the_stage(tmp_path):
    described = DATASETS["livecodebench_generation"]
    rows = read_samples(described, SAMPLES / "livecodebench_generation.jsonl")
    write_table(tmp_path / "rows.parquet", pa.Table.from_pylist(rows, schema=described.columns))
    out = {name: tmp_path / name for name in ("queries", "ledger", "report")}
    arguments = (
        *("--source", described.name, "--shard", "0", "--rows", tmp_path / "rows.parquet"),
        *("--planted", SAMPLES / "planted.json"),
        *(word for name, path in out.items() for word in (f"--{name}", path)),
    )
    done = _script("queries", *arguments)
    assert done.returncode == 0, done.stderr
    dropped = [entry for entry in read_rows(out["ledger"], LEDGER) if entry["reason"] == "of_the_evaluation_window"]
    assert 0 < len(dropped) == sum(row["contest_date"] >= "2024-10-01" for row in rows)


@pytest.mark.parametrize(
    ("before", "window", "message"),
    [
        ("2024-10-01", {"first": "2024-10-01", "last": "2025-02-28"}, None),
        ("2024-10-01", {"first": "2025-01-01", "last": "2025-02-28"}, None),
        (
            "2024-10-01",
            {"first": "2024-09-30", "last": "2025-02-28"},
            "benchmarks.livecodebench.window: it begins on 2024-09-30, but contests before 2024-10-01 are trained on. "
            'Set collect.contests_before to "2024-09-30" or earlier',
        ),
        ("2024-10-01", None, "benchmarks.livecodebench.window: null, which is all days since 0001-01-01, but"),
        ("0001-01-01", None, None),
        (date(2024, 10, 1), None, "collect.contests_before: 2024-10-01 stands without quotes"),
    ],
)
def test_a_recipe_cannot_train_on_contests_that_it_evaluates(tmp_path, before, window, message):
    recipe = yaml.safe_load(PAPER.read_text())
    recipe["collect"]["contests_before"] = before
    recipe["benchmarks"]["livecodebench"]["window"] = window
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    if message is None:
        load(tmp_path / "recipe.yaml")
    else:
        with pytest.raises(ParamsError) as error:
            load(tmp_path / "recipe.yaml")
        assert message in str(error.value)
