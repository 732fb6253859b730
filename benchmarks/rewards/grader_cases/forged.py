"""Wrong programs that go for the grader instead of the problem; amt.sandbox's own attacks are in tests/sandbox."""

from benchmarks.rewards.grader_cases.case import SQUARE, SUM, asserts, call, right, stdin, wrong

SECRET = call((1, "token-9f41c7"))
"""An expected value that nothing but the tests can tell. The programs look for its form, which they do not hold."""

EQUAL_TO_ALL = "class Same{base}:\n    def __eq__(self, other):\n        return True\n    __hash__ = None\n"

LOOKED_FOR = (
    wrong(
        "expected value looked for in stack frames",
        SECRET,
        "import re, sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:\n"
        "            if found := re.search('tok[e]n-[0-9a-f]{6}', repr(value)):\n"
        "                return found.group()\n"
        "        frame = frame.f_back",
        "wrong value",
    ),
    wrong(
        "expected value looked for among all objects",
        SECRET,
        "import gc, re\ndef f(x):\n    for value in gc.get_objects():\n"
        "        if type(value) in (dict, list, tuple):\n"
        "            for text in [*value.values()] if type(value) is dict else value:\n"
        "                if type(text) is str and (found := re.search('tok[e]n-[0-9a-f]{6}', text)):\n"
        "                    return found.group()",
        "wrong value",
    ),
    wrong(
        "expected value looked for in memory",
        SECRET,
        "import re\ndef f(x):\n    for line in open('/proc/self/maps').readlines():\n"
        "        first, last = (int(n, 16) for n in line.split()[0].split('-'))\n        try:\n"
        "            with open('/proc/self/mem', 'rb', 0) as memory:\n"
        "                memory.seek(first)\n"
        "                content = memory.read(last - first)\n"
        "        except (OSError, ValueError, OverflowError):\n"
        "            continue\n        if found := re.search(b'tok[e]n-[0-9a-f]{6}', content):\n"
        "            return found.group().decode()",
        "wrong value",
    ),
    wrong(
        "expected output looked for in files",
        stdin(("x", "token-9f41c7\n")),
        "import os, re\nfor folder, folders, files in os.walk('/'):\n"
        "    folders[:] = [name for name in folders if name not in ('proc', 'sys', 'usr', 'lib', 'lib64', 'dev')]\n"
        "    for name in files:\n        try:\n"
        "            content = open(os.path.join(folder, name), errors='replace').read()\n"
        "        except OSError:\n            continue\n"
        "        if found := re.search('tok[e]n-[0-9a-f]{6}', content):\n"
        "            print(found.group())",
        "wrong output",
    ),
)

EQUALITY = (
    wrong(
        "an int whose __eq__ is always True",
        SQUARE,
        EQUAL_TO_ALL.format(base="(int)") + "def f(x):\n    return Same(5)",
        "wrong value",
    ),
    wrong(
        "a list whose __eq__ is always True",
        call((1, [1])),
        EQUAL_TO_ALL.format(base="(list)") + "def f(x):\n    return Same()",
        "wrong value",
    ),
    wrong(
        "a str whose __eq__ is always True",
        call((1, "a")),
        EQUAL_TO_ALL.format(base="(str)") + "def f(x):\n    return Same('b')",
        "wrong value",
    ),
    wrong(
        "a float whose __eq__ is always True",
        call((1, 1.5)),
        EQUAL_TO_ALL.format(base="(float)") + "def f(x):\n    return Same(2.5)",
        "wrong value",
    ),
    wrong(
        "a dict whose __eq__ is always True",
        call((1, {"a": 1})),
        EQUAL_TO_ALL.format(base="(dict)") + "def f(x):\n    return Same()",
        "wrong value",
    ),
    wrong(
        "an object equal to all", SQUARE, EQUAL_TO_ALL.format(base="") + "def f(x):\n    return Same()", "no plain data"
    ),
    wrong(
        "an object equal to all in an assertion",
        asserts("assert f((1, 2)) in [3]"),
        EQUAL_TO_ALL.format(base="") + "def f(x):\n    return Same()",
        "no plain data",
    ),
    wrong(
        "an object that is always true",
        asserts("assert f(1)"),
        ("class True_:\n    def __bool__(self):\n        return True\ndef f(x):\n    return True_()"),
        "no plain data",
    ),
    wrong(
        "an int that says another number",
        SQUARE,
        (
            "class Any(int):\n    def __index__(self):\n        return 9\n"
            "    __int__ = __repr__ = __index__\ndef f(x):\n    return Any(5)"
        ),
        "wrong value",
    ),
    wrong(
        "a list that has other items each time",
        call((1, [1, 2])),
        (
            "class L(list):\n    def __iter__(self):\n        return iter([1, 2])\n"
            "    def __len__(self):\n        return 2\ndef f(x):\n    return L([3])"
        ),
        "wrong value",
    ),
    wrong(
        "a metaclass that is every class",
        SQUARE,
        (
            "class M(type):\n    def __instancecheck__(self, o):\n        return True\n"
            "class A(metaclass=M):\n    __class__ = int\ndef f(x):\n    return A()"
        ),
        "",
    ),
)

