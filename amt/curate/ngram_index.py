"""Word n-grams of benchmark items, and how much of an item stands in a text.

Coverage is the share of the item's n-grams that a text holds, each n-gram weighted by how rare its words are among all
items: "where m and n are relatively prime positive integers" fills many items and identifies none.

All work is done on arrays of 64-bit token hashes, for many texts at once. Two different n-grams with one hash are as
likely as not once in 2**32 of them; the words are compared where a match is reported.
"""

from dataclasses import dataclass

import numpy as np

from amt.curate.normal_form import CLOSING, OPENING, tokenize

_FILTER_BITS = 24
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class HashedWords:
    """Words of T texts, one after the other."""

    hashes: np.ndarray
    """[words] uint64."""
    offsets: np.ndarray
    """[T + 1] int64: text t has hashes[offsets[t]:offsets[t + 1]]."""

    def of(self, text: int) -> np.ndarray:
        return self.hashes[self.offsets[text] : self.offsets[text + 1]]


@dataclass(frozen=True)
class Coverage:
    """How much of an item a text has."""

    item: int
    share: float
    """Of the item's weighted n-grams, 0..1."""
    ngrams: int
    """Of the item's that the text holds."""
    words: int
    """Of one of them."""


def hashed_words(texts: list[str]) -> HashedWords:
    """Tokens without brackets, which light edits add and remove."""
    found = tokenize(texts)
    is_word = (found.kinds != OPENING) & (found.kinds != CLOSING)
    return HashedWords(found.hashes[is_word], np.append(0, np.cumsum(is_word))[found.starts])


class NgramIndex:
    """N-grams of items. An item shorter than one n-gram counts as one; below half of it, not at all."""

    def __init__(self, items: HashedWords, ngram_words: int):
        count = len(items.offsets) - 1
        rarity = _rarity(items)
        grams, places, weights, lengths = [], [], [], []
        for place in range(count):
            item_words = items.of(place)
            length = min(ngram_words, len(item_words))
            if length == 0 or length * 2 < ngram_words:
                continue
            found, first = np.unique(_rolling(item_words, length), return_index=True)
            grams.append(found)
            places.append(np.full(len(found), place, np.int64))
            weights.append(np.convolve(rarity(item_words), np.ones(length), "valid")[first])
            lengths.append(np.full(len(found), length, np.int64))
        gram, place, weight, length = (
            np.concatenate(parts) if parts else np.empty(0, kind)
            for parts, kind in ((grams, np.uint64), (places, np.int64), (weights, float), (lengths, np.int64))
        )
        order = np.lexsort((place, gram))
        self._place, self._weight = place[order], weight[order]
        self._length = np.zeros(count, np.int64)
        self._length[place] = length
        self._total = np.bincount(place, weight, count)
        self._grams, self._first = np.unique(gram[order], return_index=True)
        self._last = np.append(self._first[1:], len(gram))
        self._lengths = np.unique(length)
        self._may_be = np.zeros(1 << _FILTER_BITS, bool)
        self._may_be[_filter_place(self._grams)] = True

    def covered(self, texts: HashedWords, least: float) -> list[list[Coverage]]:
        """For each text the items of which it covers that share or more, the most covered first."""
        found: list[list[Coverage]] = [[] for _ in range(len(texts.offsets) - 1)]
        text, gram = self._matches(texts)
        if not len(text):
            return found
        pair = np.unique(np.stack([text, gram]), axis=1)
        counts = (self._last - self._first)[pair[1]]
        entry = np.repeat(self._first[pair[1]] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        items = len(self._total)
        keys, which = np.unique(np.repeat(pair[0], counts) * items + self._place[entry], return_inverse=True)
        covered, ngrams = np.bincount(which, self._weight[entry]), np.bincount(which)
        text, item = keys // items, keys % items
        share = np.minimum(1.0, covered / self._total[item])
        much = np.flatnonzero(share >= least)
        for number in much[np.lexsort((item[much], -share[much]))].tolist():
            place = int(item[number])
            found[int(text[number])].append(
                Coverage(place, float(share[number]), int(ngrams[number]), int(self._length[place]))
            )
        return found

    def _matches(self, texts: HashedWords) -> tuple[np.ndarray, np.ndarray]:
        """(text, number of the n-gram) of every n-gram of an item in a text."""
        found_in, found = [], []
        for length in self._lengths:
            rolling = _rolling(texts.hashes, int(length))
            start = np.flatnonzero(self._may_be[_filter_place(rolling)])
            gram = np.minimum(np.searchsorted(self._grams, rolling[start]), len(self._grams) - 1)
            start, gram = (values[self._grams[gram] == rolling[start]] for values in (start, gram))
            text = np.searchsorted(texts.offsets, start, side="right") - 1
            inside = start + length <= texts.offsets[text + 1]
            found_in.append(text[inside])
            found.append(gram[inside])
        return (np.concatenate(found_in), np.concatenate(found)) if found else (np.empty(0, int), np.empty(0, int))


def _rarity(items: HashedWords):
    """Function from words to bits: of how many items one has each of them. Every word has a little."""
    count = len(items.offsets) - 1
    of_item = np.repeat(np.arange(count), np.diff(items.offsets))
    vocabulary, which = np.unique(items.hashes, return_inverse=True)
    holding = np.bincount(np.unique(np.stack([which, of_item]), axis=1)[0], minlength=len(vocabulary))
    bits = np.log2((count + 1) / holding)
    return lambda hashes: bits[np.searchsorted(vocabulary, hashes)]


def _rolling(hashes: np.ndarray, length: int) -> np.ndarray:
    """One hash for each run of `length` words, across the ends of texts too."""
    runs = max(0, len(hashes) - length + 1)
    result = np.full(runs, length, np.uint64)
    for place in range(length):
        result *= _MULTIPLIER
        result += hashes[place : place + runs]
    result ^= result >> np.uint64(29)
    result *= _MULTIPLIER
    return result


def _filter_place(hashes: np.ndarray) -> np.ndarray:
    return (hashes >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)


def longest_span(text_words: list[str], item_words: list[str], length: int) -> str:
    """Words of the longest run of consecutive n-grams of the item in a text."""
    grams = {tuple(item_words[start : start + length]) for start in range(len(item_words) - length + 1)}
    starts = [
        start for start in range(len(text_words) - length + 1) if tuple(text_words[start : start + length]) in grams
    ]
    if not starts:
        return ""
    best = current = (starts[0], starts[0])
    for start in starts[1:]:
        current = (current[0], start) if start == current[1] + 1 else (start, start)
        best = max(best, current, key=lambda run: run[1] - run[0])
    return " ".join(text_words[best[0] : best[1] + length])
