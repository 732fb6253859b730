"""Evaluation sets of the hub: published rows, and the questions they must become."""

import base64
import json
import os
import pickle
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.errors import SourceError
from amt.params import Benchmark, Window
from amt.rows import QUERY, read_rows
from amt.sources.evaluation_sets import (
    arena_questions,
    ifeval_questions,
    livecodebench_question,
    livecodebench_questions,
    math_questions,
    private_cases,
    write_hub_benchmark,
)


def _packed(value) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


PUBLIC = json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}])
PRIVATE = _packed(json.dumps([{"input": "3\n", "output": "4\n", "testtype": "stdin"}]))
LCB_ROW = {
    "question_id": "abc_1",
    "question_content": "Add one.",
    "contest_date": "2024-11-02T00:00:00",
    "starter_code": "",
    "public_test_cases": PUBLIC,
    "private_test_cases": PRIVATE,
    "metadata": "{}",
}


def test_math():
    (row,) = math_questions("aime", "x/aime", [{"id": 60, "problem": " What? ", "answer": "033", "year": "2024"}])
    assert (row["query"], row["ground_truth"], row["category"], row["origin"]) == ("What?", "033", "math", "60")
    with pytest.raises(SourceError, match=r"x/aime lacks column answer \(it has: id, problem\)"):
        math_questions("aime", "x/aime", [{"id": 60, "problem": "What?"}])


def test_ifeval():
    published = {
        "key": 1000, "prompt": "Say it.", "instruction_id_list": ["keywords:existence", "punctuation:no_comma"],
        "kwargs": [{"keywords": ["sea"], "relation": None}, {"keywords": None, "relation": None}],
    }  # fmt: skip
    (row,) = ifeval_questions("ifeval", "google/IFEval", [published])
    assert (row["query"], row["category"], row["origin"]) == ("Say it.", "instruction_follow", "1000")
    assert json.loads(row["instructions"]) == {
        "instruction_id_list": ["keywords:existence", "punctuation:no_comma"],
        "kwargs": [{"keywords": ["sea"]}, {}],
    }
    del published["kwargs"]
    with pytest.raises(SourceError, match="google/IFEval lacks column kwargs"):
        ifeval_questions("ifeval", "google/IFEval", [published])


def test_livecodebench_with_stdin():
    row = livecodebench_question("lcb", LCB_ROW)
    assert json.loads(row["tests"]) == {
        "kind": "stdin",
        "cases": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "3\n", "stdout": "4\n"}],
    }
    assert row["starter_code"] is None


def test_livecodebench_with_calls():
    cases = json.dumps([{"input": '[1, 2]\n"a"', "output": "3", "testtype": "functional"}])
    changed = {"public_test_cases": cases, "private_test_cases": "[]", "metadata": '{"func_name": "f"}'}
    tests = json.loads(livecodebench_question("lcb", LCB_ROW | changed)["tests"])
    assert tests == {"kind": "call", "entry_point": "f", "cases": [{"args": [[1, 2], "a"], "expected": 3}]}


def test_livecodebench_asks_for_a_program_on_stdin():
    row = livecodebench_question("lcb", LCB_ROW)
    (turn,) = json.loads(row["messages"])
    assert turn["role"] == "user"
    assert turn["content"].startswith("Add one.\n\n")
    assert "stdin" in turn["content"]
    assert "stdout" in turn["content"]
    assert turn["content"].endswith("\n```python\n# the program\n```")
    assert row["query"] == "Add one."  # by which copies in the training data are found


def test_livecodebench_asks_for_the_function_that_its_tests_call():
    starter = "class Solution:\n    def f(self, a: int) -> int:\n        "
    cases = json.dumps([{"input": "1", "output": "2", "testtype": "functional"}])
    changed = {"starter_code": starter, "public_test_cases": cases, "private_test_cases": "[]"}
    row = livecodebench_question("lcb", LCB_ROW | changed | {"metadata": '{"func_name": "f"}'})
    (turn,) = json.loads(row["messages"])
    assert turn["content"].startswith("Add one.\n\n")
    assert "`f`" in turn["content"]
    assert turn["content"].endswith(f"\n```python\n{starter}\n```")
    assert "stdin" not in turn["content"]
    assert (row["query"], row["starter_code"]) == ("Add one.", starter)


def test_livecodebench_takes_the_questions_of_its_window_both_days_included():
    days = ["2024-09-30T23:59:00", "2024-10-01T00:00:00", "2025-01-05", "2025-02-28T23:00:00", "2025-03-01T00:00:00"]
    published = [LCB_ROW | {"question_id": day[:10], "contest_date": day} for day in days]
    window = Window(first="2024-10-01", last="2025-02-28")
    taken = [row["origin"] for row in livecodebench_questions("lcb", "test.jsonl", published, window)]
    assert taken == ["2024-10-01", "2025-01-05", "2025-02-28"]
    assert len(list(livecodebench_questions("lcb", "test.jsonl", published, None))) == 5


def test_livecodebench_row_that_lacks_a_field_names_the_file():
    row = {field: value for field, value in LCB_ROW.items() if field != "contest_date"}
    with pytest.raises(SourceError, match=r"benchmarks\.lcb: test5\.jsonl lacks contest_date \(it has: question_id, "):
        list(livecodebench_questions("lcb", "test5.jsonl", [row], None))


