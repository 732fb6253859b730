"""What of a query decides which others it duplicates: some 300 bytes, whatever its length.

Invariant: a fingerprint depends on its own row and the settings alone, so those of a shard are made once, beside other
shards, and a changed source makes only its own anew. `amt.curate.unique` compares fingerprints and hardly ever a text.

Marks of a text (hashes, equal for equal content):

    exact       its tokens in order (amt.curate.normal_form)
    formulas    how often each run of numbers, signs, brackets and single letters occurs, and each word that does an
                operator's work: two wordings of one problem share them exactly
    comparing   how often each sense of "more", "first", "sum" and the like occurs; see `contrasting`
    in_order    its numbers in order; "three" counts as 3
    signature   MinHash (Broder 1997) of its word shingles; a text shorter than a shingle is one shingle

`truths` is what the row knows of right answers.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from amt.curate.normal_form import (
    CLOSING,
    CURRENCY,
    NUMBER,
    NUMBER_WORDS,
    OPENING,
    WORD,
    Tokens,
    conversation_text,
    hash_of,
    tokenize,
)
from amt.params import Fingerprint
from amt.rows import FINGERPRINT, QUERY, TableWriter, batches, canonical_json

TEXTS_AT_ONCE = 2048

# Two texts that differ in one of these are two problems, like those that differ in an operator.
_STRICT_WORDS = frozenset(
    """not no never without none nor except odd even positive negative nonnegative true false prime
    le ge leq geq lt gt neq ne approx equiv cdot div pm mp cup cap subset supset sin cos tan sec csc cot log ln sqrt
    min max""".split()
)
# Ordinary text has these all over, so an edit may add or take away one; exchanged for another of its group it makes
# another problem. Groups of senses, senses of words.
_CONTRASTS = tuple(
    tuple(frozenset(sense.split()) for sense in group)
    for group in (
        ("more greater larger bigger higher longer older", "less fewer smaller lower shorter younger"),
        (
            "most maximum maximal largest greatest biggest highest longest oldest maximize",
            "least minimum minimal smallest fewest lowest shortest youngest minimize",
        ),
        ("first", "last", "before", "after"),
        (
            "sum plus add added adding",
            "difference minus subtract subtracted subtracting",
            "product times multiply multiplied multiplying",
            "quotient divide divided dividing",
        ),
        ("increase increases increased increasing ascending", "decrease decreases decreased decreasing descending"),
        ("inside", "outside"),
        ("above", "below"),
        ("all every each", "any some"),
    )
)
_ENDS = tuple(int(end) for end in np.cumsum([len(group) for group in _CONTRASTS]))
"""Senses are numbered through; where the next group begins."""
_COUNT_BITS, _MOST = 3, 7  # 21 senses fit into 64 bits
_SINGLE_LETTERS = frozenset("bcdefghjklmnopqrstuvwxyz")  # "a" and "i" are words
_COUNTS, _IN_A_RUN, _IS_A_NUMBER, _CONTRASTS_FROM = 1, 2, 3, 4
_SLOTS = 1024


@dataclass(frozen=True)
class Marks:
    """Of N texts."""

    exact: np.ndarray
    """[N, 2] uint64"""
    formulas: np.ndarray
    """[N] uint64"""
    comparing: np.ndarray
    """[N] uint64: 3 bits a sense."""
    in_order: np.ndarray
    """[N] uint64"""
    numbers: np.ndarray
    """[N] int32: how many numbers."""
    signatures: np.ndarray
    """[N, permutations] uint16"""


def fingerprint(queries: Path, fingerprints: Path, settings: Fingerprint) -> None:
    """Write the fingerprints of a table of queries, in its order."""
    with TableWriter(fingerprints, FINGERPRINT) as out:
        for batch in batches(queries, QUERY):
            out.write(fingerprints_of(batch, settings))


def fingerprints_of(rows: pa.Table, settings: Fingerprint) -> pa.Table:
    """One line of FINGERPRINT a row."""
    texts = texts_of(rows)
    if not texts:
        return FINGERPRINT.empty_table()
    parts = [marks(texts[start : start + TEXTS_AT_ONCE], settings) for start in range(0, len(texts), TEXTS_AT_ONCE)]
    found = [np.concatenate([getattr(part, name) for part in parts]) for name in Marks.__dataclass_fields__]
    exact, formulas, comparing, in_order, numbers, signatures = found
    starts, pairs = truths_of(rows)
    return pa.table(
        [
            rows.column("row_id"),
            pa.array(exact[:, 0]),
            pa.array(exact[:, 1]),
            pa.array(formulas),
            pa.array(comparing),
            pa.array(in_order),
            pa.array(numbers),
            pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(pairs.ravel(), pa.uint64())),
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(2 * settings.permutations), len(texts), [None, pa.py_buffer(signatures.tobytes())]
            ).cast(pa.binary()),
        ],
        schema=FINGERPRINT,
    )


def texts_of(rows: pa.Table) -> list[str]:
    """What makes each query itself, as conversation_text; of a single turn, which most are, no JSON is read."""
    texts = rows.column("query").to_pylist()
    turns = pc.count_substring(rows.column("messages"), '"role":').to_numpy()
    for number in np.flatnonzero(turns != 1):
        texts[number] = conversation_text({"messages": rows.column("messages")[number].as_py(), "query": texts[number]})
    return texts


def marks(texts: list[str], settings: Fingerprint) -> Marks:
    found = tokenize(texts)
    exact, formulas, comparing, in_order, numbers = _marks(found.starts, found.kinds, found.hashes, *_roles())
    for number in np.flatnonzero(np.diff(found.starts) == 0):  # only emoji, say: such a text stands for itself
        digest = hashlib.blake2b(texts[number].strip().encode(), digest_size=24).digest()
        exact[number, 0], exact[number, 1], formulas[number] = np.frombuffer(digest, dtype=np.uint64)
    return Marks(exact, formulas, comparing, in_order, numbers, minhash(found, settings))


def minhash(found: Tokens, settings: Fingerprint) -> np.ndarray:
    """[N, permutations] uint16: of each text and each permutation, 16 bits of the smallest hash of a shingle.

    Two different smallest hashes share 16 bits once in 65,536.
    """
    random = np.random.default_rng(settings.permutations)
    factors = random.integers(0, 2**32, settings.permutations, dtype=np.uint32) | np.uint32(1)
    masks = random.integers(0, 2**32, settings.permutations, dtype=np.uint32)
    return _signatures(found.starts, found.kinds, found.hashes, settings.shingle_words, factors, masks)


def truths_of(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """What the rows know of right answers: hashes of what is asked, and of the answer.

    Asked is the ground truth (in normal form), the instructions, or what one test gives in. Datasets test the same
    problem with other inputs, and that is no contradiction.

    Returns:
        [N + 1] where each row's pairs begin, counted in single hashes, and [all pairs, 2].
    """
    ground_truths = rows.column("ground_truth").to_pylist()
    known = [number for number, truth in enumerate(ground_truths) if truth is not None]
    normal = _normal_hashes([ground_truths[number] for number in known])
    pairs: dict[int, list[tuple[int, int]]] = {
        number: [(GROUND_TRUTH, int(value))] for number, value in zip(known, normal, strict=True)
    }
    for number in np.flatnonzero(rows.column("instructions").is_valid().to_numpy()):
        instructions = rows.column("instructions")[number].as_py()
        pairs.setdefault(int(number), []).append((_hash("instructions"), _hash(instructions)))
    for number in np.flatnonzero(rows.column("tests").is_valid().to_numpy()):
        for case in json.loads(rows.column("tests")[number].as_py()).get("cases", ()):
            given = {name: value for name, value in case.items() if name not in ("expected", "stdout")}
            result = case.get("expected", case.get("stdout", "").strip())
            pairs.setdefault(int(number), []).append((_hash(canonical_json(given)), _hash(canonical_json(result))))
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    for number, found in pairs.items():
        starts[number + 1] = 2 * len(found)
    flat = [pair for number in sorted(pairs) for pair in pairs[number]]
    return np.cumsum(starts), np.array(flat, dtype=np.uint64).reshape(-1, 2)


def signature_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """[N, permutations] uint16 of the column `signature`."""
    parts = []
    for chunk in column.chunks:
        starts = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[chunk.offset :][: len(chunk) + 1]
        values = np.frombuffer(chunk.buffers()[2], dtype=np.uint8)[starts[0] : starts[-1]]
        parts.append(values.view(np.uint16).reshape(len(chunk), -1))
    return np.concatenate(parts)


def _normal_hashes(texts: list[str]) -> list[int]:
    """A hash of each text's normal form."""
    if not texts:
        return []
    found = tokenize(texts)
    exact, *_ = _marks(found.starts, found.kinds, found.hashes, *_roles())
    alone = np.diff(found.starts) == 0
    return [_hash(text.strip()) if alone[number] else int(exact[number, 0]) for number, text in enumerate(texts)]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


