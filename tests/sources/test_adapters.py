"""Adapters: one published row of each dataset, and the query that it must become."""

import base64
import json
import pickle
import re
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from amt.errors import SourceError
from amt.licences import canonical
from amt.params import Source
from amt.rows import LEDGER, QUERY, read_rows
from amt.sources.catalogue import DATASETS, dataset
from amt.sources.collect import LeftOutRow, read_samples, unify, write_hub_rows, write_queries, write_raw
from amt.sources.conversations import strip_prompt_suffix

SAMPLES = Path(__file__).parents[2] / "amt" / "sources" / "samples"

QUESTION = "What is 1 + 1?"
COMMIT = "a1b2c3d4e5" * 4
TURNS = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "It is 2."}]
CASES = [{"fn_name": None, "input": "1\n", "output": "2\n", "type": "stdin_stdout"}]
OPTIONS = {f"answer_option_{number}": text for number, text in enumerate(["1", "2", "3", None, ""], start=1)}
NO_KWARGS = {"num_words": None, "relation": None, "keywords": None}

# As LiveCodeBench publishes private test cases: pickled text, which is JSON.
PRIVATE = base64.b64encode(
    zlib.compress(pickle.dumps(json.dumps([{"input": "4\n", "output": "5\n", "testtype": "stdin"}])))
).decode()

