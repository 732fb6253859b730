"""What of a query decides which others it duplicates: some 500 bytes, whatever its length.

Invariant: a fingerprint depends on its own row and the settings alone, so those of a shard are made once, beside other
shards, and a changed source makes only its own anew. `amt.curate.unique` compares fingerprints and hardly ever a text.

Marks of a text (hashes, equal for equal content):

    exact       its tokens in order (amt.curate.normal_form)
    formulas    how often each run of numbers, signs, brackets and single letters occurs, each word that does an
                operator's work, each name (AB, ELLIPSE), and each command of LaTeX but those of layout: two wordings
                of one problem share them exactly
    comparing   how often each sense of "more", "first", "radius" and the like occurs; see amt.curate.senses
    in_order    its numbers, single letters and names in order; "three" counts as 3
    bag         its words and signs in any order
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
    COMMAND,
    CURRENCY,
    NAME,
    NUMBER,
    NUMBER_WORDS,
    OPENING,
    WORD,
    Tokens,
    conversation_text,
    hash_of,
    tokenize,
)
from amt.curate.senses import MOST, SENSES, WIDTH, add, count_of
from amt.params import Fingerprint
from amt.rows import FINGERPRINT, QUERY, TableWriter, batches, canonical_json

TEXTS_AT_ONCE = 2048

# Two texts that differ in one of these are two problems, like those that differ in an operator.
_STRICT_WORDS = frozenset(
    """not no never without none nor neither except consecutive distinct percent odd even positive negative nonnegative
    true false prime le ge leq geq lt gt neq ne approx equiv cdot div pm mp cup cap subset supset sin cos tan sec csc
    cot log ln sqrt min max""".split()
)
# So are two that differ in a command of LaTeX, whatever it does, but for these, which say how a formula looks,
_LAYOUT = frozenset(
    """text textbf textit textrm textsf texttt textsc emph underline mathrm mathbf mathit mathsf mathtt mathnormal
    mathbb mathcal mathfrak mathscr boldsymbol bm operatorname mathop rm bf it sf tt cal mbox hbox fbox boxed phantom
    left right middle big bigl bigr bigg biggl biggr displaystyle textstyle scriptstyle limits nolimits
    quad qquad enspace thinspace hspace vspace hfill hskip vskip smallskip medskip bigskip noindent par newline
    linebreak hline cline begin end item label ref tag caption centering includegraphics large small tiny footnotesize
    normalsize color textcolor ldots dots cdots dotsc dotsb vdots ddots colon angle""".split()
)
# and these, of which the one is the other.
_SAME_COMMANDS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "leq": "le",
    "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "to": "rightarrow", "land": "wedge", "lor": "vee",
    "bmod": "mod", "varphi": "phi", "varepsilon": "epsilon", "varnothing": "emptyset", "degree": "circ",
    "lvert": "vert", "rvert": "vert",
}  # fmt: skip
_SINGLE_LETTERS = frozenset("bcdefghjklmnopqrstuvwxyz")  # "a" and "i" are words
_COUNTS, _IN_A_RUN, _IS_A_NUMBER, _IS_LAYOUT, _CONTRASTS_FROM = 1, 2, 3, 4, 5
_SLOTS = 4096


@dataclass(frozen=True)
class Marks:
    """Of N texts."""

    exact: np.ndarray
    """[N, 2] uint64"""
    formulas: np.ndarray
    """[N] uint64"""
    comparing: np.ndarray
    """[N, senses.WIDTH] uint64"""
    in_order: np.ndarray
    """[N] uint64"""
    bag: np.ndarray
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
    exact, formulas, comparing, in_order, bag, numbers, signatures = found
    starts, pairs = truths_of(rows)
    return pa.table(
        [
            rows.column("row_id"),
            pa.array(exact[:, 0]),
            pa.array(exact[:, 1]),
            pa.array(formulas),
            _binary(comparing),
            pa.array(in_order),
            pa.array(bag),
            pa.array(numbers),
            pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(pairs.ravel(), pa.uint64())),
            _binary(signatures),
        ],
        schema=FINGERPRINT,
    )


def _binary(matrix: np.ndarray) -> pa.Array:
    """A value a line; `matrix_of` reads them again."""
    size = matrix.itemsize * matrix.shape[1]
    buffers = [None, pa.py_buffer(matrix.tobytes())]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(matrix), buffers).cast(pa.binary())


def texts_of(rows: pa.Table) -> list[str]:
    """What makes each query itself, as conversation_text; of a single turn, which most are, no JSON is read."""
    texts = rows.column("query").to_pylist()
    turns = pc.count_substring(rows.column("messages"), '"role":').to_numpy()
    for number in np.flatnonzero(turns != 1):
        texts[number] = conversation_text({"messages": rows.column("messages")[number].as_py(), "query": texts[number]})
    return texts


def marks(texts: list[str], settings: Fingerprint) -> Marks:
    found = tokenize(texts)
    exact = _exact_of(texts, found)
    formulas, comparing, in_order, bag, numbers = _marks(found.starts, found.kinds, found.hashes, WIDTH, *_roles())
    # Where nothing is said but brackets, or only emoji, that is what is asked.
    formulas = np.where(_says_nothing(found.starts, found.kinds), exact[:, 0], formulas)
    return Marks(exact, formulas, comparing, in_order, bag, numbers, minhash(found, settings))


def exact_marks(texts: list[str]) -> np.ndarray:
    """[N, 2] uint64: the mark `exact` alone."""
    return _exact_of(texts, tokenize(texts))


def _exact_of(texts: list[str], found: Tokens) -> np.ndarray:
    exact = _exact(found.starts, found.hashes)
    for number in np.flatnonzero(np.diff(found.starts) == 0):  # only emoji, say: such a text stands for itself
        digest = hashlib.blake2b(texts[number].strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()
        exact[number] = np.frombuffer(digest, dtype=np.uint64)
    return exact


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


def matrix_of(column: pa.ChunkedArray, kind: type[np.unsignedinteger]) -> np.ndarray:
    """[N, width] of the column `signature` (uint16) or `comparing` (uint64)."""
    parts = []
    for chunk in column.chunks:
        starts = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[chunk.offset :][: len(chunk) + 1]
        values = np.frombuffer(chunk.buffers()[2], dtype=np.uint8)[starts[0] : starts[-1]]
        parts.append(values.view(kind).reshape(len(chunk), -1))
    return np.concatenate(parts)


def _normal_hashes(texts: list[str]) -> list[int]:
    """A hash of each text's normal form."""
    return exact_marks(texts)[:, 0].tolist() if texts else []


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


