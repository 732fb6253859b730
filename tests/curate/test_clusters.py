"""Which places of a bucket are compared."""

import numpy as np
import pytest

from amt.curate.clusters import ALL_PAIRS_UP_TO, Clusters, join_near
from amt.curate.senses import WIDTH
from amt.params import NearDuplicates

SETTINGS = NearDuplicates(bands=2, jaccard=0.75, numbers=3, jaccard_with_numbers=0.75)


@pytest.mark.parametrize(("places", "joined"), [(3, True), (ALL_PAIRS_UP_TO, True), (ALL_PAIRS_UP_TO + 1, False)])
def test_all_pairs_of_a_small_bucket_and_the_first_row_of_a_large_one(places, joined):
    """All agree in the first of two bands, the last two nearly in the second; the rest is like nothing there."""
    signatures = np.ones((places, 8), dtype=np.uint16)
    signatures[:, 4:] = np.arange(100, 100 + places)[:, None]
    signatures[-2:, 4:] = [[7, 7, 7, 8], [7, 7, 7, 9]]
    found = firsts(signatures)
    assert found[:-1].tolist() == list(range(places - 1))
    assert found[-1] == (places - 2 if joined else places - 1)


def test_copies_of_the_first_row_of_a_large_bucket_are_found():
    signatures = np.ones((ALL_PAIRS_UP_TO + 10, 8), dtype=np.uint16)
    signatures[:, 7] = np.arange(len(signatures))  # the second band differs
    assert firsts(signatures).tolist() == [0] * len(signatures)


def firsts(signatures: np.ndarray) -> np.ndarray:
    number = len(signatures)
    nothing = np.zeros((number, WIDTH), dtype=np.uint64)
    clusters = Clusters(np.zeros(number + 1, dtype=np.int64), np.zeros((0, 2), dtype=np.uint64), nothing)
    doubtful = join_near(
        clusters,
        signatures,
        formulas=np.zeros(number, dtype=np.uint64),
        comparing=nothing,
        in_order=np.zeros(number, dtype=np.uint64),
        bag=np.arange(number, dtype=np.uint64),
        numbers=np.zeros(number, dtype=np.int32),
        settings=SETTINGS,
    )
    assert len(doubtful) == 0
    return clusters.firsts()
