"""Verdicts on programs, correct and wrong: among them those that widely used graders get wrong.

Every case runs in the real sandbox. Without bubblewrap these tests fail with the command that installs it.
"""

import json

import pytest

from amt import params
from amt.rewards.code_tests import BadTestsError, CodeGrader, last_program, read_tests
from amt.sandbox.comparison import same_output, same_value

SETTINGS = params.Sandbox(
    cpu_seconds=1.0,
    wall_seconds=10.0,
    memory_mb=256,
    output_bytes=1_000_000,
    compile_seconds=10.0,
    compile_memory_mb=1024,
    allow_unprotected=False,
)


@pytest.fixture(scope="module")
def grader():
    grader = CodeGrader(SETTINGS, workers=2)
    yield grader
    grader.close()


def response(code: str) -> str:
    return f"<think>t</think><answer>\nHere it is:\n```python\n{code}\n```\n</answer>"


def call(*cases, entry_point="f"):
    cases = [{"args": list(args), "expected": expected} for *args, expected in cases]
    return json.dumps({"kind": "call", "entry_point": entry_point, "cases": cases})


def stdin(*cases):
    return json.dumps({"kind": "stdin", "cases": [{"stdin": given, "stdout": printed} for given, printed in cases]})


def asserts(*code):
    return json.dumps({"kind": "asserts", "code": list(code)})


SUM = stdin(("2\n3 4\n", "7\n"))
TWO_LINES = stdin(("1\n2\n", "1\n2\n"))
SQUARE = call((3, 9), (4, 16))

CORRECT = {
    "input()": (SUM, "input()\nprint(sum(map(int, input().split())))"),
    "sys.stdin.buffer twice": (
        TWO_LINES,
        "import sys\na = sys.stdin.buffer.readline()\nb = sys.stdin.buffer.readline()\nprint(int(a))\nprint(int(b))",
    ),
    "for line in sys.stdin": (TWO_LINES, "import sys\nfor line in sys.stdin:\n    print(line.strip())"),
    "open(0)": (TWO_LINES, "print(open(0).read(), end='')"),
    "/dev/stdin": (TWO_LINES, "print(open('/dev/stdin').read(), end='')"),
    "os.read": (TWO_LINES, "import os\nos.write(1, os.read(0, 100))"),
    "sys.stdout.buffer": (TWO_LINES, "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())"),
    "a file over descriptor 1 left open": (TWO_LINES, "out = open(1, 'w')\nout.write(open(0).read())"),
    "global": (
        SUM,
        "n = 0\ndef main():\n    global n\n    input()\n    n = sum(map(int, input().split()))\nmain()\nprint(n)",
    ),
    "main block that is not last": (
        SUM,
        "def main():\n    input()\n    print(add(input().split()))\nif __name__ == '__main__':\n"
        "    add = lambda words: sum(map(int, words))\n    main()\nend = 1",
    ),
    "sys.exit(0) of a program": (SUM, "import sys\ninput()\nprint(sum(map(int, input().split())))\nsys.exit(0)"),
    "exit()": (SUM, "input()\nprint(sum(map(int, input().split())))\nexit()"),
    "atexit": (TWO_LINES, "import atexit\natexit.register(lambda: print(2))\nprint(1)"),
    "a thread with a deep stack": (
        SUM,
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
        "def main():\n    input()\n    print(sum(map(int, input().split())))\n"
        "thread = threading.Thread(target=main)\nthread.start()",
    ),
    "trailing space and newline": (TWO_LINES, "print('1  ')\nprint('2')\nprint()"),
    "floats within tolerance": (stdin(("", "0.30000\n")), "print(0.1 + 0.2)"),
    "a large output": (stdin(("", "7\n" * 100_000)), "for _ in range(100_000):\n    print(7)"),
    "a text longer than what may be written": (TWO_LINES, f"text = {'x' * 1_100_000!r}\nprint(1)\nprint(2)"),
    "names as in the test before": (stdin(("", "1"), ("", "1")), "print(globals().setdefault('n', 0) + 1)\nn += 1"),
    "no imports": (stdin(("", "3\n")), "print(max(Counter('abbb').values()))"),
    "function": (SQUARE, "def f(x):\n    return x * x"),
    "Solution().method": (SQUARE, "class Solution:\n    def f(self, x: int) -> List[int]:\n        return x * x"),
    "print in a function": (SQUARE, "def f(x):\n    print('debug', x)\n    return x * x"),
    "main block behind a function": (SQUARE, "def f(x):\n    return x * x\nif __name__ == '__main__':\n    f(input())"),
    "tuple for list": (call((1, [1, [2, 3]])), "def f(x):\n    return (x, (2, 3))"),
    "float tolerance": (call((0.1, 0.3)), "def f(x):\n    return x + 0.2"),
    "int keys of a dict": (call(([1, 1, 2], {"1": 2, "2": 1})), "def f(x):\n    return Counter(x)"),
    "a huge int": (call((10, 10**4000)), "def f(x):\n    return x ** 4000"),
    "none": (call((1, None)), "def f(x):\n    pass"),
    "recursion": (call((40_000, 40_000)), "def f(n):\n    return n and 1 + f(n - 1)"),
    "recursion through C": (
        call((9_000, 9_000)),
        "@cache\ndef g(n):\n    return n and 1 + g(n - 1)\ndef f(n):\n    return g(n)",
    ),
    "asserts": (asserts("assert f(3) == 9", "assert f(4) == 16\nassert f(0) == 0"), "def f(x):\n    return x * x"),
    "asserts of one of several values": (asserts("assert f(3) in [8, 9]"), "def f(x):\n    return x * x"),
    "asserts of truth": (
        asserts("assert f(3)", "assert not f(0)", "assert f(3) is True"),
        "def f(x):\n    return x > 0",
    ),
    "a tuple arrives as a tuple": (
        asserts("assert f((1, 2), [(3,)]) == {(1, 2): (3,)}"),
        "def f(x, y):\n    return {x: y[0]}",
    ),
    "a set arrives as a set": (asserts("assert f({1, 2}, set()) == {1, 2}"), "def f(x, y):\n    return x | y"),
    "int keys arrive as ints": (
        asserts("assert f({1: 2}) == 3"),
        "def f(x):\n    return sum((k + v for k, v in x.items()))",
    ),
    "bytes": (asserts("assert f(b'a') == b'aa'"), "def f(x):\n    return x * 2"),
    # What the prelude imports has the same name as what is asked for.
    "a method called merge": (
        call(([1, 3], [2], [1, 2, 3]), entry_point="merge"),
        "class Solution:\n    def merge(self, x, y):\n        return sorted(x + y)",
    ),
    "a function called gcd that uses the prelude": (
        call((4, 6, 2), entry_point="gcd"),
        "def gcd(a, b):\n    return reduce(lambda x, y: y and gcd(y, x % y) or x, [a, b])",
    ),
    "gcd, imported by the program": (call((4, 6, 2), entry_point="gcd"), "from math import gcd"),
    "the method before a function of its name": (
        SQUARE,
        "def f(x):\n    return -1\nclass Solution:\n    def f(self, x):\n        return x * x",
    ),
}

