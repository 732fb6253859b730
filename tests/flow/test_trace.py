"""What is told of a row, word by word."""

import pytest

from amt.errors import DataError
from amt.flow.ledgers import Ledgers, find_ledgers
from amt.flow.trace import trace
from tests.flow.conftest import write


def test_a_row_from_the_raw_file_to_the_checkpoints(ledgers):
    assert trace(ledgers, "sums:1") == [
        "sums:1",
        "  collect           came in; row 1 (from 0) of data/raw/sums/, licence mit",
        "  clean             kept",
        "  unique            kept",
        "  decontaminate     kept",
        "  verify math       changed: truth revised (ground truth '4' → '5')",
        "  response 0",
        "    filter responses  kept",
        "    score             kept (reward 0.5; status scored)",
        "    SFT set           packed into sequence 3 (place 1)",
        "    SFT               used in steps 2, 5",
        "  response 1",
        "    filter responses  kept",
        "    score             kept (reward 0.5; status scored)",
        "    SFT set           taken 2 times, packed into sequences 0 (place 0), 2 (place 4)",
        "    SFT               used in steps 1, 3, 4",
        "  pass rates        kept (2 of 4 passed)",
        "  RL set 1          kept",
        "  RL stage 1        used in steps 1 (mean reward 0.5), 4; drawn without signal in steps 2 (mean reward 0), 6 "
        "(mean reward 1)",
        "  RL set 2          left out: always solved (8 of 8 at step 4)",
        "In short: 2 of 2 responses trained on in SFT, used in 2 steps of RL stage 1.",
    ]


def test_one_response_with_the_life_of_its_row(ledgers):
    told = trace(ledgers, "chats:1/1")
    assert told[:8] == [
        "chats:1",
        "  collect           kept",
        "  clean             kept",
        "  unique            kept",
        "  decontaminate     kept",
        "  verify math       kept",
        "  response 1",
        "    filter responses  kept",
    ]
    assert told[9] == "    SFT set           left out: low score"
    assert not any("response 0" in line for line in told)


@pytest.mark.parametrize(
    ("name", "told", "in_short"),
    [
        ("sums:2", "  unique            left out: exact duplicate (same as sums:1)",
         "left out by unique, exact duplicate"),
        ("sums:5", "  decontaminate     left out: benchmark exact (benchmark aime; item aime:9; score 1)",
         "left out by decontaminate, benchmark exact"),
        ("sums:7", "  collect           left out: no ground truth; row 0 (from 0) of data/raw/sums/, licence mit",
         "left out by collect, no ground truth"),
        ("sums:3", "  pass rates        left out: too long", "no model was trained on it"),
        ("chats:2", "  RL stage 2        left out: no signal in step 3 (mean reward 1)", "no model was trained on it"),
    ],
)  # fmt: skip
def test_where_a_row_ends_and_why(ledgers, name, told, in_short):
    lines = trace(ledgers, name)
    assert told in lines
    assert lines[-1] == f"In short: {in_short}."


def test_what_has_not_been_built_yet_is_said(project):
    for name in ("models/rl1/ledger.parquet", "models/sft/ledger.parquet"):
        (project / name).unlink()
    told = trace(Ledgers(find_ledgers(project)), "sums:1")
    assert "  SFT               has no ledger yet" in told
    assert "  RL stage 1        has no ledger yet" in told
    assert sum("has no ledger yet" in line for line in told) == 2


def test_a_row_whose_name_begins_another_s_is_not_mixed_up_with_it(project):
    names = ("sums:1", "sums:10", "sums:1-0", "sums:1.5", "sums:1/0", "sums:11/1")
    write(project / "data/more.ledger.parquet", [("later", name, "kept", None, name) for name in names])
    told = trace(Ledgers(find_ledgers(project)), "sums:1")
    assert [line for line in told if "later" in line] == [
        "    later             kept (sums:1/0)",
        "  later             kept (sums:1)",
    ]


def test_a_detail_of_any_length_and_form_is_told_on_one_line(project):
    details = ["a\nb  c", "{not json", '{"span":"' + "word " * 200 + '"}', '{"changed":["' + "old " * 200 + '","new"]}']
    lines = [(f"stage_{number}", "sums:1", "dropped", "odd", detail) for number, detail in enumerate(details)]
    for number, line in enumerate(lines):
        write(project / f"data/{number}.ledger.parquet", [line])
    told = [line for line in trace(Ledgers(find_ledgers(project)), "sums:1") if "stage_" in line]
    assert told[0].endswith("left out: odd (a b c)")
    assert told[1].endswith("left out: odd ({not json)")
    assert all(len(line) < 600 and "\n" not in line for line in told)
    assert "…" in told[2]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sums:8", r"no ledger knows sums:8\. Near it: sums:1, sums:2, sums:3\."),
        ("chats:12", r"no ledger knows chats:12\. Near it: chats:1, chats:2\."),
        ("chat:2", r"no ledger knows chat:2\. Near it: chats:2, chats:1\."),
        ("sums", r"no ledger knows sums\. Near it: sums:"),
        ("nothing:1", r"no ledger knows nothing:1\. A row is named SOURCE:DIGEST; the sources are: chats, sums\."),
        ("", r"no ledger knows \. A row is named SOURCE:DIGEST"),
        ("sums:1/7", r"sums:1 has no response 7 \(it has: 0, 1\)\."),
        ("sums:2/0", r"sums:2 has no response 0 \(it has: none\)\."),
    ],
)
def test_an_unknown_name_says_so_with_names_near_it(ledgers, name, told):
    with pytest.raises(DataError, match=told):
        trace(ledgers, name)
