r"""The text of a query as duplicates and contamination see it.

Invariant: texts of one normal form differ at most in case, spacing, punctuation that carries no mathematics,
and compatible spellings of a character (NFKC). Numbers, operators, brackets and the letters of every script
stay, so problems that differ in one of them never share a normal form.

Texts are taken apart by compiled code, many at once. What a token is:

    1,234.5   .25      a run of numerals with its inner points and commas, and a leading point
    word               a run of letters and their marks; of scripts written without spaces, each letter alone
    - + * / = < > ★ …  signs of mathematics, drawings and currency (not $), one by one, but != <= >= together
    ( ) ⌊ ⟩ …          brackets; neither quotation marks nor the \( \[ of formulas
    ! ' : # & \        only where they compute:
        n! (2n)!!      after a numeral, a closing bracket or a letter that stands alone, a run of them
        y'' f'(x)      the same, or between a letter and (; no apostrophe (x's) and no quotation mark ('x')
        a:b  5 : 3     between numerals and letters that stand alone, with spaces on both sides or on none
        C#  5 # 3      but not where a line begins, as headings do
        p & q          but not between the columns of LaTeX
        A\B            between numerals and letters that stand alone, without spaces
        "5"            quotation marks around a numeral: in code they make it a text

A hyphen within a word (well-known, x-axis) is no minus, and no token; nor is a hyphen or asterisk before the words of a
list.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from numba import njit

# NFKC would turn x² into x2, 2² into 22, 5½ into 51/2 and 10₂ into 102.
_OTHERWISE_SPELLED = regex.compile(r"[\p{No}⁺⁻ⁿ−‐‑‒–×·∗÷⁄∕≤≥≠′’∶“”„]")
"""What the three below are about: looked for first, since few texts have any."""
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT_RUN = regex.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_NUMBER_SIGN = regex.compile(r"\p{No}")
_EMPHASIS = regex.compile(r"(?<![\w*)\]])(\*{1,3})(?=[^\s*])([^*\n]*[^\s*])\1(?![\w*(])")
# Before words: "- 3x = 5" and "- x = 5" begin with a minus. Of the package re, which does this three times as fast.
_BULLET = re.compile(
    r"""^\s*[-*]\s+(?=["'“‘`]?(?:[^\W\d_]+(?:[ \t,]+[^\W\d_]{2}|(?<=[^\W\d_]{3})[ \t]*(?:[:.,;?]|$))"""
    r"|[\u4e00-\u9fff]))",
    re.MULTILINE,
)
_COLUMN = regex.compile(r"(?<!\\)&")
_SPELLINGS = str.maketrans(
    {"−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "×": "*", "·": "*", "∗": "*", "÷": "/", "⁄": "/", "∕": "/"}
    | {"≤": "<=", "≥": ">=", "≠": "!=", "′": "'", "’": "'", "∶": ":", "“": '"', "”": '"', "„": '"'}
)

BEYOND_CASES = 0x20000
"""From this code point on no character has a case."""
NUMBER, WORD, SIGN, CURRENCY, OPENING, CLOSING, NAME, COMMAND = 1, 2, 3, 4, 5, 6, 7, 8
"""Kinds of tokens. A NAME is a word of two capitals or more (a segment AB), one in quotation marks, or what Python code
defines (after def). A COMMAND is a word of two letters or more after one backslash, as LaTeX has them; its characters
are those of the word."""

WITHOUT_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}"
"""Scripts that are written without spaces, where a letter stands for a word."""

# What a character is; a character may be several things.
_NUMERAL, _LETTER, _MARK, _ALONE, _SIGN, _CURRENCY, _OPENING, _CLOSING, _CAPITAL, _SPACE, _QUOTING = (
    1 << bit for bit in range(11)
)
_PROPERTIES = {
    _NUMERAL: r"\p{N}",
    _LETTER: r"\p{L}",
    _MARK: r"\p{M}",
    _ALONE: f"[{WITHOUT_SPACES}]",
    _SIGN: r"[-+*/=<>^%|~@‖‰‱\p{Sm}\p{So}]",
    _CURRENCY: r"[\p{Sc}&&[^$]]",  # $ encloses formulas
    _OPENING: r"[\p{Ps}--[‚„\u300a-\u301f]]",  # without quotation marks
    _CLOSING: r"[\p{Pe}--[\u300a-\u301f]]",
    _CAPITAL: r"\p{Lu}",
    _SPACE: r"[ \t\u00a0]",
    _QUOTING: r"[\"'`“”„‘]",
}
NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}
NUMBER_WORDS |= {
    "hundred": "100",
    "thousand": "1000",
    "million": "1000000",
    "billion": "1000000000",
    "trillion": "1000000000000",
    "half": "1/2",
    "twice": "2",
    "double": "2",
    "thrice": "3",
    "triple": "3",
    "quadruple": "4",
}
NUMBER_WORDS |= {numeral: str(value) for value, numeral in enumerate("零一二三四五六七八九十")}
NUMBER_WORDS |= {"两": "2", "百": "100", "千": "1000", "万": "10000", "亿": "100000000"}
"""Words that are numbers, and which. amt.curate.senses has "third" and "quarter": an edit may drop one."""

