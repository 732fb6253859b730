"""Wrong programs, and the part of the reason that must be given."""

from benchmarks.rewards.grader_cases.case import SQUARE, SUM, TWO_LINES, asserts, call, stdin, wrong

PRINTED = (
    wrong("wrong answer", SUM, "input()\nprint(8)", "wrong output"),
    wrong("right prefix", TWO_LINES, "print(1)", "wrong output"),
    wrong("right prefix of a line", stdin(("", "1 2 3\n")), "print('1 2')", "wrong output"),
    wrong("nothing printed", TWO_LINES, "pass", "wrong output"),
    wrong("more than was asked", TWO_LINES, "print('1\\n2\\n3')", "wrong output"),
    wrong("a debug line before the answer", SUM, "print('debug')\nprint(7)", "wrong output"),
    wrong("something where nothing is expected", stdin(("", "")), "print(0)", "wrong output"),
    wrong("one line for two", TWO_LINES, "print('1 2')", "wrong output"),
    wrong("an empty line between", TWO_LINES, "print('1\\n\\n2')", "wrong output"),
    wrong("other order of lines", TWO_LINES, "print('2\\n1')", "wrong output"),
    wrong("other order of tokens", stdin(("", "1 2\n")), "print(2, 1)", "wrong output"),
    wrong("tokens run together", stdin(("", "1 2\n")), "print(12)", "wrong output"),
    wrong("other case", stdin(("", "YES\n")), "print('yes')", "wrong output"),
    wrong("YES for NO", stdin(("", "NO\n")), "print('YES')", "wrong output"),
    wrong("a number for a word", stdin(("", "NO\n")), "print(0)", "wrong output"),
    wrong("a float for an int token", stdin(("", "3\n")), "print(3.0)", "wrong output"),
    wrong("an int within a float's tolerance", stdin(("", f"{10**17}\n")), "print(10**17 + 1)", "wrong output"),
    wrong("a zero before an int", stdin(("", "7\n")), "print('07')", "wrong output"),
    wrong("a sum of floats that is off", stdin(("", "0.3\n")), "print(0.3001)", "wrong output"),
    wrong("nan for a float", stdin(("", "0.5\n")), "print(float('nan'))", "wrong output"),
    wrong("nan for nan", stdin(("", "nan\n")), "print(float('nan'))", "wrong output"),
    wrong("inf for a large float", stdin(("", "1e300\n")), "print(float('inf'))", "wrong output"),
    wrong("a list printed for its items", stdin(("", "1 2\n")), "print([1, 2])", "wrong output"),
    wrong("a line separator that is no newline", TWO_LINES, "print('1\\u20282')", "wrong output"),
    wrong("digits of another script", stdin(("", "3\n")), "print('٣')", "wrong output"),
    wrong("the answer on stderr", SUM, "import sys\nprint(7, file=sys.stderr)", "wrong output"),
    wrong("the answer in a file", SUM, "open('stdout', 'w').write('7')", "wrong output"),
    wrong("bytes that are no UTF-8", SUM, "import os\nos.write(1, b'7\\xff')", "not UTF-8"),
    wrong("one digit wrong of 100,000", stdin(("", "1" + "0" * 99_999)), "print(10 ** 99_999 + 1)", "wrong output"),
    wrong("not flushed before os._exit", SUM, "import os\nprint(7)\nos._exit(0)", "wrong output"),
    wrong("right in the first of two tests", stdin(("1\n", "1\n"), ("2\n", "2\n")), "print(1)", "test 2 of 2"),
)

ENDED = (
    wrong("exit status", SUM, "input()\nprint(sum(map(int, input().split())))\nexit(1)", "exit status 1"),
    wrong("sys.exit with a message", SUM, "import sys\nprint(7)\nsys.exit('done')", "done"),
    wrong("right, then an exception", SUM, "print(7)\n1 / 0", "ZeroDivisionError"),
    wrong("right, then for ever", SUM, "print(7, flush=True)\nwhile True:\n    pass", "cpu_limit"),
    wrong(
        "for ever, in a thread",
        SUM,
        ("import threading\nprint(7, flush=True)\ndef g():\n    while True: pass\nthreading.Thread(target=g).start()"),
        "cpu_limit",
    ),
    wrong("endless output", SUM, "while True:\n    print(7)", "output_limit"),
    wrong("reads more than there is", SUM, "for _ in range(3):\n    input()\nprint(7)", "EOFError"),
    wrong("too much memory", SUM, "x = bytearray(10**9)\nprint(7)", "MemoryError"),
    wrong("kills itself", SQUARE, "import os\ndef f(x):\n    os.kill(os.getpid(), 9)", "Operation not permitted"),
    wrong("abort", SUM, "import os\nprint(7, flush=True)\nos.abort()", "killed"),
    wrong("endless recursion", SQUARE, "def f(x):\n    return f(x)", "RecursionError"),
    wrong("syntax error", SQUARE, "def f(x)\n    return x", "SyntaxError"),
    wrong("a null byte", SQUARE, "def f(x):\n    return x * x\0", ""),
    wrong("a module that is not there", SQUARE, "import no_such_module\ndef f(x):\n    return x * x", "no_such_module"),
    wrong("an exception in the second test", SQUARE, "def f(x):\n    return {3: 9}[x]", "test 2 of 2: KeyError"),
)