class _Attack:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_would_call_something_is_refused():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(_Attack(), protocol)
        with pytest.raises(SourceError, match=r"asks for (posix|nt)\.system \((STACK_)?GLOBAL\): refused"):
            private_cases(base64.b64encode(zlib.compress(pickled)).decode())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_cases_pickled_by_any_protocol_are_read(protocol):
    cases = [{"input": "ä\n" * 300, "output": "2\n"}]
    pickled = pickle.dumps(json.dumps(cases, ensure_ascii=False), protocol)
    assert private_cases(base64.b64encode(zlib.compress(pickled)).decode()) == cases


PICKLED = st.binary(max_size=40) | st.sampled_from(
    [
        pickle.dumps([1, "[]"]),
        pickle.dumps(7),
        pickle.dumps("[" * 100_000),
        b"\x80\x04\x8d" + b"\xff" * 8 + b"[].",  # a text of 2^64 - 1 bytes
        b"r\xff\xff\xff\x7f.",  # the place 2^31 - 1 of the memo
        b"\x80\x04]" + b"\x85" * 5000 + b".",
        b"\x8c\x01xb.",
        b"L1" + b"0" * 5000 + b"L\n.",
    ]
)


@given(encoded=PICKLED.map(lambda content: base64.b64encode(zlib.compress(content)).decode()) | st.text(max_size=20))
def test_what_is_no_list_of_cases_is_a_source_error_and_nothing_else(encoded):
    try:
        cases = private_cases(encoded)
    except SourceError:
        return
    assert isinstance(cases, list)


def test_a_question_whose_tests_cannot_be_read_is_named():
    for changed in ({"private_test_cases": "!"}, {"metadata": "[1]"}, {"public_test_cases": "5"}):
        with pytest.raises(
            SourceError, match=rf"benchmarks\.lcb: the test cases of question {LCB_ROW['question_id']} "
        ):
            list(livecodebench_questions("lcb", "test.jsonl", [LCB_ROW | changed], None))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (
            {"uid": "q", "prompt": "Hi?"},
            {"uid": "q", "messages": [{"role": "user", "content": "Hi?"}, {"content": {"answer": "Hello."}}]},
        ),
        (
            {"question_id": "q", "turns": [{"content": "Hi?"}]},
            {"question_id": "q", "choices": [{"turns": [{"content": "Hello."}]}]},
        ),
    ],
)
def test_arena_in_both_layouts(question, said):
    (row,) = arena_questions("arena", [question], [said])
    assert (row["query"], row["reference_solution"], row["category"]) == ("Hi?", "Hello.", "general_chat")
    with pytest.raises(SourceError, match="question q has no baseline answer"):
        arena_questions("arena", [question], [])


def test_a_hub_set_needs_a_revision(tmp_path):
    empty = dict.fromkeys(("hub_config", "revision", "window", "questions"))
    settings = Benchmark(
        kind="math", origin="hub", hub_id="x/aime", samples=1, prompt_suffix="", evaluate=True, **empty
    )
    with pytest.raises(SourceError, match=r"Set benchmarks\.aime\.revision to a commit of x/aime, .*`git ls-remote"):
        write_hub_benchmark("aime", settings, tmp_path / "aime.parquet")


@pytest.fixture
def published(tmp_path):
    """A folder of files is read by the same library calls as a dataset of the hub: (folder, settings of its set)."""
    folder = tmp_path / "published"
    folder.mkdir()
    empty = dict.fromkeys(("hub_config", "window", "questions"))
    settings = Benchmark(
        kind="math",
        origin="hub",
        hub_id=str(folder),
        revision="a1b2c3d4e5" * 4,
        samples=1,
        prompt_suffix="",
        evaluate=True,
        **empty,
    )
    return folder, settings


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_math_set_is_read_from_the_split_that_it_has(tmp_path, published, split):
    folder, settings = published
    (folder / f"{split}.jsonl").write_text(json.dumps({"id": 1, "problem": "What?", "answer": "033"}) + "\n")
    write_hub_benchmark("aime", settings, tmp_path / "aime.parquet")
    assert [row["query"] for row in read_rows(tmp_path / "aime.parquet", QUERY)] == ["What?"]


def test_a_math_set_without_such_a_split_names_what_it_has(tmp_path, published):
    folder, settings = published
    (folder / "validation.jsonl").write_text(json.dumps({"id": 1, "problem": "What?", "answer": "033"}) + "\n")
    with pytest.raises(SourceError, match=r"has neither a split train nor test \(it has: validation\)"):
        write_hub_benchmark("aime", settings, tmp_path / "aime.parquet")


def test_a_set_that_cannot_be_read_says_why(tmp_path, published):
    _, settings = published
    absent = settings.model_copy(update={"hub_id": str(tmp_path / "absent")})
    with pytest.raises(SourceError, match=r"benchmarks\.aime: .*absent cannot be read at a1b2c3d4e5.*absent") as raised:
        write_hub_benchmark("aime", absent, tmp_path / "aime.parquet")
    assert "split" not in str(raised.value)
