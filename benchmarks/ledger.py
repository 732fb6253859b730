"""How long it takes to ask what became of a row, and of all rows, when there are many.

Ledgers of the whole flow are written for 3,000,000 published rows, in files as a cluster's build writes them: each
source is cut into shards until `unique`, which cuts all rows anew by their ids, and training sets have one file each.
Then `amt` is asked as a user asks it, a process each time, and the chain is checked as the report does it.
"""

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import yaml

from amt.curate.unique import shard_of
from amt.flow.chain import check_chain
from amt.flow.ledgers import Ledgers, find_ledgers
from amt.flow.stages import FLOW, STAGE
from amt.ledger import Ledger

ROWS = 3_000_000
SOURCES, SHARDS = 16, 64
"""Shards of the stages that have several."""
BY_SOURCE = ("queries", "clean")
"""Stages of which each shard belongs to one source."""
MERGED = ("unique", "decontaminate", "verify_math", "filter_responses", "score")
"""Stages whose shards hold rows of all sources."""
WHOLE = tuple(stage.name for stage in FLOW if stage.name not in BY_SOURCE + MERGED)
"""Stages of one file."""
ALLOWED_S = 1.0
LOST = {
    "queries": {"no_ground_truth": 0.01, "excluded_licence": 0.01},
    "unique": {"exact_duplicate": 0.08, "near_duplicate": 0.04},
    "clean": {"url": 0.01, "image": 0.02},
    "decontaminate": {"benchmark_ngram": 0.005, "benchmark_semantic": 0.005},
    "verify_math": {"proof": 0.02, "multi_part": 0.01, "unclear": 0.01, "truth_unresolved": 0.05},
    "filter_responses": {"truncated": 0.03, "repetition": 0.01, "perplexity": 0.01},
    "sft_set": {"low_score": 0.2, "beyond_max_responses": 0.1},
    "pass_rates": {"other_category": 0.4, "not_measured": 0.1},
    "rl_set_1": {"other_category": 0.4, "never_solved": 0.2, "always_solved": 0.37},
    "grpo_1": {"not_drawn": 0.2},
    "rl_set_2": {"other_category": 0.5, "not_in_stage1": 0.47},
    "grpo_2": {"not_drawn": 0.2},
}
"""{stage: {reason: share of its rows}}"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"published rows (default: {ROWS:,})")
    rows = parser.parse_args().rows
    if rows < SHARDS:
        parser.error(f"--rows {rows}: each of the {SHARDS} shards needs one at least.")
    folder = Path(tempfile.mkdtemp(prefix="amt-ledger-"))
    try:
        write_project(folder)
        began = time.monotonic()
        lines = write_ledgers(folder, rows)
        files = len(find_ledgers(folder))
        written_s = time.monotonic() - began
        print(f"written: {lines:,} lines of {rows:,} rows in {files} files, {written_s:.0f} s", flush=True)
        names = [row_ids(shard, rows // SHARDS)[-1] for shard in range(0, SHARDS, 6)]
        before = _cpu_s()
        traces = [asked(folder, "trace", name) for name in [*names, *a_response(folder)]]
        print(f"asked: {len(traces)} rows, {(_cpu_s() - before) / len(traces):.2f} s of CPU each", flush=True)
        funnels = [asked(folder, "funnel", "--by", by) for by in ("stage", "source")]
        began = time.monotonic()
        check_chain(Ledgers(find_ledgers(folder)))
        chain_s = time.monotonic() - began
        peak = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, _own_peak_kb()) * 1024 / 1e9
        print(
            f"ledger: rows={rows} files={files} trace_s={median(traces):.2f} trace_most_s={max(traces):.2f} "
            f"funnel_s={max(funnels):.1f} chain_s={chain_s:.1f} peak_gb={peak:.2f}"
        )
        return 0 if max(traces) <= ALLOWED_S else 1
    finally:
        shutil.rmtree(folder)


def _cpu_s() -> float:
    """Of all processes that were started and have ended: on a busy machine, what a trace takes by itself."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own_peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def asked(folder: Path, *words: str) -> float:
    """Seconds that a command takes from its start to its end."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "amt.build", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def write_project(folder: Path) -> None:
    """What `amt` needs of one: that it is one, and which ledgers its build writes."""
    (folder / "Snakefile").touch()
    ledgers = [str(ledger_file(name, shard)) for name in BY_SOURCE + MERGED for shard in range(SHARDS)]
    ledgers += [str(ledger_file(name, 0)) for name in WHOLE]
    stages = {name: {"cmd": f"write {name}", "outs": [name]} for name in ledgers}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))


def ledger_file(stage: str, shard: int) -> Path:
    """In the project."""
    return Path("data", stage, "ledger", f"{shard:02}.parquet")


def a_response(folder: Path) -> list[str]:
    """The first that any row kept; few rows may have kept none."""
    ((name,),) = Ledgers(find_ledgers(folder)).ask("SELECT min(row_id) FROM ledger WHERE contains(row_id, '/')")
    return [name] if name else []


def row_ids(shard: int, rows: int) -> list[str]:
    digits = random.Random(shard)
    return [f"source_{shard % SOURCES:02}:{digits.getrandbits(64):016x}" for _ in range(rows)]


def write_ledgers(folder: Path, rows: int) -> int:
    """All stages; returns how many lines they have."""
    each = rows // SHARDS
    with ProcessPoolExecutor(2) as pool:
        published = pool.map(write_published, [folder] * SHARDS, range(SHARDS), [each] * SHARDS)
        lines = 0
        merged: list[list[str]] = [[] for _ in range(SHARDS)]
        for written, kept in published:
            lines += written
            for name in kept["clean"]:
                merged[shard_of(name, SHARDS)].append(name)
        kept_by: dict[str, list[str]] = {"verify_math": [], "score": []}
        for written, kept in pool.map(write_merged, [folder] * SHARDS, range(SHARDS), merged):
            lines += written
            for name in kept_by:
                kept_by[name] += kept[name]
    return lines + write_stages(folder, WHOLE, 0, kept_by)


def write_published(folder: Path, shard: int, rows: int) -> tuple[int, dict[str, list[str]]]:
    """Stages of one source's shard; how many lines they have, and {stage: what it kept}."""
    kept = {}
    return write_stages(folder, BY_SOURCE, shard, kept, row_ids(shard, rows)), kept


