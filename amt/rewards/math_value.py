r"""Whether two math answers have the same value, in microseconds where math_verify takes milliseconds.

Read are numbers and rational expressions (numbers, \frac, \sqrt, \pi, i, letters, + - * / ^, brackets), tuples,
intervals, lists, sets and matrices of these, a unit behind them, and words alone. Invariant: a verdict is given only
where the numbers leave no doubt (far apart, or equal in every digit that a float has, with small numbers all the way)
or where the two are of kinds that never are the same; all else is None, for math_verify. What can be read in two ways
(3,400 is a number or a pair) is different only where it is in both.
"""

import cmath
import functools
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(r"\\[A-Za-z]+|\\[^A-Za-z]|\d+\.\d+|\.\d+|\d+|\S", re.ASCII)
_SPACED_DIGITS = re.compile(r"\d\s+\d|\d\s*\\frac|\d\s*\\[dt]frac")
"""1 000 and 3\frac12: what they mean is for others to say."""
_IGNORED = re.compile(
    r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[,;!:$ ]|\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})"
)
_NAMED = re.compile(r"\s*([A-Za-z])\s*=(?!=)", re.ASCII)
_SHORT = re.compile(r"\\([dt]?frac|sqrt)\s*(\d)(?:\s*(\d))?(?!\d)", re.ASCII)
r"""\frac12 and \sqrt3. Of more digits it takes one or two, which not everybody means."""
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:\{,\}\d{3}|,\\!\s*\d{3})+(?![\d,])", re.ASCII)
_TWO_WAYS = re.compile(r"[(\[]?\s*(-?\d+(?:,\d+)+)\s*[)\]]?", re.ASCII)
_UNIT = re.compile(
    r"\s*\\(?:text|textrm|mbox|mathrm)\s*\{([A-Za-z\s./]+)\}(?:\s*\^\s*(?:[23]|\{\s*[23]\s*\}))?\s*$", re.ASCII
)
_WORDS = re.compile(r"\s*\\(?:text|textbf|textrm|mbox|mathrm)\s*\{[A-Za-z\s.,'()-]+\}\s*", re.ASCII)
_MATRIX = re.compile(r"\s*\\begin\{([pb])matrix\}(.+)\\end\{\1matrix\}\s*", re.DOTALL)
_BASED = re.compile(r"\s*([0-9A-F]+)_\{?(\d{1,2})\}?\s*", re.ASCII)
_UNION = re.compile(r"\\cup(?![A-Za-z])")
_MIXED = re.compile(r"(-?)\s*(\d{1,9})\s*\\[dt]?frac\s*\{\s*(\d{1,9})\s*\}\s*\{\s*(\d{1,9})\s*\}", re.ASCII)
_PERCENT = re.compile(r"\\?%\s*$")
_A_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,}", re.ASCII)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TIMES = ("\\cdot", "\\times", "*")
_DIGITS = frozenset("0123456789")
_FRACTIONS = ("\\frac", "\\dfrac", "\\tfrac")
_ENDS = (None, "+", "-", ",", ")", "]", "}", "\\}")
_INFINITE = {("\\infty",): math.inf, ("+", "\\infty"): math.inf, ("-", "\\infty"): -math.inf}
_UNORDERED = (",", "{}")
_LONGEST_DIGITS = 40
_SCALES = frozenset(
    "hundred hundreds thousand thousands million millions billion billions trillion trillions dozen dozens score pair "
    "pairs half halves third thirds quarter quarters percent percentage cent percents percentile squared cubed times "
    "factorial mod modulo base negative minus plus pi root and k K M".split()
)
"""Words behind a number that make it another."""
_LONGEST = 120
_EXACT = 1e6
"""Beyond it a float's digits may not tell two integers apart after some steps."""
_LARGEST = 1e100
_FAR = 1e-5
"""math_verify rounds to 6 decimals. Below 1 absolute, else relative to the larger."""
_SAME = 1e-12
_SMALL = 1e-3
"""Equal in every digit is not said of numbers below it."""
# Letters stand for these, and for 1, by which 5 m is 5; e for itself, so that it is no more than equal to itself.
_POINTS = ({}, {}, {})
for _place, _letter in enumerate("abcdefghjklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    _POINTS[0][_letter] = 1.1 + 0.37 * math.sqrt(_place + 2)
    _POINTS[1][_letter] = -0.6 - 0.23 * math.sqrt(_place + 3)
    _POINTS[2][_letter] = 1.0

_Part = tuple[complex, ...]
"""A value at each point."""


@dataclass(frozen=True)
class _Value:
    """One reading of an answer."""

    kind: str
    """The brackets of a tuple or an interval, {} of a set, a comma for a list, nothing for a number or expression;
    matrix, union, words."""
    parts: tuple[_Part, ...] = ()
    columns: int = 0
    """Of a matrix."""
    letters: frozenset[str] = frozenset()
    name: str = ""
    unit: str = ""
    exact: bool = True
    rooted: bool = False
    error: float = 0.0
    """By how much the parts may be wrong, where large numbers were met."""
    spelled: bool = False
    """Letters stand beside each other: 2pi."""


class _NotRead(Exception):
    """It is nothing that is read here."""


def _tokens(text: str) -> list[str]:
    """The tokens of a value, without what only sets it."""
    return _TOKEN.findall(_laid_out(text))


def _laid_out(text: str) -> str:
    return _SHORT.sub(_in_braces, _IGNORED.sub(" ", text))


class _Reader:
    """One value, worked out at all points while it is read."""

    def __init__(self, text: str):
        if len(text) > _LONGEST or _SPACED_DIGITS.search(_laid_out(text)):
            raise _NotRead
        self.tokens = _tokens(text)
        self.spelled = bool(_A_WORD.search(_COMMAND.sub(" ", text)))
        self.position = 0
        self.letters: set[str] = set()
        self.exact = True
        self.rooted = False
        self.largest = 0.0

    def value(self) -> _Value:
        kind, parts = self._kind_and_parts()
        if self._peek() is not None:
            raise _NotRead
        return _Value(
            kind,
            tuple(parts),
            letters=frozenset(self.letters),
            exact=self.exact and self.largest <= _EXACT,
            rooted=self.rooted,
            spelled=self.spelled,
            error=self.largest * _SAME if self.largest > _EXACT else 0.0,
        )

    def _kind_and_parts(self) -> tuple[str, list[_Part]]:
        opening = self._peek()
        if "," not in self.tokens:
            return "", [self._sum()]
        if opening == "\\{":
            self._next()
            parts = self._parts()
            if self._next() != "\\}":
                raise _NotRead
            return "{}", parts
        if opening in ("(", "["):
            self._next()
            parts = self._parts()
            closing = self._next()
            if closing not in (")", "]"):
                raise _NotRead
            return opening + closing, parts
        return ",", self._parts()

    def _parts(self) -> list[_Part]:
        parts = [self._part()]
        while self._peek() == ",":
            self._next()
            parts.append(self._part())
        return parts

    def _part(self) -> _Part:
        """An expression, or an end at infinity."""
        for written, value in _INFINITE.items():
            if tuple(self.tokens[self.position : self.position + len(written)]) == written:
                self.position += len(written)
                return (value,) * 3
        return self._sum()

    def _peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _next(self) -> str:
        if self.position == len(self.tokens):
            raise _NotRead
        self.position += 1
        return self.tokens[self.position - 1]

    def _each(self, work, *values: _Part) -> _Part:
        try:
            results = tuple(work(*at) for at in zip(*values))
        except (ZeroDivisionError, OverflowError, ValueError):
            raise _NotRead from None
        self.largest = max(self.largest, *map(abs, results))
        if not self.largest <= _LARGEST:
            raise _NotRead
        return results

    def _sum(self) -> _Part:
        sign = -1 if self._peek() == "-" else 1
        if self._peek() in ("+", "-"):
            self._next()
        total = self._each(lambda a: sign * a, self._product())
        while self._peek() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            total = self._each(lambda a, b, sign=sign: a + sign * b, total, self._product())
        return total

    def _product(self) -> _Part:
        product = self._power()
        while (token := self._peek()) not in _ENDS and token != "^":
            if token == "/":
                self._next()
                product = self._each(lambda a, b: a / b, product, self._power())
                if self._peek() not in _ENDS:
                    raise _NotRead  # 1/2x
            else:
                if token in _TIMES:
                    self._next()
                product = self._each(lambda a, b: a * b, product, self._power())
        return product

    def _power(self) -> _Part:
        base = self._atom()
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._argument()
        if self._peek() == "^" or any(
            a.imag or a.real != round(a.real) or abs(a) > 200 for a in map(complex, exponent)
        ):
            raise _NotRead
        return self._each(lambda a, b: a ** round(complex(b).real), base, exponent)

    def _argument(self) -> _Part:
        r"""What stands behind ^, \frac and \sqrt: in braces, or one digit."""
        token = self._next()
        if len(token) == 1 and token in _DIGITS:
            return (float(token),) * 3
        if token != "{":
            raise _NotRead
        return self._until("}")

    def _until(self, closing: str) -> _Part:
        value = self._sum()
        if self._next() != closing:
            raise _NotRead
        return value

    def _root(self) -> _Part:
        if self._peek() != "[":
            return self._each(cmath.sqrt, self._argument())
        self._next()
        index, value = self._until("]"), self._argument()
        if any(complex(a).imag or complex(a).real <= 0 for a in value):
            raise _NotRead  # the root of -8 is -2 for some
        return self._each(lambda n, a: a.real ** (1 / n), index, value)

    def _atom(self) -> _Part:
        token = self._next()
        if token[-1] in _DIGITS and token[0] != "\\":
            self.exact = self.exact and "." not in token
            return self._each(lambda a: a, (float(token),) * 3)
        if token in _FRACTIONS:
            return self._each(lambda a, b: a / b, self._argument(), self._argument())
        if token == "\\sqrt":
            self.rooted = True
            return self._root()
        if token == "\\pi":
            return (math.pi,) * 3
        if token == "i":
            return (1j,) * 3
        if token in _POINTS[0]:
            if self._peek() == "(":
                raise _NotRead  # a function
            self.letters.add(token)
            return tuple(point[token] for point in _POINTS)
        if token == "(":
            return self._until(")")
        raise _NotRead


def _in_braces(short: re.Match) -> str:
    command, first, second = short.groups()
    if command == "sqrt":
        return short.group() if second else rf"\sqrt{{{first}}}"
    return rf"\frac{{{first}}}{{{second}}}" if second else rf"\frac{{{first}}}"


# --- readings --------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)  # of a ground truth many answers are asked
def _readings(text: str) -> tuple[_Value, ...]:
    """What a value may be; nothing where that is not known here."""
    name, text = _name_and_rest(_THOUSANDS.sub(lambda match: re.sub(r"\D", "", match.group()), text.replace("\\$", "")))
    try:
        return tuple(replace(value, name=name) for value in _read(text))
    except _NotRead:
        return ()


def _name_and_rest(text: str) -> tuple[str, str]:
    """x and 5 of x = 5."""
    named = _NAMED.match(text)
    return (named.group(1), text[named.end() :].strip()) if named else ("", text.strip())


def _read(text: str) -> Iterator[_Value]:
    if _WORDS.fullmatch(text):
        yield _Value("words", spelled=bool(_A_WORD.search(_COMMAND.sub("", text))))
    elif matrix := _MATRIX.fullmatch(text):
        yield _matrix(matrix.group(2))
    elif based := _BASED.fullmatch(text):
        yield from _based(*based.groups())
    elif _UNION.search(text):
        yield _union(text)
    elif mixed := _MIXED.fullmatch(text):
        yield from _mixed(*mixed.groups())
    elif several := _TWO_WAYS.fullmatch(text):
        yield _Reader(text).value()
        yield from _with_comma(several.group(1))
    else:
        unit = _UNIT.search(text)
        if unit and (not unit.start() or _SCALES & set(unit.group(1).lower().split())):
            raise _NotRead
        text = text[: unit.start()] if unit else text
        value = _Reader(_PERCENT.sub("", text)).value()
        yield replace(value, unit=unit.group(1).strip().rstrip("s.").lower() if unit else "")
        if _PERCENT.search(text):
            yield replace(value, parts=tuple(tuple(at / 100 for at in part) for part in value.parts))


def _matrix(inside: str) -> _Value:
    """Its cells row by row. A matrix of one cell may be a number."""
    if "\\begin" in inside:
        raise _NotRead
    rows = [row.split("&") for row in inside.strip().removesuffix("\\\\").split("\\\\")]
    if len({len(row) for row in rows}) != 1 or len(rows) == len(rows[0]) == 1:
        raise _NotRead
    try:
        cells = [_Reader(cell.strip()).value() for cell in itertools.chain(*rows)]
    except _NotRead:
        return _Value("matrix")
    if any(cell.kind for cell in cells):
        return _Value("matrix")
    return _Value(
        "matrix",
        tuple(cell.parts[0] for cell in cells),
        columns=len(rows[0]),
        letters=frozenset().union(*(cell.letters for cell in cells)),
        exact=all(cell.exact for cell in cells),
        rooted=any(cell.rooted for cell in cells),
        spelled=any(cell.spelled for cell in cells),
    )


def _based(digits: str, base: str) -> Iterator[_Value]:
    """2516_8: the number, and as its digits may be meant where the base is not repeated."""
    if not 2 <= int(base) <= 36 or len(digits) > _LONGEST_DIGITS:
        raise _NotRead
    numbers = [int(digits, int(base))] if max(int(digit, 36) for digit in digits) < int(base) else []
    numbers += [int(digits)] if digits.isdecimal() else []
    for number in numbers:
        yield _Value("", ((float(number),) * 3,), exact=False)


def _with_comma(text: str) -> Iterator[_Value]:
    """3,400 as a number, and 3,4 as a decimal."""
    if len(text) <= _LONGEST_DIGITS:
        yield _Value("", ((float(text.replace(",", "")),) * 3,), exact=False)
        if text.count(",") == 1:
            yield _Value("", ((float(text.replace(",", ".")),) * 3,), exact=False)


def _mixed(sign: str, whole: str, above: str, below: str) -> Iterator[_Value]:
    r"""3\frac{1}{2} as 7/2, and as the product that it is where a factor stands before a fraction."""
    if not int(below):
        raise _NotRead
    fraction = int(above) / int(below)
    for size in (int(whole) + fraction, int(whole) * fraction):
        yield _Value("", ((-size if sign else size,) * 3,), exact=False)


def _union(text: str) -> _Value:
    intervals = [_Reader(part).value() for part in _UNION.split(text)]
    if not all(interval.kind[:1] in ("(", "[") and len(interval.parts) == 2 for interval in intervals):
        raise _NotRead
    return _Value("union")


# --- verdicts --------------------------------------------------------------------------------------------


def same_value(gold: str, answer: str) -> bool | None:
    """Whether two values are equal; None where this cannot be told for certain here."""
    if _set_alike(gold, answer):
        return True
    of_gold, of_answer = _readings(gold), _readings(answer)
    verdicts = {_same(one, other) for one in of_gold for other in of_answer}
    if verdicts == {False}:
        return False
    return True if verdicts == {True} and len(of_gold) == len(of_answer) == 1 else None


def _set_alike(gold: str, answer: str) -> bool:
    """Whether the two are set otherwise, and no more."""
    if not _NAMED.match(gold):
        answer = _name_and_rest(answer)[1]
    return bool(tokens := _tokens(gold)) and tokens == _tokens(answer)


def _same(gold: _Value, answer: _Value) -> bool | None:
    kinds = {gold.kind, answer.kind}
    if kinds & {"words", "union"} or (gold.kind == "matrix") != (answer.kind == "matrix"):
        return False if _unlike(gold, answer) or _unlike(answer, gold) else None
    if (gold.unit and answer.unit and gold.unit != answer.unit) or (gold.name and answer.name not in ("", gold.name)):
        return None
    if gold.letters != answer.letters and (gold.spelled or answer.spelled or "e" in gold.letters ^ answer.letters):
        return None  # a word, or Euler's number
    if "" in kinds and len(kinds) == 2:
        several = gold if gold.kind else answer
        return None if several.kind in _UNORDERED and len(set(several.parts)) == 1 else False
    if kinds == {"matrix"} and gold.columns != answer.columns:
        return None if not gold.parts or not answer.parts or len(gold.parts) == len(answer.parts) else False
    return _same_parts(gold, answer)


def _unlike(one: _Value, other: _Value) -> bool:
    """Whether one is words, a union or a matrix, and the other of a kind that is never the same."""
    if one.kind == "words":
        return not other.letters if other.kind != "words" and not other.spelled else False
    if one.kind == "union":
        return other.kind in ("", "matrix")
    if one.kind == "matrix":
        return other.kind == "" or _same_parts(replace(one, kind="[]"), other) is False
    return False


def _same_parts(gold: _Value, answer: _Value) -> bool | None:
    # The root of x^2 is x where x is positive, 5 m is 5 where m is a unit: then only what is far everywhere differs.
    rooted = bool(gold.letters) and (gold.rooted or answer.rooted)
    in_doubt = gold.letters != answer.letters or rooted
    far = [
        [(min if in_doubt else max)(_gaps(a, b, gold.error + answer.error)) > _FAR for b in answer.parts]
        for a in gold.parts
    ]
    if gold.kind in _UNORDERED or answer.kind in _UNORDERED:
        if any(map(all, far)) or any(map(all, zip(*far))):
            return False  # a part is like none of the other side
    elif len(gold.parts) != len(answer.parts) or any(far[at][at] for at in range(len(far))):
        return False
    if len(gold.parts) != len(answer.parts) or in_doubt or gold.kind != answer.kind:
        return None
    if not (gold.exact and answer.exact):
        return None
    if gold.name and not answer.name and gold.letters:
        return None  # y = 2x is a line
    gaps = [gap for part, other in zip(gold.parts, answer.parts) for gap in _gaps(part, other, 0.0)]
    small = any(0 < abs(at) < _SMALL for part in (*gold.parts, *answer.parts) for at in part)
    return True if max(gaps, default=1) < _SAME and not small else None


def _gaps(part: _Part, other: _Part, error: float) -> list[float]:
    """How far two values are from each other at least, at each point."""
    return [
        (abs(a - b) - error) / max(abs(a), abs(b), 1)
        if cmath.isfinite(a) and cmath.isfinite(b)
        else math.inf * (a != b)
        for a, b in zip(part, other)
    ]
