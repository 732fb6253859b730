"""What `make bench-rewards` and `make bench-references` rest on, and a sample of the latter."""

import pytest

from amt.errors import InfrastructureError
from amt.rewards.code_tests import read_tests
from amt.sandbox.local import LocalJudge
from benchmarks.rewards.__main__ import MISSING, Figure, measured
from benchmarks.rewards.check_references import SETTINGS, check_python, drawn
from benchmarks.rewards.math_pairs import math_pairs, spellings
from benchmarks.rewards.mutants import mutants
from benchmarks.rewards.plain import behaviour, differ
from benchmarks.rewards.references import PYTHON, read_references


def test_reference_solutions_score_1_and_their_mutants_0(real_data):
    references = [one for one in read_references(real_data) if one.language == PYTHON]
    sample = drawn(references, 6, seed=20251126)
    judge = LocalJudge(SETTINGS, workers=2)
    try:
        figures, zero, made, right = check_python(sample, judge, seed=3)
    finally:
        judge.close()
    assert right
    assert set(figures) == {"humaneval", "mbpp", "leetcode", "kodcode", "livecodebench", "oj", "contests"}
    assert zero == made >= 20


def test_all_tests_of_the_references_are_read(real_data):
    references = read_references(real_data)
    counts = {name: sum(one.dataset == name for one in references) for name in {one.dataset for one in references}}
    assert counts == {
        "humaneval": 164, "mbpp": 20, "leetcode": 1889, "kodcode": 80, "livecodebench": 3, "oj": 20, "contests": 20,
        "humaneval_cpp": 161,
    }  # fmt: skip
    assert all(read_tests(one.tests) for one in references if one.tests)
    assert all(one.tests or one.why_not for one in references)


def test_every_mutant_is_another_program():
    program = "def f(x, y=2):\n    return x + 1 if not x < y and True else -x\n"
    found = list(mutants(program, seed=1))
    assert sorted(found) == sorted(
        {
            "def f(x, y=3):\n    return x + 1 if not x < y and True else -x",
            "def f(x, y=2):\n    return x - 1 if not x < y and True else -x",
            "def f(x, y=2):\n    return x + 2 if not x < y and True else -x",
            "def f(x, y=2):\n    return x + 1 if not not x < y and True else -x",
            "def f(x, y=2):\n    return x + 1 if not x <= y and True else -x",
            "def f(x, y=2):\n    return x + 1 if not x < y or True else -x",
            "def f(x, y=2):\n    return x + 1 if not x < y and False else -x",
            "def f(x, y=2):\n    return x + 1 if not x < y and True else +x",
        }
    )
    assert found == list(mutants(program, seed=1))


@pytest.mark.parametrize(
    ("one", "other", "differing"),
    [
        (["list", [["int", 1]]], ["list", [["int", 1]]], False),
        (["int", 1], ["float", 1.0], False),
        (["float", 0.3], ["float", 0.1 + 0.2], False),
        (["float", 0.3], ["float", 0.4], True),
        (["int", 1], ["bool", True], True),
        (["int", 1], ["str", "1"], True),
        (["list", [["int", 1]]], ["list", [["int", 1], ["int", 2]]], True),
        (["raised", "KeyError"], ["NoneType", None], True),
        (["printed", [["1"]]], ["printed", [["2"]]], True),
        (["printed", [[0.5]]], ["printed", [["x"]]], True),
    ],
)
def test_differ(one, other, differing):
    assert differ([one], [other]) is differing


def test_behaviour_of_calls_and_programs():
    calls = read_tests('{"kind": "call", "entry_point": "f", "cases": [{"args": [3], "expected": 9}]}')
    assert behaviour("def f(x):\n    print(x)\n    return (x * x, {x})", calls) == [
        ["list", [["int", 9], ["set", ["3"]]]]
    ]
    assert behaviour("def f(x):\n    return 1 / 0", calls) == [["raised", "ZeroDivisionError"]]
    assert behaviour("def f(x):\n    while True:\n        pass", calls) is None
    lines = read_tests('{"kind": "stdin", "cases": [{"stdin": "3\\n", "stdout": "9"}]}')
    assert behaviour("print(int(input()) ** 2, 0.5)", lines) == [["printed", [["9", 0.5]]]]
    assert behaviour("print(input())\nexit(3)", lines) == [["exit", 3]]


def test_math_pairs_are_distinct_and_drawn_by_the_seed(real_data):
    pairs = math_pairs(real_data, 3000, seed=5)
    boxed = [(gold, response) for gold, response, _ in pairs if "boxed" in response]
    assert len(pairs) == 3000
    assert len({(gold, response.partition("boxed")[2]) for gold, response in boxed}) == len(boxed)
    assert pairs == math_pairs(real_data, 3000, seed=5)
    assert {kind for *_, kind in pairs} == {"as written", "another spelling", "wrong", "no box", "hanging"}


def test_spellings():
    assert set(spellings(r"\frac{1}{2}")) >= {"1/2", r"\dfrac{1}{2}", r"\frac{2}{4}", r"x = \frac{1}{2}"}
    assert "1,234" in spellings("1234")


@pytest.mark.parametrize("error", [InfrastructureError("no sandbox"), FileNotFoundError("no unshare")], ids=type)
def test_a_part_that_cannot_run_is_missed_and_told(error, capsys):
    def dead() -> list[Figure]:
        raise error

    assert measured("python", dead, 2) == [MISSING] * 2
    assert not MISSING.reached
    assert capsys.readouterr().out == f"python: MISSED, {type(error).__name__}: {error}\n"