# Published row -> fields of the query.
ROWS = {
    "openr1_math_220k": (
        {"problem": QUESTION, "solution": "So 2.", "answer": "2", "uuid": "u-1", "source": "olympiads"},
        {"query": QUESTION, "ground_truth": "2", "origin": "olympiads", "reference_solution": "So 2."},
    ),
    "big_math_rl_verified": (
        {
            "problem": QUESTION + r" Please reason step by step, and put your final answer within \boxed{}.",
            "answer": " 2 ",
            "source": "gsm8k",
        },
        {"query": QUESTION, "ground_truth": "2", "origin": "gsm8k"},
    ),
    "numinamath": (
        {"problem": QUESTION, "solution": r"First \boxed{1}, then $\boxed{\frac{4}{2}}$.", "source": "orca_math"},
        {"query": QUESTION, "ground_truth": r"\frac{4}{2}", "origin": "orca_math"},
    ),
    "metamathqa": (
        {"query": QUESTION, "type": "GSM_AnsAug", "response": "1 + 1 = 2\n#### 2\nThe answer is: 2"},
        {"query": QUESTION, "ground_truth": "2", "origin": "GSM_AnsAug"},
    ),
    "deepmath_103k": (
        {"question": QUESTION, "final_answer": "2", "topic": "Algebra", "r1_solution_1": "Okay, 2."},
        {"query": QUESTION, "ground_truth": "2", "origin": "Algebra", "reference_solution": "Okay, 2."},
    ),
    "aime_1983_2024": (
        {"ID": "1983-1", "Year": 1983, "Question": QUESTION, "Answer": "002"},
        {"query": QUESTION, "ground_truth": "002", "origin": "1983"},
    ),
    "kodcode_v1": (
        {
            "question_id": "k1",
            "question": "Write inc.",
            "subset": "Prefill",
            "solution": "def inc(x):\n    return x + 1",
            "test": "from solution import inc\n\ndef test_a():\n    assert inc(1) == 2\n    assert inc(-1) == 0\n",
            "test_info": [{"function_name": "inc", "function_declaration": "def inc(x):"}],
        },
        {
            "query": "Write inc.",
            "starter_code": "def inc(x):",
            "tests": {
                "kind": "call",
                "entry_point": "inc",
                "cases": [{"args": [1], "expected": 2}, {"args": [-1], "expected": 0}],
            },
        },
    ),
    "opencoder": (
        {
            "seq_id": 7,
            "instruction": "Write inc.",
            "code": "def inc(x): return x + 1",
            "entry_point": "inc",
            "testcase": ["assert inc(1) == 2", "assert inc(2) in [3]"],
        },
        {
            "query": "Write inc.",
            "tests": {"kind": "asserts", "code": ["assert inc(1) == 2", "assert inc(2) in [3]"]},
            "reference_solution": "def inc(x): return x + 1",
        },
    ),
    "verifiable_coding": (
        {
            "source": "apps",
            "problem_statement": "Add one.",
            "gold_standard_solution": "print(int(input()) + 1)",
            "problem_id": "vfc_1",
            "verification_info": {"language": "python", "test_cases": CASES},
        },
        {
            "query": "Add one.",
            "origin": "apps",
            "tests": {"kind": "stdin", "cases": [{"stdin": "1\n", "stdout": "2\n"}]},
        },
    ),
    "acecode_87k": (
        {"id": "oss_1", "source": "oss", "question": "Write inc.", "test_cases": ["assert inc([1]) == {'a': [2]}"]},
        {
            "query": "Write inc.",
            "reference_solution": None,
            "tests": {"kind": "call", "entry_point": "inc", "cases": [{"args": [[1]], "expected": {"a": [2]}}]},
        },
    ),
    "task_mmmlu": (
        {"task_name": "task686_mmmlu_logic", "id": "task686-1", "inputs": "Is it? (A)yes (B)no", "targets": "B"},
        {"query": "Is it? (A)yes (B)no", "ground_truth": "B", "origin": "task686_mmmlu_logic"},
    ),
    "logic_701": (
        {
            "topic": "sums",
            "problem_statement": QUESTION,
            "solution": "Two.",
            "correct_option_number": 2,
            **OPTIONS,
        },
        {"query": f"{QUESTION}\nA) 1\nB) 2\nC) 3", "ground_truth": "B"},
    ),
    "nemotron_if": (
        {
            "input": [{"role": "system", "content": "detailed thinking off"}, {"role": "user", "content": "Write."}],
            "args": {
                "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
                "kwargs": [NO_KWARGS, NO_KWARGS | {"num_words": 9, "relation": "at least"}],
            },
            "category": "if",
            "license": "odc-by",
        },
        {
            "query": "Write.",
            "messages": [{"role": "user", "content": "Write."}],
            "instructions": {
                "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
                "kwargs": [{}, {"num_words": 9, "relation": "at least"}],
            },
        },
    ),
    "tulu3_if": (
        {"id": "p1", "messages": TURNS, "source": "ai2-adapt-dev/personahub_ifdata_manual_seed_v3_29980"},
        {"query": QUESTION, "instructions": None, "reference_solution": "It is 2."},
    ),
    "ultra_chat": (
        {"prompt_id": "c1", "messages": [*TURNS, {"role": "user", "content": "Why?"}, TURNS[1]]},
        {"query": "Why?", "messages": [*TURNS, {"role": "user", "content": "Why?"}]},
    ),
    "openhermes_2_5": (
        {
            "conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": "It is 2."}],
            "system_prompt": "Be kind.",
            "id": None,
            "source": "airoboros",
        },
        {
            "query": QUESTION,
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}],
            "reference_solution": "It is 2.",
        },
    ),
    "data_ablation_full59k": (
        {"solution": r"So $\boxed{2}$.", "question": QUESTION, "cot_type": "math", "source_type": "AIME"},
        {"query": QUESTION, "ground_truth": "2", "origin": "AIME", "reference_solution": r"So $\boxed{2}$."},
    ),
    "amc_2023": (
        {"id": 0, "problem": QUESTION, "answer": 142.0, "url": "https://aops.com/12A/1"},
        {"query": QUESTION, "ground_truth": "142", "origin": "https://aops.com/12A/1"},
    ),
    "prime_eurus2": (
        {
            "data_source": "taco",
            "prompt": [
                {"role": "system", "content": "ASSESS, ADVANCE"},
                {
                    "role": "user",
                    "content": "Add one.\n\nWrite Python code to solve the problem. Present the code in \n"
                    "```python\nYour code\n```\nat the end.",
                },
            ],
            "ability": "code",
            "reward_model": {"ground_truth": json.dumps({"inputs": ["1\n"], "outputs": ["2\n"]}), "style": "rule"},
            "extra_info": {"index": 7, "split": "train"},
        },
        {
            "query": "Add one.",
            "messages": [{"role": "user", "content": "Add one."}],
            "origin": "taco",
            "tests": {"kind": "stdin", "cases": [{"stdin": "1\n", "stdout": "2\n"}]},
        },
    ),
    "deepcoder": (
        {
            "problem": "Write inc.",
            "solutions": ["def inc(x): return x + 1"],
            "tests": json.dumps([{"input": "1", "output": "2", "testtype": "functional"}]),
            "starter_code": "def inc(x):",
            "metadata": {"func_name": "inc"},
        },
        {
            "query": "Write inc.",
            "starter_code": "def inc(x):",
            "reference_solution": "def inc(x): return x + 1",
            "tests": {"kind": "call", "entry_point": "inc", "cases": [{"args": [1], "expected": 2}]},
        },
    ),
    "livecodebench_generation": (
        {
            "question_content": "Add one.",
            "platform": "atcoder",
            "question_id": "abc_1",
            "contest_date": "2024-09-30T00:00:00",
            "starter_code": "",
            "public_test_cases": json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]),
            "private_test_cases": PRIVATE,
            "metadata": "{}",
        },
        {
            "query": "Add one.",
            "origin": "atcoder",
            "starter_code": None,
            "tests": {
                "kind": "stdin",
                "cases": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "4\n", "stdout": "5\n"}],
            },
        },
    ),
    "codeforces_cots": (
        {
            "id": "1/A",
            "contest_type": "CF",
            "contest_start": 1_727_740_799,  # 2024-09-30 23:59:59 UTC
            "interaction_format": None,
            "examples": [{"input": "1\n", "output": "2\n"}],
            "prompt": "Add one.",
        },
        {"query": "Add one.", "origin": "CF", "tests": {"kind": "stdin", "cases": [{"stdin": "1\n", "stdout": "2\n"}]}},
    ),
    "openthoughts_code": (
        {
            "problem": "Write inc.",
            "source": "apps",
            "test_cases": json.dumps({"fn_name": "inc", "inputs": [[1], [-1]], "outputs": [[2], [0]]}),
            "starter_code": None,
            "ground_truth_solution": "def inc(x): return x + 1",
        },
        {
            "query": "Write inc.",
            "tests": {
                "kind": "call",
                "entry_point": "inc",
                "cases": [{"args": [1], "expected": 2}, {"args": [-1], "expected": 0}],
            },
        },
    ),
    "chemistryqa": (
        {"question": QUESTION, "answer": "CaCl2", "url": "https://socratic.org/1"},
        {"query": QUESTION, "ground_truth": "CaCl2"},
    ),
    "nemotron_science": (
        {
            "input": [{"role": "user", "content": QUESTION}],
            "output": r"<think>\boxed{A}?</think>It is \boxed{B}.",
            "license": "ODC-BY",
            "reasoning": "on",
            "generator": "DeepSeek-R1",
        },
        {"query": QUESTION, "ground_truth": "B", "origin": "DeepSeek-R1"},
    ),
    **{
        f"ncert_{subject}_{grade}": (
            {"Topic": "Motion", "Question": QUESTION, "Answer": "2 m/s"},
            {"query": QUESTION, "ground_truth": "2 m/s", "origin": "Motion", "reference_solution": None},
        )
        for subject in ("physics", "chemistry", "biology")
        for grade in (11, 12)
    },
    "logiclm": ({"question": QUESTION, "answer": "B"}, {"query": QUESTION, "ground_truth": "B"}),
    "evol": (
        {"idx": "e1", "conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": "It is 2."}]},
        {"query": QUESTION, "reference_solution": "It is 2."},
    ),
    "infinity_instruct": (
        {
            "id": 3,
            "conversations": [
                {"from": "system", "value": "Be kind."},
                {"from": "human", "value": QUESTION},
                {"from": "gpt", "value": "It is 2."},
            ],
            "source": "flan",
        },
        {
            "query": QUESTION,
            "origin": "flan",
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION}],
        },
    ),
    "open_orca": (
        {"id": "niv.242684", "system_prompt": "", "question": QUESTION, "response": "It is 2."},
        {"query": QUESTION, "origin": "niv", "messages": [TURNS[0]], "reference_solution": "It is 2."},
    ),
    "tulu3_chat": (
        {"id": "w1", "messages": TURNS, "source": "ai2-adapt-dev/tulu_v3.9_wildchat_100k"},
        {"query": QUESTION, "origin": "ai2-adapt-dev/tulu_v3.9_wildchat_100k", "reference_solution": "It is 2."},
    ),
    "natural_reasoning": (
        {
            "question": QUESTION,
            "reference_answer": "",
            "responses": [{"response_model": "Llama", "response": "It is 2."}],
        },
        {"query": QUESTION, "ground_truth": None, "reference_solution": "It is 2."},
    ),
    "flan": (
        {"inputs": QUESTION, "targets": "2", "task": "cot_gsm8k"},
        {"query": QUESTION, "ground_truth": None, "origin": "cot_gsm8k", "reference_solution": "2"},
    ),
}


