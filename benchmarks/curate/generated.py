"""Problems made of sentences, names and numbers. Every number below SIZE is another problem, in any order, at once.

A family is a list of sentences with a few wordings each and slots for names, things and numbers. A problem is one
wording of every sentence with one value in every slot, so a family holds as many problems as there are combinations
(10^16 and more), and the digits of a number in that mixed base say which. Numbers are spread over all combinations,
so that neighbours have nothing in common. Nothing is kept in memory, and two numbers never give the same text.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from benchmarks.curate import templates


@dataclass(frozen=True)
class Family:
    """Wordings of each sentence, in order, and what fills their slots; the talk before it has slots of its own."""

    sentences: Sequence[Sequence[str]]
    slots: dict[str, Sequence]

    @cached_property
    def bases(self) -> list[int]:
        return [len(wordings) for wordings in self.sentences] + [len(values) for values in self._all_slots.values()]

    @cached_property
    def size(self) -> int:
        return math.prod(self.bases)

    @cached_property
    def _all_slots(self) -> dict[str, Sequence]:
        return self.slots | templates.TALK

    def problem(self, number: int) -> str:
        digits = []
        for base in self.bases:
            number, digit = divmod(number, base)
            digits.append(digit)
        wordings = [templates.OPENING, *(each[digit] for each, digit in zip(self.sentences, digits))]
        filled = zip(self._all_slots.items(), digits[len(self.sentences) :])
        return " ".join(wordings).format(**{name: values[digit] for (name, values), digit in filled})


FAMILIES = tuple(Family(*family) for family in templates.FAMILIES)
CHAT, CROWDED = Family(*templates.CHAT), Family(*templates.CROWDED)
SIZE = len(FAMILIES) * min(family.size for family in FAMILIES)


def generated_problem(number: int, seed: int) -> str:
    """The problem of a number in [0, SIZE)."""
    place, kind = divmod(number, len(FAMILIES))
    family = FAMILIES[kind]
    return family.problem(spread(place, family.size, seed + kind))


def generated_chat(number: int, seed: int) -> str:
    """A question without a number, of a number in [0, CHAT.size)."""
    return CHAT.problem(spread(number, CHAT.size, seed))


def crowded_prompt(number: int, seed: int) -> str:
    """One of very many that are nearly the same, of a number in [0, CROWDED.size)."""
    return CROWDED.problem(spread(number, CROWDED.size, seed))


def spread(number: int, size: int, seed: int) -> int:
    """A one-to-one map of [0, size) onto itself that takes neighbours far apart (`gathered` is its way back)."""
    factor, offset, _ = _spreading(size, seed)
    return (number * factor + offset) % size


def gathered(number: int, size: int, seed: int) -> int:
    _, offset, inverse = _spreading(size, seed)
    return (number - offset) * inverse % size


@lru_cache
def _spreading(size: int, seed: int) -> tuple[int, int, int]:
    """A factor that has an inverse modulo size, an offset, and the inverse."""
    rng = random.Random(seed)
    factor = int(size * rng.uniform(0.2, 0.8)) + 1
    while math.gcd(factor, size) != 1:
        factor += 1
    return factor, rng.randrange(size), pow(factor, -1, size)
