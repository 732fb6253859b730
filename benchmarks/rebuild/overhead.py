"""What judging, writing down and recording cost: builds of the same rules with our hooks and without, in turn."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rebuild.flow import STAGES
from benchmarks.rebuild.places import Place

PAIRS = 3
FIXED_S, EACH_S = 1.0, 0.020
"""What a build, and each of its stages, may cost more."""
HOOK = "before_plan(workflow, PARAMS_FILE)\n"
MADE = ("data", "models", "eval", "reports", "logs", ".snakemake", ".amt", ".dvc/cache", "dvc.lock")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="amt-overhead-"))
    try:
        ours, bare = Place.make(folder / "ours"), Place.make(folder / "bare")
        bare.edit("Snakefile", HOOK, "")
        for place in (ours, bare):
            place.effects_file.write_text('{"settings": {}, "always": {}, "code": {}}')
        more = []
        for _ in range(PAIRS):
            more.append(built(ours) - built(bare))
            print(f"with our hooks: {more[-1]:.2f} s more", flush=True)
        allowed = FIXED_S + EACH_S * len(STAGES)
        print(f"overhead: stages={len(STAGES)} seconds={median(more):.2f} allowed={allowed:.2f}")
        return int(median(more) > allowed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def built(place: Place) -> float:
    """Seconds of a whole build from nothing; stages are played by their stand-ins."""
    for name in MADE:
        path = place.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    place.ran()
    started = time.monotonic()
    place.do("snakemake")
    seconds = time.monotonic() - started
    assert len(place.ran()) == len(STAGES)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
