"""`make bench-scale`: how time and memory of curation grow from 0.1 to 10 million generated queries.

Every stage takes the whole corpus, whatever the stage before would leave of it, in processes of its own. Time is that
of the work, memory the largest sum of PSS over the process tree. Queries are not embedded at these sizes: the time that
it would take is extrapolated from the rate of the first EMBEDDED, and the figures say so.
"""

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.curate.items import write_items
from benchmarks.curate.measure import PROJECT, measured
from benchmarks.curate.ours.embed import EMBEDDED
from benchmarks.curate.planted import shards_of, write_corpus

OUTPUT = PROJECT / "benchmarks" / "curate" / "output" / "scale"
LADDER = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
STAGES = ("exact", "near", "filters", "ngram")
PEAK_GB = 8.0
"""What a stage may hold."""
BYTES_A_ROW = 1_000
"""Disk that a row takes for a while: in the corpus, as a fingerprint, in what a stage keeps, in a ledger."""


@dataclass(frozen=True)
class Step:
    """One stage at one size."""

    rows: int
    stage: str
    seconds: float
    peak_gb: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curate.scale", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, default=LADDER[-1], help="the largest size; smaller ones of the ladder come first"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-embedding", action="store_true", help="leave out the rate of the embedding model")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="folder of the corpus, while it is needed, and the plot"
    )
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(args.output).free, args.rows * BYTES_A_ROW
    if free < needed:
        print(
            f"error: {free / 1e9:.0f} GB are free at {args.output}, {needed / 1e9:.0f} GB are needed", file=sys.stderr
        )
        return 1
    steps: list[Step] = []
    for rows in sizes(args.rows):
        steps += climbed(args.output / "corpus", rows, args.seed)
    draw(steps, args.output / "scale.png")
    embedding_s = None if args.no_embedding else embedding_seconds(args.output / "corpus", args.rows)
    shutil.rmtree(args.output / "corpus")
    print(last_line(steps, embedding_s))
    return int(max(step.peak_gb for step in steps) > PEAK_GB)


def sizes(largest: int) -> list[int]:
    return [rows for rows in LADDER if rows < largest] + [largest]


def climbed(corpus: Path, rows: int, seed: int) -> list[Step]:
    """All stages at one size."""
    started = time.monotonic()
    write_corpus(corpus, rows, seed, data=None)
    write_items(corpus / "items.parquet", data=None)
    print(f"{rows:,} queries written in {time.monotonic() - started:.0f} s", flush=True)
    steps = []
    for stage in STAGES:
        run = measured(command(stage, shards_of(corpus)))
        steps.append(Step(rows, stage, run.seconds, run.peak_bytes / 1e9))
        load = os.getloadavg()[0]
        print(f"{rows:>12,} {stage:8} {run.seconds:9.1f} s {run.peak_bytes / 1e9:7.2f} GB, load {load:.1f}", flush=True)
    return steps


def command(stage: str, shards: list[Path]) -> list[str]:
    removed = str(shards[0].parent.parent / "removed.parquet")
    return [sys.executable, "-m", f"benchmarks.curate.ours.{stage}", "--removed", removed, *map(str, shards)]


def embedding_seconds(corpus: Path, rows: int) -> float:
    """What embedding that many would take, by the rate of the first EMBEDDED."""
    run = measured(command("embed", shards_of(corpus)[:1]))
    return run.seconds * rows / EMBEDDED


def draw(steps: list[Step], path: Path) -> None:
    """Seconds and gigabytes over rows, both scales logarithmic; dashed: as much more as there are more rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (times, memories) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for stage in STAGES:
        of_stage = [step for step in steps if step.stage == stage]
        rows = [step.rows for step in of_stage]
        times.plot(rows, [step.seconds for step in of_stage], marker="o", label=stage)
        memories.plot(rows, [step.peak_gb for step in of_stage], marker="o", label=stage)
    for axes, unit in ((times, "seconds"), (memories, "peak memory, GB")):
        first = min(step.rows for step in steps)
        lowest = min(line.get_ydata()[0] for line in axes.get_lines())
        ends = [first, max(step.rows for step in steps)]
        axes.plot(ends, [lowest, lowest * ends[1] / first], linestyle="--", color="grey", label="proportional")
        axes.set(xscale="log", yscale="log", xlabel="queries", ylabel=unit)
        axes.grid(True, which="major", alpha=0.3)
    memories.axhline(PEAK_GB, color="black", linewidth=0.8)
    times.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    print(f"drawn: {path}")


def last_line(steps: list[Step], embedding_s: float | None) -> str:
    """Figures of the largest size, and the largest memory of any."""
    rows = max(step.rows for step in steps)
    largest = [step for step in steps if step.rows == rows]
    wall = sum(step.seconds for step in largest)
    each = " ".join(f"{step.stage}_s={step.seconds:.0f} {step.stage}_gb={step.peak_gb:.2f}" for step in largest)
    line = f"scale: rows={rows} wall_s={wall:.0f} peak_gb={max(step.peak_gb for step in steps):.2f} {each}"
    return line if embedding_s is None else f"{line} embed_extrapolated_s={embedding_s:.0f}"


if __name__ == "__main__":
    sys.exit(main())
