"""The embedding model on all views of the first EMBEDDED queries, for a rate: embedding all queries takes hours."""

from functools import partial
from pathlib import Path

from amt.curate.embedding import SentenceEncoder, fast_encoder
from amt.curate.views import views
from amt.params import load
from amt.rows import QUERY, batches
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

EMBEDDED = 500


def work(encoder: SentenceEncoder, shards: list[Path]):
    texts = next(batches(shards[0], QUERY))["query"].to_pylist()[:EMBEDDED]
    seen = [view for text in texts for view in views(text)]
    assert len(encoder.embed(seen)) == len(seen) >= len(texts) == EMBEDDED

    def removals() -> Removed:
        return []

    return removals


if __name__ == "__main__":
    model = load(PROJECT / "params.yaml").curate.decontaminate.embedding_model
    run(partial(work, fast_encoder(model, threads=2) or SentenceEncoder(model, threads=2)))