_BRACKET = regex.compile(f"{_PROPERTIES[_OPENING]}|{_PROPERTIES[_CLOSING]}", regex.VERSION1)
_BETWEEN = "\0"
_EXCLAMATION, _EQUALS, _LESS, _GREATER, _HYPHEN, _QUOTE, _COLON, _POINT, _COMMA, _BRACE = map(ord, "!=<>-':.,}")
_OPENING_PARENTHESIS, _HASH, _AMPERSAND, _BACKSLASH, _NEWLINE, _GRAVE = map(ord, "(#&\\\n`")
_LEFT_QUOTE, _DOUBLE_QUOTE = map(ord, '‘"')
_DELIMITERS = np.array(list(map(ord, "()[]")), dtype=np.uint32)
_DEF = np.array(list(map(ord, "def ")), dtype=np.uint32)
_APOSTROPHES = np.array(list(map(ord, "smdt")), dtype=np.uint32)  # x's, I'm, I'd, don't


def conversation_text(row: dict[str, Any]) -> str:
    """What makes a query itself: all its turns but the system prompt."""
    messages = json.loads(row["messages"])
    earlier = [message["content"] for message in messages[:-1] if message["role"] != "system"]
    return "\n".join([*earlier, row["query"]])


@dataclass(frozen=True)
class Tokens:
    """The tokens of N texts, T in all, in order."""

    starts: np.ndarray
    """[N + 1] int64: text n has the tokens from starts[n] up to starts[n + 1]."""
    kinds: np.ndarray
    """[T] uint8: NUMBER, WORD, SIGN, CURRENCY, OPENING, CLOSING, NAME or COMMAND."""
    hashes: np.ndarray
    """[T] uint64 of the token's characters; never 0."""
    spans: np.ndarray
    """[T, 2] int64: first character and end in `points`."""
    points: np.ndarray
    """[characters] uint32: all texts, as their tokens are read: folded to one spelling and case."""

    def words_of(self, text: int) -> list[str]:
        """The tokens of one text as strings."""
        spans = self.spans[self.starts[text] : self.starts[text + 1]]
        if not len(spans):
            return []
        first = spans[0, 0]
        characters = self.points[first : spans[-1, 1]].tobytes().decode("utf-32-le", "surrogatepass")
        return [characters[left:right] for left, right in (spans - first).tolist()]


def tokenize(texts: Sequence[str]) -> Tokens:
    """Take texts apart. A batch of some thousand is best: its characters are held four times over."""
    spelled = [text if text.isascii() and _is_plain(text) else _one_spelling(text) for text in texts]
    characters = _BETWEEN.join(spelled)
    if characters.count(_BETWEEN) >= len(texts):
        characters = _BETWEEN.join([text.replace(_BETWEEN, " ") for text in spelled])
    written = np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    points = _folded(written, _folding())
    starts, kinds, hashes, spans = _scan(written, points, _character_classes(), len(texts))
    return Tokens(starts, kinds, hashes, spans, points)


