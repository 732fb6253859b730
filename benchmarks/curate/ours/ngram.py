"""The n-gram rule of the stage `decontaminate` alone: the item whose n-grams a text covers most.

The items lie in items.parquet beside the shards' folder.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from amt.curate.fingerprint import texts_of
from amt.curate.ngram_index import NgramIndex, hashed_words
from amt.params import load
from amt.rows import QUERY, batches, read_table
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

SETTINGS = load(PROJECT / "params.yaml").curate.decontaminate
TEXTS_AT_ONCE = 2_048


@cache
def index_of(items: Path) -> tuple[list[str], NgramIndex]:
    rows = read_table(items, QUERY)
    return rows["row_id"].to_pylist(), NgramIndex(hashed_words(texts_of(rows)), SETTINGS.ngram_words)


def hits(items: Path, shard: Path) -> Removed:
    """(row, the item that it covers) of a shard."""
    names, index = index_of(items)
    found = []
    for batch in batches(shard, QUERY):
        row_ids, texts = batch["row_id"].to_pylist(), texts_of(batch)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = hashed_words(texts[first : first + TEXTS_AT_ONCE])
            found += [
                (row_ids[first + number], names[items[0].item])
                for number, items in enumerate(index.covered(part, SETTINGS.ngram_coverage))
                if items
            ]
    return found


def items_of(shards: list[Path]) -> Path:
    return shards[0].parent.parent / "items.parquet"


def work(shards: list[Path]):
    index_of(items_of(shards))  # once, for both workers
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        found = [hit for part in pool.map(partial(hits, items_of(shards)), shards) for hit in part]

    def removals() -> Removed:
        return found

    return removals


if __name__ == "__main__":
    # Before the clock starts and the workers fork: compiled, and what pyarrow imports when it is first used (pandas).
    hashed_words([*texts_of(QUERY.empty_table()), "compiled"])
    run(work)