CALLED = (
    wrong("one of two tests", SQUARE, "def f(x):\n    return 9", "test 2 of 2: wrong value"),
    wrong("printed, not returned", SQUARE, "def f(x):\n    print(x * x)", "wrong value"),
    wrong("no such function", SQUARE, "def g(x):\n    return x * x", "defines no f"),
    wrong("no such method", SQUARE, "class Solution:\n    def g(self, x):\n        return x * x", "defines no f"),
    wrong("a function that takes no argument", SQUARE, "def f():\n    return 9", "TypeError"),
    wrong("nothing, where the prelude has the name", call((4, 6, 2), entry_point="gcd"), "", "defines no gcd"),
    wrong("nothing, where Python has the name", call(([4, 6], 10), entry_point="sum"), "pass", "defines no sum"),
    wrong(
        "another method than the prelude's",
        call(([1], [2], [1, 2]), entry_point="merge"),
        "class Solution:\n    def join(self, x, y):\n        return x + y",
        "defines no merge",
    ),
    wrong(
        "a wrong method called merge",
        call(([3], [2], [2, 3]), entry_point="merge"),
        "class Solution:\n    def merge(self, x, y):\n        return x + y",
        "wrong value",
    ),
    wrong(
        "a state kept from test to test",
        call((1, 1), (1, 2)),
        "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n",
        "test 2 of 2",
    ),
    wrong(
        "a file kept from test to test",
        call((1, 0), (1, 1)),
        "import os\ndef f(x):\n    n = len(os.listdir('.'))\n    open(str(n), 'w')\n    return n",
        "test 2 of 2",
    ),
)

VALUES = (
    wrong("nan", call((1, 0.5)), "def f(x):\n    return float('nan')", "wrong value"),
    wrong("nan for an expected nan", call((1, float("nan"))), "def f(x):\n    return float('nan')", "wrong value"),
    wrong("bool for int", call((1, 1)), "def f(x):\n    return True", "wrong value"),
    wrong("int for bool", call((1, True)), "def f(x):\n    return 1", "wrong value"),
    wrong("bools within a list", call((1, [0, 1])), "def f(x):\n    return [False, True]", "wrong value"),
    wrong("str for int", call((1, 1)), "def f(x):\n    return '1'", "wrong value"),
    wrong("bytes for str", call((1, "a")), "def f(x):\n    return b'a'", "wrong value"),
    wrong("None for an empty list", call((1, [])), "def f(x):\n    pass", "wrong value"),
    wrong("0 for None", call((1, None)), "def f(x):\n    return 0", "wrong value"),
    wrong("list order", call((1, [1, 2])), "def f(x):\n    return [2, 1]", "wrong value"),
    wrong("a prefix of a list", call((1, [1, 2])), "def f(x):\n    return [1]", "wrong value"),
    wrong("a longer list", call((1, [1, 2])), "def f(x):\n    return [1, 2, 3]", "wrong value"),
    wrong("a set for a list", call((1, [1, 2])), "def f(x):\n    return {1, 2}", "wrong value"),
    wrong("text for a list of characters", call((1, ["a", "b"])), "def f(x):\n    return 'ab'", "wrong value"),
    wrong("another case of text", call((1, "Ab")), "def f(x):\n    return 'AB'", "wrong value"),
    wrong("a float just beside an int", call((1, 3)), "def f(x):\n    return 3.0000001", "wrong value"),
    wrong("an int beyond every float for a float", call((1, 0.5)), "def f(x):\n    return 10 ** 400", "wrong value"),
    wrong("an int off by one among the huge", call((1, 10**400)), "def f(x):\n    return 10 ** 400 + 1", "wrong value"),
    wrong("a key too many", call((1, {"a": 1})), "def f(x):\n    return {'a': 1, 'b': 2}", "wrong value"),
    wrong(
        "a key as text where an int is expected",
        asserts("assert f(1) == {1: 2}"),
        "def f(x):\n    return {'1': 2}",
        "wrong value",
    ),
    wrong(
        "a key twice, as text and as int", call((1, {"1": 2})), "def f(x):\n    return {1: 2, '1': 2}", "wrong value"
    ),
    wrong("dict keys for a list", call((1, ["a"])), "def f(x):\n    return {'a': 1}.keys()", "no plain data"),
    wrong("a generator", call((2, [0, 1])), "def f(n):\n    yield from range(n)", "no plain data"),
    wrong("a coroutine", SQUARE, "async def f(x):\n    return x * x", ""),
    wrong("itself within itself", SQUARE, "def f(x):\n    y = []\n    y.append(y)\n    return y", "nested"),
    wrong("none of several values", asserts("assert f(3) in [8, 9]"), "def f(x):\n    return [8, 9]", "wrong value"),
    wrong("true where false is right", asserts("assert not f(0)"), "def f(x):\n    return x == 0", "wrong value"),
    wrong("1 where True is asked for", asserts("assert f(0) is True"), "def f(x):\n    return 1", "wrong value"),
    wrong(
        "bools in a set of ints", asserts("assert f(1) == {0, 1}"), "def f(x):\n    return {False, True}", "wrong value"
    ),
    wrong("a member less in a set", asserts("assert f(1) == {0.5, 1}"), "def f(x):\n    return {0.5}", "wrong value"),
    wrong("a list for a set", asserts("assert f(1) == {1, 2}"), "def f(x):\n    return [1, 2]", "wrong value"),
)

WRONG = (*PRINTED, *ENDED, *CALLED, *VALUES)