def tokens(text: str) -> list[str]:
    """Words, numbers, operators and brackets in order."""
    return tokenize([text]).words_of(0)


def normal_form(text: str) -> str:
    """Tokens joined by single spaces; a text that has none (only emoji, say) stands for itself."""
    return " ".join(tokens(text)) or text.strip()


def words(text_tokens: list[str]) -> list[str]:
    """Tokens without brackets, which light edits add and remove."""
    return [token for token in text_tokens if not _BRACKET.match(token)]


def hash_of(token: str) -> int:
    """The hash that `tokenize` gives to a token."""
    return int(_hash(np.frombuffer(token.encode("utf-32-le"), dtype=np.uint32)))


def _is_plain(text: str) -> bool:
    """Whether an ASCII text has nothing that _one_spelling looks at."""
    return "*" not in text and "&" not in text and "-" not in text


def _one_spelling(text: str) -> str:
    if not text.isascii():
        if _OTHERWISE_SPELLED.search(text):
            text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
            text = _NUMBER_SIGN.sub(r" \g<0>", text).translate(_SPELLINGS)
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text).translate(_SPELLINGS)
        if len(text.casefold()) > len(text):  # the compiled scan needs a folded character for each
            text = "".join([one.casefold() if len(one.casefold()) > 1 else one for one in text])
    if "*" in text:
        text = _EMPHASIS.sub(r"\2", text)
    if ("-" in text or "*" in text) and ("\n" in text or text.lstrip()[:1] in "-*"):
        text = _BULLET.sub("", text)
    if "&" in text and ("\\\\" in text or "\\begin" in text):
        text = _COLUMN.sub(" ", text)
    return text


@functools.cache
def _folding() -> np.ndarray:
    """[number of code points] uint32: each character without case; those that fold to several stay."""
    folding = np.arange(0x110000, dtype=np.uint32)
    folded = [chr(point).casefold() for point in range(BEYOND_CASES)]
    folding[:BEYOND_CASES] = [ord(one) if len(one) == 1 else point for point, one in enumerate(folded)]
    return folding


@njit(cache=True)
def _folded(written, folding):
    points = np.empty_like(written)
    for place, point in enumerate(written):
        points[place] = folding[point]
    return points


@functools.cache
def _character_classes() -> np.ndarray:
    """[number of code points] uint16: the properties of each character."""
    classes = np.zeros(0x110000, dtype=np.uint16)
    every = "".join(map(chr, range(len(classes))))
    for bit, pattern in _PROPERTIES.items():
        for run in regex.finditer(f"(?:{pattern})+", every, regex.VERSION1):
            classes[run.start() : run.end()] |= bit
    return classes


@njit(cache=True)
def _hash(points):
    """FNV-like over characters, then spread by the finalizer of SplitMix64."""
    value = np.uint64(0x9E3779B97F4A7C15)
    for point in points:
        value = (value ^ np.uint64(point)) * np.uint64(0x100000001B3)
        value ^= value >> np.uint64(29)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return max(value ^ (value >> np.uint64(31)), np.uint64(1))


@njit(cache=True)
def _scan(written, points, classes, texts):
    """starts, kinds, hashes and spans of Tokens, of characters as written and, one for one, in folded case."""
    length = len(points)
    starts = np.zeros(texts + 1, dtype=np.int64)
    kinds = np.empty(length, dtype=np.uint8)
    hashes = np.empty(length, dtype=np.uint64)
    spans = np.empty((length, 2), dtype=np.int64)
    found = 0
    text = 0
    here = 0
    while here < length:
        if points[here] == 0:
            text += 1
            starts[text] = found
            here += 1
            continue
        kind, end = _token_at(points, classes, here)
        if kind:
            if kind == WORD and end > here + 1:
                if _follows_backslash(written, here):
                    kind = COMMAND
                elif _is_name(written, classes, here, end):
                    kind = NAME
            kinds[found] = kind
            hashes[found] = _hash(points[here:end])
            spans[found, 0] = here
            spans[found, 1] = end
            found += 1
        here = end
    starts[texts] = found
    return starts, kinds[:found].copy(), hashes[:found].copy(), spans[:found].copy()


