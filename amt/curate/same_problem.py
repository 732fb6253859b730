"""Whether two texts with the same formulas ask the same: each number and variable must do the same work in both."""

from collections import Counter
from dataclasses import dataclass

import regex

from amt.curate.normal_form import CLOSING, NAME, NUMBER, NUMBER_WORDS, OPENING, tokenize

_SENTENCE_END = regex.compile(r"""(?<=[.?!;。？！][$"'”)\]]*)\s+|\n+""")
_VARIABLES = frozenset("bcdefghjklmnopqrstuvwxyz")
ALIKE = 0.75
"""Share of words from which two sentences of one text say the same of other numbers: "Add 3 to it", "Add 5 to it"."""


@dataclass(frozen=True)
class Sentence:
    said: tuple[str, ...]
    """Its tokens in order, without brackets."""
    held: tuple[str, ...]
    """Its numbers, single letters and names in order; "three" counts as 3."""
    words: frozenset[str]
    """What is said of those."""


def sentences(text: str) -> list[Sentence]:
    """Of a text those that say something."""
    parts = _SENTENCE_END.split(text)
    found = tokenize(parts)
    kinds = found.kinds.tolist()
    taken = []
    for number in range(len(parts)):
        said, held = [], []
        for token, kind in zip(found.words_of(number), kinds[found.starts[number] :]):
            if kind in (OPENING, CLOSING):
                continue
            said.append(token)
            if kind in (NUMBER, NAME) or token in NUMBER_WORDS or token in _VARIABLES:
                held.append(NUMBER_WORDS.get(token, token))
        if said:
            taken.append(Sentence(tuple(said), tuple(held), frozenset(said).difference(held)))
    return taken


def same_work(left: list[Sentence], right: list[Sentence]) -> bool:
    """Whether each number and variable does the same work in two texts, which have the same ones.

    Sentences may have been moved (fine), or numbers, variables or words swapped (another problem). So the sentence most
    like each sentence must hold the same numbers in the same order, and not the very same words in another; and
    sentences that say the same of other numbers must come one after another in both texts alike.
    """
    if [said for one in left for said in one.said] == [said for one in right for said in one.said]:
        return True  # only brackets differ, or where lines end
    places = []
    for sentence in left:
        place = max(range(len(right)), key=lambda other: _likeness(sentence, right[other]), default=None)
        if place is None:
            return not sentence.held
        other = right[place]
        if sentence.held and other.held != sentence.held:
            return False
        if other.said != sentence.said and Counter(other.said) == Counter(sentence.said):
            return False
        places.append(place)
    return all(
        places[first] < places[second]
        for second in range(len(left))
        for first in range(second)
        if left[first].held != left[second].held and _alike(left[first].words, left[second].words) >= ALIKE
    )


def _likeness(sentence: Sentence, other: Sentence) -> tuple[float, bool]:
    return _alike(sentence.words, other.words), sentence.held == other.held


def _alike(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / max(1, len(left | right))
