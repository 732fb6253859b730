"""The embedding model on the first EMBEDDED queries, for a rate: embedding all of them takes days."""

from pathlib import Path

from amt.curate.embedding import SentenceEncoder
from amt.params import load
from amt.rows import QUERY, batches
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

EMBEDDED = 500
SETTINGS = load(PROJECT / "params.yaml").curate.decontaminate
ENCODER = SentenceEncoder(SETTINGS.embedding_model, threads=2)


def work(shards: list[Path]):
    texts = next(batches(shards[0], QUERY))["query"].to_pylist()[:EMBEDDED]
    assert len(ENCODER.embed(texts)) == len(texts) == EMBEDDED

    def removals() -> Removed:
        return []

    return removals


if __name__ == "__main__":
    run(work)
