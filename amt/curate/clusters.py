"""Which fingerprints are of one problem: compiled searches over arrays, N fingerprints in order of preference.

Exact: one hash table. Near: locality-sensitive hashing (Indyk & Motwani 1998) over bands of the signature, with the
formulas in every bucket's key, so that the thousand instances of one template that differ in numbers never meet. The
memory is some 700 bytes a fingerprint that shares its formulas with another, and 60 for every other.
"""

import math

import numpy as np
from numba import njit

from amt.curate.fingerprint import after, spread
from amt.curate.senses import COMPARING, GROUP_OF, add, count_of
from amt.params import NearDuplicates

# Rows of a larger bucket are compared with its first row only; all of them share their formulas already.
ALL_PAIRS_UP_TO = 64
PAIRS_AT_ONCE = 1_000_000


def first_equal(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """[N] int64: for each pair of hashes the first place that has the same; for most that is its own."""
    slots = np.full(1 << int(2 * max(len(high), 1)).bit_length(), -1, dtype=np.int64)
    return _first_equal(high, low, slots)


def sharing(values: np.ndarray) -> np.ndarray:
    """[N] bool: whether another place has the same value."""
    order = np.argsort(values, kind="stable")
    equal = values[order][1:] == values[order][:-1]
    found = np.zeros(len(values), dtype=bool)
    found[order[1:]] |= equal
    found[order[:-1]] |= equal
    return found


class Clusters:
    """Joins places that are one problem, unless what they know of right answers contradicts or their words do.

    Both are asked of all members of two clusters: a row with neither "more" nor "fewer" joins no two that have them.
    """

    def __init__(self, truth_starts: np.ndarray, truths: np.ndarray, comparing: np.ndarray):
        """
        Args:
            truth_starts: [N + 1] where each place's truths begin.
            truths: [all, 2] uint64: what is asked, its answer.
            comparing: [N, senses.WIDTH] uint64.
        """
        self.root = np.arange(len(truth_starts) - 1)
        """[N] int64: a place of the same cluster that comes no later; the first of all is its own."""
        self._truths = truth_starts, truths
        self._span = comparing.copy(), comparing.copy()
        """Of each root the smallest and the largest counts of its cluster."""
        self._next = np.full(len(self.root), -1)
        self._last = np.arange(len(self.root))

    def join(self, pairs: np.ndarray) -> None:
        """Join [P, 2] places, in order; a pair that contradicts each other stays apart."""
        _join(pairs, self.root, self._next, self._last, *self._truths, *self._span, GROUP_OF)

    def apart(self, pairs: np.ndarray) -> np.ndarray:
        """Those of the pairs that are not in one cluster yet."""
        return pairs[_roots(self.root, pairs[:, 0]) != _roots(self.root, pairs[:, 1])]

    def firsts(self) -> np.ndarray:
        """[N] int64: the first place of each place's cluster."""
        return _roots(self.root, np.arange(len(self.root)))


def join_near(
    clusters: Clusters,
    signatures: np.ndarray,
    formulas: np.ndarray,
    comparing: np.ndarray,
    in_order: np.ndarray,
    bag: np.ndarray,
    numbers: np.ndarray,
    settings: NearDuplicates,
) -> np.ndarray:
    """Join what is near and has its numbers and variables in the same order.

    Args:
        signatures: [N, permutations] uint16.
        formulas, comparing, in_order, bag, numbers: [N, ...], marks of amt.curate.fingerprint.

    Returns:
        [P, 2] pairs, in order, that are near and not in one cluster, and doubtful: their numbers are in another order,
        or the very same words are.
    """
    permutations = signatures.shape[1]
    width = permutations // settings.bands
    needed, with_numbers = (
        math.ceil(share * permutations) for share in (settings.jaccard, settings.jaccard_with_numbers)
    )
    needed_of = np.where(numbers >= settings.numbers, with_numbers, needed)
    doubtful = [np.zeros((0, 2), dtype=np.int64)]
    for band in range(settings.bands):
        keys = _band_keys(formulas, signatures[:, band * width : (band + 1) * width])
        order = np.argsort(keys, kind="stable")
        start = 0
        while start < len(order):
            pairs, start = _near_pairs(
                order, start, keys, signatures, comparing, GROUP_OF, COMPARING, needed, needed_of, clusters.root
            )
            left, right = pairs.T
            certain = (in_order[left] == in_order[right]) & (bag[left] != bag[right])
            clusters.join(pairs[certain])
            doubtful.append(pairs[~certain])
    return clusters.apart(np.unique(np.concatenate(doubtful), axis=0))


@njit(cache=True)
def _first_equal(high, low, slots):
    mask = len(slots) - 1
    found = np.empty(len(high), dtype=np.int64)
    for place in range(len(high)):
        slot = np.int64(spread(high[place] ^ low[place])) & mask
        while slots[slot] >= 0:
            other = slots[slot]
            if high[other] == high[place] and low[other] == low[place]:
                break
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = place
        found[place] = slots[slot]
    return found


@njit(cache=True)
def _band_keys(formulas, columns):
    """[N] uint64: equal for equal formulas and equal parts of the signature."""
    keys = formulas.copy()
    for place in range(len(keys)):
        for number in range(columns.shape[1]):
            keys[place] = after(keys[place], np.uint64(columns[place, number]))
    return keys


@njit(cache=True)
def _root_of(root, place):
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


@njit(cache=True)
def _roots(root, places):
    found = np.empty(len(places), dtype=np.int64)
    for number in range(len(places)):
        found[number] = _root_of(root, places[number])
    return found


@njit(cache=True)
def _near_pairs(order, start, keys, signatures, comparing, group_of, comparisons, needed, needed_of, root):
    """Pairs of one bucket, the preferred place first, that are not in one cluster yet and alike enough.

    Returns:
        [P, 2] int64 pairs of the buckets from `start` on, some PAIRS_AT_ONCE, and where the next bucket starts.
    """
    pairs = np.empty((1024, 2), dtype=np.int64)
    count = 0
    while start < len(order) and count < PAIRS_AT_ONCE:
        end = start + 1
        while end < len(order) and keys[order[end]] == keys[order[start]]:
            end += 1
        firsts = end - 1 if end - start <= ALL_PAIRS_UP_TO else start + 1
        for first in range(start, firsts):
            left = order[first]
            for second in range(first + 1, end):
                right = order[second]
                if _root_of(root, left) == _root_of(root, right):
                    continue
                equal = 0
                for number in range(signatures.shape[1]):
                    equal += signatures[left, number] == signatures[right, number]
                if equal < needed and (
                    equal < needed_of[left] or not _compare_alike(comparisons, comparing[left], comparing[right])
                ):
                    continue
                if _contrasting(group_of, comparing[left], comparing[left], comparing[right], comparing[right]):
                    continue
                if count == len(pairs):
                    pairs = np.concatenate((pairs, np.empty_like(pairs)))
                pairs[count, 0], pairs[count, 1] = left, right
                count += 1
        start = end
    return pairs[:count].copy(), start


@njit(cache=True)
def _compare_alike(senses, counts, others):
    """Whether two texts have the first senses equally often."""
    differing = 0
    for sense in range(senses):
        differing += count_of(counts, sense) != count_of(others, sense)
    return differing == 0


@njit(cache=True)
def _contrasting(group_of, least, most, other_least, other_most):
    """Whether of two clusters each has more of one sense of a group than the other: "more" stands where "less" stood.

    Args:
        least, most: [WIDTH] counts, of each sense the smallest and the largest of a cluster's rows.
    """
    sense = 0
    while sense < len(group_of):
        group = group_of[sense]
        mine, theirs = -1, -1
        while sense < len(group_of) and group_of[sense] == group:
            more = count_of(most, sense) > count_of(other_least, sense)
            less = count_of(other_most, sense) > count_of(least, sense)
            if (more and theirs >= 0) or (less and mine >= 0):
                return True
            if more:
                mine = sense
            if less:
                theirs = sense
            sense += 1
    return False


@njit(cache=True)
def _widen(senses, least, most, other_least, other_most):
    """Let the counts of a cluster span those of another."""
    for sense in range(senses):
        if count_of(other_least, sense) < count_of(least, sense):
            add(least, sense, count_of(other_least, sense) - count_of(least, sense))
        if count_of(other_most, sense) > count_of(most, sense):
            add(most, sense, count_of(other_most, sense) - count_of(most, sense))


@njit(cache=True)
def _join(pairs, root, following, last, truth_starts, truths, least, most, group_of):
    """Union of each pair's clusters, unless a member of one contradicts a member of the other.

    From a cluster's root hang by `following` the members that it learnt something from; `last` is the end.
    """
    for number in range(len(pairs)):
        left, right = _root_of(root, pairs[number, 0]), _root_of(root, pairs[number, 1])
        if left == right:
            continue
        if right < left:
            left, right = right, left
        agree, has_news = _compared(left, right, following, truth_starts, truths)
        if not agree or _contrasting(group_of, least[left], most[left], least[right], most[right]):
            continue
        root[right] = left
        _widen(len(group_of), least[left], most[left], least[right], most[right])
        if has_news:
            following[last[left]] = right
            last[left] = last[right]


@njit(cache=True)
def _compared(left, right, following, truth_starts, truths):
    """(whether nothing that two clusters know contradicts, whether the right one knows what the left does not)"""
    has_news = False
    other = right
    while other >= 0:
        for theirs in range(truth_starts[other], truth_starts[other + 1]):
            is_known = False
            one = left
            while one >= 0:
                for mine in range(truth_starts[one], truth_starts[one + 1]):
                    if truths[mine, 0] == truths[theirs, 0]:
                        if truths[mine, 1] != truths[theirs, 1]:
                            return False, True
                        is_known = True
                one = following[one]
            has_news = has_news or not is_known
        other = following[other]
    return True, has_news
