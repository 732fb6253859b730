"""Speed and correctness of the rewards (`make bench-rewards`); exit status 1 if a target is missed.

    python -m benchmarks.rewards [--data ../shared/data]

Each part runs by itself, two workers at a time. A part that cannot run here says why and counts as missed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amt.errors import AmtError
from amt.placement import Placement
from amt.rewards.code_tests import CodeGrader
from amt.rewards.dispatch import TOGETHER
from amt.rewards.instructions import follows
from amt.rewards.math_answer import MathGrader
from benchmarks.rewards.grader_cases import CASES, SETTINGS
from benchmarks.rewards.math_pairs import math_pairs
from benchmarks.rewards.measure_code import WORKERS, data_folder, measure_cpp, measure_python
from benchmarks.rewards.references import read_references

MATH_PER_S = 4000
MUST_PASS = {"as written": True, "no box": False, "hanging": False}
"""Of the others a few are right by chance."""
PYTHON_TESTS_PER_MIN = 20_000
VS_SUBPROCESS = 10
ATTACKS = 30
GRADER_CASES = 60


@dataclass(frozen=True)
class Figure:
    text: str
    reached: bool


MISSING = Figure("none", False)


def measured(name: str, measure: Callable[[], list[Figure]], figures: int = 1) -> list[Figure]:
    """The figures of one part; a part that fails is told and missed, and the others go on."""
    try:
        return measure()
    except (AmtError, ImportError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"{name}: MISSED, {type(error).__name__}: {error}", flush=True)
        return [MISSING] * figures


def math(data: Path, count: int) -> list[Figure]:
    drawn = math_pairs(data, count)
    pairs, kinds = [pair[:2] for pair in drawn], Counter(kind for *_, kind in drawn)
    with MathGrader(WORKERS) as grader:
        grader.grade(
            [(r"\log 2", rf"<think>.</think><answer>\boxed{{\log {n}}}</answer>") for n in range(3, 9)]
        )  # processes start
        asked, started, verdicts = grader.asked, time.monotonic(), []
        for first in range(0, count, TOGETHER["math"]):
            verdicts += grader.grade(pairs[first : first + TOGETHER["math"]])
        seconds = time.monotonic() - started
        asked = grader.asked - asked
    wrong = [
        (gold, verdict.reason)
        for (gold, _, kind), verdict in zip(drawn, verdicts, strict=True)
        if kind in MUST_PASS and verdict.passed != MUST_PASS[kind]
    ]
    print(f"math: {len(wrong)} judged wrongly of those whose verdict is known beforehand {wrong[:5]}", flush=True)
    undecided = sum(verdict.status != "scored" for verdict in verdicts)
    hung = sum("of CPU" in (verdict.reason or "") for verdict in verdicts)
    print(f"math: {count} responses in {seconds:.1f} s, no pair twice: {dict(kinds)}", flush=True)
    print(
        f"math: {1 - asked / count:.1%} decided without math_verify, {hung} comparisons ran into their own limit, "
        f"{undecided} not scored",
        flush=True,
    )
    rate = count / seconds
    return [Figure(f"{rate:.0f}", rate >= MATH_PER_S and undecided == 0 and not wrong)]


def python(references: list, submissions: int) -> list[Figure]:
    speed = measure_python(references, submissions)
    return [
        Figure(f"{speed.tests_per_minute:.0f}", speed.tests_per_minute >= PYTHON_TESTS_PER_MIN),
        Figure(f"{speed.submissions_per_minute:.0f}", True),
        Figure(f"{speed.vs_subprocess:.1f}", speed.vs_subprocess >= VS_SUBPROCESS),
    ]


def cpp(references: list, submissions: int) -> list[Figure]:
    return [Figure(f"{measure_cpp(references, submissions):.0f}", True)]


def attacks() -> list[Figure]:
    """Of each attack as often as users make it: root and an ordinary user. Where root does not call, half is missed."""
    from tests.sandbox import ordinary_user
    from tests.sandbox.attacks import CALLER, made_by

    commands = [CALLER, ordinary_user.python(*CALLER[1:])] if os.getuid() == 0 else [CALLER]
    tried = blocked = 0
    for command in commands:
        made = made_by(command)
        through = [f"{name} ({how})" for name, how in made.found.items() if how]
        tried += len(made.found)
        blocked += len(made.found) - len(through)
        print(
            f"attacks: {len(made.found)} as user {made.user}, isolation {made.tier}, {len(through)} NOT blocked"
            f"{': ' * bool(through)}{', '.join(through)}",
            flush=True,
        )
    if len(commands) == 1:
        print("attacks: MISSED, not made as root: run this as root for both", flush=True)
    return [Figure(f"{blocked}/{tried}", len(commands) == 2 and blocked == tried >= 2 * ATTACKS)]


def grader_cases() -> list[Figure]:
    grader = CodeGrader(SETTINGS, Placement(sandbox_workers=WORKERS))
    try:
        verdicts = grader.grade([(case.tests, case.response) for case in CASES])
    finally:
        grader.close()
    right = 0
    for case, verdict in zip(CASES, verdicts, strict=True):
        found = {True: "right", False: "wrong"}[verdict.passed] if verdict.status == "scored" else verdict.status
        right += found == case.verdict
        if found != case.verdict:
            print(f"grader_cases: {case.name} is {case.verdict}, was found {found} ({verdict.reason})", flush=True)
    return [Figure(f"{right}/{len(CASES)}", right == len(CASES) >= GRADER_CASES)]


def ifeval(data: Path) -> list[Figure]:
    """The share of IFEval's prompts on each of whose instructions an independent implementation agrees."""
    from tests.rewards import ifeval_oracle

    folder = data / "ifeval"
    rows = [json.loads(line) for line in (folder / "input_data.jsonl").read_text(encoding="utf-8").splitlines()]
    answered = (folder / "input_response_data_gpt4_20231107_145030.jsonl").read_text(encoding="utf-8").splitlines()
    responses = {row["prompt"]: row["response"] for row in map(json.loads, answered)}
    agree = 0
    for row in rows:
        text = responses[row["prompt"]]
        arguments = [{key: value for key, value in one.items() if value is not None} for one in row["kwargs"]]
        both = list(zip(row["instruction_id_list"], arguments, strict=True))
        ours = [follows(name, kwargs, text) for name, kwargs in both]
        theirs = [ifeval_oracle.strict(name, kwargs, row["prompt"], text) for name, kwargs in both]
        agree += ours == theirs
        if ours != theirs:
            print(f"ifeval: key {row['key']}: {row['instruction_id_list']}: {ours}, the oracle {theirs}", flush=True)
    return [Figure(f"{agree / len(rows):.4f}", agree == len(rows))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--math", type=int, default=40_000, help="responses to math problems")
    parser.add_argument("--python", type=int, default=60, help="submissions in Python of each of five rounds")
    parser.add_argument("--cpp", type=int, default=40, help="submissions in C++")
    args = parser.parse_args()
    references = read_references(data_folder(args.data))
    (math_rate,) = measured("math", lambda: math(args.data, args.math))
    tests, submissions, ratio = measured("python", lambda: python(references, args.python), 3)
    (in_cpp,) = measured("cpp", lambda: cpp(references, args.cpp))
    (blocked,) = measured("attacks", attacks)
    (right,) = measured("grader_cases", grader_cases)
    (agree,) = measured("ifeval", lambda: ifeval(args.data))
    print(
        f"rewards: math_per_s={math_rate.text} py_tests_per_min={tests.text} "
        f"py_submissions_per_min={submissions.text} cpp_submissions_per_min={in_cpp.text} attacks={blocked.text} "
        f"grader_cases={right.text} ifeval_agree={agree.text} vs_subprocess={ratio.text}"
    )
    return int(not all(one.reached for one in (math_rate, tests, submissions, in_cpp, blocked, right, agree, ratio)))


if __name__ == "__main__":
    sys.exit(main())
