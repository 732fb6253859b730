"""Tests of published code rows: call cases where nothing is lost by it, asserts otherwise."""

import pytest

from amt.sources.code_cases import from_asserts, from_pytest


def _calls(name, *cases):
    return {"kind": "call", "entry_point": name, "cases": [{"args": list(a), "expected": e} for a, e in cases]}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["assert f(1, 'a') == [1, 2]"], _calls("f", ((1, "a"), [1, 2]))),
        (["assert f() == None", "assert f(-1.5) == True"], _calls("f", ((), None), ((-1.5,), True))),
        # JSON would give a list where the solution returns a tuple, and text where a key is a number.
        (["assert f(1) == (1, 2)"], None),
        (["assert f(1) == {1: 2}"], None),
        (["assert f(1) == {1, 2}"], None),
        (["assert f(b'x') == 1"], None),
        (["assert f(float('inf')) == 1"], None),
        (["assert abs(f(1) - 0.5) < 1e-6"], None),
        (["assert f(x=1) == 2"], None),
        (["assert f(1) == 2 == 2"], None),
        (["assert f(g(1)) == 2"], None),
        (["assert not f(1)"], None),
        (["x = 1"], None),
        (["assert f(1) == 2", "assert g(1) == 2"], None),
        (["assert f(1 == 2"], None),
        (["assert f(" + "-" * 100_000 + "1) == 1"], None),
        (["assert f(" + "(" * 1000 + "1" + ")" * 1000 + ") == 1"], None),
    ],
)
def test_asserts(statements, expected):
    assert from_asserts(statements) == (expected or {"kind": "asserts", "code": statements})


def test_asserts_of_another_function_than_declared_stay_asserts():
    assert from_asserts(["assert g(1) == 2"], "f")["kind"] == "asserts"


@pytest.mark.parametrize("statements", [None, [], ["", "  "]])
def test_no_asserts(statements):
    assert from_asserts(statements) is None


def test_pytest_with_plain_asserts_becomes_calls():
    source = "from solution import f\n\ndef test_a():\n    assert f(1) == 2\n\ndef test_b():\n    assert f(2) == 3\n"
    assert from_pytest(source, "f") == _calls("f", ((1,), 2), ((2,), 3))


def test_pytest_with_set_up_keeps_its_code_and_calls_each_test():
    source = (
        "from solution import f\nimport math\n\ndef test_a():\n    x = math.pi\n    assert f(x) == 3\n\n"
        "def test_b():\n    assert f(1) == 1\n"
    )
    tests = from_pytest(source, "f")
    assert tests["kind"] == "asserts"
    assert len(tests["code"]) == 2
    for code, call in zip(tests["code"], ("test_a()", "test_b()"), strict=True):
        assert code.endswith(call)
        assert "solution" not in code
        exec(code, {"f": int})  # right: passes
        with pytest.raises(AssertionError):
            exec(code, {"f": lambda x: -1})


@pytest.mark.parametrize("source", ["", None, "def test_a(:", "x = 1"])
def test_pytest_that_tests_nothing(source):
    assert from_pytest(source, "f") is None


@pytest.mark.parametrize("set_up", ["", "    x = 1\n"])
@pytest.mark.parametrize("expected", ["+".join(["1"] * 400), "+".join(["1"] * 1200)])
def test_pytest_that_cannot_be_written_again(expected, set_up):
    """It parses: a chain of operators is a loop there."""
    source = f"from solution import f\ndef test_a():\n{set_up}    assert f(1) == {expected}\n"
    assert from_pytest(source, "f") is None


PARAMETRIZED = "@pytest.mark.parametrize('x', [1, 2])\ndef test_p(x):\n    assert f(x) == x\n"
PLAIN = "def test_a():\n    assert f(1) == 1\n"


@pytest.mark.parametrize(
    "source",
    [
        f"import pytest\nfrom solution import f\n{PARAMETRIZED}",
        f"import pytest\nfrom solution import f\n{PARAMETRIZED}{PLAIN}",
        f"from solution import f\n{PLAIN}class TestMore:\n    def test_b(self):\n        assert f(2) == 2\n",
        "import solution\ndef test_a():\n    assert solution.f(0) == 0\n",
        "import solution as s\ndef test_a():\n    assert s.f(0) == 0\n",
        "from solution import f as g\ndef test_a():\n    assert g(0) == 0\n",
        "def test_a():\n    from solution import f\n    assert f(0) == 0\n",
    ],
)
def test_pytest_of_which_only_a_part_would_run_is_left_out(source):
    assert from_pytest(source, "f") is None