GROUND_TRUTH = _hash("ground_truth")
"""What is asked of a row with a ground truth; it stands first."""


@functools.cache
def _roles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hash table of words that are more than words: [slots] hash (0: free), role, and of numbers the digits' hash."""
    hashes, roles, values = (np.zeros(_SLOTS, dtype=kind) for kind in (np.uint64, np.uint8, np.uint64))
    entries = [(word, _COUNTS, word) for word in sorted(_STRICT_WORDS)]
    senses = [sense for group in _CONTRASTS for sense in group]
    entries += [(word, _CONTRASTS_FROM + number, word) for number, sense in enumerate(senses) for word in sorted(sense)]
    entries += [(letter, _IN_A_RUN, letter) for letter in sorted(_SINGLE_LETTERS)]
    entries += [(word, _IS_A_NUMBER, digits) for word, digits in sorted(NUMBER_WORDS.items())]
    for word, role, value in entries:
        slot = hash_of(word) % _SLOTS
        while hashes[slot]:
            slot = (slot + 1) % _SLOTS
        hashes[slot], roles[slot], values[slot] = hash_of(word), role, hash_of(value)
    return hashes, roles, values


@njit(cache=True)
def spread(value):
    """Finalizer of SplitMix64: spreads every bit over all 64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def after(value, following):
    """Hash of a sequence and what follows it."""
    return spread(value * np.uint64(0x9E3779B97F4A7C15) + following)


@njit(cache=True)
def contrasting(left, right):
    """Whether of two marks `comparing` each has more of one sense of a group: "more" stands where "less" stood."""
    sense = 0
    for end in _ENDS:
        left_has, right_has = False, False
        while sense < end:
            shift = np.uint64(_COUNT_BITS * sense)
            mine, theirs = (left >> shift) & np.uint64(_MOST), (right >> shift) & np.uint64(_MOST)
            left_has, right_has = left_has or mine > theirs, right_has or theirs > mine
            sense += 1
        if left_has and right_has:
            return True
    return False


@njit(cache=True)
def _role(table_hashes, table_roles, table_values, kind, token):
    """(role, hash that stands for the token in a run of a formula)"""
    if kind == WORD:
        slot = token % np.uint64(_SLOTS)
        while table_hashes[slot]:
            if table_hashes[slot] == token:
                return table_roles[slot], table_values[slot]
            slot = (slot + np.uint64(1)) % np.uint64(_SLOTS)
        return np.uint8(0), token
    if kind == CURRENCY:
        return np.uint8(0), token
    return np.uint8(_IS_A_NUMBER if kind == NUMBER else _IN_A_RUN), token


@njit(cache=True)
def _marks(starts, kinds, hashes, table_hashes, table_roles, table_values):
    """exact, formulas, comparing, in_order and numbers of Marks."""
    texts = len(starts) - 1
    exact = np.zeros((texts, 2), dtype=np.uint64)
    formulas = np.zeros(texts, dtype=np.uint64)
    comparing = np.zeros(texts, dtype=np.uint64)
    in_order = np.zeros(texts, dtype=np.uint64)
    numbers = np.zeros(texts, dtype=np.int32)
    for text in range(texts):
        whole, other, order, counted = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
        run = np.uint64(0)
        computes = False  # a run of brackets alone is none
        for place in range(starts[text], starts[text + 1]):
            token, kind = hashes[place], kinds[place]
            whole = after(whole, token)
            other = (other ^ token) * np.uint64(0xD6E8FEB86659FD93)
            other ^= other >> np.uint64(32)
            role, value = _role(table_hashes, table_roles, table_values, kind, token)
            if role in (_IN_A_RUN, _IS_A_NUMBER):
                run = after(run, value)
                computes = computes or kind not in (OPENING, CLOSING)
                if role == _IS_A_NUMBER:
                    order = after(order, value)
                    numbers[text] += 1
                continue
            if computes:
                counted += spread(run)
            run, computes = np.uint64(0), False
            if role == _COUNTS:
                counted += spread(~value)
            elif role >= _CONTRASTS_FROM:
                shift = np.uint64(_COUNT_BITS * (role - _CONTRASTS_FROM))
                if (comparing[text] >> shift) & np.uint64(_MOST) < np.uint64(_MOST):
                    comparing[text] += np.uint64(1) << shift
        if computes:
            counted += spread(run)
        exact[text, 0], exact[text, 1] = whole, spread(other)
        formulas[text], in_order[text] = counted, order
    return exact, formulas, comparing, in_order, numbers


@njit(cache=True)
def _signatures(starts, kinds, hashes, shingle_words, factors, masks):
    """See minhash."""
    texts, permutations = len(starts) - 1, len(factors)
    signatures = np.empty((texts, permutations), dtype=np.uint16)
    smallest = np.empty(permutations, dtype=np.uint32)
    for text in range(texts):
        words = hashes[starts[text] : starts[text + 1]]
        words = words[_no_brackets(kinds[starts[text] : starts[text + 1]])]
        smallest[:] = np.uint32(0xFFFFFFFF)
        for first in range(max(1, len(words) - shingle_words + 1)):
            shingle = np.uint64(0)
            for word in words[first : first + shingle_words]:
                shingle = after(shingle, word)
            low = np.uint32(shingle)
            for number in range(permutations):
                hashed = np.uint32((low ^ masks[number]) * factors[number])  # Numba computes in 64 bits
                hashed ^= hashed >> np.uint32(15)
                smallest[number] = min(smallest[number], hashed)
        for number in range(permutations):
            signatures[text, number] = np.uint16(spread(np.uint64(smallest[number])))
    return signatures


@njit(cache=True)
def _no_brackets(kinds):
    return (kinds != OPENING) & (kinds != CLOSING)
