"""Exact duplicates alone: the mark `exact` of each text and the first that has the same."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from amt.curate.clusters import first_equal
from amt.curate.fingerprint import marks, texts_of
from amt.params import Fingerprint
from amt.rows import QUERY, batches
from benchmarks.curate.peers.task import Removed, run

# The least signature that there is: this one does not look at it.
SETTINGS = Fingerprint(shingle_words=1, permutations=1)


def marked(shard: Path) -> tuple[list[str], np.ndarray]:
    """row_ids of a shard, and [rows, 2] of their marks."""
    row_ids, exact = [], []
    for batch in batches(shard, QUERY):
        row_ids += batch["row_id"].to_pylist()
        exact.append(marks(texts_of(batch), SETTINGS).exact)
    return row_ids, np.concatenate(exact)


def work(shards: list[Path]):
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        parts = list(pool.map(marked, shards))
    exact = np.concatenate([part for _, part in parts])
    firsts = first_equal(exact[:, 0].copy(), exact[:, 1].copy())

    def removals() -> Removed:
        row_ids = [row_id for ids, _ in parts for row_id in ids]
        removed = np.flatnonzero(firsts != np.arange(len(firsts)))
        return [(row_ids[row], row_ids[firsts[row]]) for row in removed.tolist()]

    return removals


if __name__ == "__main__":
    marks(["compiled"], SETTINGS)  # before the clock starts and the workers fork
    first_equal(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64))
    run(work)
