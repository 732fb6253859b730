"""Correct and wrong programs with the verdict that each must get: found by hand, none by running the grader.

Among them is all that widely used graders get wrong. The tests judge every case, `make bench-rewards` counts them.
"""

from pathlib import Path

from amt import params
from benchmarks.rewards.grader_cases.case import GraderCase
from benchmarks.rewards.grader_cases.cpp import CPP
from benchmarks.rewards.grader_cases.forged import FORGED
from benchmarks.rewards.grader_cases.responses import RESPONSES
from benchmarks.rewards.grader_cases.right import RIGHT
from benchmarks.rewards.grader_cases.wrong import WRONG

SETTINGS = params.load(Path(__file__).parents[3] / "params.yaml").sandbox.model_copy(
    update={"cpu_seconds": 1.0, "wall_seconds": 60.0, "memory_mb": 512, "output_bytes": 1_000_000}
)
"""The limits that the cases are made for."""

CASES: tuple[GraderCase, ...] = (*RIGHT, *WRONG, *FORGED, *RESPONSES, *CPP)
assert len({case.name for case in CASES}) == len(CASES)