def _unified(name, published):
    """The row, or None and why it was left out."""
    (row,) = unify(DATASETS[name], [published], contests_before=date(2024, 10, 1))
    return (None, {row.reason: 1}) if isinstance(row, LeftOutRow) else (row, {})


def test_every_adapter_has_a_row_here():
    assert set(ROWS) == set(DATASETS)


@pytest.mark.parametrize("name", ROWS)
def test_a_published_row_becomes_this_query(name):
    published, expected = ROWS[name]
    row, _ = _unified(name, published)
    assert row["source"] == name
    assert row["category"] == DATASETS[name].category
    for field, value in expected.items():
        found = row[field]
        if field in ("messages", "tests", "instructions") and found is not None:
            found = json.loads(found)
        assert found == value, field
    if "messages" not in expected:
        assert json.loads(row["messages"])[-1] == {"role": "user", "content": row["query"]}


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        # The thirty problems of 2024 are the paper's evaluation set.
        ("aime_1983_2024", {"Year": 2024}, "aime_2024_is_an_evaluation_set"),
        ("aime_1983_2024", {"Year": None}, "unknown_year"),
        ("tulu3_if", {"source": "ai2-adapt-dev/flan_v2_converted"}, "other_subset"),
        ("tulu3_if", {"messages": TURNS[1:]}, "no_user_turn"),
        ("ultra_chat", {"messages": [{"role": "tool", "content": "x"}]}, "unknown_speaker_tool"),
        ("openhermes_2_5", {"conversations": [{"from": "human", "value": " "}]}, "empty_query"),
        ("kodcode_v1", {"test": "def broken("}, "no_usable_tests"),
        ("opencoder", {"testcase": []}, "no_usable_tests"),
        ("verifiable_coding", {"verification_info": {"language": "cpp", "test_cases": CASES}}, "other_language"),
        ("task_mmmlu", {"task_name": "task001_quoref"}, "other_task"),
        # Each scientific query has a reliable ground truth [2.1].
        ("task_mmmlu", {"targets": " "}, "no_ground_truth"),
        ("task_mmmlu", {"targets": None}, "no_ground_truth"),
        ("task_mmmlu", {"task_name": None}, "other_task"),
        ("logic_701", {"problem_statement": None}, "empty_query"),
        ("big_math_rl_verified", {"problem": None}, "empty_query"),
        ("opencoder", {"instruction": None}, "empty_query"),
        ("ultra_chat", {"messages": None}, "no_user_turn"),
        ("logic_701", {"correct_option_number": 5}, "no_correct_option"),
        ("nemotron_if", {"args": {"instruction_id_list": [], "kwargs": []}}, "no_instructions"),
        ("data_ablation_full59k", {"cot_type": "crossword"}, "other_subject"),
        ("prime_eurus2", {"ability": "math"}, "other_subject"),
        *(
            ("prime_eurus2", {"reward_model": {"ground_truth": text, "style": "rule"}}, "no_usable_tests")
            for text in (
                "[",
                "[1]",
                "5",
                '{"inputs": 5}',
                '{"inputs": [5], "outputs": [5]}',
                '{"inputs": ["1"], "outputs": 7}',
                '{"inputs": [null], "outputs": ["2"]}',
                '{"inputs": [{"a": 1}], "outputs": [2], "fn_name": "f"}',
                '{"inputs": [[1]], "outputs": [2], "fn_name": ["f"]}',
                "[" * 100_000,
            )
        ),
        *(
            ("deepcoder", {"tests": text}, "no_usable_tests")
            for text in (
                "[]",
                "5",
                '"x"',
                "[5]",
                "[null]",
                '[{"output": "2"}]',
                '[{"input": null, "output": "2"}]',
                '[{"input": "1", "output": 2}]',
                '[{"input": "1", "output": "2", "fn_name": ["f"]}]',
            )
        ),
        *(
            ("livecodebench_generation", {column: text}, reason)
            for column, text, reason in (
                ("public_test_cases", "5", "no_usable_tests"),
                ("public_test_cases", '{"input": "1"}', "no_usable_tests"),
                ("public_test_cases", "[null]", "no_usable_tests"),
                ("private_test_cases", "123", "unreadable_tests"),
                ("private_test_cases", '"[]"', "unreadable_tests"),
                ("private_test_cases", "[" * 100_000, "unreadable_tests"),
                ("private_test_cases", PRIVATE[:-9], "unreadable_tests"),
                ("metadata", "[1]", "no_usable_tests"),
                ("metadata", '{"func_name": 5}', "no_usable_tests"),
            )
        ),
        ("ultra_chat", {"messages": [None, *TURNS]}, "null_in_a_list"),
        ("nemotron_science", {"input": [TURNS[0], None]}, "null_in_a_list"),
        ("natural_reasoning", {"responses": [None]}, "null_in_a_list"),
        ("kodcode_v1", {"test_info": [None]}, "null_in_a_list"),
        ("codeforces_cots", {"examples": [None]}, "null_in_a_list"),
        ("codeforces_cots", {"examples": [{"input": None, "output": "2"}]}, "no_usable_tests"),
        ("verifiable_coding", {"verification_info": {"language": "python", "test_cases": [None]}}, "no_usable_tests"),
        (
            "openhermes_2_5",
            {"conversations": [{"from": None, "value": "x"}, {"from": "tool", "value": "y"}]},
            "unknown_speaker_None",
        ),
        # The paper's evaluation set is LiveCodeBench from October 2024 on [5.1.1].
        ("livecodebench_generation", {"contest_date": "2024-10-01T00:00:00"}, "of_the_evaluation_window"),
        ("codeforces_cots", {"contest_start": 1_727_740_800}, "of_the_evaluation_window"),
        ("codeforces_cots", {"contest_start": 10**14}, "of_the_evaluation_window"),
        ("codeforces_cots", {"interaction_format": "Ask."}, "interactive"),
        ("codeforces_cots", {"examples": None}, "no_usable_tests"),
        ("openthoughts_code", {"test_cases": None}, "no_usable_tests"),
        ("nemotron_science", {"reasoning": "off"}, "without_reasoning"),
        ("nemotron_science", {"output": "It is B."}, "no_ground_truth"),
        ("chemistryqa", {"answer": " "}, "no_ground_truth"),
        ("logiclm", {"answer": None}, "no_ground_truth"),
        ("tulu3_chat", {"source": "ai2-adapt-dev/personahub_math_v5_regen_149960"}, "other_subset"),
        ("tulu3_chat", {"source": "ai2-adapt-dev/evol_codealpaca_heval_decontaminated"}, "other_subset"),
        ("tulu3_chat", {"source": "ai2-adapt-dev/personahub_ifdata_manual_seed_v3_29980"}, "other_subset"),
        # Half of a surrogate pair, which JSON and Python can spell, is no text of a table.
        ("deepcoder", {"tests": r'[{"input": "\"\ud83d\"", "output": "2"}]'}, "not_unicode"),
        (
            "prime_eurus2",
            {"reward_model": {"ground_truth": r'{"inputs": ["\ud83d"], "outputs": ["1"]}', "style": "rule"}},
            "not_unicode",
        ),
        ("acecode_87k", {"test_cases": [r'assert f("\ud83d") == 1']}, "not_unicode"),
        ("opencoder", {"testcase": [r'assert inc("\ud83d") == 1']}, "not_unicode"),
    ],
)
def test_a_row_that_must_not_come_in_is_counted(name, changed, reason):
    row, dropped = _unified(name, ROWS[name][0] | changed)
    assert row is None
    assert dropped == {reason: 1}