def write_merged(folder: Path, shard: int, came_in: list[str]) -> tuple[int, dict[str, list[str]]]:
    """Stages of one shard of all sources; how many lines they have, and {stage: what it kept}."""
    kept = {"clean": came_in}
    return write_stages(folder, MERGED, shard, kept), kept


def write_stages(
    folder: Path, stages: tuple[str, ...], shard: int, kept: dict[str, list[str]], published: list[str] | None = None
) -> int:
    """The ledgers of a shard; returns how many lines they have.

    Args:
        kept: {stage: names that it kept}: of those before, and filled with these.
    """
    chance = random.Random(f"{stages[0]} {shard}")
    lines = 0
    for name in stages:
        stage = STAGE[name]
        came_in = published if stage.after is None else kept[stage.after]
        if stage.unit == "responses" and STAGE[stage.after].unit == "queries":
            came_in = [f"{row}/0" for row in came_in]
        book = Ledger(name)
        kept[name] = list(recorded(book, name, came_in, chance))
        book.report(len(came_in), len(kept[name]))
        book.write(folder / ledger_file(name, shard))
        lines += len(came_in)
    return lines


def recorded(book: Ledger, stage: str, came_in: list[str], chance: random.Random):
    """Record each row; yields those that go on."""
    for name in came_in:
        row = {"row_id": name, "source": name.partition(":")[0]}
        drawn = chance.random()
        for reason, share in LOST.get(stage, {}).items():
            if drawn < share:
                book.drop(row, reason)
                break
            drawn -= share
        else:
            if stage == "sft_set":
                book.pack(row, [(int(drawn * 1e6), 3)])
            elif stage in ("sft", "grpo_1", "grpo_2"):
                book.use(row, [int(drawn * 1e4) + 1, int(drawn * 2e4) + 2])
            else:
                book.keep(row)
            yield name


if __name__ == "__main__":
    sys.exit(main())
