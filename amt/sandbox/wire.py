"""What passes between the client and the servers of the sandbox: JSON that keeps the type of every expected value.

Plain JSON would make a list of a tuple and lose sets, bytes, complex numbers, keys that are no text and the digits of
large integers, and the verdict with it. Text goes as UTF-8 with lone surrogates, as they occur in damaged tests.
"""

import functools
import hashlib
import json
import math
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from amt.sandbox.execution import Input
from amt.sandbox.judging import Case, Judged, Submission
from amt.sandbox.languages import LANGUAGES
from amt.sandbox.runner import SubmissionLimits

_DECIDE_NOTHING = {"__init__.py", "__main__.py", "client.py", "metrics.py", "server.py"}
DEEPEST = 200
"""Levels of an expected value; what a program returns may be nested as deeply (amt.sandbox.zygote)."""


class MalformedError(Exception):
    """A message is not one of ours; the text says what is wrong with it."""


class Health(BaseModel):
    """What a server says of itself."""

    model_config = ConfigDict(frozen=True)

    fault: str | None
    """Why it can run nothing at present."""
    admits: bool
    """Whether the key that was shown is the right one."""
    tier: str
    """See amt.sandbox.runner."""
    languages: dict[str, str]
    """With the versions of their compilers; see amt.sandbox.compiling.compilers."""
    workers: int = Field(ge=1)
    queue: int = Field(ge=0)
    """Most submissions that wait."""
    running: int
    waiting: int
    maximum: SubmissionLimits
    """The most that a submission may ask for."""
    code: str
    """See `code_version`."""


def _no_other_keys(kind: type) -> BeforeValidator:
    """For a dataclass: pydantic would pass over a key that is misspelled."""

    def check(content: Any) -> Any:
        if isinstance(content, dict) and (unknown := content.keys() - {field.name for field in fields(kind)}):
            raise ValueError(f"there is no {', '.join(sorted(unknown))}")
        return content

    return BeforeValidator(check)


class _CaseContent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    given: Annotated[Input, _no_other_keys(Input)]
    expected: Any
    compare: Literal["equal", "among", "truth"]


class _RequestContent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code_version: str
    limits: Annotated[SubmissionLimits, _no_other_keys(SubmissionLimits)]
    language: str
    code: str
    cases: list[_CaseContent] = Field(min_length=1)


_JUDGED = TypeAdapter(Judged)


@functools.cache
def code_version() -> str:
    """Of what decides verdicts: this room's code and the version of Python. Server and client must have the same."""
    digest = hashlib.blake2b(repr(sys.version_info[:2]).encode(), digest_size=8)
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if file.name not in _DECIDE_NOTHING:
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def request_body(submission: Submission, limits: SubmissionLimits) -> bytes:
    """
    Raises:
        TypeError: an expected value is no plain data.
    """
    return _encoded(
        {
            "code_version": code_version(),
            "limits": asdict(limits),
            "language": submission.language,
            "code": submission.code,
            "cases": [
                {"given": asdict(case.given), "expected": typed(case.expected), "compare": case.compare}
                for case in submission.cases
            ],
        }
    )


def read_request(body: bytes) -> tuple[Submission, SubmissionLimits, str]:
    """The submission, its limits, and the version of the client's code.

    Raises:
        MalformedError: it is none.
    """
    try:
        content = _RequestContent.model_validate(_decoded(body))
        cases = tuple(Case(case.given, untyped(case.expected), case.compare) for case in content.cases)
    except ValidationError as error:
        raise MalformedError(_told(error)) from None
    if content.language not in LANGUAGES:
        raise MalformedError(f"language: {content.language!r} is none of {', '.join(sorted(LANGUAGES))}")
    for name, value in asdict(content.limits).items():
        if not 0 < value < math.inf:  # no NaN either; integers may be beyond any float
            raise MalformedError(f"limits.{name}: {value} is no limit")
    for number, case in enumerate(cases):
        if fault := _misfit(case):
            raise MalformedError(f"cases.{number}.expected: {fault}")
    return Submission(content.language, content.code, cases), content.limits, content.code_version


def _misfit(case: Case) -> str | None:
    if case.given.kind == "stdin" and not isinstance(case.expected, str):
        return f"standard output is text, not {type(case.expected).__name__}"
    if case.compare == "among" and not isinstance(case.expected, list | tuple):
        return f"one of a list is asked for, and this is a {type(case.expected).__name__}"
    return None


def judged_body(judged: Judged) -> bytes:
    return _encoded(asdict(judged))


def read_judged(body: bytes) -> Judged:
    """
    Raises:
        MalformedError: it is none.
    """
    try:
        return _JUDGED.validate_python(_decoded(body))
    except ValidationError as error:
        raise MalformedError(_told(error)) from None


def _encoded(content: Any) -> bytes:
    # Not \u escapes: two lone surrogates beside each other would be read back as one character.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"this is no JSON: {error}") from None


def _told(error: ValidationError) -> str:
    faults = [f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")


# --- typed values ----------------------------------------------------------------------------------------


def typed(value: Any, depth: int = DEEPEST) -> list:
    """[type, content]: JSON that `untyped` makes the same value of again.

    Raises:
        TypeError: it holds something else than plain data, or is nested too deeply.
    """
    if not depth:
        raise TypeError(f"an expected value is nested more than {DEEPEST} deep")
    kind = type(value)
    if value is None:
        return ["none"]
    if kind is bool or kind is str:
        return [kind.__name__, value]
    if kind is int:
        return ["int", hex(value)]
    if kind is float:
        return ["float", value.hex()]
    if kind is complex:
        return ["complex", [value.real.hex(), value.imag.hex()]]
    if kind is bytes:
        return ["bytes", value.hex()]
    if kind in (list, tuple, set, frozenset):
        return [kind.__name__, [typed(item, depth - 1) for item in value]]
    if kind is dict:
        return ["dict", [[typed(key, depth - 1), typed(item, depth - 1)] for key, item in value.items()]]
    raise TypeError(f"an expected value holds a {kind.__name__}, which is no plain data")


_COLLECTIONS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def untyped(content: Any) -> Any:
    """
    Raises:
        MalformedError: `typed` made no such thing.
    """
    try:
        return _untyped(content, DEEPEST)
    except (ValueError, TypeError, OverflowError) as error:  # digits that are none, a key that cannot be one
        raise MalformedError(f"no typed value: {error}") from None


def _untyped(content: Any, depth: int) -> Any:
    match content:
        case _ if not depth:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        case ["none"]:
            return None
        case ["bool", bool(value)] | ["str", str(value)]:
            return value
        case ["int", str(digits)]:
            return int(digits, 16)
        case ["float", str(digits)]:
            return float.fromhex(digits)
        case ["complex", [str(real), str(imaginary)]]:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case ["bytes", str(digits)]:
            return bytes.fromhex(digits)
        case ["list" | "tuple" | "set" | "frozenset" as kind, list(items)]:
            return _COLLECTIONS[kind](_untyped(item, depth - 1) for item in items)
        case ["dict", list(items)]:
            return {_untyped(key, depth - 1): _untyped(item, depth - 1) for key, item in items}
    raise ValueError(f"{str(content)[:80]} is none")
