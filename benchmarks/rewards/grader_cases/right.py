"""Correct programs, written in every way that a program may be."""

from benchmarks.rewards.grader_cases.case import SQUARE, SUM, TWO_LINES, asserts, call, right, stdin

READING = (
    right("input()", SUM, "input()\nprint(sum(map(int, input().split())))"),
    right(
        "sys.stdin.buffer.readline() twice",
        TWO_LINES,
        ("import sys\na = sys.stdin.buffer.readline()\nb = sys.stdin.buffer.readline()\nprint(int(a))\nprint(int(b))"),
    ),
    right("sys.stdin.readline", TWO_LINES, "import sys\ninput = sys.stdin.readline\nprint(input(), input(), sep='')"),
    right("for line in sys.stdin", TWO_LINES, "import sys\nfor line in sys.stdin:\n    print(line.strip())"),
    right("open(0)", TWO_LINES, "print(open(0).read(), end='')"),
    right("/dev/stdin", TWO_LINES, "print(open('/dev/stdin').read(), end='')"),
    right("os.read", TWO_LINES, "import os\nos.write(1, os.read(0, 100))"),
    right(
        "input until EOFError", TWO_LINES, "try:\n    while True:\n        print(input())\nexcept EOFError:\n    pass"
    ),
    right("fileinput", TWO_LINES, "import fileinput\nfor line in fileinput.input():\n    print(line, end='')"),
    right("iter(input, '')", stdin(("1\n2\n\n", "1\n2\n")), "for line in iter(input, ''):\n    print(line)"),
    right("more input than is read", stdin(("1\n2\n3\n", "1\n")), "print(input())"),
    right("no newline at the end of the input", stdin(("3 4", "7\n")), "print(sum(map(int, input().split())))"),
    right("CRLF in the input", stdin(("2\r\n3 4\r\n", "7\n")), "input()\nprint(sum(map(int, input().split())))"),
    right("input beyond ASCII", stdin(("äß漢😀\n", "😀漢ßä\n")), "print(input()[::-1])"),
    right("a megabyte of input", stdin(("1 " * 500_000, "500000\n")), "print(sum(map(int, input().split())))"),
)

WRITING = (
    right("sys.stdout.buffer", TWO_LINES, "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())"),
    right("a file over descriptor 1 left open", TWO_LINES, "out = open(1, 'w')\nout.write(open(0).read())"),
    right("print replaced by sys.stdout.write", TWO_LINES, "import sys\nprint = sys.stdout.write\nprint('1\\n2\\n')"),
    right(
        "output gathered in a StringIO",
        TWO_LINES,
        (
            "import io, os, sys\nout = io.StringIO()\nsys.stdout = out\nprint(1)\nprint(2)\n"
            "os.write(1, out.getvalue().encode())"
        ),
    ),
    right("atexit", TWO_LINES, "import atexit\natexit.register(lambda: print(2))\nprint(1)"),
    right("no newline at the end of the output", TWO_LINES, "print('1\\n2', end='')"),
    right("trailing space and newline", TWO_LINES, "print('1  ')\nprint('2')\nprint()"),
    right("CRLF in the output", TWO_LINES, "print('1\\r\\n2\\r\\n', end='')"),
    right("CRLF in the expected output", stdin(("", "1\r\n2\r\n")), "print(1)\nprint(2)"),
    right("a trailing space that is expected", stdin(("", "1 2 \n")), "print(1, 2)"),
    right("a message on stderr", TWO_LINES, "import sys\nprint('debug', file=sys.stderr)\nprint('1\\n2')"),
    right("190 KB of output", stdin(("", "7\n" * 95_000)), "for _ in range(95_000):\n    print(7)"),
    right("900 KB in one line", stdin(("", "7" * 900_000)), "print('7' * 900_000)"),
    right("0.1 + 0.2", stdin(("", "0.30000\n")), "print(0.1 + 0.2)"),
    right("a whole number for a float", stdin(("", "2.0\n")), "print(2)"),
    right("a float in scientific notation", stdin(("", "0.000001\n")), "print(1e-6)"),
    right("a huge int printed", stdin(("", "1" + "0" * 100_000)), "print(10 ** 100_000)"),
    right("a text longer than what may be written", TWO_LINES, f"text = {'x' * 1_100_000!r}\nprint(1)\nprint(2)"),
    right(
        "names as in the test before",
        stdin(("", "1"), ("", "1")),
        "print(globals().setdefault('n', 0) + 1)\nn += 1",
    ),
    right("nothing, as expected", stdin(("", "")), "pass"),
)

