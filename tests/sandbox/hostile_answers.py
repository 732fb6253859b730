"""Wrong programs that want to pass: by forging what the grader reads, by deciding its comparison, by hanging it.

Each fails at least one of its cases when it is judged rightly. None contains an expected value.
"""

import json

from amt.sandbox.execution import Input
from amt.sandbox.judging import Case
from tests.sandbox.attack import Attack

EXPECTED = 918_273_645_546_372


def _call(name: str, code: str, expected: object = EXPECTED, **more) -> Attack:
    """f(6) must return `expected`."""
    cases = (Case(Input("call", entry_point="f", args=json.dumps([6])), expected),)
    return Attack(f"answer: {name}", "forged answers", "python", code, kind="verdict", cases=cases, **more)


def _printed(name: str, code: str, expected: str = f"{EXPECTED}\n", language: str = "python", **more) -> Attack:
    """The program must print `expected`."""
    cases = (Case(Input("stdin", stdin="6\n"), expected),)
    return Attack(f"output: {name}", "forged answers", language, code, kind="verdict", cases=cases, **more)


_RIGHT = "print(f'ANSWER {153045607591062 * int(input())}')\n" + "# of some length, as real programs are\n" * 40


def _stolen(name: str, code: str, **more) -> Attack:
    """A program that prints what a right one printed before it, or runs its text."""
    return _printed(name, code, f"ANSWER {EXPECTED}\n", before=_RIGHT, **more)


def _uncontrolled(why: str) -> dict:
    return {"control": "none", "why_no_control": why}


_OWN = _uncontrolled("it is aimed at this grader's own frames")
_HONEST_TYPE = "class A{0}:\n{1}\ndef f(x): return A({2})"
_EQUAL = (
    "    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
    "    __hash__ = object.__hash__"
)


_FRAMES = """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if isinstance(value, dict) and "expected" in value:
                return value["expected"]
            if hasattr(value, "expected"):
                return value.expected
        frame = frame.f_back
"""
_GARBAGE = """
import gc
def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "expected" in thing:
            return thing["expected"]
"""
_MEMORY = """
import re
def f(x):
    with open("/proc/self/mem", "rb", 0) as memory:
        for line in open("/proc/self/maps"):
            start, end = (int(n, 16) for n in line.split()[0].split("-"))
            if " rw" in line and end - start < 1 << 26:
                memory.seek(start)
                if found := re.search(rb'"expected": (\\d{15})', memory.read(end - start)):
                    return int(found[1])
"""
_LAST_IN_FRAMES = """
import re, sys
frame, seen = sys._getframe(), ""
while frame:
    seen += repr(frame.f_locals) + repr(frame.f_globals)
    frame = frame.f_back
"""
_LAST_IN_MEMORY = """
import re
seen = b""
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        if " rw" in line and end - start < 1 << 26:
            memory.seek(start)
            seen += memory.read(end - start)
seen = seen.decode("latin-1")
"""
_LAST_IN_DESCRIPTORS = """
import os, re
seen = b""
for number in range(4096):
    for read in (os.pread, lambda n, *_: open(f"/proc/self/fd/{n}", "rb", 0).read()):
        try:
            os.set_blocking(number, False)
            seen += read(number, 1 << 20, 0) or b""
        except OSError:
            pass
seen = seen.decode("latin-1")
"""
_RETURN = """
import os
def f(x):
    os.write(3, re.search(r'[{]"value": [[]"int", "0x[0-9a-f]+"[]][}]', seen)[0].encode())
    os._exit(0)
"""
_PRINT = "print(re.search(r'ANSWER [0-9]{15}', seen)[0])"
_RUN = "exec(re.search(r'print.{4}NSWER .[0-9]{15}[^}]*[}].[)]', seen)[0])"

_PATCHED = """
import builtins, json, sys
main = sys.modules["__main__"]
for name in ("_typed", "_entry_point", "same_value"):
    setattr(main, name, lambda *a: True)
json.load = json.loads = lambda *a, **k: []
json.dumps = lambda *a, **k: '{"value": true}'
builtins.isinstance = lambda *a: True
def f(x): raise SystemExit(0)
"""

