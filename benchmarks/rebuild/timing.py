"""How long the tools take on the miniature."""

import time
from statistics import median

from benchmarks.rebuild.trial import Bench

TIMES = 3


def timings(bench: Bench) -> dict[str, float]:
    """Seconds, median of three: nothing to do; `amt why --all` with one edit in place; a build that restores."""
    place = bench.places["snakemake"]
    noop = [_timed(place, "snakemake") for _ in range(TIMES)]
    why, restore = [], []
    for _ in range(TIMES):
        place.edit("params.yaml", "cosine: 0.7\n", "cosine: 0.71\n")
        why.append(_timed(place, "amt", "why", "--all", status=3))
        place.do("snakemake")
        place.edit("params.yaml", "cosine: 0.71\n", "cosine: 0.7\n")
        place.ran()
        restore.append(_timed(place, "snakemake"))
        assert place.ran() == []
        place.restore()
    return {"noop_s": median(noop), "why_s": median(why), "restore_s": median(restore)}


def _timed(place, *command: str, status: int = 0) -> float:
    started = time.monotonic()
    done = place.call(*command)
    assert done.returncode == status, done.stdout
    return time.monotonic() - started