@pytest.mark.parametrize("name", ROWS)
def test_null_in_any_column_costs_at_most_its_row(name):
    """Whatever a dataset leaves empty, the row comes in as a query or is counted."""
    for column in DATASETS[name].needs:
        row, reasons = _unified(name, ROWS[name][0] | {column: None})
        assert "" not in reasons, column
        assert row is None or row["query"], column


@pytest.mark.parametrize(
    ("solution", "ground_truth"),
    [
        ("no box", None),
        (r"\boxed{", None),
        (r"\boxed{a{b}c} \boxed{x_{1}} end", "x_{1}"),
        (None, None),
        (r"So \boxed 5.", "5"),
        (r"\boxed{\left\{1, 2\right.}", r"\left\{1, 2\right."),
    ],
)
def test_numinamath_takes_the_last_balanced_box(solution, ground_truth):
    row, _ = _unified("numinamath", ROWS["numinamath"][0] | {"solution": solution})
    assert row["ground_truth"] == ground_truth


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        (f"{QUESTION}\n\nPresent the answer in LaTex format: \\boxed{{Your answer}}", QUESTION),
        (f"{QUESTION} Let's think step by step and output the final answer within \\boxed{{}}.", QUESTION),
        (
            "Add.\nWrite Python code to solve the problem. Present the code in\n```python\nYour code\n```\nat the end.",
            "Add.",
        ),
        # The words of a problem stay.
        ("Let's think: what is $\\boxed{1}$?", "Let's think: what is $\\boxed{1}$?"),
    ],
)
def test_prompt_suffixes_go_and_problems_stay(text, stripped):
    assert strip_prompt_suffix(text) == stripped


def test_equal_rows_without_a_published_id_get_ids_of_their_own():
    published = ROWS["big_math_rl_verified"][0]
    rows = list(unify(DATASETS["big_math_rl_verified"], [published, published, published | {"answer": "3"}]))
    assert len({row["row_id"] for row in rows}) == 3
    # The first of them is named by its content alone, wherever it stands.
    (alone,) = unify(DATASETS["big_math_rl_verified"], [published])
    assert alone["row_id"] == rows[0]["row_id"]


