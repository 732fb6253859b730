"""What a case is, and short ways to write its tests."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from amt.sandbox.languages import PYTHON


@dataclass(frozen=True)
class GraderCase:
    name: str
    tests: str
    """As in QUERY.tests."""
    response: str
    verdict: Literal["right", "wrong", "invalid"]
    reason: str = ""
    """Part of what the grader must say of a program that is not right."""


def answered(code: str, label: str = "python") -> str:
    return f"<think>t</think><answer>\nHere it is:\n```{label}\n{code}\n```\n</answer>"


def right(name: str, tests: str, code: str, *, language: str = PYTHON) -> GraderCase:
    return GraderCase(name, tests, answered(code, language), "right")


def wrong(name: str, tests: str, code: str, reason: str, *, language: str = PYTHON) -> GraderCase:
    return GraderCase(name, tests, answered(code, language), "wrong", reason)


def call(*cases: tuple, entry_point: str = "f") -> str:
    """Each case: the arguments, and last the expected value."""
    written = [{"args": list(args), "expected": expected} for *args, expected in cases]
    return json.dumps({"kind": "call", "entry_point": entry_point, "cases": written})


def stdin(*cases: tuple[Any, Any]) -> str:
    """Each case: standard input, and what is to be printed."""
    written = [{"stdin": given, "stdout": printed} for given, printed in cases]
    return json.dumps({"kind": "stdin", "cases": written})


def asserts(*code: str) -> str:
    return json.dumps({"kind": "asserts", "code": list(code)})


SUM = stdin(("2\n3 4\n", "7\n"))
TWO_LINES = stdin(("1\n2\n", "1\n2\n"))
SQUARE = call((3, 9), (4, 16))