WRONG = {
    "wrong answer": (SUM, "input()\nprint(8)", "wrong output"),
    "right prefix": (TWO_LINES, "print(1)", "wrong output"),
    "more than was asked": (TWO_LINES, "print('1\\n2\\n3')", "wrong output"),
    "other lines": (TWO_LINES, "print('1 2')", "wrong output"),
    "other case": (stdin(("", "YES\n")), "print('yes')", "wrong output"),
    "YES for NO": (stdin(("", "NO\n")), "print('YES')", "wrong output"),
    "nan": (call((1, 0.5)), "def f(x):\n    return float('nan')", "wrong value"),
    "a float for an int token": (stdin(("", "3\n")), "print(3.0)", "wrong output"),
    "one of two tests": (SQUARE, "def f(x):\n    return 9", "test 2 of 2: wrong value"),
    "bool for int": (call((1, 1)), "def f(x):\n    return True", "wrong value"),
    "int for bool": (call((1, True)), "def f(x):\n    return 1", "wrong value"),
    "str for int": (call((1, 1)), "def f(x):\n    return '1'", "wrong value"),
    "list order": (call((1, [1, 2])), "def f(x):\n    return [2, 1]", "wrong value"),
    "__eq__ always true": (
        SQUARE,
        "class Same(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = None\n"
        "def f(x):\n    return Same(5)",
        "wrong value",
    ),
    "an object equal to all": (
        SQUARE,
        "class Same:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Same()",
        "no plain data",
    ),
    "sys.exit(0) in a call": (SQUARE, "import sys\ndef f(x):\n    sys.exit(0)", "no result"),
    "os._exit(0) in a call": (SQUARE, "import os\ndef f(x):\n    os._exit(0)", "no result"),
    "sys.exit(0) before asserts": (asserts("assert f((3,)) == 9"), "import sys\nsys.exit(0)", "no result"),
    "a forged result of an assertion": (
        asserts("assert f((1, 2)) == 3"),
        'import os\nos.write(3, b\'{"value": ["bool", true]}\')\nos._exit(0)',
        "wrong value",
    ),
    "an object equal to all in an assertion": (
        asserts("assert f((1, 2)) in [3]"),
        "class Same:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Same()",
        "no plain data",
    ),
    "none of several values": (asserts("assert f(3) in [8, 9]"), "def f(x):\n    return [8, 9]", "wrong value"),
    "true where false is right": (asserts("assert not f(0)"), "def f(x):\n    return x == 0", "wrong value"),
    "1 where True is asked for": (asserts("assert f(0) is True"), "def f(x):\n    return 1", "wrong value"),
    "nothing, where the prelude has the name": (call((4, 6, 2), entry_point="gcd"), "", "defines no gcd"),
    "another method than the prelude's": (
        call(([1], [2], [1, 2]), entry_point="merge"),
        "class Solution:\n    def join(self, x, y):\n        return x + y",
        "defines no merge",
    ),
    "a wrong method called merge": (
        call(([3], [2], [2, 3]), entry_point="merge"),
        "class Solution:\n    def merge(self, x, y):\n        return x + y",
        "wrong value",
    ),
    "kills itself": (SQUARE, "import os\ndef f(x):\n    os.kill(os.getpid(), 9)", "killed"),
    "exit status": (SUM, "input()\nprint(sum(map(int, input().split())))\nexit(1)", "exit status 1"),
    "right, then an exception": (SUM, "print(7)\n1 / 0", "ZeroDivisionError"),
    "right, then for ever": (SUM, "print(7, flush=True)\nwhile True:\n    pass", "cpu_limit"),
    "no such function": (SQUARE, "def g(x):\n    return x * x", "defines no f"),
    "syntax error": (SQUARE, "def f(x)\n    return x", "SyntaxError"),
    "a generator": (call((2, [0, 1])), "def f(n):\n    yield from range(n)", "no plain data"),
    "endless recursion": (SQUARE, "def f(x):\n    return f(x)", "RecursionError"),
    "itself within itself": (SQUARE, "def f(x):\n    y = []\n    y.append(y)\n    return y", "nested"),
}


