"""The n-gram rule of the stage `decontaminate` alone: the item whose n-grams a text covers most.

The items lie in items.parquet beside the shards' folder.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from amt.curate.decontaminate import Item, NgramIndex, quantities
from amt.curate.normal_form import conversation_text, tokenize, tokens, words
from amt.params import load
from amt.rows import QUERY, batches, read_rows
from benchmarks.curate.measure import PROJECT
from benchmarks.curate.peers.task import Removed, run

SETTINGS = load(PROJECT / "params.yaml").curate.decontaminate
TEXTS_AT_ONCE = 2_048


@cache
def index_of(items: Path) -> tuple[list[str], NgramIndex]:
    found = []
    for row in read_rows(items, QUERY):
        item_tokens = tokens(text := conversation_text(row))
        numbers = quantities(item_tokens, spelled_out=False)
        found.append(Item(row["source"], row["row_id"], text, words(item_tokens), numbers))
    index = NgramIndex(found, SETTINGS.ngram_words, SETTINGS.ngram_coverage)
    return [item.row_id for item in found], index


def hits(items: Path, shard: Path) -> Removed:
    """(row, the item that it covers) of a shard."""
    names, index = index_of(items)
    found = []
    for batch in batches(shard, QUERY):
        row_ids, texts = batch["row_id"].to_pylist(), batch["query"].to_pylist()
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = tokenize(texts[first : first + TEXTS_AT_ONCE])
            for number in range(len(part.starts) - 1):
                if covered := index.most_covered(words(part.words_of(number))):
                    found.append((row_ids[first + number], names[covered[0]]))
    return found


def items_of(shards: list[Path]) -> Path:
    return shards[0].parent.parent / "items.parquet"


def work(shards: list[Path]):
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        found = [hit for part in pool.map(partial(hits, items_of(shards)), shards) for hit in part]

    def removals() -> Removed:
        return found

    return removals


if __name__ == "__main__":
    tokens("compiled before the clock starts and the workers fork")
    run(work)
