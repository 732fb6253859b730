"""One submission against its tests, in a sandbox or on a server that has one.

Invariant: expected values stay out here. A program gets arguments or standard input; what it returns or prints is
compared where it cannot reach. No tests, or fewer results than tests, is never a pass.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from amt.errors import InfrastructureError
from amt.sandbox.comparison import WrongType, same_output, same_value, typed_value
from amt.sandbox.runner import Execution, Input, Runner

Outcome = Literal["passed", "failed", "error"]
"""error: the judgement could not be made, try again; it is no verdict on the program."""


@dataclass(frozen=True)
class Case:
    given: Input
    expected: Any
    """Of a call: the value. Of standard input: the text to be printed."""
    compare: Literal["equal", "among", "truth"] = "equal"
    """What a call's value must be: the expected one, one of them, or as true as it."""


@dataclass(frozen=True)
class Submission:
    language: str
    """A name of amt.sandbox.languages."""
    code: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Judged:
    outcome: Outcome
    reason: str | None
    """Why it did not pass, or could not be judged."""
    tests: int
    """How many were run: the first that is not passed is the last."""
    cpu_seconds: float
    """Of all these tests together."""
    tier: str
    """The isolation it ran in; see amt.sandbox.runner."""


class Judge(Protocol):
    """Judges batches of submissions, here (amt.sandbox.local) or elsewhere (amt.sandbox.client)."""

    def judge(self, submissions: list[Submission]) -> list[Judged]:
        """The verdict on each, in order. An infrastructure error is an outcome, never an exception."""
        ...

    def close(self) -> None: ...


def judge(runner: Runner, submission: Submission) -> Judged:
    """
    Raises:
        ValueError: the submission has no cases.
    """
    if not submission.cases:
        raise ValueError("a submission without cases can neither pass nor fail")
    tests, cpu_seconds = 0, 0.0
    try:
        if fault := runner.load(submission.language, submission.code):
            return Judged("failed", fault, 0, 0.0, runner.tier)
        for case in submission.cases:
            execution = runner.run(case.given)
            tests += 1
            cpu_seconds += execution.cpu_seconds
            if fault := _fault(case, execution):
                of = f"test {tests} of {len(submission.cases)}: {fault}"
                return Judged("failed", of, tests, cpu_seconds, runner.tier)
    except InfrastructureError as error:
        return Judged("error", str(error), tests, cpu_seconds, runner.tier)
    assert tests == len(submission.cases)
    return Judged("passed", None, tests, cpu_seconds, runner.tier)


def _fault(case: Case, execution: Execution) -> str | None:
    """What is wrong with a run, or None."""
    if execution.ended != "exited":
        return execution.ended
    if execution.status:
        last = execution.stderr.strip().splitlines()[-1:] or [f"exit status {execution.status}"]
        return last[0][:200]
    if case.given.kind == "stdin":
        try:
            printed = execution.stdout.decode()
        except UnicodeDecodeError:
            return "output is not UTF-8"
        return None if same_output(case.expected, printed) else "wrong output"
    try:
        value = typed_value(execution.result)
    except WrongType:
        return "no result"
    return None if _fits(case, value) else "wrong value"


def _fits(case: Case, value: Any) -> bool:
    if case.compare == "equal":
        return same_value(case.expected, value)
    if case.compare == "among":
        return any(same_value(expected, value) for expected in case.expected)
    return bool(value) is case.expected
