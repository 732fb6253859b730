"""Sample rows: reproducible, with exactly the planted faults, and nothing like a benchmark question but the leaks."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from amt.errors import ParamsError
from amt.params import Benchmark
from amt.rows import QUERY, read_rows
from amt.sources.catalogue import DATASETS
from amt.sources.collect import LeftOutRow, unify
from amt.standins import faults
from amt.standins.benchmarks import arena_questions, math_questions, write_standin_benchmark
from amt.standins.planting import PLANTED, ROWS, sample_rows
from amt.standins.problems import core_text, solve
from amt.standins.published import as_line

SAMPLES = Path(__file__).parents[2] / "amt" / "sources" / "samples"


@pytest.fixture(scope="module")
def generated():
    return sample_rows()


@pytest.fixture(scope="module")
def unified():
    """{source: rows of QUERY, None where left out} as they ship."""
    rows = {}
    for source in ROWS:
        lines = (SAMPLES / f"{source}.jsonl").read_text(encoding="utf-8").splitlines()
        unified = unify(DATASETS[source], [json.loads(line) for line in lines])
        rows[source] = [None if isinstance(row, LeftOutRow) else row for row in unified]
    return rows


@pytest.fixture(scope="module")
def planted():
    return json.loads((SAMPLES / "planted.json").read_text())


def test_the_shipped_rows_are_what_the_generator_gives(generated):
    rows, _ = generated
    for source, published in rows.items():
        shipped = (SAMPLES / f"{source}.jsonl").read_bytes()
        assert shipped == "".join(map(as_line, published)).encode(), (
            f"{source}: amt/standins has changed. Run: python -m scripts.generate_samples"
        )


def test_row_ids_of_the_planted_list_are_those_of_the_adapters(planted, unified):
    for entries in planted.values():
        for entry in entries:
            assert unified[entry["source"]][entry["index"]]["row_id"] == entry["row_id"]


def test_sizes_are_those_declared(unified, planted):
    assert {source: len(rows) for source, rows in unified.items()} == ROWS
    assert 6000 <= sum(ROWS.values()) <= 10_000
    declared = Counter()
    for kinds in PLANTED.values():
        declared.update(kinds)
    assert {kind: len(entries) for kind, entries in planted.items()} == declared


def test_a_row_has_at_most_one_fault(planted):
    places = [(entry["source"], entry["index"]) for entries in planted.values() for entry in entries]
    assert len(places) == len(set(places))


def test_faults_are_real_and_no_other_row_has_one(planted, unified):
    """Recognised by other means than those that made them."""
    kind_of = {entry["row_id"]: kind for kind, entries in planted.items() for entry in entries}
    for rows in unified.values():
        for row in filter(None, rows):
            kind, query = kind_of.get(row["row_id"]), row["query"]
            assert bool(re.search(r"https?://|www\.", query)) == (kind == "url"), row
            assert bool(re.search(r"!\[|<img|\b(figure|picture)\b", query)) == (kind == "image"), row
            if row["category"] != "math" or kind in ("url", "image"):
                continue
            assert bool(re.match(r"Prove|Show that", query)) == (kind == "proof"), row
            assert bool(re.search(r"\(a\)|\(i\)|\n1\.", query)) == (kind == "multi_part"), row
            assert bool(re.search(r"\bA\) ", query)) == (kind in ("multiple_choice", "multiple_choice_fixed")), row
            assert ("following" in query) == (kind == "multiple_choice_fixed"), row
            assert (not faults.is_complete(query)) == (kind == "unclear"), row
            if kind not in ("proof", "multi_part", "unclear"):
                assert (solve(query).answer != row["ground_truth"]) == (kind == "wrong_ground_truth"), row


def test_duplicates_are_the_planted_ones_only(planted, unified):
    rows = {row["row_id"]: row for source in unified.values() for row in source if row}
    texts = Counter(_conversation(row) for row in rows.values())
    copied = {_conversation(rows[entry["row_id"]]) for entry in planted["exact_duplicate"]}
    assert {text for text, count in texts.items() if count > 1} == copied
    for entry in planted["exact_duplicate"]:
        assert _conversation(rows[entry["row_id"]]) == _conversation(rows[entry["same_as"]])
    for entry in planted["near_duplicate"]:
        copy, original = rows[entry["row_id"]]["query"], rows[entry["same_as"]]["query"]
        assert copy != original
        assert core_text(copy) == core_text(original)


def _conversation(row):
    turns = [turn["content"] for turn in json.loads(row["messages"]) if turn["role"] == "user"]
    # One dataset writes options in one line, another below each other.
    return "\n".join(turns).lower()


def test_only_leaks_have_a_benchmark_question(planted, unified):
    questions = {("math", number): problem for number, problem in enumerate(math_questions())}
    questions |= {("arena", number): problem for number, problem in enumerate(arena_questions())}
    rows = {row["row_id"]: row for source in unified.values() for row in source if row}
    texts = {problem.query for problem in questions.values()}
    assert {row_id for row_id, row in rows.items() if row["query"] in texts} == {
        entry["row_id"] for entry in planted["benchmark_verbatim"]
    }
    for entry in planted["benchmark_verbatim"]:
        assert rows[entry["row_id"]]["query"] == questions[entry["benchmark"], entry["question"]].query
    for entry in planted["benchmark_paraphrase"]:
        leaked, question = rows[entry["row_id"]]["query"], questions[entry["benchmark"], entry["question"]].query
        assert leaked != question
        assert sorted(re.findall(r"\d+", leaked)) == sorted(re.findall(r"\d+", question))
    # The same numbers in any row but the leaks would be taken for a leak.
    held_out = {tuple(sorted(re.findall(r"\d+", problem.query))) for problem in math_questions()}
    leaks = {entry["row_id"] for kind in ("benchmark_verbatim", "benchmark_paraphrase") for entry in planted[kind]}
    for row_id, row in rows.items():
        if row_id not in leaks and row["category"] == "math":
            assert tuple(sorted(re.findall(r"\d+", row["query"]))) not in held_out, row


def _benchmark(**changed) -> Benchmark:
    values = {
        "kind": "math",
        "origin": "standin",
        "questions": 20,
        "samples": 1,
        "prompt_suffix": "",
        "evaluate": True,
        **dict.fromkeys(("hub_id", "hub_config", "revision", "window")),
    }
    return Benchmark(**values | changed)


def test_the_first_questions_do_not_depend_on_how_many_are_asked_for(tmp_path):
    write_standin_benchmark("aime_like", _benchmark(), tmp_path / "few.parquet")
    write_standin_benchmark("aime_like", _benchmark(questions=320), tmp_path / "many.parquet")
    few = {row["row_id"]: row for row in read_rows(tmp_path / "few.parquet", QUERY)}
    many = {row["row_id"]: row for row in read_rows(tmp_path / "many.parquet", QUERY)}
    assert len(few) == 20
    assert len(many) == 320
    assert few.items() <= many.items()
    assert all(solve(row["query"]).answer == row["ground_truth"] for row in many.values())


def test_arena_questions_have_baseline_answers(tmp_path):
    write_standin_benchmark("arena_like", _benchmark(kind="arena", questions=40), tmp_path / "arena.parquet")
    rows = read_rows(tmp_path / "arena.parquet", QUERY)
    assert len(rows) == 40
    assert all(row["reference_solution"].endswith(".") and row["ground_truth"] is None for row in rows)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"questions": 401}, r"benchmarks.aime_like.questions is 401.* has 400 questions"),
        ({"kind": "code"}, r"benchmarks.aime_like: kind code has no stand-in"),
    ],
)
def test_a_stand_in_set_that_cannot_be_is_refused(tmp_path, changed, message):
    with pytest.raises(ParamsError, match=message):
        write_standin_benchmark("aime_like", _benchmark(**changed), tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()
