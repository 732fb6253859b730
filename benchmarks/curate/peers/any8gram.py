"""The rule that open-r1 decontaminates by, written out: a row that shares any run of eight words with a benchmark goes.

The items lie in items.parquet beside the shards' folder. A row that goes is written down with its item's number.
"""

import re
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.curate.peers.task import Removed, read, run

N = 8
_SPACES = re.compile(r"\s+")


def ngrams(text: str) -> list[str]:
    """Runs of N words of a text in small letters, words as white space separates them."""
    words = _SPACES.sub(" ", text.lower().strip()).split(" ")
    return [" ".join(words[start : start + N]) for start in range(len(words) - N + 1)]


def index(items: list[str]) -> dict[str, int]:
    """{run of N words: number of the first item that holds it}."""
    held: dict[str, int] = {}
    for number, item in enumerate(items):
        for gram in ngrams(item):
            held.setdefault(gram, number)
    return held


def first_hit(text: str, held: dict[str, int]) -> int | None:
    for gram in ngrams(text):
        if gram in held:
            return held[gram]
    return None


def hits(held: dict[str, int], shard: Path) -> list[tuple[str, int]]:
    """(row_id, number of the item) of the rows of a shard that go."""
    found = []
    for row_id, text in zip(*read(shard)):
        item = first_hit(text, held)
        if item is not None:
            found.append((row_id, item))
    return found


def work(shards: list[Path]):
    items = shards[0].parent.parent / "items.parquet"
    held = index(pq.read_table(items, columns=["query"])["query"].to_pylist())
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        found = [hit for part in pool.map(partial(hits, held), shards) for hit in part]

    def removals() -> Removed:
        return [(row_id, str(item)) for row_id, item in found]

    return removals


if __name__ == "__main__":
    run(work)