@pytest.mark.parametrize("name", CORRECT)
def test_correct_programs_pass(grader, name):
    tests, code = CORRECT[name]
    (verdict,) = grader.grade([(tests, response(code))])
    assert (verdict.status, verdict.passed) == ("scored", True), verdict.reason


@pytest.mark.parametrize("name", WRONG)
def test_wrong_programs_fail_for_the_right_reason(grader, name):
    tests, code, reason = WRONG[name]
    (verdict,) = grader.grade([(tests, response(code))])
    assert (verdict.status, verdict.passed) == ("scored", False)
    assert reason in verdict.reason


def test_a_batch_keeps_its_order_and_equal_programs_run_once(grader):
    good, bad = response("def f(x):\n    return x * x"), response("def f(x):\n    return x")
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
def test_an_assertion_that_a_program_could_forge_judges_nothing(grader, assertion):
    pairs = [(asserts("assert f(3) == 9", assertion), response("def f(x):\n    return x * x"))]
    (verdict,) = grader.grade(pairs)
    assert verdict.status == "invalid"
    assert "forge" in verdict.reason


@pytest.mark.parametrize(
    "tests",
    [
        call(),
        stdin(),
        asserts(),
        "",
        "[]",
        "{",
        '{"kind": "other", "cases": [1]}',
        '{"kind": "call", "entry_point": "f", "cases": [{"args": 3, "expected": 1}]}',
        '{"kind": "call", "entry_point": "f", "cases": [{"args": [3]}]}',
        '{"kind": "call", "entry_point": "f(", "cases": [{"args": [3], "expected": 1}]}',
        '{"kind": "stdin", "cases": [{"stdin": "", "stdout": 5}]}',
        '{"kind": "asserts", "code": ["assert f(3) =="]}',
    ],
)
def test_without_tests_nothing_passes(grader, tests):
    with pytest.raises(BadTestsError):
        read_tests(tests)
    (verdict,) = grader.grade([(tests, response("def f(x):\n    return 1"))])
    assert verdict.status == "invalid"


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
        ("```c++17\na\n```", "cpp"),
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
    found = last_program(text, frozenset({"python", "cpp", "c"}))
    assert (found and found[0]) == language


def test_programs_in_cpp_are_graded(grader):
    body = "int n, s = 0, x; std::cin >> n; while (std::cin >> x) s += x; std::cout << s;"
    right = response(f"#include <iostream>\nint main() {{ {body} }}").replace("python", "cpp")
    faulty = response("int main() { return x; }").replace("python", "c++")
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
        (float("nan"), float("nan"), False),
        (float("inf"), float("inf"), True),
    ],
)
def test_same_value(expected, actual, same):
    assert same_value(expected, actual) is same
