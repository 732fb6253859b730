"""Exact duplicates alone: the mark `exact` of each text and the first that has the same."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa

from amt.curate.clusters import first_equal
from amt.curate.fingerprint import TEXTS_AT_ONCE as AT_ONCE
from amt.curate.fingerprint import exact_marks, texts_of
from amt.rows import QUERY, batches
from benchmarks.curate.peers.task import Removed, run

TEXTS = pa.schema([QUERY.field("query"), QUERY.field("messages")])
IDS = pa.schema([QUERY.field("row_id")])


def marked(shard: Path) -> np.ndarray:
    """[rows, 2] marks of a shard."""
    parts = []
    for batch in batches(shard, TEXTS):
        texts = texts_of(batch)
        parts += [exact_marks(texts[first : first + AT_ONCE]) for first in range(0, len(texts), AT_ONCE)]
    return np.concatenate(parts)


def work(shards: list[Path]):
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        exact = np.concatenate(list(pool.map(marked, shards)))
    firsts = first_equal(exact[:, 0].copy(), exact[:, 1].copy())

    def removals() -> Removed:
        row_ids = [row_id for shard in shards for part in batches(shard, IDS) for row_id in part["row_id"].to_pylist()]
        removed = np.flatnonzero(firsts != np.arange(len(firsts)))
        return [(row_ids[row], row_ids[firsts[row]]) for row in removed.tolist()]

    return removals


if __name__ == "__main__":
    # Before the clock starts and the workers fork: compiled, and what pyarrow imports when it is first used (pandas).
    exact_marks([*texts_of(QUERY.empty_table()), "compiled"])
    first_equal(np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64))
    run(work)
