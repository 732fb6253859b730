"""Verdicts on programs, correct and wrong: among them those that widely used graders get wrong.

Every case runs in the real sandbox. Without bubblewrap these tests fail with the command that installs it.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.placement import Placement
from amt.rewards.code_tests import BadTestsError, CodeGrader, last_program, read_tests
from amt.sandbox.comparison import WrongType, same_output, same_value, typed_value
from amt.sandbox.languages import LANGUAGES
from benchmarks.rewards.grader_cases import CASES, SETTINGS
from benchmarks.rewards.grader_cases.case import SQUARE, SUM, answered, asserts


@pytest.fixture(scope="module")
def grader():
    grader = CodeGrader(SETTINGS, Placement(sandbox_workers=2))
    yield grader
    grader.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdicts(grader, case):
    (verdict,) = grader.grade([(case.tests, case.response)])
    status = "invalid" if case.verdict == "invalid" else "scored"
    assert (verdict.status, verdict.passed) == (status, case.verdict == "right"), verdict.reason
    assert case.reason in (verdict.reason or "")


def test_a_batch_keeps_its_order_and_equal_programs_run_once(grader):
    good, bad = answered("def f(x):\n    return x * x"), answered("def f(x):\n    return x")
    pairs = [(SQUARE, good), (SQUARE, bad), (SQUARE, "no answer"), (SQUARE, good)]
    assert [verdict.passed for verdict in grader.grade(pairs)] == [True, False, False, True]


@pytest.mark.parametrize(
    "assertion",
    [
        "assert abs(f(3) - 9) < 1",
        "assert set(f(3)) == {9}",
        "assert f(3) == g(3)",
        "assert f(3) != 9",
        "assert f(x=3) == 9",
        "assert f(3) in 'text'",
        "def test():\n    assert f(3) == 9\ntest()",
        "x = 3\nassert f(x) == 9",
    ],
)
def test_an_assertion_that_a_program_could_forge_judges_nothing(assertion):
    with pytest.raises(BadTestsError, match="forge"):
        read_tests(asserts("assert f(3) == 9", assertion))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\na\n```", "a\n"),
        ("```py\na\n```\ntext\n```Python\nb\n```", "b\n"),
        ("```\na\n```", "a\n"),
        ("```python\na\n```\nIt prints:\n```\n5\n```", "a\n"),
        ("```python\na\n```\n```python\nb\n", "a\n"),  # the last complete one
        ("````python\n```\na\n```\n````", "```\na\n```\n"),
        ("~~~python\na\n~~~", "a\n"),
        ("1. So:\n\n   ```python\n   def f():\n       a\n   ```\n", "def f():\n    a\n"),
        ("- So:\n    ```python\n    a\n\n    b\n    ```", "a\n\nb\n"),
        ("```python\ndef f():\n    '''\n    ```\n    '''\n```", "def f():\n    '''\n    ```\n    '''\n"),
        ("```python\r\na\r\n```", "a\n"),
        ("```python\n'\x0c\u2028'\n```", "'\x0c\u2028'\n"),
        ("```cpp\nint main() {}\n```", None),
        ("```python\n", None),
        ("a", None),
    ],
)
def test_last_program(text, code):
    assert last_program(text, frozenset({"python"})) == (code and ("python", code))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("```cpp\na\n```", "cpp"),
        ("```C++\na\n```", "cpp"),
        ("```c++17\na\n```", "cpp17"),
        ("```cc title=x\na\n```", "cpp"),
        ("```c\na\n```", "c"),
        ("```python\na\n```\n```cpp\na\n```", "cpp"),
        ("```cpp\na\n```\n```python\na\n```", "python"),
        ("```cpp\na\n```\n```java\nb\n```", "cpp"),
        ("```\n# include <iostream>\nint main() {}\n```", "cpp"),
        ("```\nprint('#include <x>')\n```", "python"),
        ("```rust\na\n```", None),
    ],
)
def test_the_language_of_a_program(text, language):
    found = last_program(text, frozenset(LANGUAGES))
    assert (found and found[0]) == language


def test_programs_in_cpp_are_graded(grader):
    body = "int n, s = 0, x; std::cin >> n; while (std::cin >> x) s += x; std::cout << s;"
    right = answered(f"#include <iostream>\nint main() {{ {body} }}", "cpp")
    faulty = answered("int main() { return x; }", "c++")
    right, wrong, faulty, of_a_call = grader.grade(
        [(SUM, right), (SUM, right.replace("+=", "-=")), (SUM, faulty), (SQUARE, right)]
    )
    assert right.passed
    assert (wrong.status, wrong.passed, wrong.reason) == ("scored", False, "test 1 of 1: wrong output")
    assert (faulty.status, faulty.passed) == ("scored", False)
    assert faulty.reason.startswith("does not compile: solution.cpp:1:21: error: 'x' was not declared")
    assert (of_a_call.passed, of_a_call.reason) == (False, "no complete Python block in the answer")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("1 2\n3", "1 2\n3\n\n", True),
        ("a  b", "a b", True),
        ("a\n\nb", "a\nb", False),
        ("0.5", "0.5000001", True),
        ("0.5", "5e-1", True),
        ("0.5", "0.51", False),
        ("2.0", "2", True),
        ("2", "2.0", False),
        ("1e9", "1000000000", True),
        ("100000000000000000001", "100000000000000000002", False),
        ("nan", "nan", False),
        ("0.5", "nan", False),
        ("0.5", "0_5", False),
        ("", "\n", True),
        ("", "x", False),
        ("٣", "3", False),
        ("1\u20282", "1\n2", False),
        ("1\r\n2\r\n", "1\n2", True),
        ("NO", "YES", False),
        ("1\n2", "1", False),
        ("1", "1\n2", False),
        ("1.5", "1" + "0" * 400, False),
        ("1e999", "1e998", False),
    ],
)
def test_same_output(expected, printed, same):
    assert same_output(expected, printed) is same


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (1, 1.0, True),
        (1, 1.0000001, False),
        (1.0, 1.0000001, True),
        (1.0, 1, True),
        (0.0, 1e-12, True),
        (1.5, 10**400, False),
        (True, True, True),
        (True, 1, False),
        (0, False, False),
        (None, None, True),
        (None, 0, False),
        ("a", "a", True),
        ([1, (2,)], [1, [2]], True),
        ([1], [1, 2], False),
        ({"1": [1.0]}, {1: [1.0000001]}, True),
        ({"1": 1}, {1: 1, "1": 1}, False),
        ({"a": 1}, {"b": 1}, False),
        ({1, 2}, frozenset({2, 1}), True),
        ([1, 2], frozenset({1, 2}), False),
        ({1}, frozenset({True}), False),
        ({(1, True)}, frozenset({(1, 1)}), False),
        ({0.3, 1.0}, frozenset({1, 0.1 + 0.2}), True),
        ({0.3}, frozenset({0.31}), False),
        ({0.3}, frozenset({"0.3"}), False),
        ({float("nan")}, frozenset({float("nan")}), False),
        ({1: 2}, {"1": 2}, False),
        ({True: 2}, {1: 2}, False),
        ({"true": 2}, {True: 2}, True),
        ({"1": 1, "2": 2}, {1: 1, "1": 2}, False),
        (2j, 10**400, False),
        ({"6": 1}, {10**5000: 1}, False),
        ({10**5000: 1}, {10**5000: 1}, True),
        ({str(10**4000): 1}, {10**4000: 1}, True),
        ({"a": 1, "6": 1}, {6: 1, 10**5000: 1}, False),
        (float("nan"), float("nan"), False),
        (float("inf"), float("inf"), True),
    ],
)
def test_same_value(expected, actual, same):
    assert same_value(expected, actual) is same


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.complex_numbers()
MEMBERS = SCALARS | st.tuples(SCALARS, SCALARS)
VALUES = st.recursive(
    SCALARS | st.frozensets(MEMBERS, max_size=3) | st.dictionaries(MEMBERS, SCALARS, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def holds_nan(value) -> bool:
    if isinstance(value, dict):
        return any(map(holds_nan, [*value.keys(), *value.values()]))
    return any(map(holds_nan, value)) if isinstance(value, list | tuple | frozenset) else value != value


@given(VALUES)
def test_a_value_is_the_same_as_itself_unless_it_holds_nan(value):
    assert same_value(value, value) is not holds_nan(value)


@given(VALUES, VALUES)
def test_what_python_finds_unequal_and_holds_no_float_is_not_the_same(expected, actual):
    """Python's == is the oracle where neither tolerance nor lists for tuples come in; it never raises either."""
    same = same_value(expected, actual)
    if "." not in repr((expected, actual)) and "(" not in repr(expected) + repr(actual) and not holds_nan(expected):
        text_keys = isinstance(expected, dict) or "{" in repr(expected)
        assert not same or expected == actual or text_keys