FORGED = [
    "os.write(3, b'{\"value\": true}')",
    'os.write(3, b\'{"value": ["bool", true]}\')',
    'os.write(3, b\'{"value": ["int", "0x2a"]}\' * 2)',
    "os.write(3, b'passed')",
    'os.write(3, b\'{"outcome": "passed", "value": null, "expected": null}\')',
    "os.write(3, b'[' * 500_000)",
    "os.write(3, b'{\"value\": ' + b'9' * 500_000 + b'}')",
    "os.write(3, b'{\"value\": ' + b'[\"list\", [' * 50_000)",
    'os.write(3, b\'{"value": ["float", "nan"]}\')',
    "os.ftruncate(3, 900_000)",
    "os.close(3)",
    "[os.write(n, b'\\0\\0\\0\\x02\\0\\0\\0\\0{}') for n in (0, 1, 2, 3)]",
    "[os.write(n, "
    "b'\\0\\0\\0\\x10\\0\\0\\0\\0{\"set_up\":false}') for n in range(7) if os.path.exists(f'/proc/self/fd/{n}')]",
    "[open(f'/proc/{p}/fd/{n}', 'wb').write(b'x') for p in (1, 'self') for n in (3, 4, "
    "5) if os.access(f'/proc/{p}/fd/{n}', 2)]",
]

CALLS = [
    *(
        _call(f"forged result {n}", f"import os\n{forgery}\ndef f(x):\n    {forgery}\n    os._exit(0)", **_OWN)
        for n, forgery in enumerate(FORGED, 1)
    ),
    _call("equal to everything", _HONEST_TYPE.format("", _EQUAL, "")),
    _call("an int equal to everything", _HONEST_TYPE.format("(int)", _EQUAL, "7")),
    _call("a text equal to everything", _HONEST_TYPE.format("(str)", _EQUAL, "'x'"), "y"),
    _call("a list equal to everything", _HONEST_TYPE.format("(list)", _EQUAL, "[7]"), [EXPECTED]),
    _call("a dict equal to everything", _HONEST_TYPE.format("(dict)", _EQUAL, "a=7"), {"a": 8}),
    _call("a float equal to everything", _HONEST_TYPE.format("(float)", _EQUAL, "7.0"), 0.5),
    _call(
        "elements equal to everything",
        _HONEST_TYPE.format("", _EQUAL, "") + "\ng = f\ndef f(x): return [g(x)]",
        [EXPECTED],
    ),
    _call(
        "another class by __class__",
        _HONEST_TYPE.format("", f"    __class__ = property(lambda self: int)\n{_EQUAL}", ""),
    ),
    _call(
        "its class changed after the fact",
        f"class A:\n{_EQUAL}\nclass B(A): pass\ndef f(x):\n    b = B()\n    b.__class__ = A\n    return b",
    ),
    _call(
        "an int that lies about itself",
        "class A(int):\n    def __eq__(self, *other): raise SystemExit(0)\n"
        "    __index__ = __int__ = __hash__ = __eq__\ndef f(x): return A(7)",
    ),
    _call("exit before the answer", "import sys\nsys.exit(0)"),
    _call("exit in the answer", "def f(x): raise SystemExit"),
    _call("end at once", "import os\ndef f(x): os._exit(0)"),
    _call(
        "killed by itself with status 0",
        "import os\nos._exit = lambda *a: None\ndef f(x):\n    import ctypes\n    ctypes.CDLL(None)._exit(0)",
    ),
    _call(
        "exit handlers that end it",
        "import atexit, os, sys\natexit.register(os._exit, 0)\ndef f(x): sys.exit(1)",
        **_uncontrolled("an assertion that fails ends with 1 in any case"),
    ),
    _call(
        "assertions that do not fail",
        "import builtins, os, sys\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): return 0",
    ),
    _call("the expected value in the frames", _FRAMES),
    _call("the expected value among all objects", _GARBAGE),
    _call("the expected value in its own memory", _MEMORY),
    _call(
        "the expected value in the file of cases",
        "import json\ndef f(x): return json.load(open('../cases.json'))[0]['expected']",
    ),
    _call("the grader's functions replaced", _PATCHED),
    _call(
        "the comparison of numbers by nan",
        "def f(x): return float('nan')",
        0.5,
        **_uncontrolled("no grader known passes it"),
    ),
    _call(
        "a value without end",
        "def f(x):\n    a = []\n    a.append(a)\n    return a",
        [[]],
        **_uncontrolled("it hangs or breaks a grader that walks it"),
    ),
    _call(
        "a generator without end",
        "import itertools\ndef f(x): return itertools.count()",
        [0],
        **_uncontrolled("it hangs a grader that lists it"),
    ),
    _call(
        "a value as deep as the stack",
        "def f(x):\n    a = []\n    for _ in range(100_000): a = [a]\n    return a",
        [],
        **_uncontrolled("it breaks a grader that walks it"),
    ),
    _call("a huge integer", "def f(x): return 1 << 8_000_000", **_uncontrolled("it costs a grader time")),
    _call(
        "numbers that share one hash",
        "def f(x): return {n * ((1 << 61) - 1) for n in range(30_000)}",
        [1],
        **_uncontrolled("it costs a grader time"),
    ),
    *(
        _call(
            f"the last program's result in its {where}",
            code + _RETURN,
            before="def f(x): return 153045607591062 * x",
            **_OWN,
        )
        for where, code in (
            ("frames", _LAST_IN_FRAMES),
            ("memory", _LAST_IN_MEMORY),
            ("descriptors", _LAST_IN_DESCRIPTORS),
        )
    ),
    _call("true for 1", "def f(x): return True", 1),
]

