"""The values in the examples of a programming task, in order.

Who rewords a task keeps its examples: f(5, 6, 10) -> [11, 4] stays 5, 6, 10, 11, 4 under any function name and in any
programming language. Values are compared as numbers, texts, true, false and none, whatever brackets hold them.
"""

import re

import numpy as np

from amt.curate.ngram_index import HashedWords
from amt.curate.normal_form import hash_of

_LITERAL = re.compile(
    r"""(?<![\w'])'([^'\n]*)'(?!\w) | "([^"\n]*)" | (?<![\w.])(\d+(?:\.\d+)?)(?!\w) | \b(true|false|none|null|nil)\b""",
    re.VERBOSE,
)
_NOTHING = ("null", "nil")


def literals(text: str) -> list[str]:
    """Numbers without zeros at their ends, texts with a quote before them, true, false, none."""
    text = text.casefold().replace('"""', "\n").replace("'''", "\n")
    found = []
    for single, double, number, word in _LITERAL.findall(text):
        if number:
            whole, point, decimals = number.partition(".")
            decimals = decimals.rstrip("0")
            found.append(f"{whole.lstrip('0') or '0'}{point if decimals else ''}{decimals}")
        elif word:
            found.append("none" if word in _NOTHING else word)
        else:
            found.append(f"'{single or double}")
    return found


def hashed_literals(texts: list[str]) -> HashedWords:
    """The literals of each text, for amt.curate.ngram_index."""
    found = [literals(text) for text in texts]
    known = {literal: hash_of(literal) for values in found for literal in values}
    hashes = np.array([known[literal] for values in found for literal in values], np.uint64)
    return HashedWords(hashes, np.cumsum([0, *map(len, found)], dtype=np.int64))
