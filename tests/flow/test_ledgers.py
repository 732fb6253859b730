"""Which files are ledgers, and which of them a question opens."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt.errors import DataError
from amt.flow.ledgers import Ledgers, find_ledgers
from amt.ledger import Ledger
from tests.flow.conftest import LINES, write


def test_ledgers_are_found_by_their_names_and_places(project):
    others = (
        "data/rl/stage1.parquet",
        "models/rl1/.ledger.parquet.partial-7",
        "models/.rl1.partial-7/ledger.parquet",
        "reports/ledger.parquet",
        "data/ledgers/a.parquet",
        "data/curated/clean/ledger/report.json",
    )
    for name in others:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    assert [str(path.relative_to(project)) for path in find_ledgers(project)] == sorted(LINES)


def test_without_any_ledger_it_says_that_nothing_was_built(tmp_path):
    with pytest.raises(DataError, match=r"no ledger of this build lies below data or models\. Run: snakemake"):
        Ledgers(find_ledgers(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing more", None])
def test_a_file_that_is_no_ledger_is_named(project, content):
    path = project / "data/sft/ledger.parquet"
    if content is None:
        pq.write_table(pa.table({"row_id": ["a"], "count": [1]}), path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"data/sft/ledger\.parquet .*Delete it and run snakemake again"):
        Ledgers(find_ledgers(project)).between("sums:1", "sums:2")
    with pytest.raises(DataError, match=r"a ledger is not readable .*Delete it and run snakemake again"):
        Ledgers(find_ledgers(project)).ask("SELECT count(stage) FROM ledger")


NAMES = st.text("ab:/0~é", min_size=1, max_size=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sets(NAMES, max_size=12), min_size=1, max_size=5), NAMES, NAMES)
def test_a_range_holds_what_a_scan_of_everything_holds(tmp_path_factory, shards, first, behind):
    folder = tmp_path_factory.mktemp("shards")
    files = []
    for number, names in enumerate(shards):
        book = Ledger("test", buffer_rows=3)
        for name in names:
            book.keep({"row_id": name, "source": str(number)})
        files.append(folder / f"{number}.parquet")
        book.write(files[-1])
    found = Ledgers(files).between(first, behind)
    expected = [(name, str(number)) for number, names in enumerate(shards) for name in names if first <= name < behind]
    assert sorted((line["row_id"], line["source"]) for line in found) == sorted(expected)


def test_a_question_about_one_row_opens_only_files_that_can_have_it(tmp_path):
    for number in range(10):
        write(
            tmp_path / f"data/{number}.ledger.parquet",
            [("unique", f"s:{number}{n}", "kept", None, None) for n in "159"],
        )
    ledgers = Ledgers(find_ledgers(tmp_path))
    assert len(ledgers.parts) == 10  # their footers were read
    for number in (0, 1, 2, 4, 5, 6, 7, 8, 9):
        (tmp_path / f"data/{number}.ledger.parquet").unlink()
    (line,) = ledgers.between("s:35", "s:350")
    assert (line["row_id"], line["stage"], line["outcome"]) == ("s:35", "unique", "kept")


def test_lines_about_rows_or_with_a_reason(ledgers):
    found = {(line["stage"], line["row_id"]) for line in ledgers.about(["chats:2"], ["url", "unclear"])}
    assert found == {
        *((stage, "chats:2") for stage in ("queries", "unique", "clean", "decontaminate", "verify_math", "pass_rates",
                                           "rl_set_1", "rl_set_2", "grpo_2")),
        ("clean", "sums:6"), ("verify_math", "sums:4"),
    }  # fmt: skip
    assert ledgers.about([], []) == []
