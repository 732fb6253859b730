"""Tests as datasets publish them -> the JSON of amt.rows.QUERY.tests.

Call and stdin cases are compared outside the process that runs the solution, so a solution cannot forge them. What
is no such comparison stays an assert: amt.rewards.code_tests judges those that it can split, the rest are invalid.
"""

import ast
import base64
import contextlib
import json
import pickletools
import zlib
from typing import Any

from amt.errors import SourceError

_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast` raises: deep nesting is the last two, and a chain of some hundred operators where it is written again."""


def from_asserts(statements: list[str], entry_point: str | None = None) -> dict[str, Any] | None:
    """`assert f(1, [2]) == 3` statements as call cases, where every one of them has that form.

    Returns None where there is no statement at all.
    """
    statements = [statement for statement in statements or [] if statement and statement.strip()]
    if not statements:
        return None
    cases, names = [], set()
    for statement in statements:
        parsed = _call_case(statement)
        if parsed is None:
            return {"kind": "asserts", "code": statements}
        name, case = parsed
        names.add(name)
        cases.append(case)
    if len(names) != 1 or (entry_point and names != {entry_point}):
        return {"kind": "asserts", "code": statements}
    return {"kind": "call", "entry_point": names.pop(), "cases": cases}


def from_pytest(source: str, entry_point: str | None = None) -> dict[str, Any] | None:
    """A pytest file that begins `from solution import f`.

    None where it does not parse or cannot be written again, tests nothing, or where calling its test functions would
    not run all of it: tests with parameters or in classes, and names of a module `solution`, which the sandbox does not
    have.
    """
    try:
        tree = ast.parse(source or "")
    except _UNPARSABLE:
        return None
    tests = [node for node in tree.body if _is_named_test(node)]
    if not tests or not all(map(_is_plain_function, tests)) or _needs_solution_module(tree):
        return None
    plain = all(isinstance(node, ast.Assert) for test in tests for node in test.body)
    no_more = all(_is_solution_import(node) or node in tests for node in tree.body)
    if plain and no_more:
        kept = [node for test in tests for node in test.body]
    else:  # set-up code, fixtures or loops: keep the file but for the import, and call each test
        kept = [node for node in tree.body if not _is_solution_import(node)]
    try:
        written = [ast.unparse(node) for node in kept]
    except _UNPARSABLE:
        return None
    if plain and no_more:
        return from_asserts(written, entry_point)
    preamble = "\n".join(written)
    return {"kind": "asserts", "code": [f"{preamble}\n{test.name}()" for test in tests]}


def from_stdin(cases: list[tuple[str, str]]) -> dict[str, Any] | None:
    """(input, output) pairs of a program. None where there are none, or one is no text."""
    if not cases or not all(isinstance(text, str) for case in cases for text in case):
        return None
    return {"kind": "stdin", "cases": [{"stdin": given, "stdout": expected} for given, expected in cases]}


def from_inputs_and_outputs(published: Any) -> dict[str, Any] | None:
    """{"inputs", "outputs", "fn_name"?} of APPS, TACO and what is made of them.

    Of a program: texts, or lists of lines. Of a function: lists of arguments, or lines of JSON, one an argument; a
    result stands in a list of its own in every test of a problem, or in none. None where nothing can be tested.
    """
    if not isinstance(published, dict):
        return None
    given, expected, name = (published.get(key) or None for key in ("inputs", "outputs", "fn_name"))
    if not isinstance(given, list) or not isinstance(expected, list) or not isinstance(name, str | None):
        return None
    if len(given) != len(expected) or not all(isinstance(one, str | list) for one in given):
        return None
    if name is None:
        return from_stdin([(_joined_lines(one), _joined_lines(other)) for one, other in zip(given, expected)])
    try:
        arguments = [_json_lines(one) if isinstance(one, str) else one for one in given]
        results = [json.loads(one) if isinstance(one, str) else one for one in expected]
    except (ValueError, RecursionError):
        return None
    if all(isinstance(one, list) and len(one) == 1 for one in results):
        results = [one for (one,) in results]
    cases = [{"args": args, "expected": result} for args, result in zip(arguments, results)]
    return {"kind": "call", "entry_point": name, "cases": cases}


def from_cases(cases: Any, entry_point: Any = None) -> dict[str, Any] | None:
    """LiveCodeBench's list of {"input", "output"}, of a program or, with an entry point, of a function whose
    arguments are lines of JSON. None where nothing can be tested."""
    if not isinstance(cases, list) or not cases or not all(map(_is_case, cases)):
        return None
    if not isinstance(entry_point, str | None):
        return None
    names = {case.get("fn_name") for case in cases} - {None}
    entry_point = entry_point or (names.pop() if len(names) == 1 else None)
    if not entry_point:
        return None if names else from_stdin([(case["input"], case["output"]) for case in cases])
    try:
        calls = [{"args": _json_lines(case["input"]), "expected": json.loads(case["output"])} for case in cases]
    except (ValueError, RecursionError):
        return None
    return {"kind": "call", "entry_point": entry_point, "cases": calls}


LARGEST_CASES_BYTES = 2**30
"""Of LiveCodeBench's private test cases of a problem, unpacked."""


_TEXT = ("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_AROUND_TEXT = ("PROTO", "FRAME", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "STOP")


def _pickled_text(pickled: bytes) -> str:
    """The text of a pickle that holds one and nothing else. It is read, never executed."""
    texts = []
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name in _TEXT:
            texts.append(argument)
        elif operation.name not in _AROUND_TEXT:
            asked = ".".join([*texts, *str(argument or "").split()])[:100]
            raise SourceError(f"a pickled test case of LiveCodeBench asks for {asked} ({operation.name}): refused")
    (text,) = texts
    return text


def private_cases(encoded: str) -> list[Any]:
    """LiveCodeBench's private_test_cases: base64(zlib(pickle(JSON text))), or the JSON itself in early files.

    Raises:
        SourceError: it is none of these, or would run code.
    """
    cases = _private_json(encoded)
    if not isinstance(cases, list):
        raise SourceError(f"test cases of LiveCodeBench are a {type(cases).__name__}, not a list")
    return cases


def _private_json(encoded: str) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(encoded)
    try:
        unpacking = zlib.decompressobj()
        pickled = unpacking.decompress(base64.b64decode(encoded), LARGEST_CASES_BYTES)
        if unpacking.unconsumed_tail:
            raise SourceError(f"test cases of LiveCodeBench unpack to more than {LARGEST_CASES_BYTES} bytes: refused")
        return json.loads(_pickled_text(pickled))
    except (ValueError, RecursionError, MemoryError, zlib.error) as error:
        raise SourceError(f"test cases of LiveCodeBench cannot be read ({type(error).__name__}: {error})") from None


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def _is_case(case: Any) -> bool:
    return (
        isinstance(case, dict)
        and isinstance(case.get("input"), str)
        and isinstance(case.get("output"), str)
        and isinstance(case.get("fn_name"), str | None)
    )


def _joined_lines(text: Any) -> Any:
    """Lists of lines as text; all else as it is."""
    return "\n".join(map(str, text)) if isinstance(text, list) else text


def _is_named_test(node: ast.stmt) -> bool:
    """What pytest would collect by its name."""
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test")
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")


def _is_plain_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and not any(isinstance(part, ast.arg) for part in ast.walk(node.args))


def _is_solution_import(node: ast.stmt) -> bool:
    """`from solution import f`: the names are the solution's own, and stay what they are."""
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "solution"
        and all(alias.asname is None for alias in node.names)
    )


def _needs_solution_module(tree: ast.Module) -> bool:
    imports = [node for node in ast.walk(tree) if not (node in tree.body and _is_solution_import(node))]
    names = [alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in imports if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == "solution" for name in names)


def _call_case(statement: str) -> tuple[str, dict[str, Any]] | None:
    """(function, case) of `assert f(<literals>) == <literal>`; None for every other statement."""
    try:
        (node,) = ast.parse(statement.strip()).body
    except _UNPARSABLE:
        return None
    if not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare)):
        return None
    call, operators, others = node.test.left, node.test.ops, node.test.comparators
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.keywords):
        return None
    if len(operators) != 1 or not isinstance(operators[0], ast.Eq):
        return None
    try:
        case = {"args": [ast.literal_eval(argument) for argument in call.args], "expected": ast.literal_eval(others[0])}
    except (TypeError, *_UNPARSABLE):
        return None
    return (call.func.id, case) if _survives_json(case) else None


def _survives_json(case: dict[str, Any]) -> bool:
    """Tuples, sets, bytes and non-text keys would come back as something else."""
    try:
        text = json.dumps(case, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return repr(json.loads(text)) == repr(case)
