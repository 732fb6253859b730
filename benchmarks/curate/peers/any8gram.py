"""The rule that open-r1 decontaminates by, written out: a row that shares any run of eight words with a benchmark goes.

Standard library and pyarrow only. `removed` names the benchmark item (by its number) instead of a row that stays.
"""

import argparse
import json
import re
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
    table = pq.read_table(shard, columns=["row_id", "query"])
    found = []
    for row_id, text in zip(table["row_id"].to_pylist(), table["query"].to_pylist()):
        item = first_hit(text, held)
        if item is not None:
            found.append((row_id, item))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=Path, required=True, help="Parquet file with a column query")
    parser.add_argument("--removed", type=Path, required=True)
    parser.add_argument("shards", type=Path, nargs="+")
    args = parser.parse_args()
    held = index(pq.read_table(args.items, columns=["query"])["query"].to_pylist())
    started = time.perf_counter()
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        found = [hit for hits_of_shard in pool.map(partial(hits, held), args.shards) for hit in hits_of_shard]
    seconds = time.perf_counter() - started
    pq.write_table(pa.table({"row_id": [row for row, _ in found], "item": [item for _, item in found]}), args.removed)
    print(json.dumps({"seconds": seconds, "removed": len(found)}))


if __name__ == "__main__":
    main()
