"""What judging, writing down and recording cost: builds of the same rules with our hooks and without, in turn.

Twice: with the analysis of the code kept, as in every build but the first of a clone, and without. What a build and its
stages may cost is about the first; on a machine whose speed changes, `bare_s` tells how fast it was meanwhile.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from amt.build.refresh import SOURCES_STORE
from benchmarks.rebuild.flow import STAGES
from benchmarks.rebuild.places import Place

ROUNDS = 5
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
        built(ours)  # and what Python compiles once
        without, later, first = [], [], []
        for _ in range(ROUNDS):
            without.append(built(bare))
            later.append(built(ours, keeps_analysis=True) - without[-1])
            first.append(built(ours) - without[-1])
            print(f"with our hooks: {later[-1]:.2f} s more, in a new clone {first[-1]:.2f} s", flush=True)
        allowed = FIXED_S + EACH_S * len(STAGES)
        print(
            f"overhead: stages={len(STAGES)} seconds={median(later):.2f} allowed={allowed:.2f} "
            f"new_clone_s={median(first):.2f} bare_s={median(without):.2f}"
        )
        return int(median(later) > allowed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def built(place: Place, *, keeps_analysis: bool = False) -> float:
    """Seconds of a whole build from nothing; stages are played by their stand-ins."""
    kept = place.path / SOURCES_STORE
    analysis = kept.read_bytes() if keeps_analysis else None
    for name in MADE:
        path = place.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if analysis:
        kept.parent.mkdir()
        kept.write_bytes(analysis)
    place.ran()
    started = time.monotonic()
    place.do("snakemake")
    seconds = time.monotonic() - started
    assert len(place.ran()) == len(STAGES)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