ENDING = (
    right("sys.exit(0) of a program", SUM, "import sys\ninput()\nprint(sum(map(int, input().split())))\nsys.exit(0)"),
    right("exit()", SUM, "input()\nprint(sum(map(int, input().split())))\nexit()"),
    right("os._exit after a flush", SUM, "import os\nprint(7, flush=True)\nos._exit(0)"),
    right("raise SystemExit", SUM, "print(7)\nraise SystemExit"),
    right(
        "an exception that is caught",
        SUM,
        ("input()\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(sum(map(int, input().split())))"),
    ),
)

STRUCTURE = (
    right(
        "global",
        SUM,
        ("n = 0\ndef main():\n    global n\n    input()\n    n = sum(map(int, input().split()))\nmain()\nprint(n)"),
    ),
    right(
        "main block that is not last",
        SUM,
        "def main():\n    input()\n    print(add(input().split()))\nif __name__ == '__main__':\n"
        "    add = lambda words: sum(map(int, words))\n    main()\nend = 1",
    ),
    right(
        "two main blocks",
        TWO_LINES,
        "if __name__ == '__main__':\n    print(1)\nif '__main__' == __name__:\n    print(2)",
    ),
    right(
        "a main block that others read as text",
        SUM,
        "text = \"if __name__ == '__main__':\"\ninput()\nprint(sum(map(int, input().split())))",
    ),
    right("from __future__", SUM, "from __future__ import annotations\ndef f(x: Any) -> Nothing: ...\nprint(7)"),
    right(
        "a class with __slots__ and a dataclass",
        SUM,
        "@dataclasses.dataclass\nclass P:\n    x: int\nprint(P(7).x)".replace("@", "import dataclasses\n@"),
    ),
    right(
        "pickles a class of its own",
        SUM,
        "import pickle\nclass P:\n    x = 7\nprint(pickle.loads(pickle.dumps(P())).x)",
    ),
    right(
        "a thread with a deep stack",
        SUM,
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
        "def main():\n    input()\n    print(sum(map(int, input().split())))\n"
        "thread = threading.Thread(target=main)\nthread.start()",
    ),
    right(
        "asyncio",
        SUM,
        ("import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    print(7)\nasyncio.run(main())"),
    ),
    right("prelude imports", stdin(("", "3\n")), "print(max(Counter('abbb').values()))"),
    right("names of the prelude used for its own", SUM, "sum = input()\ngcd = 7\nprint(gcd)"),
    right("tabs", SUM, "if True:\n\tprint(7)"),
    right(
        "recursion of 50,000 less the frames of the interpreter",
        call((49_900, 49_900)),
        "def f(n):\n    return n and 1 + f(n - 1)",
    ),
    right(
        "recursion through C",
        call((9_000, 9_000)),
        "@cache\ndef g(n):\n    return n and 1 + g(n - 1)\ndef f(n):\n    return g(n)",
    ),
)

CALLED = (
    right("function", SQUARE, "def f(x):\n    return x * x"),
    right("lambda", SQUARE, "f = lambda x: x * x"),
    right("Solution().method", SQUARE, "class Solution:\n    def f(self, x: int) -> List[int]:\n        return x * x"),
    right(
        "static method of Solution", SQUARE, "class Solution:\n    @staticmethod\n    def f(x):\n        return x * x"
    ),
    right(
        "cached method of Solution", SQUARE, "class Solution:\n    @cache\n    def f(self, x):\n        return x * x"
    ),
    right(
        "Solution that makes a state",
        SQUARE,
        (
            "class Solution:\n    def __init__(self):\n        self.n = 2\n    def f(self, x):\n"
            "        return x ** self.n"
        ),
    ),
    right(
        "starter code with an entry point of LeetCode's form",
        call((3, 9), entry_point="Solution().f"),
        ("class Solution:\n    def f(self, x: Optional[int]) -> Optional[int]:\n        return x * x"),
    ),
    right("print in a function", SQUARE, "def f(x):\n    print('debug', x)\n    return x * x"),
    right(
        "main block behind a function",
        SQUARE,
        "def f(x):\n    return x * x\nif __name__ == '__main__':\n    f(input())",
    ),
    right("its own asserts behind a function", SQUARE, "def f(x):\n    return x * x\nassert f(2) == 4"),
    right(
        "a global that each test finds fresh",
        SQUARE,
        "n = 0\ndef f(x):\n    global n\n    n += 1\n    return x * x if n == 1 else 0",
    ),
    right(
        "a method called merge, as one of the prelude",
        call(([1, 3], [2], [1, 2, 3]), entry_point="merge"),
        "class Solution:\n    def merge(self, x, y):\n        return sorted(x + y)",
    ),
    right(
        "a function called gcd that uses the prelude",
        call((4, 6, 2), entry_point="gcd"),
        "def gcd(a, b):\n    return reduce(lambda x, y: y and gcd(y, x % y) or x, [a, b])",
    ),
    right("gcd, imported by the program", call((4, 6, 2), entry_point="gcd"), "from math import gcd"),
    right(
        "the method before a function of its name",
        SQUARE,
        "def f(x):\n    return -1\nclass Solution:\n    def f(self, x):\n        return x * x",
    ),
    right("an argument changed in place", call(([3, 1, 2], [1, 2, 3])), "def f(x):\n    x.sort()\n    return x"),
)