def test_equal_rows_that_are_left_out_get_ids_of_their_own_too():
    published = ROWS["aime_1983_2024"][0] | {"Year": 2024}
    rows = list(unify(DATASETS["aime_1983_2024"], [published, published, published | {"Question": "Another?"}]))
    assert {row.reason for row in rows} == {"aime_2024_is_an_evaluation_set"}
    assert len({row.row_id for row in rows}) == 3
    assert all(row.row_id.startswith("aime_1983_2024:") for row in rows)


def test_a_row_that_no_table_can_hold_leaves_the_others_as_they_are(tmp_path):
    good = {"problem": "Old", "solutions": ["x"], "starter_code": "", "metadata": {"func_name": None}}
    good["tests"] = json.dumps([{"input": "\U0001f600", "output": "2"}])
    odd = good | {"tests": r'[{"input": "\ud83d", "output": "2"}]'}
    _written(tmp_path / "mine", "a.jsonl", [odd, good, odd, odd | {"problem": "New"}])
    settings = Source(origin="local", revision=None, path="mine", limit=None, shards=1)
    write_raw("deepcoder", settings, tmp_path / "rows.parquet", tmp_path / "mine")
    report = write_queries("deepcoder", *(tmp_path / f"{name}.parquet" for name in ("rows", "q", "l")))
    assert (report.rows_in, report.kept, report.dropped) == (4, 1, {"not_unicode": 3})
    (kept,) = read_rows(tmp_path / "q.parquet", QUERY)
    assert json.loads(kept["tests"])["cases"] == [{"stdin": "\U0001f600", "stdout": "2"}]
    assert len({row["row_id"] for row in read_rows(tmp_path / "l.parquet", LEDGER)}) == 4


def test_what_names_a_row_that_is_left_out_may_be_no_text_of_a_table():
    odd = {**ROWS["aime_1983_2024"][0], "Year": 2024, "Question": "\ud83d"}
    same, other = unify(DATASETS["aime_1983_2024"], [odd, odd | {"Question": "\ud83e"}])
    assert same.row_id != other.row_id
    odd = ROWS["openr1_math_220k"][0] | {"uuid": "\ud83d"}
    (left_out,) = unify(DATASETS["openr1_math_220k"], [odd])
    assert left_out.reason == "not_unicode"


def test_a_published_id_names_the_row_whatever_else_changes():
    published = ROWS["openr1_math_220k"][0]
    (row,) = unify(DATASETS["openr1_math_220k"], [published])
    (other,) = unify(DATASETS["openr1_math_220k"], [published | {"solution": "Revised."}])
    assert row["row_id"] == other["row_id"]


# --- columns -----------------------------------------------------------------------------------------------

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "sources.yaml"


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_columns_are_the_published_ones(name):
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED}, the list of published schemas, is not part of the project and not here")
    declared = {source["name"]: source for source in yaml.safe_load(PUBLISHED.read_text())["sources"]}[name]
    schema = DATASETS[name].columns
    columns = {_column(column, schema.names): text for column, text in declared["columns"].items()}
    assert schema.names == list(columns)
    for column, text in columns.items():
        assert _is_of_type(schema.field(column).type, text), (column, text)
    assert DATASETS[name].hub_id in (
        declared["hf_id"],
        *(declared.get("alternatives", ()) if not declared["hf_id"] else ()),
    )
    assert canonical(re.split(r" \(|; ", declared["licence"])[0]) in (DATASETS[name].licence, "not declared")
    assert DATASETS[name].gated == bool(declared.get("gated"))  # true, or likely
    assert list(DATASETS[name].files) == [*_listed(declared.get("data_files"))] or name == "livecodebench_generation"


def _column(declared: str, names: list[str]) -> str:
    """The list says of some that they have one name or another."""
    return next((name for name in declared.split("_or_") if name in names), declared)