GROUND_TRUTH = _hash("ground_truth")
"""What is asked of a row with a ground truth; it stands first."""


@functools.cache
def _roles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hash table of words that are more than words, and of commands: [slots] key (0: free), role, hash of what it
    stands for. The key of a word is its hash, that of a command this one's `spread`."""
    hashes, roles, values = (np.zeros(_SLOTS, dtype=kind) for kind in (np.uint64, np.uint16, np.uint64))
    words = [(word, _COUNTS, word) for word in sorted(_STRICT_WORDS)]
    words += [(word, _CONTRASTS_FROM + number, word) for number, sense in enumerate(SENSES) for word in sorted(sense)]
    words += [(letter, _IN_A_RUN, letter) for letter in sorted(_SINGLE_LETTERS)]
    words += [(word, _IS_A_NUMBER, digits) for word, digits in sorted(NUMBER_WORDS.items())]
    commands = [(command, _IS_LAYOUT, command) for command in sorted(_LAYOUT)]
    commands += [(command, _COUNTS, other) for command, other in sorted(_SAME_COMMANDS.items())]
    entries = [(hash_of(word), role, value) for word, role, value in words]
    entries += [(int(spread(np.uint64(hash_of(command)))), role, value) for command, role, value in commands]
    for key, role, value in entries:
        slot = key % _SLOTS
        while hashes[slot]:
            slot = (slot + 1) % _SLOTS
        hashes[slot], roles[slot], values[slot] = key, role, hash_of(value)
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
def _role(table_hashes, table_roles, table_values, kind, token):
    """(role, hash that stands for the token in a formula)"""
    if kind == COMMAND:
        found = _slot_of(table_hashes, spread(token))
        if table_hashes[found]:
            return table_roles[found], table_values[found]
    if kind in (WORD, NAME, COMMAND):
        found = _slot_of(table_hashes, token)
        if table_hashes[found]:
            return table_roles[found], table_values[found]
        return np.uint16(_COUNTS if kind == COMMAND else 0), token
    if kind == CURRENCY:
        return np.uint16(0), token
    return np.uint16(_IS_A_NUMBER if kind == NUMBER else _IN_A_RUN), token


