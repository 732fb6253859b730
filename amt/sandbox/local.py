"""Judges submissions on this machine, by worker processes of its own."""

import dataclasses

from amt import params
from amt.placement import compile_cache
from amt.sandbox.execution import Limits
from amt.sandbox.judging import Judged, Submission, judge
from amt.sandbox.runner import Compiling, Sandbox, SubmissionLimits


def limits_of(settings: params.Sandbox) -> SubmissionLimits:
    return SubmissionLimits(
        **{field.name: getattr(settings, field.name) for field in dataclasses.fields(SubmissionLimits)}
    )


class LocalJudge:
    """See amt.sandbox.judging.Judge. Usable from many threads."""

    def __init__(self, settings: params.Sandbox, workers: int):
        limits = Limits(settings.cpu_seconds, settings.wall_seconds, settings.memory_mb, settings.output_bytes)
        compiling = Compiling(settings.compile_seconds, settings.compile_memory_mb, compile_cache())
        self._sandbox = Sandbox(
            limits, workers=workers, allow_unprotected=settings.allow_unprotected, compiling=compiling
        )

    @property
    def tier(self) -> str:
        """The isolation in force."""
        return self._sandbox.tier

    @property
    def languages(self) -> tuple[str, ...]:
        """What can be run here; see amt.sandbox.languages."""
        return self._sandbox.languages

    def judge(self, submissions: list[Submission]) -> list[Judged]:
        return self._sandbox.map(judge, submissions)

    def close(self) -> None:
        self._sandbox.close()
