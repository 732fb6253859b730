"""Which benchmark item a text is a copy of, if any.

    exact      the normal forms are equal
    ngram      the text holds much of the item's wording, wherever it stands
    examples   the text holds the examples of a programming task, however it words the task
    semantic   a view of the text (amt.curate.views) lies near the item by embedding

Drawings are left out of texts and items first: a copy often comes without them.

Invariant: no text is taken for a copy for its template alone. How much wording or similarity is needed depends on the
numbers (amt.curate.quantities): with `number_bits` of agreement the lower bound is enough, without any the upper one is
needed, and numbers that contradict ask for more than that. Programming tasks say little by numbers, and a paraphrase
has other examples; there the words of the task count, weighted by rarity.

A text's match depends on the text, the items and the settings alone, never on the texts beside it.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amt.curate.benchmark_items import Item
from amt.curate.drawings import without_drawings
from amt.curate.literals import hashed_literals, literals
from amt.curate.ngram_index import Coverage, NgramIndex, hashed_words, longest_span
from amt.curate.normal_form import normal_form, tokens, words
from amt.curate.quantities import agreement, quantities
from amt.curate.views import prose, views
from amt.params import Decontaminate

BATCH = 4096
"""Texts, or views of them, looked at together."""
WHOLE_COVERAGE = 0.95
"""Share of an item's n-grams from which it stands in the text as it is, whatever else the text says."""
COVERAGE_WITHOUT_NUMBERS = 0.9
EXAMPLE_VALUES = 4
"""Values of an example that follow each other and count as one n-gram."""
LEAST_EXAMPLES = 3
"""Such n-grams that a text and an item have in common: 1, 2, 3, 4 alone is no evidence."""
CONTRADICTING = 3.0
"""Evidence against a copy weighs more than evidence for it: texts of one template are alike but for their numbers."""
WORDS_WEIGHT = 0.3
MOST_WORDS = 0.5
"""A programming task's shared words are worth WORDS_WEIGHT times their share in cosine, up to this share."""
MARGIN = 0.02
"""More than lower precision changes a cosine by."""
_WORD = re.compile(r"[^\W\d_]{3,}")
STEM = 5
"""Letters of a word that count, so that "sorts" and "sorted" are one."""


@dataclass(frozen=True)
class Match:
    rule: str
    """exact | ngram | examples | semantic"""
    item: Item
    score: float
    """Coverage or cosine; 1 where the texts are equal."""
    needed: float
    """The score from which it counts."""
    span: str
    """Of the text: what matched."""
    number_bits: float
    """Evidence of the numbers, for and against."""


class Matcher:
    """Compares texts with all items.

    Args:
        threads: of the embedding model; no part of the result.
    """

    def __init__(self, items: list[Item], settings: Decontaminate, threads: int = 1):
        self._items = [replace(item, text=without_drawings(item.text)) for item in items]
        self._settings = settings
        self._with_form: dict[str, list[Item]] = {}
        for item in self._items:
            self._with_form.setdefault(normal_form(item.text), []).append(item)
        self._ngrams = NgramIndex(hashed_words([item.text for item in self._items]), settings.ngram_words)
        self._tasks = [item for item in self._items if item.is_code]
        self._examples = NgramIndex(hashed_literals([item.text for item in self._tasks]), EXAMPLE_VALUES)
        self._numbers = [quantities(item.text) for item in self._items]
        self._near = _NearItems(self._items, self._numbers, settings, threads) if items else None

    def match(self, texts: Sequence[str], cleared: Sequence[Collection[str]] | None = None) -> list[Match | None]:
        """For each text the item that it copies, by the first rule that finds one.

        Args:
            cleared: of each text the row_ids of items that it is not compared with.
        """
        found: list[Match | None] = []
        cleared = cleared if cleared is not None else [()] * len(texts)
        for start in range(0, len(texts), BATCH):
            part = slice(start, start + BATCH)
            found += self._match_batch([without_drawings(text) for text in texts[part]], cleared[part])
        return found

    def _match_batch(self, texts: list[str], cleared: Sequence[Collection[str]]) -> list[Match | None]:
        found = [self._exact(text, without) for text, without in zip(texts, cleared, strict=True)]
        least = self._settings.ngram_coverage
        for number, items in enumerate(self._ngrams.covered(hashed_words(texts), least)):
            if found[number] is None:
                found[number] = self._ngram(texts[number], items, cleared[number])
        if self._tasks:
            for number, tasks in enumerate(self._examples.covered(hashed_literals(texts), least)):
                if found[number] is None:
                    found[number] = self._example(texts[number], tasks, cleared[number])
        if self._near is not None:
            waiting = [number for number, match in enumerate(found) if match is None]
            near = self._near.match([texts[number] for number in waiting], [cleared[number] for number in waiting])
            for number, match in zip(waiting, near, strict=True):
                found[number] = match
        return found

    def _exact(self, text: str, cleared: Collection[str]) -> Match | None:
        for item in self._with_form.get(normal_form(text), ()):
            if item.row_id not in cleared:
                return Match("exact", item, 1.0, 1.0, text, agreement(*[quantities(text)] * 2).shared)
        return None

    def _ngram(self, text: str, covered: list[Coverage], cleared: Collection[str]) -> Match | None:
        for coverage in covered:
            item = self._items[coverage.item]
            if item.row_id in cleared:
                continue
            evidence = agreement(self._numbers[coverage.item], quantities(text)).of_part
            evidence += coverage.ngrams / coverage.words  # a bit for each run of words that stands on its own
            lowest = self._settings.ngram_coverage
            needed = min(
                WHOLE_COVERAGE, needed_score(evidence, lowest, max(lowest, COVERAGE_WITHOUT_NUMBERS), self._settings)
            )
            if coverage.share >= needed:
                span = longest_span(words(tokens(text)), words(tokens(item.text)), coverage.words)
                return Match("ngram", item, coverage.share, needed, span, evidence)
        return None

    def _example(self, text: str, covered: list[Coverage], cleared: Collection[str]) -> Match | None:
        for coverage in covered:
            item = self._tasks[coverage.item]
            if coverage.ngrams >= LEAST_EXAMPLES and item.row_id not in cleared:
                span = longest_span(literals(text), literals(item.text), coverage.words)
                return Match("examples", item, coverage.share, self._settings.ngram_coverage, span, 0.0)
        return None


