"""Breaks between stages, against sets that are compared row by row."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt.errors import DataError
from amt.flow.chain import breaks, check_chain
from amt.flow.ledgers import Ledgers, find_ledgers
from amt.flow.stages import FLOW, STAGE, trunk
from amt.flow.trace import trace
from amt.ledger import Ledger
from tests.flow.conftest import LINES, write


def test_a_whole_flow_is_unbroken(ledgers):
    assert breaks(ledgers) == []
    check_chain(ledgers)


def test_the_flow_is_in_reading_order():
    for number, stage in enumerate(FLOW):
        assert stage.after is None or stage.after in {other.name for other in FLOW[:number]}
    assert [stage.name for stage in trunk()] == ["queries", "clean", "unique", "decontaminate", "verify_math"]


@pytest.mark.parametrize(
    ("file", "edit", "told"),
    [
        (
            "data/curated/clean/ledger/01.parquet",
            lambda lines: [line for line in lines if line[1] not in ("sums:3", "chats:1")],
            [
                "clean: 2 rows kept by queries did not come in, e.g. chats:1, sums:3",
                "unique: 2 rows came in that clean did not keep, e.g. chats:1, sums:3",
            ],
        ),
        (
            "data/curated/clean/ledger/00.parquet",
            lambda lines: [*lines, ("clean", "sums:3", "dropped", "image", None)],
            ["clean: 1 row came in more than once, e.g. sums:3"],
        ),
        # One for another: the counts are those of a whole flow.
        (
            "data/rl/stage1.ledger.parquet",
            lambda lines: [("rl_set_1", "sums:9", *line[2:]) if line[1] == "sums:3" else line for line in lines],
            ["rl_set_1: 1 row kept by verify_math did not come in, 1 row came in that verify_math did not keep, "
             "e.g. sums:3, sums:9"],
        ),
        # A verified query without any response, and a response to a query that was left out.
        (
            "data/responses/filtered/ledger.parquet",
            lambda lines: [*lines[:-1], ("filter_responses", "sums:4/0", "dropped", "truncated", None)],
            ["filter_responses: 1 row kept by verify_math did not come in, 1 row came in that verify_math did not "
             "keep, e.g. chats:2, sums:4"],
        ),
    ],
)  # fmt: skip
def test_a_break_names_stage_number_of_rows_and_examples(project, file, edit, told):
    write(project / file, edit(LINES[file]))
    ledgers = Ledgers(find_ledgers(project))
    assert [str(one) for one in breaks(ledgers)] == told
    with pytest.raises(DataError) as error:
        check_chain(ledgers)
    assert "\n  ".join(["between stages:", *told]) in str(error.value)


def test_a_response_in_two_shards_is_told(project):
    file = "data/responses/filtered/ledger.parquet"
    write(project / "data/responses/filtered/ledger/again.parquet", LINES[file][:1])
    assert "filter_responses: 1 row came in more than once, e.g. sums:1/0" in map(
        str, breaks(Ledgers(find_ledgers(project)))
    )


@pytest.mark.parametrize(
    "again",
    [
        {"queries": ["sums:1"]},
        {"queries": ["sums:1"], "clean": ["sums:1"]},
        {"clean": ["sums:1", "sums:2"], "unique": ["sums:1", "sums:2"]},
        {"queries": ["sums:1"], "clean": ["sums:1"], "unique": ["sums:1"]},
        # Two in one place stand for two in another: counts are those of a whole flow.
        {"sft": ["chats:1/0"], "rl_set_1": ["sums:3"]},
    ],
)
def test_a_row_that_is_twice_in_a_stage_is_told_whatever_the_others_have(project, again):
    """As left-over files of an earlier build make it: the same rows are twice in several stages."""
    lines = {line[0]: {} for some in LINES.values() for line in some}
    for stage, name, *rest in (line for some in LINES.values() for line in some):
        lines[stage][name] = (stage, name, *rest)
    for stage, names in again.items():
        write(project / f"data/again/{stage}.ledger.parquet", [lines[stage][name] for name in names])
    with pytest.raises(DataError) as error:
        check_chain(Ledgers(find_ledgers(project)))
    rows = {1: "1 row came in", 2: "2 rows came in"}
    told = [f"{stage}: {rows[len(names)]} more than once, e.g. {', '.join(names)}" for stage, names in again.items()]
    assert str(error.value).splitlines()[1:-1] == [f"  {line}" for line in told]


def test_a_stage_that_no_row_reached_is_part_of_a_whole_flow(project):
    file = "data/rl/stage2.ledger.parquet"
    write(project / file, [(stage, name, "dropped", "limit", None) for stage, name, *_ in LINES[file]])
    Ledger("grpo_2").write(project / "models/rl2/ledger.parquet")
    ledgers = Ledgers(find_ledgers(project))
    check_chain(ledgers)
    assert not [line for line in trace(ledgers, "chats:1") if "no ledger" in line]
    # And where rows were kept for it, they are missed.
    write(project / file, LINES[file])
    told = "grpo_2: 2 rows kept by rl_set_2 did not come in, e.g. chats:1, chats:2"
    assert list(map(str, breaks(Ledgers(find_ledgers(project))))) == [told]


def test_a_stage_without_a_ledger_is_named(project):
    shutil.rmtree(project / "data/curated/clean")
    (project / "models/rl2/ledger.parquet").unlink()
    with pytest.raises(DataError, match=r"no ledger among 13 files is of clean, grpo_2\. Run: snakemake"):
        check_chain(Ledgers(find_ledgers(project)))


ROWS = st.dictionaries(st.integers(0, 9).map("s:{}".format), st.booleans(), max_size=10)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ROWS, ROWS, st.integers(1, 3))
def test_any_two_stages_fit_exactly_if_their_rows_do(tmp_path_factory, clean, unique, shards):
    """clean, unique: {row: whether it is kept}."""
    folder = tmp_path_factory.mktemp("chain")
    for stage, rows in (("clean", clean), ("unique", unique)):
        lines = [
            (stage, name, "kept" if kept else "dropped", None if kept else "r", None) for name, kept in rows.items()
        ]
        for shard in range(shards):
            write(folder / f"data/{stage}/ledger/{shard}.parquet", lines[shard::shards], stage)
    kept = {name for name, is_kept in clean.items() if is_kept}
    found = breaks(Ledgers(find_ledgers(folder)))
    assert bool(found) == (kept != set(unique))
    if found:
        assert (found[0].stage, found[0].after) == ("unique", STAGE["unique"].after)
        assert (found[0].lost, found[0].appeared, found[0].twice) == (
            len(kept - set(unique)),
            len(set(unique) - kept),
            0,
        )
        assert set(found[0].examples) <= kept ^ set(unique)
