"""Code against its tests [3.1.2]: 1 if every test passes, else 0.

QUERY.tests is JSON of one of three shapes:

    {"kind": "call", "entry_point": "f", "cases": [{"args": [...], "expected": ...}, ...]}
    {"kind": "stdin", "cases": [{"stdin": "...", "stdout": "..."}, ...]}
    {"kind": "asserts", "code": ["assert f(1) == 2", ...]}

The program is the last complete fenced block of the answer part in a language that can be run; calls and assertions are
for Python. It runs in the sandbox, and what it returns or prints is compared outside (amt.sandbox.judging).
An assertion becomes a call case where it compares `f(<literals>)` with a literal. Any other would have to be
executed beside the program, which could forge its success: such tests judge nothing.
"""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from amt import params
from amt.placement import Placement
from amt.rewards.answer import NO_ANSWER, answer_part
from amt.rewards.verdict import PASSED, Verdict, failed
from amt.sandbox.client import SandboxClient
from amt.sandbox.judging import Case, Judge, Judged, Submission
from amt.sandbox.languages import LANGUAGES, PYTHON, language_of
from amt.sandbox.local import LocalJudge
from amt.sandbox.runner import Input

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]", re.MULTILINE)
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([^\s`{]*)[^`]*")

# --- the program -----------------------------------------------------------------------------------------


def last_program(text: str, languages: frozenset[str]) -> tuple[str, str] | None:
    """(language, code) of the last complete fenced block in one of these languages; None if there is none.

    A labelled block is preferred: an unlabelled one often shows output. It counts as Python, or as C++ where it
    includes a header.
    """
    blocks = [(language_of(label), code) for label, code in _blocks(text) if label]
    labelled = [(language, code) for language, code in blocks if language in languages]
    unlabelled = [("cpp" if _INCLUDE.search(code) else PYTHON, code) for label, code in _blocks(text) if not label]
    unlabelled = [(language, code) for language, code in unlabelled if language in languages]
    return (labelled or unlabelled or [None])[-1]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """A block in a list item is indented: as much is taken from each line, and its last fence stands no deeper."""
    fence, indent, label, lines = None, 0, "", []
    for line in text.replace("\r\n", "\n").split("\n"):
        match = _FENCE.fullmatch(line)
        if fence is None:
            if match:
                fence, indent, label, lines = match.group(2), len(match.group(1)), match.group(3).lower(), []
        elif match and match.group(2).startswith(fence) and not match.group(3) and len(match.group(1)) <= indent + 3:
            yield label, "\n".join(lines) + "\n"
            fence = None
        else:
            lines.append(line[len(line[:indent]) - len(line[:indent].lstrip(" \t")) :])


# --- the tests -------------------------------------------------------------------------------------------


class BadTestsError(ValueError):
    """The tests of a query cannot be run: no code could ever be judged by them."""


def read_tests(tests: str) -> list[Case]:
    """The cases of QUERY.tests.

    Raises:
        BadTestsError: it is none of the shapes above, or holds no case.
    """
    try:
        content = json.loads(tests)
        kind = content["kind"]
        if kind == "call":
            name = content["entry_point"].strip().removesuffix("()").replace("Solution().", "").split(".")[-1]
            if not name.isidentifier():
                raise BadTestsError(f"entry_point {content['entry_point']!r} is no name")
            cases = [_call(name, case["args"], case["expected"]) for case in content["cases"]]
        elif kind == "stdin":
            cases = [
                Case(Input("stdin", stdin=_text(case["stdin"])), _text(case["stdout"])) for case in content["cases"]
            ]
        elif kind == "asserts":
            cases = [case for code in content["code"] for case in _assertions(code)]
        else:
            raise BadTestsError(f"kind is {kind!r}, not call, stdin or asserts")
    except (ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError) as error:
        if isinstance(error, BadTestsError):
            raise
        raise BadTestsError(f"{type(error).__name__}: {error}") from None
    if not cases:
        raise BadTestsError("there are no cases")
    return cases


def _call(name: str, arguments: list, expected: Any) -> Case:
    if not isinstance(arguments, list):
        raise BadTestsError(f"args of {name} is a {type(arguments).__name__}, not a list")
    return Case(Input("call", entry_point=name, args=json.dumps(arguments)), expected)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadTestsError(f"standard input and output are text, not {type(value).__name__}")
    return value


def _assertions(code: str) -> Iterator[Case]:
    for statement in ast.parse(code.strip()).body:
        case = _split(statement)
        if case is None:
            shown = ast.unparse(statement).partition("\n")[0][:80]
            raise BadTestsError(f"{shown!r} is no comparison of a call with a literal: a program could forge it")
        yield case


def _split(statement: ast.stmt) -> Case | None:
    """`assert f(1, [2]) == 3` as a call case, and `is`, `in`, `assert f(1)` and `not`; None if it is none of them."""
    match statement:
        case ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq() | ast.Is()], comparators=[right])):
            compare = "equal"
        case ast.Assert(test=ast.Compare(left=call, ops=[ast.In()], comparators=[ast.List() | ast.Tuple() as right])):
            compare = "among"
        case ast.Assert(test=ast.UnaryOp(op=ast.Not(), operand=call)):
            compare, right = "truth", ast.Constant(False)
        case ast.Assert(test=call):
            compare, right = "truth", ast.Constant(True)
        case _:
            return None
    match call:
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            literals = ast.Tuple(arguments, ast.Load())
            try:
                values, expected = ast.literal_eval(literals), ast.literal_eval(right)
            except (ValueError, TypeError, MemoryError, RecursionError):
                return None
            args = json.dumps(values) if _is_json([*values]) else ast.unparse(literals)
            return Case(Input("call", entry_point=name, args=args), expected, compare)
    return None


