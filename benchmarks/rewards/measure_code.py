"""How many submissions the sandbox judges, and how a fresh interpreter for each test does beside it.

The programs are real solutions (LeetCode in Python, a model's solutions of HumanEval in C++), none twice: neither
deduplication nor the cache of compiled programs can answer. Each submission has 20 tests, its own ones repeated.
"""

import itertools
import json
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from amt.rewards.code_tests import read_tests
from amt.sandbox.judging import Submission
from amt.sandbox.local import LocalJudge
from amt.sandbox.zygote import PRELUDE
from benchmarks.rewards.check_references import SETTINGS
from benchmarks.rewards.references import Reference

TESTS = 20
WORKERS = 2
ROUNDS = 5
BASELINE_TESTS = 60
"""Of each round: a fresh interpreter is slow."""

_FRESH = f"""
import json, sys
{PRELUDE}
code, name, args = json.load(sys.stdin)
module = dict(globals(), __name__="solution")
exec(compile(code, "solution.py", "exec"), module)
function = getattr(module["Solution"](), name) if "Solution" in module else module[name]
print(json.dumps(function(*json.loads(args))))
"""


@dataclass(frozen=True)
class PythonSpeed:
    tests_per_minute: float
    submissions_per_minute: float
    vs_subprocess: float
    """Tests a minute over those of fresh interpreters with the same prelude, as many at a time; a median of turns."""


def _with_tests(reference: Reference, salt: str = "") -> Submission:
    cases = read_tests(reference.tests)
    repeated = tuple(itertools.islice(itertools.cycle(cases), TESTS))
    return Submission(reference.language, reference.program() + salt, repeated)


def python_submissions(references: list[Reference], count: int) -> list[Submission]:
    """Of LeetCode's solutions with tests as calls whose arguments are JSON."""
    usable = [
        reference
        for reference in references
        if reference.dataset == "leetcode"
        and not reference.beside
        and not any(name in reference.solution for name in ("sortedcontainers", "numpy"))
        and all(case.given.args.startswith("[") for case in read_tests(reference.tests))
    ]
    return [_with_tests(reference) for reference in usable[:count]]


def measure_python(references: list[Reference], submissions_a_round: int) -> PythonSpeed:
    """
    Raises:
        RuntimeError: a correct solution was not passed: there is nothing to measure.
    """
    submissions = python_submissions(references, ROUNDS * submissions_a_round)
    judge = LocalJudge(SETTINGS, WORKERS)
    try:
        judge.judge(submissions[:WORKERS])  # workers start
        seconds, ratios = [], []
        for turn in range(ROUNDS):
            batch = submissions[turn * submissions_a_round : (turn + 1) * submissions_a_round]
            started = time.monotonic()
            _all_passed(judge, batch)
            seconds.append(time.monotonic() - started)
            ours = len(batch) * TESTS / seconds[-1]
            ratios.append(ours / _fresh_interpreters(batch))
    finally:
        judge.close()
    submissions_per_minute = 60 * submissions_a_round / median(seconds)
    return PythonSpeed(TESTS * submissions_per_minute, submissions_per_minute, median(ratios))


def _all_passed(judge: LocalJudge, submissions: list[Submission]) -> None:
    for submission, judged in zip(submissions, judge.judge(submissions)):
        if judged.outcome != "passed" or judged.tests != TESTS:
            raise RuntimeError(f"a correct solution is {judged.outcome}: {judged.reason}\n{submission.code[:500]}")


def _fresh_interpreters(submissions: list[Submission]) -> float:
    """Tests a second of a fresh interpreter for each, without any isolation."""
    tests = [(submission.code, case) for submission in submissions for case in submission.cases]
    tests = tests[:: max(1, len(tests) // BASELINE_TESTS)][:BASELINE_TESTS]
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(_fresh, tests))
    return len(tests) / (time.monotonic() - started)


def _fresh(test: tuple) -> None:
    code, case = test
    given = json.dumps([code, case.given.entry_point, case.given.args])
    subprocess.run([sys.executable, "-I", "-c", _FRESH], input=given, capture_output=True, text=True, check=True)


def measure_cpp(references: list[Reference], count: int) -> float:
    """Submissions a minute, compiling included.

    Raises:
        RuntimeError: a solution that passes everywhere else was not passed, or there is no C++.
    """
    of_cpp = [reference for reference in references if reference.language == "cpp"]
    judge = LocalJudge(SETTINGS, WORKERS)
    try:
        # Some solutions are wrong: whatever passes is timed, under a text that no cache has seen.
        first = judge.judge([_with_tests(reference) for reference in of_cpp[: 2 * count]])
        right = [reference for reference, judged in zip(of_cpp, first) if judged.outcome == "passed"][:count]
        if not right:
            raise RuntimeError(f"no program in C++ passes: {first[0].reason}")
        submissions = [_with_tests(reference, f"// {uuid.uuid4()}\n") for reference in right]
        started = time.monotonic()
        _all_passed(judge, submissions)
        return 60 * len(submissions) / (time.monotonic() - started)
    finally:
        judge.close()


def data_folder(path: Path) -> Path:
    if not path.exists():
        raise SystemExit(f"error: {path} is not there. Real data lie beside the project; name the folder with --data.")
    return path
