"""Edit a small copy of the project, one edit at a time, and see what Snakemake and DVC run."""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.rebuild.edit import Edit
from benchmarks.rebuild.places import Place
from benchmarks.rebuild.tables import all_edits
from benchmarks.rebuild.timing import timings
from benchmarks.rebuild.trial import Bench, Outcome

ENOUGH = 200
TAKEN_EVERY = {"settings": 4, "code": 3, "harmless": 3}
"""Of the many edits of these kinds one in so many is tried, unless all are asked for."""
MOST_SECONDS = {"noop_s": 5.0, "why_s": 3.0}
"""Of a call that has nothing to do, and of `amt why --all`, as a user may expect of the laptop recipe, which has more
stages than the miniature."""
LOUD_EVERY = 10
"""Edits of settings, code and libraries, of which one gives other bytes that go on to the end of the flow. DVC takes a
second a stage for it, so the others change no byte: what they reach runs, and nothing behind it."""


def main() -> int:
    args = parser().parse_args()
    edits = chosen(all_edits(), args)
    if args.list:
        print("\n".join(edit.name for edit in edits))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clears up too
    folder = Path(tempfile.mkdtemp(prefix="amt-rebuild-"))
    try:
        return measure(edits, folder, least=0 if args.edits or args.sample else ENOUGH)
    finally:
        if args.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--edits", metavar="REGEX", help="only edits whose names match")
    parser.add_argument("--sample", metavar="N", type=int, help="about N edits, some of every kind")
    parser.add_argument("--all", action="store_true", help="every edit there is; takes about twice as long")
    parser.add_argument("--list", action="store_true", help="name the edits and leave")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    return parser


def chosen(edits: list[Edit], args: argparse.Namespace) -> list[Edit]:
    kinds: dict[str, list[Edit]] = {}
    for edit in edits:
        kinds.setdefault(edit.kind, []).append(edit)
    if args.edits:
        return [edit for edit in edits if re.search(args.edits, edit.name)]
    if args.sample:
        share = max(1, round(args.sample / len(kinds)))
        return [edit for kind in kinds.values() for edit in kind[:: -(-len(kind) // share)]]
    return [edit for name, kind in kinds.items() for edit in kind[:: 1 if args.all else TAKEN_EVERY.get(name, 1)]]


def measure(edits: list[Edit], folder: Path, least: int) -> int:
    print(
        "Rules, recipe, code and both tools are the project's own. What runs in place of a stage is a stand-in: it\n"
        "writes a digest of all that the stage is made of.",
        flush=True,
    )
    with ThreadPoolExecutor() as pool:
        snakemake, dvc = pool.map(Place.make, [folder / "snakemake", folder / "dvc"])
    bench = Bench({"snakemake": snakemake, "dvc": dvc}, folder / "clean")
    bench.build()
    outcomes = [tried(bench, edit, number, len(edits)) for number, edit in enumerate(edits, start=1)]
    seconds = timings(bench)
    stale, needless, disagree = (
        sum(bool(getattr(outcome, fault)) for outcome in outcomes) for fault in ("stale", "needless", "disagree")
    )
    if failed := [outcome for outcome in outcomes if not outcome.is_right]:
        print("\n".join(["", "what went wrong:", *(outcome.told() for outcome in failed), ""]))
    print(
        f"rebuild: edits={len(outcomes)} stale={stale} needless={needless} disagree={disagree} "
        + " ".join(f"{name}={value:.1f}" for name, value in seconds.items())
    )
    is_slow = any(seconds[name] > most for name, most in MOST_SECONDS.items())
    return int(bool(stale or needless or disagree) or len(outcomes) < least or (is_slow and least > 0))


def tried(bench: Bench, edit: Edit, number: int, total: int) -> Outcome:
    started = time.monotonic()
    quiet = edit.kind in ("settings", "code", "library") and number % LOUD_EVERY != 1
    outcome = bench.try_out(edit, quiet=quiet)
    runs = f"{len(outcome.expected)} to run"
    print(f"[{number}/{total}] {time.monotonic() - started:.1f} s  {edit.name}: {runs}", flush=True)
    if not outcome.is_right:
        print(outcome.told(), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
