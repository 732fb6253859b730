"""The numbers of a text, and how much two texts tell of each other by them.

A benchmark item and its paraphrase have the same numbers; two problems of one template do not. How much an agreement
says depends on the numbers: many texts hold a 2, few hold 912,673. So a number weighs the bits that it takes to write
it down, and evidence is added up in bits.

Values are compared, not spellings: 1,000 is 1000, "forty-eight" is 48, "two dozen" is 2 and 12, "half" and "twice" are
2, 1/3 and "a third" are 1 and 3, .25, 0.25 and 25 cents are 25. What is lost by that (5 cents are not $0.5) costs a few
bits; what it saves is a paraphrase that writes a number otherwise.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_ONES = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen""".split()
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_OTHER_WORDS = {
    word: value
    for value, words in {
        1: "once first single",
        2: "half halves halfway twice double doubles doubled both pair pairs twin twins second",
        3: "third thirds thrice triple triples tripled triplets",
        4: "quarter quarters fourth fourths quadruple",
        5: "fifth fifths",
        6: "sixth sixths",
        7: "seventh sevenths",
        8: "eighth eighths",
        9: "ninth ninths",
        10: "tenth tenths",
        12: "dozen dozens twelfth",
    }.items()
    for word in words.split()
}

_FRACTION_OF_DIGITS = re.compile(r"(frac\s*)(\d)\s*(\d)(?!\d)")
_GROUPED = re.compile(r"(?<=\d)(?:,\s?\\!|\\!,?|\\,|\{,\}|,)\s?(?=\d{3}(?!\d))")
_SHARE = re.compile(r"(?<![\d.])(\d{1,9})\s*\$?\s*(?:\\?%|percent|per cent)|(?<![\d.])0?\.(\d{1,9})(?!\d)")
_WRITTEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+")


def quantities(text: str) -> Counter[str]:
    """{value as plain decimal: how often it is said}; no signs, no units."""
    return Counter(_values(text))


def _values(text: str) -> Iterator[str]:
    text = _FRACTION_OF_DIGITS.sub(r"\1\2 \3 ", text.casefold())
    text = _SHARE.sub(_as_fraction, _GROUPED.sub("", text))
    spelled: int | None = None
    end = 0
    for match in _WRITTEN.finditer(text):
        word, gap = match[0], text[end : match.start()]
        end = match.end()
        if spelled is not None:
            longer = None if gap.strip(" -\n") else _continued(spelled, word)
            if longer is not None:
                spelled = longer
                continue
            yield str(spelled)
            spelled = None
        if word[0].isdigit():
            yield _plain(word)
        elif word in _ONES or word in _TENS:
            spelled = _ONES.get(word, 0) + _TENS.get(word, 0)
        elif word in _SCALES:
            yield str(_SCALES[word])
        elif word in _OTHER_WORDS:
            yield str(_OTHER_WORDS[word])
    if spelled is not None:
        yield str(spelled)


def _continued(number: int, word: str) -> int | None:
    """The number with a word more: forty, eight; two, hundred, and, fifty. None where the word begins anew."""
    if word in _SCALES and 0 < number < 1000:
        return number * _SCALES[word]
    if word in _ONES and 0 < _ONES[word] < 10 and number % 100 in range(20, 100, 10):
        return number + _ONES[word]
    if number < 100 or number % 100:
        return None
    if word == "and":
        return number
    return number + _ONES.get(word, 0) + _TENS.get(word, 0) if word in _ONES or word in _TENS else None


def _as_fraction(share: re.Match) -> str:
    """20% and 0.2 as 1/5; others stay as they are."""
    value = Fraction(int(share[1]), 100) if share[1] else Fraction(int(share[2]), 10 ** len(share[2]))
    if value.denominator <= LARGEST_DENOMINATOR:
        return f" {value.numerator}/{value.denominator} "
    return f" {share[1] or share[2]} "


def _plain(written: str) -> str:
    whole, _, decimals = written.partition(".")
    whole, decimals = whole.lstrip("0"), decimals.rstrip("0")
    if not whole:
        return decimals.lstrip("0") or "0"
    return f"{whole}.{decimals}" if decimals else whole


MOST_BITS = 12.0
LARGEST_DENOMINATOR = 5
"""Of shares that count as fractions: 20 % and 0.2 are a fifth."""
MISSING, EXTRA, SWAPPED = 1.5, 1.0, 6.0
"""Weights of what the item alone has, and of what the query alone has: of 117 paraphrases fewer lose a number than say
one more, and of two problems of a template each has numbers that the other lacks."""


def bits(value: str) -> float:
    """Of writing a value down: its digits, and one for each zero at its end.

    1 has none, 2 and 10 have 1, 48 has 5.6, 1000 has 3. At most MOST_BITS count: a long number is one fact.
    """
    digits = value.replace(".", "").strip("0")
    if len(digits) > MOST_BITS:  # so many digits are more bits than that
        return MOST_BITS
    zeros = len(value) - len(value.rstrip("0"))
    return min(MOST_BITS, math.log2(int(digits)) + zeros) if digits else 0.0


@dataclass(frozen=True)
class Agreement:
    """Of the numbers of an item and a query, in bits."""

    shared: float
    missing: float
    """Those that the item alone has."""
    extra: float
    """Those that the query alone has."""
    swapped: int
    """Numbers that the item alone has in whose place the query has others."""

    @property
    def of_texts(self) -> float:
        """Evidence, above or below zero, that one text says what the other says."""
        return self.shared - MISSING * self.missing - EXTRA * self.extra - SWAPPED * self.swapped

    @property
    def of_part(self) -> float:
        """Evidence that a part of the query says what the item or a part of it says: other numbers in the place of
        the item's speak against it, fewer or more do not."""
        return self.shared - MISSING * min(self.missing, self.extra) - SWAPPED * self.swapped


def agreement(item: Counter[str], query: Counter[str]) -> Agreement:
    missing, extra = item - query, query - item
    telling = [sum(count for value, count in values.items() if bits(value)) for values in (missing, extra)]
    return Agreement(_weight(item & query), _weight(missing), _weight(extra), min(telling))


def _weight(values: Counter[str]) -> float:
    return sum(bits(value) * count for value, count in values.items())