PRINTS = [
    _printed("nothing at all", ""),
    _printed("exit status 0 and no more", "import sys\nsys.exit(0)"),
    _printed("a correct beginning", "print(1)", "1\n2\n"),
    _printed("a correct beginning, in C++", '#include <cstdio>\nint main() { puts("1"); }\n', "1\n2\n", "cpp"),
    _printed("exit status forged, in C++", "#include <unistd.h>\nint main() { _exit(0); }\n", language="cpp"),
    _printed(
        "print replaced",
        "import builtins, io, sys\nbuiltins.print = lambda *a, **k: None\n"
        "sys.stdout = sys.__stdout__ = io.StringIO()\nprint(7)",
    ),
    _printed(
        "standard output that is everything",
        "import sys\nclass A(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\n"
        "class S:\n    def write(self, t): return len(t)\n    def flush(self): pass\n"
        "    def getvalue(self): return A()\nsys.stdout = S()\nprint(7)",
    ),
    _printed("standard output closed", "import os\nos.close(1)"),
    _printed("standard output that is standard input", "import os\nos.dup2(0, 1)"),
    _printed("frames of the harness", "import os\nos.write(1, b'\\0\\0\\0\\x02\\0\\0\\0\\0{}')", **_OWN),
    _printed("verdicts", "print('passed')\nprint('{\"outcome\": \"passed\"}')\nprint('OK')", **_OWN),
    _stolen("the last program's output in its frames", _LAST_IN_FRAMES + _PRINT, **_OWN),
    _stolen("the last program's output in its memory", _LAST_IN_MEMORY + _PRINT),
    _stolen("the last program's output in its descriptors", _LAST_IN_DESCRIPTORS + _PRINT, **_OWN),
    _stolen("the last program in its frames", _LAST_IN_FRAMES + _RUN, **_OWN),
    _stolen("the last program in its memory", _LAST_IN_MEMORY + _RUN),
    _stolen("the last program in its descriptors", _LAST_IN_DESCRIPTORS + _RUN, **_OWN),
    _printed("the file of the expected output", "print(open('@SECRET@').read())", "amt_secret_7c1f\n"),
    _printed("a huge integer", "import sys\nprint('9' * 900_000)", **_uncontrolled("it costs a grader time")),
    _printed(
        "a token that hangs a pattern for numbers",
        "print('9' * 900_000 + 'x')",
        "0.5\n",
        **_uncontrolled("it hangs a grader that looks for a number"),
    ),
    _printed("infinity for a float", "print('1e999')", "0.5\n", **_uncontrolled("no grader known passes it")),
    _printed("nan", "print('nan')", "0.5\n", **_uncontrolled("no grader known passes it")),
    _printed("a million lines", "print('\\n' * 900_000 + '7')", **_uncontrolled("it costs a grader time")),
    _printed("right and then more", "print(1)\nprint(2)", "1\n"),
    _printed(
        "not UTF-8", "import os\nos.write(1, b'\\xff\\xfe1')", "1\n", **_uncontrolled("it breaks a grader that decodes")
    ),
    _printed(
        "right, then killed", "import os, signal\nprint(1, flush=True)\nos.kill(os.getpid(), signal.SIGTERM)", "1\n"
    ),
    _printed("right, then a failure", "import sys\nprint(1)\nsys.exit(3)", "1\n"),
    _printed("right, but too late", "import time\nprint(1, flush=True)\nwhile time.process_time() < 3: pass", "1\n"),
    _printed(
        "numbers in the digits of another script",
        "print('\\u0661')",
        "1\n",
        **_uncontrolled("passes only graders that compare as numbers"),
    ),
]

ANSWERS = [*CALLS, *PRINTS]