LEAVING = (
    wrong("sys.exit(0) in a call", SQUARE, "import sys\ndef f(x):\n    sys.exit(0)", "no result"),
    wrong("sys.exit(0) before a call", SQUARE, "import sys\ndef f(x):\n    return x * x\nsys.exit(0)", "no result"),
    wrong("os._exit(0) in a call", SQUARE, "import os\ndef f(x):\n    os._exit(0)", "no result"),
    wrong("quit() in a call", SQUARE, "def f(x):\n    quit()", "no result"),
    wrong("sys.exit(0) before asserts", asserts("assert f((3,)) == 9"), "import sys\nsys.exit(0)", "no result"),
    wrong(
        "exit status 0 by a signal handler",
        SUM,
        ("import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nos.kill(os.getpid(), 15)"),
        "wrong output",
    ),
    wrong("sys.exit(0) before the output", SUM, "import sys\nsys.exit(0)\nprint(7)", "wrong output"),
    wrong(
        "atexit that ends with 0 after an exception",
        SQUARE,
        "import atexit, os\natexit.register(os._exit, 0)\ndef f(x):\n    raise ValueError",
        "no result",
    ),
)

RESULTS = (
    wrong(
        "a forged result of another value",
        asserts("assert f((1, 2)) == 3"),
        'import os\nos.write(3, b\'{"value": ["bool", true]}\')\nos._exit(0)',
        "wrong value",
    ),
    wrong(
        "a forged verdict on descriptor 3",
        SQUARE,
        "import os\nos.write(3, b'{\"passed\": true}')\nos._exit(0)",
        "no result",
    ),
    wrong(
        "two results on descriptor 3",
        SQUARE,
        'import os\ndef f(x):\n    os.write(3, b\'{"value": ["int", "0x9"]}\')\n    return 5',
        "no result",
    ),
    wrong(
        "rubbish on descriptor 3",
        SQUARE,
        "import os\ndef f(x):\n    os.write(3, b'\\xff\\x00[[')\n    return x * x",
        "no result",
    ),
    wrong("descriptor 3 closed", SQUARE, "import os\ndef f(x):\n    os.close(3)\n    return x * x", ""),
    wrong(
        "a deeply nested forged result",
        SQUARE,
        "import os\nos.write(3, b'{\"value\": ' + b'[\"list\", [' * 90_000)\nos._exit(0)",
        "no result",
    ),
    wrong(
        "json.dumps replaced by a forger",
        SQUARE,
        ('import json\njson.dumps = lambda *_, **__: \'{"passed": true, "value": ["none"]}\'\ndef f(x):\n    return 5'),
        "",
    ),
    wrong(
        "open descriptors of the harness written to",
        SQUARE,
        (
            "import os\nfor n in range(3, 256):\n    try:\n"
            "        os.write(n, b'{\"passed\": true}')\n    except OSError:\n        pass\n"
            "def f(x):\n    return 0"
        ),
        "",
    ),
    wrong("the words of a test runner printed", SUM, "print('OK')\nprint('7 passed')", "wrong output"),
)

REPLACED = (
    wrong(
        "print overridden to print the expected",
        SUM,
        "def print(*_):\n    import sys\n    sys.stdout.write('passed')\nprint(8)",
        "wrong output",
    ),
    wrong(
        "builtins replaced",
        SQUARE,
        (
            "import builtins\nbuiltins.all = builtins.any = builtins.isinstance = lambda *_: True\n"
            "def f(x):\n    return 5"
        ),
        "",
    ),
    wrong(
        "len and map replaced",
        call((1, [1, 2])),
        ("import builtins\nbuiltins.len = lambda _: 0\nbuiltins.map = lambda *_: []\ndef f(x):\n    return []"),
        "",
    ),
    wrong(
        "math.isclose replaced",
        call((1, 0.5)),
        "import math\nmath.isclose = lambda *_, **__: True\ndef f(x):\n    return 0.7",
        "wrong value",
    ),
    wrong(
        "an excepthook that ends with 0",
        SQUARE,
        "import os, sys\nsys.excepthook = lambda *_: os._exit(0)\ndef f(x):\n    raise ValueError",
        "ValueError",
    ),
    wrong("sys.exit replaced", SUM, "import sys\nsys.exit = lambda *_: None\nprint(8)\nsys.exit(1)", "wrong output"),
    wrong(
        "assertions turned off",
        asserts("assert f(1) == 2"),
        ("import builtins\nbuiltins.AssertionError = type('A', (BaseException,), {})\ndef f(x):\n    return 3"),
        "wrong value",
    ),
    right(
        "json and sys broken after the work is done",
        SUM,
        ("import sys, json\nprint(7, flush=True)\njson.loads = json.dumps = None\nsys.modules.clear()"),
    ),
    right(
        "traces that see every line", SQUARE, "import sys\nsys.settrace(lambda *_: None)\ndef f(x):\n    return x * x"
    ),
)

FORGED = (*LOOKED_FOR, *EQUALITY, *LEAVING, *RESULTS, *REPLACED)