def _listed(value) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _is_of_type(found: pa.DataType, declared: str) -> bool:
    """Field names of structs and scalar types as the list words them, e.g. list<{content,role}>."""
    declared = declared.strip()
    if declared.startswith("list<"):
        return pa.types.is_list(found) and _is_of_type(found.value_type, declared[5:-1])
    if declared.startswith(("{", "struct")):
        if not pa.types.is_struct(found):
            return False
        inner = declared[declared.index("{") + 1 : -1] if "{" in declared[:8] else declared[7:-1]
        names = [part.split(":")[0].strip() for part in _split(inner)]
        return declared == "struct" or {field.name for field in found} == set(names)
    scalars = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
    scalars |= {"null": pa.null(), "timestamp/string": pa.string()}
    return found == scalars[declared.strip("'").split()[0]]


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "<{") - (sign in ">}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_sample_rows_have_every_column_and_survive_the_round_trip(name, tmp_path):
    write_raw(
        name,
        Source(origin="samples", revision=None, path=None, limit=40, shards=1),
        tmp_path / "rows.parquet",
        SAMPLES / f"{name}.jsonl",
    )
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.equals(DATASETS[name].columns)
    assert table.to_pylist() == read_samples(DATASETS[name], SAMPLES / f"{name}.jsonl", 40)
    assert table.num_rows == 40


def test_a_missing_column_names_the_source_the_column_and_what_there_is(tmp_path):
    table = pa.table({"problem": [QUESTION], "source": ["gsm8k"], "solution": ["2"]})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(SourceError, match=r"big_math_rl_verified.*lacks column answer \(it has: problem, source, solu"):
        write_queries(
            "big_math_rl_verified", tmp_path / "rows.parquet", tmp_path / "queries.parquet", tmp_path / "ledger.parquet"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1, 2]", r"ultra_chat\.jsonl line 2 is a list, not a JSON object"),
        (b'{"prompt": "\xff"}', r"ultra_chat\.jsonl line 2 is not JSON \(.*codec"),
        (b'{"prompt": ', r"ultra_chat\.jsonl line 2 is not JSON"),
        (b'{"prompt": "Hi"}', r"ultra_chat\.jsonl line 2 lacks column prompt_id, messages"),
        (
            b'{"prompt": "Hi", "prompt_id": 7, "messages": []}',
            r"ultra_chat\.jsonl line 2: column prompt_id is not string",
        ),
        (
            b'{"prompt": "Hi", "prompt_id": "7", "messages": ["Hi"]}',
            r"ultra_chat\.jsonl line 2: column messages is not list",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path, line, message):
    good = json.dumps({"prompt": "Hi", "prompt_id": "1", "messages": TURNS}).encode()
    (tmp_path / "ultra_chat.jsonl").write_bytes(good + b"\n" + line + b"\n")
    with pytest.raises(SourceError, match=message):
        write_raw(
            "ultra_chat",
            Source(origin="samples", revision=None, path=None, limit=None, shards=1),
            tmp_path / "rows.parquet",
            tmp_path / "ultra_chat.jsonl",
        )
    assert not (tmp_path / "rows.parquet").exists()


def test_a_source_without_an_adapter_is_named():
    with pytest.raises(SourceError, match=r"sources\.pile has no adapter \(there are: openr1_math_220k"):
        dataset("pile")


def test_every_needed_column_is_published():
    for described in DATASETS.values():
        assert set(described.needs) <= set(described.columns.names), described.name


# --- from files to files -----------------------------------------------------------------------------------


def _script(name, *arguments):
    command = [sys.executable, "-m", f"scripts.{name}", "--params", "params.yaml", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


def test_raw_rows_become_queries_and_every_row_is_accounted_for(tmp_path):
    raw, queries, report = tmp_path / "rows.parquet", tmp_path / "queries.parquet", tmp_path / "report.json"
    ledger = tmp_path / "ledger.parquet"
    done = _script("raw", "--source", "aime_1983_2024", "--published", SAMPLES / "aime_1983_2024.jsonl", "--rows", raw)
    assert done.returncode == 0, done.stderr
    arguments = (
        *("--source", "aime_1983_2024", "--shard", "0", "--rows", raw, "--planted", SAMPLES / "planted.json"),
        *("--queries", queries, "--ledger", ledger, "--report", report),
    )
    done = _script("queries", *arguments)
    assert done.returncode == 0, done.stderr
    first = queries.read_bytes(), ledger.read_bytes()
    rows, counts = read_rows(queries, QUERY), json.loads(report.read_text())
    assert counts["rows_in"] == 300
    assert counts["dropped"] == {"aime_2024_is_an_evaluation_set": 30}
    assert counts["kept"] == len(rows) == len({row["row_id"] for row in rows}) == 270
    assert counts["kept_by_category"] == {"math": 270}
    assert counts["kept_by_licence"] == {"mit": 270}
    assert not any(row["origin"] == "2024" for row in rows)
    entries = read_rows(ledger, LEDGER)
    assert {entry["row_id"] for entry in entries if entry["outcome"] == "kept"} == {row["row_id"] for row in rows}
    # Each line leads to the published row that it is about.
    published = read_rows(raw)
    place_of = {entry["row_id"]: json.loads(entry["detail"])["raw_row"] for entry in entries}
    assert sorted(place_of.values()) == list(range(300))
    assert all(published[place_of[row["row_id"]]]["Question"] == row["query"] for row in rows)
    for entry in entries:
        is_left_out = published[place_of[entry["row_id"]]]["Year"] == 2024
        assert entry["reason"] == ("aime_2024_is_an_evaluation_set" if is_left_out else None)
    assert {entry["row_id"] for entries in counts["planted"].values() for entry in entries} <= {
        row["row_id"] for row in rows
    }
    assert _script("queries", *arguments).returncode == 0
    assert (queries.read_bytes(), ledger.read_bytes()) == first


def test_shards_share_the_rows_and_ids_are_unique_in_all_of_them(tmp_path):
    """Without ids of their own, equal rows are told apart by counting: so they must meet in one shard."""
    described = DATASETS["metamathqa"]
    published = read_samples(described, SAMPLES / "metamathqa.jsonl", 200)
    pq.write_table(pa.Table.from_pylist(published * 2, schema=described.columns), tmp_path / "rows.parquet")
    write_queries("metamathqa", tmp_path / "rows.parquet", tmp_path / "all.parquet", tmp_path / "ledger.parquet")
    parts, rows_in = [], 0
    for shard in range(3):
        path = tmp_path / f"{shard}.parquet"
        report = write_queries(
            "metamathqa", tmp_path / "rows.parquet", path, tmp_path / "ledger.parquet", shard=shard, shards=3
        )
        parts.append(read_rows(path, QUERY))
        rows_in += report.rows_in
    assert all(parts)
    assert rows_in == 400
    assert _by_id(row for part in parts for row in part) == _by_id(read_rows(tmp_path / "all.parquet", QUERY))


def _by_id(rows):
    return sorted(rows, key=lambda row: row["row_id"])


def _conversation(prompt_id, answer):
    turns = [TURNS[0], {"role": "assistant", "content": answer}, {"role": "user", "content": f"Not {answer}?"}]
    return {"prompt_id": prompt_id, "messages": turns}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        # One id for several conversations.
        ("ultra_chat", [_conversation(f"p{number % 3}", f"answer {number}") for number in range(40)]),
        # The same once blanks and a prompt suffix are stripped; its answer makes the others differ.
        (
            "big_math_rl_verified",
            [
                {"problem": QUESTION + end, "source": "gsm8k", "answer": f"{number % 4}" + " " * (number % 3)}
                for number in range(20)
                for end in ("", " ", r" Please reason step by step, and put your final answer within \boxed{}.")
            ],
        ),
        # Left out.
        ("aime_1983_2024", [{"ID": "2024-1", "Year": 2024, "Question": QUESTION, "Answer": "2"}] * 30),
    ],
)
def test_rows_of_one_name_meet_in_one_shard_however_they_are_published(tmp_path, name, rows):
    described = DATASETS[name]
    schema = pa.schema([described.columns.field(column) for column in described.needs])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "rows.parquet")

    def lines(shard, shards):
        ledger = tmp_path / f"{shard}-{shards}.ledger.parquet"
        write_queries(name, tmp_path / "rows.parquet", tmp_path / "queries.parquet", ledger, shard=shard, shards=shards)
        return read_rows(ledger, LEDGER)

    parts = [lines(shard, 4) for shard in range(4)]
    found = [entry for part in parts for entry in part]
    assert len({entry["row_id"] for entry in found}) == len(found) == len(rows)
    # And an id does not depend on how many shards there are.
    assert _by_id(found) == _by_id(lines(0, 1))
    assert name == "aime_1983_2024" or sum(map(bool, parts)) > 1


