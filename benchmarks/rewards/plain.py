"""A program in a plain interpreter: what it returns or prints, seen without the sandbox and its comparison.

For reference solutions and their mutants only, which are no strangers' code. Behaviours are compared here by rules of
this file's own, so that they are evidence about amt.sandbox.comparison and do not rest on it.
"""

import json
import math
import subprocess
import sys
import tempfile
from typing import Any

from amt.sandbox.judging import Case
from amt.sandbox.zygote import PRELUDE

CPU_SECONDS = 3
WALL_SECONDS = 30
MOST_STDIN_CASES = 8
"""Each is a process of its own; as many are enough to tell a difference."""

_SETUP = f"""
import builtins, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
sys.setrecursionlimit(50_000)
names = dict()
exec({PRELUDE!r}, names)
vars(builtins).update((name, value) for name, value in names.items() if name not in vars(builtins))
"""

_CALLS = (
    _SETUP
    + """
import ast, io, json

def shaped(value):
    if isinstance(value, (list, tuple)):
        return ["list", [shaped(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(repr, value))]
    if isinstance(value, dict):
        return ["dict", sorted(([repr(key), shaped(item)] for key, item in value.items()), key=repr)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return [type(value).__name__, value]
    return ["object", repr(value)]

code, calls = json.load(sys.stdin)
output, results = sys.stdout, []
for name, args in calls:
    sys.stdout = io.StringIO()
    try:
        module = {"__name__": "solution"}
        exec(compile(code, "solution.py", "exec", dont_inherit=True), module)
        function = getattr(module["Solution"](), name) if "Solution" in module else module[name]
        arguments = json.loads(args) if args.startswith("[") else ast.literal_eval(args)
        results.append(shaped(function(*arguments)))
    except (Exception, SystemExit) as error:
        results.append(["raised", type(error).__name__])
json.dump(results, output)
"""
)

_PROGRAM = _SETUP + "\nexec(compile(open(sys.argv[1]).read(), 'solution.py', 'exec'), {'__name__': '__main__'})"


def behaviour(program: str, cases: list[Case]) -> list[Any] | None:
    """What a program does with the inputs of its tests; None where it comes to no end."""
    if cases[0].given.kind == "call":
        calls = [[case.given.entry_point, case.given.args] for case in cases]
        ended = _python(["-c", _CALLS], json.dumps([program, calls]))
        return None if ended is None or ended.returncode else json.loads(ended.stdout)
    results = []
    with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as file:
        file.write(program)
        file.flush()
        for case in cases[:MOST_STDIN_CASES]:
            ended = _python(["-c", _PROGRAM, file.name], case.given.stdin)
            if ended is None or ended.returncode < 0:
                return None
            tokens = [[_number(token) for token in line.split()] for line in ended.stdout.strip().split("\n")]
            results.append(["exit", ended.returncode] if ended.returncode else ["printed", tokens])
    return results


def _python(arguments: list[str], given: str) -> subprocess.CompletedProcess | None:
    """None: out of time."""
    command = [sys.executable, "-I", *arguments]
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=WALL_SECONDS, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return None


def _number(token: str) -> Any:
    try:
        return float(token) if "." in token else token
    except ValueError:
        return token


def differ(one: Any, other: Any) -> bool:
    """Whether two behaviours differ by more than rounding or a choice between list and tuple, int and float."""
    if isinstance(one, list) and isinstance(other, list):
        numbers = ("int", "float")
        if len(one) == len(other) == 2 and one[0] in numbers and other[0] in numbers:
            return differ(one[1], other[1])
        return len(one) != len(other) or any(map(differ, one, other))
    if isinstance(one, float) or isinstance(other, float):
        if isinstance(one, str) or isinstance(other, str):
            return True
        return not math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
    return type(one) is not type(other) or one != other