LEAVES = st.one_of(
    st.just(["none"]),
    st.booleans().map(lambda value: ["bool", value]),
    st.integers().map(lambda value: ["int", hex(value)]),
    st.sampled_from([["int", hex(10**400)], ["int", hex(-(10**5000))]]),
    st.floats().map(lambda value: ["float", value.hex()]),
    st.text(max_size=2).map(lambda value: ["str", value]),
    st.complex_numbers().map(lambda value: ["complex", [value.real.hex(), value.imag.hex()]]),
    st.sampled_from([["int", "x"], ["str", 1], ["bytes", "0"], ["float", "0x1p9999"], [], None, ["list", "a"]]),
)
TYPED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["list", "set"]), st.lists(inner, max_size=3)).map(list),
        st.lists(st.tuples(inner, inner).map(list), max_size=3).map(lambda items: ["dict", items]),
    ),
    max_leaves=8,
)


@given(VALUES | st.sampled_from([{"6": 1}, {10**400}, 10**400, 1.0, {1.0}]), TYPED)
def test_whatever_a_program_forges_is_compared_or_no_value(expected, typed):
    try:
        value = typed_value(json.dumps({"value": typed}).encode())
    except WrongType:
        return
    assert same_value(expected, value) in (True, False)


@pytest.mark.parametrize("kind", ["list", "set", "dict"])
@pytest.mark.parametrize("depth", [150, 198, 250, 330, 480, 900])
def test_what_is_nested_deeply_is_compared_or_no_value(kind, depth):
    """As a key or a member too: the walks over those have the stack for what the reading let through."""
    before, behind = ('["dict", [[["int", "0x1"], ', "]]]") if kind == "dict" else ('["list", [', "]]")
    typed = depth * before + '["none"]' + depth * behind
    forged = {"list": typed, "dict": f'["dict", [[["none"], {typed}]]]', "set": f'["set", [{typed}]]'}[kind]
    if depth > 199:
        with pytest.raises(WrongType):
            typed_value(f'{{"value": {forged}}}'.encode())
    else:
        value = typed_value(f'{{"value": {forged}}}'.encode())
        assert same_value(value, value)
        assert not same_value([1], value)


def test_a_key_that_cannot_be_written_in_decimal_fails_its_program_alone(grader):
    tests = {"kind": "call", "entry_point": "f", "cases": [{"args": [3], "expected": {"6": 1}}]}
    programs = ["def f(n): return {6: 1}", "import math\ndef f(n): return {math.factorial(2000): 1}"]
    verdicts = grader.grade([(json.dumps(tests), answered(program)) for program in programs])
    assert [(verdict.status, verdict.passed) for verdict in verdicts] == [("scored", True), ("scored", False)]


@given(st.text(), st.text())
def test_equal_outputs_have_equal_tokens(expected, printed):
    if same_output(expected, printed) and not any(character.isdigit() for character in expected):
        assert expected.split() == printed.split()


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_output_with_a_line_or_a_token_less_is_never_the_same(rows, data):
    text = "\n".join(" ".join(map(str, row)) for row in rows)
    assert same_output(text, text + "\n")
    line = data.draw(st.integers(0, len(rows) - 1))
    cut = [row[:-1] if number == line else row for number, row in enumerate(rows)]
    assert not same_output(text, "\n".join(" ".join(map(str, row)) for row in cut))
    assert not same_output("\n".join(" ".join(map(str, row)) for row in cut), text)