def test_queries_are_written_as_they_come(tmp_path):
    """6000 rows as Python objects take 60 MB."""
    rows = [
        {"id": number, "source": "flan", "conversations": [{"from": "human", "value": f"{number} " + "word " * 800}]}
        for number in range(6000)
    ]
    described = DATASETS["infinity_instruct"]
    schema = pa.schema([described.columns.field(column) for column in described.needs])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "rows.parquet")
    del rows
    tracemalloc.start()
    write_queries("infinity_instruct", tmp_path / "rows.parquet", tmp_path / "q.parquet", tmp_path / "l.parquet")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pq.read_metadata(tmp_path / "q.parquet").num_rows == 6000
    assert peak < 25e6


def test_a_dataset_of_which_no_row_can_be_used_is_an_error(tmp_path):
    """Its tests are JSON, whose keys no schema declares: were they renamed, every row would leave, counted."""
    tests = json.dumps([{"stdin": "1", "stdout": "2"}])
    row = {"problem": QUESTION, "solutions": None, "tests": tests, "starter_code": None, "metadata": None}
    schema = pa.schema([DATASETS["deepcoder"].columns.field(column) for column in DATASETS["deepcoder"].needs])
    arguments = (tmp_path / "rows.parquet", tmp_path / "queries.parquet", tmp_path / "ledger.parquet")
    pq.write_table(pa.Table.from_pylist([row] * 120, schema=schema), tmp_path / "rows.parquet")
    with pytest.raises(SourceError, match=r"deepcoder: none of 120 rows can be used \(no_usable_tests: 120\)"):
        write_queries("deepcoder", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
    # A few odd rows are counted, and so is what the recipe excludes.
    good = row | {"tests": json.dumps([{"input": "1", "output": "2"}])}
    pq.write_table(pa.Table.from_pylist([row] * 120 + [good], schema=schema), tmp_path / "rows.parquet")
    assert write_queries("deepcoder", *arguments).dropped == {"no_usable_tests": 120}
    pq.write_table(pa.Table.from_pylist([good] * 120, schema=schema), tmp_path / "rows.parquet")
    assert write_queries("deepcoder", *arguments, excluded_licences=["mit"]).dropped == {"excluded_licence": 120}


def test_an_unknown_source_is_a_clear_error(tmp_path):
    done = _script("raw", "--source", "nowhere", "--rows", tmp_path / "rows.parquet")
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: sources has no nowhere (it has: acecode_87k,")
    assert not list(tmp_path.iterdir())


# --- the hub -----------------------------------------------------------------------------------------------


def test_the_hub_needs_a_revision(tmp_path):
    wanted = r"Set sources\.numinamath\.revision .*`git ls-remote https://\S+/AI-MO/NuminaMath-CoT HEAD` prints"
    with pytest.raises(SourceError, match=wanted):
        write_raw(
            "numinamath",
            Source(origin="hub", revision=None, path=None, limit=5, shards=1),
            tmp_path / "rows.parquet",
            None,
        )


def test_rows_of_a_hub_dataset_are_streamed_projected_and_limited(tmp_path):
    """A folder of files is read by the same library calls as a dataset of the hub."""
    folder = tmp_path / "published"
    folder.mkdir()
    rows = read_samples(DATASETS["nemotron_if"], SAMPLES / "nemotron_if.jsonl", 7)
    (folder / "instruction_following.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    described = replace(DATASETS["nemotron_if"], hub_id=str(folder), config=None, split="train")
    settings = Source(origin="hub", revision=COMMIT, path=None, limit=5, shards=1)
    assert write_hub_rows(described, settings, tmp_path / "rows.parquet") == 5
    found = pq.read_table(tmp_path / "rows.parquet")
    assert found.column_names == ["input", "args", "category", "license"]
    assert list(unify(described, found.to_pylist())) == list(unify(described, rows[:5]))

    lacking = replace(described, needs=("input", "args", "licence"))
    with pytest.raises(SourceError, match=r"lacks column licence \(it has: input, args, category, license"):
        write_hub_rows(lacking, settings, tmp_path / "other.parquet")
    absent = replace(described, hub_id=str(tmp_path / "absent"))
    with pytest.raises(SourceError, match=rf"at {COMMIT} cannot be read.*sources\.nemotron_if\.revision"):
        write_hub_rows(absent, settings, tmp_path / "other.parquet")
    assert not (tmp_path / "other.parquet").exists()


def test_several_splits_are_read_one_after_the_other(tmp_path):
    """OpenR1-Math-220k publishes its 225,129 rows as two splits of one configuration."""
    folder = tmp_path / "published"
    folder.mkdir()
    rows = read_samples(DATASETS["openr1_math_220k"], SAMPLES / "openr1_math_220k.jsonl", 7)
    files = "".join(f"\n  - split: {split}\n    path: {split}.jsonl" for split in ("default", "extended"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: all\n  data_files:{files}\n---\n")
    for split, part in (("default", rows[:4]), ("extended", rows[4:])):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    described = replace(DATASETS["openr1_math_220k"], hub_id=str(folder))
    settings = Source(origin="hub", revision=COMMIT, path=None, limit=None, shards=1)
    assert write_hub_rows(described, settings, tmp_path / "rows.parquet") == 7
    assert [row["uuid"] for row in read_rows(tmp_path / "rows.parquet")] == [row["uuid"] for row in rows]
    assert write_hub_rows(described, settings.model_copy(update={"limit": 5}), tmp_path / "rows.parquet") == 5


def _written(folder: Path, name: str, rows: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_files_of_a_repository_are_read_where_it_cannot_be_loaded(tmp_path):
    """LiveCodeBench comes with a loading script, which datasets refuses, and JSON lines, whose times are recognised."""
    name = "livecodebench_generation"
    rows = read_samples(DATASETS[name], SAMPLES / f"{name}.jsonl", 10)
    for number, file in enumerate(DATASETS[name].files):
        _written(tmp_path / "published", file, rows[2 * number : 2 * number + 2])
    (tmp_path / "published" / "published.py").write_text("raise SystemExit")
    described = replace(DATASETS[name], hub_id=str(tmp_path / "published"))
    settings = Source(origin="hub", revision=COMMIT, path=None, limit=None, shards=1)
    assert write_hub_rows(described, settings, tmp_path / "rows.parquet") == 10
    found = read_rows(tmp_path / "rows.parquet")
    assert [row["question_id"] for row in found] == [row["question_id"] for row in rows]
    # What is left out is named by what was read, and times are written otherwise there.
    as_read, shipped = (
        [row.reason if isinstance(row, LeftOutRow) else row for row in unify(described, some)] for some in (found, rows)
    )
    assert as_read == shipped


def test_configurations_may_have_columns_of_their_own(tmp_path):
    """DeepCoder publishes three; only one of them says how a function is called."""
    rows = read_samples(DATASETS["deepcoder"], SAMPLES / "deepcoder.jsonl", 6)
    parts = {"primeintellect": ("problem", "solutions", "tests"), "taco": ("problem", "tests"), "lcbv5": tuple(rows[0])}
    configs = "".join(f"\n- config_name: {part}\n  data_files: {part}.jsonl" for part in parts)
    for number, (part, columns) in enumerate(parts.items()):
        published = [{column: row[column] for column in columns} for row in rows[2 * number : 2 * number + 2]]
        _written(tmp_path / "published", f"{part}.jsonl", published)
    (tmp_path / "published" / "README.md").write_text(f"---\nconfigs:{configs}\n---\n")
    described = replace(DATASETS["deepcoder"], hub_id=str(tmp_path / "published"))
    settings = Source(origin="hub", revision=COMMIT, path=None, limit=None, shards=1)
    assert write_hub_rows(described, settings, tmp_path / "rows.parquet") == 6
    found = read_rows(tmp_path / "rows.parquet")
    assert [row["problem"] for row in found] == [row["problem"] for row in rows]
    assert found[2]["metadata"] is None
    assert found[5]["metadata"] == rows[5]["metadata"]
    assert write_hub_rows(described, settings.model_copy(update={"limit": 3}), tmp_path / "rows.parquet") == 3


@pytest.mark.parametrize("as_folder", [False, True])
def test_rows_of_the_users_own_files_come_in_like_those_of_the_hub(tmp_path, as_folder):
    rows = read_samples(DATASETS["ultra_chat"], SAMPLES / "ultra_chat.jsonl", 6)
    _written(tmp_path / "mine", "a.jsonl", rows[:4])
    _written(tmp_path / "mine", "b.jsonl", rows[4:])
    place = tmp_path / "mine" if as_folder else tmp_path / "mine" / "a.jsonl"
    settings = Source(origin="local", revision=None, path=str(place), limit=None, shards=1)
    assert write_raw("ultra_chat", settings, tmp_path / "rows.parquet", place) == (6 if as_folder else 4)
    found = read_rows(tmp_path / "rows.parquet")
    assert list(unify(DATASETS["ultra_chat"], found)) == list(unify(DATASETS["ultra_chat"], rows))[: len(found)]

    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"sources\.ultra_chat\.path: .*empty holds no file in a form"):
        write_raw("ultra_chat", settings, tmp_path / "rows.parquet", tmp_path / "empty")
    with pytest.raises(SourceError, match=r"sources\.ultra_chat: .*absent does not exist"):
        write_raw("ultra_chat", settings, tmp_path / "rows.parquet", tmp_path / "absent")


def test_a_column_of_another_type_is_named_with_what_it_holds(tmp_path):
    _written(tmp_path / "mine", "a.jsonl", [{"prompt": "Hi", "prompt_id": {"n": 7}, "messages": TURNS}])
    settings = Source(origin="local", revision=None, path="mine", limit=None, shards=1)
    with pytest.raises(
        SourceError, match=r"source ultra_chat: column prompt_id of .*a\.jsonl is not string: it holds {'n'"
    ):
        write_raw("ultra_chat", settings, tmp_path / "rows.parquet", tmp_path / "mine")
    assert not (tmp_path / "rows.parquet").exists()


def test_what_is_pickled_is_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    row = ROWS["livecodebench_generation"][0]
    packed = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    evil, good = unify(DATASETS["livecodebench_generation"], [row | {"private_test_cases": packed}, row])
    assert evil.reason == "unreadable_tests"
    assert good["query"] == "Add one."
    assert not list(tmp_path.iterdir())
