"""The stage `clean`: every shard by itself, two at a time."""

import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from amt.curate.clean import clean
from amt.params import load
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

SETTINGS = load(PROJECT / "params.yaml").curate.clean


def cleaned(folder: Path, shard: Path) -> None:
    out = folder / shard.stem
    clean(
        queries=shard,
        kept=out / "queries.parquet",
        ledger=out / "ledger.parquet",
        report=out / "report.json",
        settings=SETTINGS,
    )


def work(shards: list[Path]):
    folder = Path(tempfile.mkdtemp(prefix="clean-", dir=shards[0].parent.parent))
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        list(pool.map(partial(cleaned, folder), shards))

    def removals() -> Removed:
        shutil.rmtree(folder)
        return []  # none for another row

    return removals


if __name__ == "__main__":
    run(work)
