"""Exact and near duplicates as the build removes them: fingerprints of every shard, then the stage `unique`.

Everything counts: reading, fingerprints, the merge, the rows and the ledger that it writes.
"""

import json
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from amt.curate.fingerprint import fingerprint
from amt.curate.unique import unique
from amt.params import load
from amt.rows import LEDGER, QUERY, batches, write_rows
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

SETTINGS = load(PROJECT / "params.yaml").curate


def work(shards: list[Path]):
    folder = Path(tempfile.mkdtemp(prefix="unique-", dir=shards[0].parent.parent))
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        fingerprints = list(pool.map(partial(fingerprinted, folder), shards))
    ledgers = merged(folder, shards, fingerprints)

    def removals() -> Removed:
        try:
            return [pair for path in ledgers for batch in batches(path, LEDGER) for pair in removed_of(batch)]
        finally:
            shutil.rmtree(folder)

    return removals


def fingerprinted(folder: Path, shard: Path) -> Path:
    path = folder / "fingerprints" / shard.name
    fingerprint(shard, path, SETTINGS.fingerprint)
    return path


def merged(folder: Path, shards: list[Path], fingerprints: list[Path]) -> list[Path]:
    """Run the stage; its ledgers, as many as shards."""
    ledgers = [folder / "ledgers" / shard.name for shard in shards]
    unique(
        queries=shards,
        fingerprints=fingerprints,
        kept=[folder / "kept" / shard.name for shard in shards],
        ledgers=ledgers,
        report=folder / "report.json",
        settings=SETTINGS.unique,
    )
    return ledgers


def removed_of(ledger: pa.Table) -> Removed:
    dropped = ledger.filter(pc.field("outcome") == "dropped")
    same_as = [json.loads(detail)["same_as"] for detail in dropped["detail"].to_pylist()]
    return list(zip(dropped["row_id"].to_pylist(), same_as))


def compile_all() -> None:
    """Go through both stages with two rows that are nearly equal: before the clock starts and the workers fork."""
    text = "Two near copies of one text, the second of which has another word at its very end, which is this: {}."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            dict.fromkeys(QUERY.names)
            | {"row_id": f"x:{end}", "source": "x", "category": "math", "query": text.format(end), "messages": "[]"}
            for end in ("here", "there")
        ]
        write_rows(folder / "queries.parquet", rows, QUERY)
        merged(folder, [folder / "queries.parquet"], [fingerprinted(folder, folder / "queries.parquet")])


if __name__ == "__main__":
    compile_all()
    run(work)