def _is_json(value: Any) -> bool:
    """Whether JSON gives the very same value back: a tuple or a set would reach the program as something else."""
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_json, value.values()))
    return value is None or isinstance(value, bool | int | float | str)


# --- judging ---------------------------------------------------------------------------------------------


class CodeGrader:
    """Judges responses to code queries, on servers where `placement` names some, else by workers of its own. They start
    with the first batch that has code to run."""

    def __init__(self, settings: params.Sandbox, placement: Placement):
        self._settings = settings
        self._placement = placement
        self._judge: Judge | None = None
        self._tier: str | None = None

    @property
    def tier(self) -> str | None:
        """The isolation that the last batch ran in; None before any code was run."""
        return self._tier

    def close(self) -> None:
        if self._judge:
            self._judge.close()
            self._judge = None

    def grade(self, pairs: list[tuple[str, str]]) -> list[Verdict]:
        """Verdict for each (tests, response)."""
        verdicts: list[Verdict | None] = [None] * len(pairs)
        jobs: dict[tuple[str, str, str], list[int]] = {}
        cases: dict[str, tuple[Case, ...] | BadTestsError] = {}
        for number, (tests, response) in enumerate(pairs):
            if tests not in cases:
                try:
                    cases[tests] = tuple(read_tests(tests))
                except BadTestsError as error:
                    cases[tests] = error
            if isinstance(cases[tests], BadTestsError):
                verdicts[number] = Verdict("invalid", reason=f"the tests cannot be run: {cases[tests]}")
                continue
            answer = answer_part(response)
            languages = frozenset(LANGUAGES if cases[tests][0].given.kind == "stdin" else {PYTHON})
            program = None if answer is None else last_program(answer, languages)
            if program is None:
                named = "Python" if languages == {PYTHON} else "Python, C or C++"
                verdicts[number] = failed(NO_ANSWER if answer is None else f"no complete {named} block in the answer")
            else:
                jobs.setdefault((tests, *program), []).append(number)
        if jobs:
            submissions = [Submission(language, code, cases[tests]) for tests, language, code in jobs]
            for numbers, judged in zip(jobs.values(), self._start().judge(submissions), strict=True):
                if judged.outcome != "error":
                    self._tier = judged.tier
                for number in numbers:
                    verdicts[number] = _verdict(judged)
        return verdicts

    def _start(self) -> Judge:
        where = self._placement
        if self._judge is None and where.sandbox_servers:
            self._judge = SandboxClient(
                self._settings, where.sandbox_servers, timeout_s=where.sandbox_timeout_s, down_s=where.sandbox_down_s
            )
        elif self._judge is None:
            self._judge = LocalJudge(self._settings, where.sandbox_workers)
        return self._judge


def _verdict(judged: Judged) -> Verdict:
    if judged.outcome == "error":
        return Verdict("error", reason=judged.reason)
    return PASSED if judged.outcome == "passed" else failed(judged.reason)