@njit(cache=True)
def _slot_of(table_hashes, key):
    """Where a key stands, or the free slot where it would."""
    slot = key % np.uint64(_SLOTS)
    while table_hashes[slot] and table_hashes[slot] != key:
        slot = (slot + np.uint64(1)) % np.uint64(_SLOTS)
    return slot


@njit(cache=True)
def _exact(starts, hashes):
    """[N, 2]: two hashes of each text's tokens in order."""
    exact = np.empty((len(starts) - 1, 2), dtype=np.uint64)
    for text in range(len(exact)):
        whole, other = np.uint64(1), np.uint64(2)
        for token in hashes[starts[text] : starts[text + 1]]:
            whole = after(whole, token)
            other = (other ^ token) * np.uint64(0xD6E8FEB86659FD93)
            other ^= other >> np.uint64(32)
        exact[text, 0], exact[text, 1] = whole, spread(other)
    return exact


@njit(cache=True)
def _says_nothing(starts, kinds):
    """[N]: whether a text has no tokens but brackets."""
    nothing = np.empty(len(starts) - 1, dtype=np.bool_)
    for text in range(len(nothing)):
        nothing[text] = _no_brackets(kinds[starts[text] : starts[text + 1]]).sum() == 0
    return nothing


@njit(cache=True)
def _marks(starts, kinds, hashes, width, table_hashes, table_roles, table_values):
    """formulas, comparing, in_order, bag and numbers of Marks."""
    texts = len(starts) - 1
    formulas = np.zeros(texts, dtype=np.uint64)
    comparing = np.zeros((texts, width), dtype=np.uint64)
    in_order = np.zeros(texts, dtype=np.uint64)
    bag = np.zeros(texts, dtype=np.uint64)
    numbers = np.zeros(texts, dtype=np.int32)
    for text in range(texts):
        order, counted = np.uint64(3), np.uint64(4)
        run = np.uint64(0)
        computes = False  # a run of brackets alone is none
        has_names = _has_names(kinds[starts[text] : starts[text + 1]])
        for place in range(starts[text], starts[text + 1]):
            token, kind = hashes[place], kinds[place]
            is_bracket = kind in (OPENING, CLOSING)
            if not is_bracket:
                bag[text] += spread(token)
            if kind == NAME and not has_names:
                kind = WORD
            role, value = _role(table_hashes, table_roles, table_values, kind, token)
            if role == _IS_A_NUMBER or kind == NAME or (role == _IN_A_RUN and kind == WORD):
                order = after(order, value)
                numbers[text] += role == _IS_A_NUMBER
            if role == _IS_LAYOUT:
                continue
            if role in (_IN_A_RUN, _IS_A_NUMBER):
                run = after(run, value)
                computes = computes or not is_bracket
                continue
            if computes:
                counted += spread(run)
            run, computes = np.uint64(0), False
            if role == _COUNTS or kind == NAME:
                counted += spread(~value)
            elif role >= _CONTRASTS_FROM:
                sense = role - _CONTRASTS_FROM
                if count_of(comparing[text], sense) < np.uint64(MOST):
                    add(comparing[text], sense, np.uint64(1))
        if computes:
            counted += spread(run)
        formulas[text], in_order[text] = counted, order
    return formulas, comparing, in_order, bag, numbers


@njit(cache=True)
def _has_names(kinds):
    """Whether words of capitals are names in this text; where most words are, all are written so."""
    return 2 * (kinds == NAME).sum() < ((kinds == NAME) | (kinds == WORD) | (kinds == COMMAND)).sum()


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
