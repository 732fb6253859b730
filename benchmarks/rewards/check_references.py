"""Reference solutions score 1 and their mutants 0 (`make bench-references`).

    python -m benchmarks.rewards.check_references [--data ../shared/data] [--sample N]

A mutant has one operator or constant changed, and counts only where a plain interpreter, without the sandbox and its
comparison, shows that it behaves otherwise on an input of the tests. Exit status 1 if a reference that the sandbox can
run does not score 1, or such a mutant does. C++ has no published references: a model's solutions stand in, and each
verdict must be the one that a plain compiler and a plain run give.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from amt import params
from amt.rewards.code_tests import read_tests
from amt.sandbox.judging import Judged, Submission
from amt.sandbox.languages import PYTHON
from amt.sandbox.local import LocalJudge
from benchmarks.rewards.mutants import mutants
from benchmarks.rewards.plain import behaviour, differ
from benchmarks.rewards.references import NOTHING_PRINTED, Reference, read_references

SETTINGS = params.load(Path(__file__).parents[2] / "params.yaml").sandbox.model_copy(
    update={"cpu_seconds": 6.0, "wall_seconds": 60.0, "memory_mb": 1024, "output_bytes": 10_000_000}
)
TRIES = 6
"""Mutants looked at until one behaves otherwise."""
DATASETS = ("humaneval", "mbpp", "leetcode", "kodcode", "livecodebench", "oj", "contests")


@dataclass(frozen=True)
class Mutant:
    reference: Reference
    solution: str


def judged(judge: LocalJudge, programs: Iterable[tuple[Reference, str]]) -> list[Judged]:
    return judge.judge(
        [Submission(reference.language, program, tuple(read_tests(reference.tests))) for reference, program in programs]
    )


def mutant_of(reference: Reference, seed: int) -> Mutant | None:
    """A mutant that a plain interpreter tells from the reference by an input of the tests; None if none is found."""
    cases = read_tests(reference.tests)
    if any(case.compare != "equal" for case in cases):
        return None  # another value may be as good
    expected = behaviour(reference.program(), cases)
    if expected is None:
        return None
    for number, solution in enumerate(mutants(reference.solution, seed)):
        if number == TRIES:
            return None
        found = behaviour(reference.program(solution), cases)
        if found is not None and differ(expected, found):
            return Mutant(reference, solution)
    return None


def drawn(references: list[Reference], sample: int | None, seed: int) -> list[Reference]:
    """At most so many of each data set; all where nothing is said."""
    by_dataset: dict[str, list[Reference]] = {}
    for reference in references:
        by_dataset.setdefault(reference.dataset, []).append(reference)
    random_order = random.Random(seed)
    return [
        reference
        for of_one in by_dataset.values()
        for reference in random_order.sample(of_one, min(len(of_one), len(of_one) if sample is None else sample))
    ]


def why_failed(reason: str) -> str | None:
    """What explains that a reference does not pass; None if nothing does."""
    missing = re.search(r"No module named '(\w+)'", reason)
    return missing and f"needs {missing.group(1)}, which the sandbox does not have"


def check_python(references: list[Reference], judge: LocalJudge, seed: int) -> tuple[dict[str, str], int, int, bool]:
    """(solved of judged by data set, mutants at 0, mutants, whether all is well)."""
    solved, counted, explained, right = Counter(), Counter(), defaultdict(Counter), True
    runnable = [reference for reference in references if reference.tests and not reference.why_not]
    for reference in references:
        if reference not in runnable:
            explained[reference.dataset][reference.why_not] += 1
    passed = []
    for reference, verdict in zip(runnable, judged(judge, ((one, one.program()) for one in runnable))):
        if verdict.outcome == "passed":
            passed.append(reference)
        elif why := why_failed(verdict.reason):
            explained[reference.dataset][why] += 1
            continue
        else:
            right = False
            print(f"{reference.dataset} {reference.name}: {verdict.outcome}, {verdict.reason}")
        counted[reference.dataset] += 1
        solved[reference.dataset] += verdict.outcome == "passed"
    for dataset in DATASETS:
        beside = sum(one.tests == NOTHING_PRINTED for one in runnable if one.dataset == dataset)
        print(f"{dataset}: {solved[dataset]}/{counted[dataset]}, of which {beside} with tests beside the program")
        for why, number in explained[dataset].most_common():
            print(f"  {number} not judged: {why}")
    with ThreadPoolExecutor(2) as threads:
        found = [mutant for mutant in threads.map(lambda one: mutant_of(one, seed), passed) if mutant]
    verdicts = judged(judge, ((one.reference, one.reference.program(one.solution)) for one in found))
    for mutant, verdict in zip(found, verdicts):
        if verdict.outcome != "failed":
            print(f"mutant of {mutant.reference.dataset} {mutant.reference.name}: {verdict.outcome}\n{mutant.solution}")
    zero = sum(verdict.outcome == "failed" for verdict in verdicts)
    print(f"mutants: {len(found)} of {len(passed)} solutions differ on a test's input, the rest are left out")
    figures = {dataset: f"{solved[dataset]}/{counted[dataset]}" for dataset in DATASETS if counted[dataset]}
    return figures, zero, len(found), right and zero == len(found)


def check_cpp(references: list[Reference], judge: LocalJudge) -> tuple[str, int, int]:
    """(passed of all, verdicts that a plain compiler and run confirm, all)."""
    with ThreadPoolExecutor(2) as threads:
        plain = list(threads.map(lambda one: _plain_cpp(one.program()), references))
    verdicts = judged(judge, ((one, one.program()) for one in references))
    same = 0
    for reference, verdict, expected in zip(references, verdicts, plain):
        if (verdict.outcome == "passed") is expected and verdict.outcome != "error":
            same += 1
        else:
            print(f"{reference.dataset} {reference.name}: {verdict.outcome}, {verdict.reason}; plain run: {expected}")
    passed = sum(verdict.outcome == "passed" for verdict in verdicts)
    return f"{passed}/{len(references)}", same, len(references)


def _plain_cpp(program: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "a.cpp"), Path(folder, "a")
        source.write_text(program, encoding="utf-8")
        if subprocess.run(["g++", "-std=c++17", "-o", binary, source], capture_output=True, check=False).returncode:
            return False
        try:
            ended = subprocess.run([binary], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0 and not ended.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sample", type=int, help="at most so many solutions of each data set")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    references = read_references(args.data)
    judge = LocalJudge(SETTINGS, workers=2)
    try:
        python = drawn([one for one in references if one.language == PYTHON], args.sample, args.seed)
        figures, zero, made, right = check_python(python, judge, args.seed)
        in_cpp = drawn([one for one in references if one.language == "cpp"], args.sample, args.seed)
        figures["humaneval_cpp"], same, of = check_cpp(in_cpp, judge)
        figures["cpp_as_plain"] = f"{same}/{of}"
        right = right and same == of
    finally:
        judge.close()
    shown = " ".join(f"{name}={figure}" for name, figure in figures.items())
    print(f"references: {shown} mutants_zero={zero}/{made}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
