"""`make bench-curate`: curation on a planted corpus, ours and the peers in turn on the same rows.

Every tool runs ROUNDS times in processes of its own, all of them once before any of them again, so that a machine which
slows down does so for all. A rate is rows through the median of the seconds; what is removed is the same in each round.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from amt.errors import DataError
from benchmarks.curate.decontaminate import measure
from benchmarks.curate.items import write_items
from benchmarks.curate.measure import PROJECT, Measured, measured, watching
from benchmarks.curate.peers.environment import PEERS, is_current
from benchmarks.curate.planted import shards_of, write_corpus
from benchmarks.curate.score import Score, read_truth, score

OUTPUT = PROJECT / "benchmarks" / "curate" / "output"
ROUNDS = 3
AT_LEAST = {
    "exact_qps": 250_000, "near_qps": 30_000, "near_light": 0.98, "near_heavy": 0.83, "ngram_qps": 85_000,
    "decon_paraphrase": 0.95, "decon_light": 0.98, "decon_embedded": 0.98,
}  # fmt: skip
AT_MOST = {"number_merge": 0.001, "operator_merge": 0.01, "decon_fp": 0.005}
FIGURES = """exact_qps near_qps ngram_qps embed_qps near_light near_heavy number_merge operator_merge decon_paraphrase
decon_light decon_embedded decon_fp peak_gb vs_datatrove vs_rensa vs_any8gram""".split()


@dataclass(frozen=True)
class Tool:
    """What is measured: a module that runs alone."""

    name: str
    module: str
    finds_duplicates: bool = True

    @property
    def is_ours(self) -> bool:
        return self.module.startswith("ours.")

    def command(self, shards: list[Path], removed: Path) -> list[str]:
        python = sys.executable if self.is_ours else str(PEERS / "bin" / "python")
        return [python, "-m", f"benchmarks.curate.{self.module}", "--removed", str(removed), *map(str, shards)]


TOOLS = (
    Tool("amt exact", "ours.exact"),
    Tool("DuckDB exact", "peers.duckdb_exact"),
    Tool("polars exact", "peers.polars_exact"),
    Tool("amt near", "ours.near"),
    Tool("rensa", "peers.rensa_near"),
    Tool("datatrove", "peers.datatrove_near"),
    Tool("amt n-gram", "ours.ngram", finds_duplicates=False),
    Tool("any 8-gram", "peers.any8gram", finds_duplicates=False),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curate", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data", help="folder of real problems")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if not is_current():
        print("error: the peers' environment is missing: python -m benchmarks.curate.peers", file=sys.stderr)
        return 1
    try:
        shards = corpus(args.rows, args.seed, args.data)
    except DataError as error:
        print(f"skipped: {error}")
        return 2
    runs = in_turn(TOOLS, shards, args.rounds)
    scores = {tool.name: scored(tool) for tool in TOOLS if tool.finds_duplicates}
    print_table(runs, scores, args.rows)
    with watching(os.getpid()) as watch:
        decontamination = measure(args.data)
    return told(figures(runs, scores, args.rows, decontamination | {"peak_gb": watch.peak_bytes / 1e9}))


def corpus(rows: int, seed: int, data: Path | None) -> list[Path]:
    """Write the planted corpus and the items of evaluation sets; its shards."""
    write_corpus(OUTPUT / "corpus", rows, seed, data)
    write_items(OUTPUT / "corpus" / "items.parquet", data)
    return shards_of(OUTPUT / "corpus")


def in_turn(tools: tuple[Tool, ...], shards: list[Path], rounds: int) -> dict[str, list[Measured]]:
    """{tool: its measurements}; every tool once before any of them again."""
    runs: dict[str, list[Measured]] = {tool.name: [] for tool in tools}
    for number in range(rounds):
        for tool in tools:
            runs[tool.name].append(measured(tool.command(shards, removed_by(tool))))
            took = runs[tool.name][-1].seconds
            print(f"round {number + 1}: {tool.name} {took:.2f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return runs


def removed_by(tool: Tool) -> Path:
    return OUTPUT / f"{tool.module}.parquet"


def scored(tool: Tool) -> Score:
    pairs = pq.read_table(removed_by(tool))
    return score(zip(pairs["row_id"].to_pylist(), pairs["same_as"].to_pylist()), read_truth(OUTPUT / "corpus"))


def rate(runs: list[Measured], rows: int) -> float:
    """Rows a second."""
    return rows / median(run.seconds for run in runs)


def print_table(runs: dict[str, list[Measured]], scores: dict[str, Score], rows: int) -> None:
    kinds = ("exact", "light", "heavy", "number", "operator")
    head = f"{'':14}{'queries/s':>11}{'slowest':>9}{'fastest':>9}{'peak GB':>9}{'copies':>8}"
    print(f"\n{head}" + "".join(f"{kind:>10}" for kind in kinds[1:]) + f"{'strangers':>11}")
    for name, measurements in runs.items():
        seconds = [run.seconds for run in measurements]
        peak = max(run.peak_bytes for run in measurements) / 1e9
        line = f"{name:14}{rate(measurements, rows):11,.0f}{rows / max(seconds):9,.0f}{rows / min(seconds):9,.0f}"
        line += f"{peak:9.2f}"
        if found := scores.get(name):
            copies = (found.merged["exact"] + found.normal_form) / 2
            shares = "".join(f"{found.merged[kind]:10.4f}" for kind in kinds[1:])
            line += f"{copies:8.3f}{shares}{found.strangers:11}"
        print(line)
    print(f"({rows:,} rows, median of {len(measurements)}; `copies` counts exact ones and each normal form alike)")


def figures(
    runs: dict[str, list[Measured]], scores: dict[str, Score], rows: int, decontamination: dict[str, float]
) -> dict[str, float]:
    """All figures of the last line.

    Args:
        decontamination: embed_qps, the decon_ figures, and peak_gb.
    """
    near = scores["amt near"].merged
    found = {
        "exact_qps": rate(runs["amt exact"], rows),
        "near_qps": rate(runs["amt near"], rows),
        "near_light": near["light"],
        "near_heavy": near["heavy"],
        "number_merge": near["number"],
        "operator_merge": near["operator"],
        "ngram_qps": rate(runs["amt n-gram"], rows),
    } | decontamination
    ours = [run.peak_bytes / 1e9 for name in ("amt exact", "amt near", "amt n-gram") for run in runs[name]]
    return found | {
        "peak_gb": max(*ours, decontamination["peak_gb"]),
        "vs_datatrove": found["near_qps"] / rate(runs["datatrove"], rows),
        "vs_rensa": found["near_qps"] / rate(runs["rensa"], rows),
        "vs_any8gram": found["ngram_qps"] / rate(runs["any 8-gram"], rows),
    }


def told(found: dict[str, float]) -> int:
    """Print missed targets, and last all figures; the exit status."""
    missed = missed_targets(found)
    for line in missed:
        print(f"missed: {line}")
    print("curate: " + " ".join(f"{name}={written(name, found[name])}" for name in FIGURES))
    return int(bool(missed))


def missed_targets(found: dict[str, float]) -> list[str]:
    below = [
        f"{name} is {written(name, found[name])}, below {least}"
        for name, least in AT_LEAST.items()
        if found[name] < least
    ]
    return below + [
        f"{name} is {written(name, found[name])}, above {most}" for name, most in AT_MOST.items() if found[name] > most
    ]


def written(name: str, value: float) -> str:
    if name.endswith("_qps"):
        return f"{value:.0f}"
    return f"{value:.2f}" if name.startswith("vs_") or name == "peak_gb" else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())