VALUES = (
    right("tuple for list", call((1, [1, [2, 3]])), "def f(x):\n    return (x, (2, 3))"),
    right("namedtuple for list", call((1, [1, 2])), "P = namedtuple('P', 'x y')\ndef f(x):\n    return P(1, 2)"),
    right("float tolerance", call((0.1, 0.3)), "def f(x):\n    return x + 0.2"),
    right("float tolerance within lists", call((0.1, [[0.3], 1.0])), "def f(x):\n    return [[x + 0.2], 1]"),
    right("a whole float for an int", call((3, 9)), "def f(x):\n    return x * 3.0"),
    right("int for a float", call((3, 9.0)), "def f(x):\n    return 9"),
    right("infinity", call((1, float("inf"))), "def f(x):\n    return math.inf"),
    right(
        "int keys of a dict, which JSON has as text",
        call(([1, 1, 2], {"1": 2, "2": 1})),
        "def f(x):\n    return Counter(x)",
    ),
    right(
        "defaultdict for dict",
        call((1, {"a": [1]})),
        "def f(x):\n    d = defaultdict(list)\n    d['a'].append(x)\n    return d",
    ),
    right("another order of a dict", call((1, {"a": 1, "b": 2})), "def f(x):\n    return {'b': 2, 'a': 1}"),
    right("a huge int", call((10, 10**4000)), "def f(x):\n    return x ** 4000"),
    right("an int beyond every float", call((10, 10**400)), "def f(x):\n    return x ** 400"),
    right("IntEnum", call((1, 2)), "import enum\nclass E(enum.IntEnum):\n    A = 2\ndef f(x):\n    return E.A"),
    right("None", call((1, None)), "def f(x):\n    pass"),
    right("text with lone surrogates", call((1, "\ud800")), "def f(x):\n    return chr(0xD800)"),
    right("asserts", asserts("assert f(3) == 9", "assert f(4) == 16\nassert f(0) == 0"), "def f(x):\n    return x * x"),
    right("asserts of one of several values", asserts("assert f(3) in [8, 9]"), "def f(x):\n    return x * x"),
    right(
        "asserts of truth",
        asserts("assert f(3)", "assert not f(0)", "assert f(3) is True"),
        "def f(x):\n    return x > 0",
    ),
    right(
        "a tuple arrives as a tuple",
        asserts("assert f((1, 2), [(3,)]) == {(1, 2): (3,)}"),
        "def f(x, y):\n    return {x: y[0]}",
    ),
    right("a set arrives as a set", asserts("assert f({1, 2}, set()) == {1, 2}"), "def f(x, y):\n    return x | y"),
    right("a set of floats", asserts("assert f(0.1) == {0.3, 1}"), "def f(x):\n    return {x + 0.2, 1.0}"),
    right(
        "a set of tuples",
        asserts("assert f(1) == {(1, 2), (2, 3)}"),
        "def f(x):\n    return frozenset([(2, 3), (1, 2)])",
    ),
    right(
        "int keys arrive as ints",
        asserts("assert f({1: 2}) == 3"),
        "def f(x):\n    return sum((k + v for k, v in x.items()))",
    ),
    right("int keys expected as ints", asserts("assert f(1) == {1: 2}"), "def f(x):\n    return {x: 2}"),
    right("bytes", asserts("assert f(b'a') == b'aa'"), "def f(x):\n    return x * 2"),
    right("complex", asserts("assert f(1) == 2j"), "def f(x):\n    return complex(0, 2)"),
)

RIGHT = (*READING, *WRITING, *ENDING, *STRUCTURE, *CALLED, *VALUES)