def needed_score(evidence: float, lowest: float, without: float, settings: Decontaminate) -> float:
    """What is needed with this evidence in bits: `lowest` with number_bits or more, `without` with none, and more than
    that, beyond 1 in the end, against it."""
    weight = CONTRADICTING if evidence < 0 else 1.0
    return max(lowest, without - (without - lowest) * weight * evidence / settings.number_bits)


@dataclass(frozen=True)
class _Suspicion:
    vector: int
    """Number of the item's view."""
    needed: float
    evidence: float


class _NearItems:
    """Items by embedding: the items' own views against those of texts.

    Vectors are compared at the fastest precision first, on a GPU where there is one; what comes near a decision is
    decided in float32 on the CPU, so that the result depends neither on a GPU nor on the number of threads.
    """

    def __init__(self, items: list[Item], numbers: list[Counter[str]], settings: Decontaminate, threads: int):
        from amt.curate.embedding import SentenceEncoder, fast_encoder

        self._settings = settings
        self._items, self._numbers = items, numbers
        self._exact = SentenceEncoder(settings.embedding_model, threads=threads)
        self._fast = fast_encoder(settings.embedding_model, threads=threads) or self._exact
        seen = [list(dict.fromkeys(filter(None, (item.text, prose(item.text))))) for item in items]
        self._place = np.repeat(np.arange(len(items)), [len(texts) for texts in seen])
        self._vectors = self._exact.embed([text for texts in seen for text in texts])
        self._words = _Words([texts[-1] if texts else "" for texts in seen])
        lowest = [
            settings.cosine_code - WORDS_WEIGHT * MOST_WORDS if item.is_code else settings.cosine for item in items
        ]
        self._lowest = np.array(lowest, np.float32)[self._place]

    def match(self, texts: list[str], cleared: Sequence[Collection[str]]) -> list[Match | None]:
        seen = [views(text) for text in texts]
        flat = [view for text_views in seen for view in text_views]
        owner = np.repeat(np.arange(len(texts)), [len(text_views) for text_views in seen])
        suspects: dict[int, list[_Suspicion]] = {}
        for start in range(0, len(flat), BATCH):  # a long text has many views
            fast = self._fast.embed(flat[start : start + BATCH]) @ self._vectors.T
            for row in np.flatnonzero((fast >= self._lowest - MARGIN).any(axis=1)).tolist():
                view, without = flat[start + row], cleared[owner[start + row]]
                near = [int(vector) for vector in np.flatnonzero(fast[row] >= self._lowest - MARGIN)]
                near = [vector for vector in near if self._items[self._place[vector]].row_id not in without]
                if found := list(self._suspicions(view, near, fast[row])):
                    suspects[start + row] = found
        exact = self._exact.embed([flat[view] for view in suspects], alone=True)
        best: list[Match | None] = [None] * len(texts)
        for (view, found), vector in zip(suspects.items(), exact, strict=True):
            for suspicion in found:
                cosine, old = float(vector @ self._vectors[suspicion.vector]), best[owner[view]]
                surplus = cosine - suspicion.needed
                if surplus >= 0 and (old is None or surplus > old.score - old.needed):
                    item = self._items[self._place[suspicion.vector]]
                    best[owner[view]] = Match(
                        "semantic", item, cosine, suspicion.needed, flat[view], suspicion.evidence
                    )
        return best

    def _suspicions(self, view: str, vectors: list[int], cosines: np.ndarray) -> Iterator[_Suspicion]:
        numbers, view_words = quantities(view), self._words.of(view)
        for vector in vectors:
            place = int(self._place[vector])
            # An item without numbers says nothing by them, whatever numbers the text has.
            evidence = agreement(self._numbers[place], numbers).of_texts if self._numbers[place] else 0.0
            if self._items[place].is_code:
                shared = min(MOST_WORDS, self._words.shared(view_words, place))
                needed = self._settings.cosine_code - WORDS_WEIGHT * shared
            else:
                lowest, without = self._settings.cosine, self._settings.cosine_without_numbers
                needed = needed_score(evidence, lowest, without, self._settings)
            if cosines[vector] >= needed - MARGIN:
                yield _Suspicion(vector, needed, evidence)


class _Words:
    """Words of items, each with the bits that it tells: of how many items one has it."""

    def __init__(self, texts: list[str]):
        self._items = [_stems(text) for text in texts]
        self._holding = Counter(word for found in self._items for word in found)
        self._weights = [self._weight(found) for found in self._items]

    def of(self, text: str) -> tuple[frozenset[str], float]:
        found = _stems(text)
        return found, self._weight(found)

    def shared(self, text_words: tuple[frozenset[str], float], place: int) -> float:
        """Weighted share of words that a text and an item have in common (Dice), 0..1."""
        found, weight = text_words
        total = weight + self._weights[place]
        return 2 * self._weight(found & self._items[place]) / total if total else 0.0

    def _weight(self, found: frozenset[str]) -> float:
        return math.fsum(math.log2((len(self._items) + 1) / (self._holding.get(word, 0) + 1)) for word in found)


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:STEM] for word in _WORD.findall(text.casefold()))
