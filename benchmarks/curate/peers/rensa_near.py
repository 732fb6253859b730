"""Near duplicates by rensa: 3-word shingles, 32 bands of 4, estimated Jaccard of 0.5, and the same multiset of numbers.

Shingles are made in Python, in two processes; signatures, the index and its questions are rensa's batch calls.
"""

import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rensa import RMinHash, RMinHashLSH

from benchmarks.curate.peers.task import Removed, read, run

SHINGLE, BANDS, PERMUTATIONS, JACCARD = 3, 32, 128, 0.5
AT_ONCE = 2_000
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


def signed(shard: Path):
    """(row_ids, signatures, what guards each) of a shard."""
    row_ids, texts = read(shard)
    signatures, guards = [], []
    for first in range(0, len(texts), AT_ONCE):
        shingles = []
        for text in texts[first : first + AT_ONCE]:
            words = _WORD.findall(text.lower())
            last = max(1, len(words) - SHINGLE + 1)
            shingles.append([" ".join(words[start : start + SHINGLE]) for start in range(last)])
            guards.append(hash(" ".join(sorted(_NUMBER.findall(text)))))
        signatures += RMinHash.from_token_sets(shingles, PERMUTATIONS, 42)
    return row_ids, signatures, guards


def work(shards: list[Path]):
    row_ids, signatures, guards = [], [], []
    with ProcessPoolExecutor(2, get_context("fork")) as pool:  # one seed of hash() for all
        for found in pool.map(signed, shards):
            for whole, part in zip((row_ids, signatures, guards), found):
                whole += part
    index = RMinHashLSH(JACCARD, PERMUTATIONS, BANDS)
    index.insert_many(signatures)
    root = list(range(len(row_ids)))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for first in range(0, len(signatures), AT_ONCE):
        for place, others in enumerate(index.query_all(signatures[first : first + AT_ONCE]), first):
            guard, signature = guards[place], signatures[place]
            for other in others:
                if other < place and guards[other] == guard:
                    left, right = find(place), find(other)
                    if left != right and signature.jaccard(signatures[other]) >= JACCARD:
                        root[max(left, right)] = min(left, right)

    def removals() -> Removed:
        return [(row_ids[place], row_ids[find(place)]) for place in range(len(root)) if find(place) != place]

    return removals


if __name__ == "__main__":
    run(work)