@njit(cache=True)
def _follows_backslash(written, here):
    """Whether one backslash stands here; two begin a new line of LaTeX."""
    return here and written[here - 1] == _BACKSLASH and not (here >= 2 and written[here - 2] == _BACKSLASH)


@njit(cache=True)
def _is_name(written, classes, here, end):
    if here and classes[written[here - 1]] & _QUOTING:
        return end < len(written) and classes[written[end]] & _QUOTING
    capitals = here
    while capitals < end and classes[written[capitals]] & _CAPITAL:
        capitals += 1
    return capitals == end or _is_defined(written, here)


@njit(cache=True)
def _is_defined(written, here):
    alike = 0
    while alike < min(here, len(_DEF)) and written[here - 1 - alike] == _DEF[-1 - alike]:
        alike += 1
    return alike == len(_DEF)


@njit(cache=True)
def _token_at(points, classes, here):
    """(kind of the token that begins here, where it ends); kind 0 where none does."""
    length = len(points)
    point = points[here]
    what = classes[point]
    end = here + 1
    if what & _ALONE:
        return WORD, end
    if what & (_LETTER | _MARK):
        while end < length and classes[points[end]] & (_LETTER | _MARK) and not classes[points[end]] & _ALONE:
            end += 1
        return WORD, end
    if what & _SPACE:
        return 0, end
    before = classes[points[here - 1]] if here else 0
    after = classes[points[end]] if end < length else 0
    if what & _NUMERAL:
        return NUMBER, _end_of_number(points, classes, end)
    if point == _POINT:
        begins = (
            after & _NUMERAL and not before & (_NUMERAL | _LETTER | _MARK) and not (here and points[here - 1] == _POINT)
        )
        return (NUMBER, _end_of_number(points, classes, end)) if begins else (0, end)
    if point == _HYPHEN and before & _LETTER and after & _LETTER:
        two_before = here >= 2 and classes[points[here - 2]] & _LETTER
        two_after = here + 2 < length and classes[points[here + 2]] & _LETTER
        return (0, end) if two_before or two_after else (SIGN, end)
    if (point in (_LESS, _GREATER)) and end < length and points[end] == _EQUALS:
        return SIGN, end + 1
    if what & (_OPENING | _CLOSING):
        if here and points[here - 1] == _BACKSLASH and _delimits_formula(points, here):
            return 0, end
        return (OPENING if what & _OPENING else CLOSING), end
    if what & _CURRENCY:
        return CURRENCY, end
    if what & _SIGN:
        return SIGN, end
    if (point in (_QUOTE, _DOUBLE_QUOTE)) and _quotes_number(points, classes, here):
        return SIGN, end
    if point == _EXCLAMATION:
        return _exclamation_at(points, classes, here)
    if point == _QUOTE:
        return _quote_at(points, classes, here)
    if point == _COLON:
        return (SIGN if _colon_computes(points, classes, here) else 0), end
    if point == _HASH:
        return (0 if _begins_line(points, classes, here) else SIGN), end
    if point == _AMPERSAND:
        return SIGN, end
    if point == _BACKSLASH:
        return (
            SIGN if _stands_alone(points, classes, here - 1, -1) and _stands_alone(points, classes, end, 1) else 0
        ), end
    return 0, end


@njit(cache=True)
def _delimits_formula(points, here):
    r"""Whether the bracket after a backslash is that of \( \[, as $ is, and not of a new line \\[2pt] or a set \{."""
    return (points[here] == _DELIMITERS).any() and not (here >= 2 and points[here - 2] == _BACKSLASH)


@njit(cache=True)
def _end_of_number(points, classes, end):
    """Of numerals with points and commas among them, where the rest of them begins at `end`."""
    length = len(points)
    while end < length:
        if classes[points[end]] & _NUMERAL:
            end += 1
        elif (
            (points[end] == _POINT or points[end] == _COMMA)
            and end + 1 < length
            and classes[points[end + 1]] & _NUMERAL
        ):
            end += 2
        else:
            break
    return end


