"""Copies of benchmark items as they turn up in training data, to try decontamination with.

verbatim    the text, in other spacing
light       one word in thirty replaced, at least one
heavy       one word in eight replaced and the sentences in another order
embedded    the text inside of another one

Only words are replaced, never numbers, spelled out or not: with another number it would be another problem.
Paraphrases and translations need a model, see amt.curate.paraphrases.
"""

import random
import re
from collections import defaultdict
from dataclasses import dataclass

from amt.curate.benchmark_items import Item
from amt.curate.quantities import quantities
from amt.seeds import seed_for

LIGHT, HEAVY = 1 / 30, 1 / 8
"""Share of words replaced."""
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{4,}(?![\w(])")
_FILLERS = (
    "indeed", "perhaps", "roughly", "overall", "likewise", "simply", "finally", "clearly", "usually", "directly",
    "originally", "together", "mostly", "nearly", "briefly", "quickly",
)  # fmt: skip
_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_BEFORE = (
    "I have been working through a list of exercises for my evening class, and most of them went well. One of them "
    "however keeps me busy, and I would be glad about some help. It goes like this.",
    "You are a patient tutor who explains every step and never skips the reasons behind it. A student hands you the "
    "following task after the lesson and asks for your opinion.",
    "Thanks for your help yesterday, the explanation was very clear! Here is another one from the same worksheet, "
    "which my friends and I discussed on the bus without coming to an agreement.",
)
_AFTER = (
    "Please write down your reasoning before the result, so that I can follow it, and tell me at the end which part "
    "people usually get wrong.",
    "Keep the explanation short, avoid difficult vocabulary, and check the result once more before you give it.",
    "If anything about it seems unclear to you, say so, and go on with the most natural reading.",
)


@dataclass(frozen=True)
class Copy:
    item: Item
    text: str
    fault: str | None = None
    """Why it is none to look for; None of one that is."""


def draw_items(items: list[Item], count: int, seed: int) -> list[Item]:
    """`count` items to copy, of every benchmark as many as of the others, or all where it has fewer; at least one of
    each."""
    own: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        own[item.benchmark].append(item)
    chosen: list[Item] = []
    # What small benchmarks lack is left to the larger ones.
    for place, name in enumerate(sorted(own, key=lambda name: (len(own[name]), name))):
        share = max(1, (count - len(chosen)) // (len(own) - place))
        rng = random.Random(seed_for(seed, "certificate", "items", name))
        chosen += rng.sample(own[name], min(share, len(own[name])))
    return sorted(chosen, key=lambda item: item.row_id)


def edited_copies(kind: str, items: list[Item], seed: int) -> list[Copy]:
    """One of each item, in order.

    Args:
        kind: a key of EDITS.
    """
    return [
        Copy(item, EDITS[kind](item.text, random.Random(seed_for(seed, "certificate", kind, item.row_id))))
        for item in items
    ]


def verbatim(text: str, rng: random.Random) -> str:
    spaced = re.sub(r" (?=\S)", lambda _: "  " if rng.random() < 0.1 else " ", text)
    return f"\n{spaced} \n" if rng.random() < 0.5 else spaced


def light(text: str, rng: random.Random) -> str:
    return _with_words_replaced(text, LIGHT, rng)


def heavy(text: str, rng: random.Random) -> str:
    sentences = _SENTENCES.split(_with_words_replaced(text, HEAVY, rng))
    rng.shuffle(sentences)
    return " ".join(sentences)


def embedded(text: str, rng: random.Random) -> str:
    return f"{rng.choice(_BEFORE)}\n\n{text}\n\n{rng.choice(_AFTER)}"


EDITS = {"verbatim": verbatim, "light": light, "heavy": heavy, "embedded": embedded}


def _with_words_replaced(text: str, share: float, rng: random.Random) -> str:
    places = [place for place in _WORD.finditer(text) if not quantities(place[0])]
    count = min(len(places), max(1, round(share * len(text.split()))))
    chosen = sorted(rng.sample(places, count), key=lambda place: place.start(), reverse=True)
    for place in chosen:
        text = text[: place.start()] + rng.choice(_FILLERS) + text[place.end() :]
    return text