@njit(cache=True)
def _stands_alone(points, classes, place, step):
    """Whether here is a numeral, or a letter with no other on the far side of it (to the left with step -1)."""
    if not 0 <= place < len(points):
        return False
    what = classes[points[place]]
    if what & _NUMERAL:
        return True
    beyond = place + step
    if not what & _LETTER or what & _ALONE:
        return False
    if not 0 <= beyond < len(points):
        return True
    of_a_word = step < 0 and points[beyond] == _QUOTE and _may_follow_apostrophe(points[place])
    return not of_a_word and not classes[points[beyond]] & (_LETTER | _MARK)


@njit(cache=True)
def _may_follow_apostrophe(letter):
    return (letter == _APOSTROPHES).any()


@njit(cache=True)
def _follows_operand(points, classes, here):
    """Whether a sign here may apply to what ends before it: a numeral, a closing bracket, a letter that stands alone;
    after a brace only if such a one stands in it, since braces close words too."""
    if here and points[here - 1] == _BRACE:
        return _stands_alone(points, classes, here - 2, -1)
    return here and (classes[points[here - 1]] & _CLOSING or _stands_alone(points, classes, here - 1, -1))


@njit(cache=True)
def _exclamation_at(points, classes, here):
    length = len(points)
    end = here + 1
    equals = end < length and points[end] == _EQUALS
    if _follows_operand(points, classes, here) and not (equals and classes[points[here - 1]] & _LETTER):  # i!=j
        while end < length and points[end] == _EXCLAMATION:
            end += 1
        return SIGN, end
    return (SIGN, end + 1) if equals else (0, end)


@njit(cache=True)
def _quote_at(points, classes, here):
    length = len(points)
    end = here + 1
    while end < length and points[end] == _QUOTE:
        end += 1
    if here and end < length and classes[points[here - 1]] & _LETTER and points[end] == _OPENING_PARENTHESIS:
        return SIGN, end
    if not _follows_operand(points, classes, here):
        return 0, end
    is_joined = end < length and classes[points[end]] & _LETTER
    if is_joined and (not _stands_alone(points, classes, end, 1) or _may_follow_apostrophe(points[end])):
        return 0, end
    begin = here - 1
    while begin > 0 and classes[points[begin - 1]] & _NUMERAL:
        begin -= 1
    quoted = begin > 0 and points[begin - 1] in (_QUOTE, _LEFT_QUOTE, _GRAVE)
    return (0 if quoted else SIGN), end


@njit(cache=True)
def _quotes_number(points, classes, here):
    """Whether this quotation mark and the next or the last one like it enclose a numeral and no more."""
    end = here + 1
    if end < len(points) and classes[points[end]] & _NUMERAL:
        end = _end_of_number(points, classes, end)
        return end < len(points) and points[end] == points[here] and not _is_in_a_word(points, classes, here - 1)
    begin = here
    while begin and (classes[points[begin - 1]] & _NUMERAL or points[begin - 1] in (_POINT, _COMMA)):
        begin -= 1
    return 0 < begin < here and points[begin - 1] == points[here] and not _is_in_a_word(points, classes, begin - 2)


@njit(cache=True)
def _is_in_a_word(points, classes, place):
    return place >= 0 and classes[points[place]] & (_NUMERAL | _LETTER) != 0


@njit(cache=True)
def _colon_computes(points, classes, here):
    left, right = here - 1, here + 1
    while left >= 0 and classes[points[left]] & _SPACE:
        left -= 1
    while right < len(points) and classes[points[right]] & _SPACE:
        right += 1
    if (left == here - 1) != (right == here + 1):
        return False
    return _stands_alone(points, classes, left, -1) and _stands_alone(points, classes, right, 1)


@njit(cache=True)
def _begins_line(points, classes, here):
    while here and (classes[points[here - 1]] & _SPACE or points[here - 1] == _HASH):
        here -= 1
    return here == 0 or points[here - 1] in (0, _NEWLINE)
