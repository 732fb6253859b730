r"""What a math answer may be: the values that it can be read as, in microseconds.

Read are numbers and rational expressions (numbers, \frac, \sqrt, \pi, i, letters, + - * / ^, brackets), functions of
these, equations, tuples, intervals and unions of them, lists, sets and matrices, a unit behind a value, and words
alone. What may mean two things (3,400 is a number or a pair, 50\% is 50 or 1/2) has both readings. Invariant: what is
not understood to its last character has none.
"""

import cmath
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(r"\\[A-Za-z]+|\\[^A-Za-z]|\d+\.\d+|\.\d+|\d+|\S", re.ASCII)
_SPACED_DIGITS = re.compile(r"\d\s+\d|\d\s*\\frac|\d\s*\\[dt]frac")
"""1 000 and 3\frac12: what they mean is for others to say."""
_IGNORED = re.compile(
    r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[,;!:$ ]|\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})"
)
NAMED = re.compile(r"\s*([A-Za-z])\s*=(?!=)", re.ASCII)
_SHORT = re.compile(r"\\([dt]?frac|sqrt)\s*(\d)(?:\s*(\d))?(?!\d)", re.ASCII)
r"""\frac12 and \sqrt3. Of more digits it takes one or two, which not everybody means."""
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:\{,\}\d{3}|,\\!\s*\d{3})+(?![\d,])", re.ASCII)
_TWO_WAYS = re.compile(r"[(\[]?\s*(-?\d+(?:,\d+)+)\s*[)\]]?", re.ASCII)
_COMMAS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])", re.ASCII)
_LISTING = re.compile(r"[(\[]|\\\{|,(?!\d{3})|[^\d],|,\d{4}")
_UNIT = re.compile(
    r"(?:\\?\s|~|\\,)*\\(?:text|textrm|textnormal|mbox|mathrm)\s*\{([A-Za-z\s./]+)\}(?:\s*\^\s*(?:[23]|\{\s*[23]\s*\}))?\s*$",
    re.ASCII,
)
_WORDS = re.compile(r"\s*\\(?:text|textbf|textrm|textnormal|mbox|mathrm)\s*\{[A-Za-z\s.,'()-]+\}\s*", re.ASCII)
_MATRIX = re.compile(r"\s*\\begin\{([pb])matrix\}(.+)\\end\{\1matrix\}\s*", re.DOTALL)
_BASED = re.compile(r"(-?)\s*((?:\d|[A-F]+\d)[0-9A-F]*)_\{?(\d{1,2})\}?\s*", re.ASCII)
_UNION = re.compile(r"\\cup(?![A-Za-z])")
_MIXED = re.compile(r"(-?)\s*(\d{1,9})\s*\\[dt]?frac\s*\{\s*(\d{1,9})\s*\}\s*\{\s*(\d{1,9})\s*\}", re.ASCII)
_LISTED = re.compile(r",? ?\\text\s*\{\s*,?\s*(?:or|and)\s*\}")
_EITHER = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")
_RATIO = re.compile(r"(-?)\s*(\d{1,9})\s*:\s*(\d{1,9})", re.ASCII)
_PERCENT = re.compile(r"\\?%\s*$")
_A_WORD = re.compile(r"[A-Za-z]{3,}", re.ASCII)
_NAMES = re.compile(
    r"[A-Za-z]{4,}|(?=[A-Za-z]{2})[A-Za-z]*(?:pi|ln|log|sin|cos|tan|cot|sec|csc|exp|inf|mod|gcd|lcm|max|min|det|i|e)"
    r"[A-Za-z]*",
    re.ASCII | re.IGNORECASE,
)
"""Letters beside each other that may be no product: words, functions, constants."""
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TIMES = ("\\cdot", "\\times", "*")
_NO_FUNCTIONS = frozenset("abcnxyz")
"""Letters before a bracket that are factors."""
_DIGITS = frozenset("0123456789")
_FRACTIONS = ("\\frac", "\\dfrac", "\\tfrac")
_FUNCTIONS = {"\\sin": cmath.sin, "\\cos": cmath.cos, "\\tan": cmath.tan, "\\ln": cmath.log}
_FUNCTIONS |= {"\\csc": lambda a: 1 / cmath.sin(a), "\\sec": lambda a: 1 / cmath.cos(a)}
_FUNCTIONS |= {"\\cot": lambda a: 1 / cmath.tan(a)}
_ENDS = (None, "+", "-", ",", ")", "]", "}", "\\}")
_INFINITE = {("\\infty",): math.inf, ("+", "\\infty"): math.inf, ("-", "\\infty"): -math.inf}
_LONGEST_DIGITS = 40
_SCALES = frozenset(
    "tenth tenths hundredth hundredths half halves third thirds quarter quarters dozen dozens score pair pairs hundred "
    "hundreds thousand thousands lakh lakhs million millions crore crores billion billions trillion trillions percent "
    "percentage percents percentile squared cubed times factorial mod modulo base negative minus plus pi root "
    "and k K M".split()
)
"""Words behind a number that make it another."""
_LONGEST = 120
_EXACT = 1e6
"""Beyond it a float's digits may not tell two integers apart after some steps."""
_SMALLEST = 1e-3
"""Below it something that counts may be lost beside a larger number."""
_LARGEST = 1e100
_LARGEST_EXPONENT = 200
_ERROR = 1e-12
_LETTERS = [*"abcdefghjklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]  # without i
_LETTERS += [rf"\{name}" for name in "alpha beta gamma delta theta lambda mu phi varphi psi omega".split()]
# They stand for these, and for 1, by which 5 m is 5; e for itself, so that it is no more than equal to itself.
_POINTS = ({}, {}, {})
for _place, _letter in enumerate(_LETTERS):
    _POINTS[0][_letter] = 1.1 + 0.37 * math.sqrt(_place + 2)
    _POINTS[1][_letter] = -0.6 - 0.23 * math.sqrt(_place + 3)
    _POINTS[2][_letter] = 1.0

Part = tuple[complex, ...]
"""A value at each point."""


@dataclass(frozen=True)
class Value:
    """One reading of an answer."""

    kind: str
    """The brackets of a tuple or an interval, {} of a set, a comma for a list, nothing for a number or expression;
    equation, matrix, union, words."""
    parts: tuple[Part, ...] = ()
    """Of an equation its two sides, of a union the ends of all intervals."""
    brackets: str = ""
    """Of a union: of all intervals."""
    columns: int = 0
    """Of a matrix."""
    letters: frozenset[str] = frozenset()
    name: str = ""
    unit: str = ""
    exact: bool = True
    rooted: bool = False
    """It has roots or logarithms."""
    divided: bool = False
    """Something is divided by letters."""
    error: float = 0.0
    """By how much the parts may be wrong, where large numbers were met."""
    spelled: bool = False
    """Letters stand beside each other and may be no product: 2pi."""


class _NotRead(Exception):
    """It is nothing that is read here."""


def tokens(text: str) -> list[str]:
    """The tokens of a value, without what only sets it."""
    return _TOKEN.findall(_laid_out(text))


def _laid_out(text: str) -> str:
    return _SHORT.sub(_in_braces, _IGNORED.sub(" ", text))


class _Reader:
    """One value, worked out at all points while it is read."""

    def __init__(self, text: str):
        if len(text) > _LONGEST or _SPACED_DIGITS.search(_laid_out(text)):
            raise _NotRead
        self.tokens = tokens(text)
        if "\\circ" in text and not _FUNCTIONS.keys().isdisjoint(self.tokens):
            raise _NotRead  # the sine of degrees
        self.spelled = bool(_NAMES.search(_COMMAND.sub(" ", text)))
        self.position = 0
        self.letters: set[str] = set()
        self.exact = True
        self.rooted = False
        self.divided = False
        self.largest = 0.0
        self.functions = False
        self.smallest = 1.0

    def value(self) -> Value:
        kind, parts = self._kind_and_parts()
        if self._peek() is not None or (self.functions and "e" in self.letters):
            raise _NotRead  # ln e is no letter's, and e^x not its power
        return Value(
            kind,
            tuple(parts),
            letters=frozenset(self.letters),
            exact=self.exact and self.largest <= _EXACT and self.smallest >= _SMALLEST,
            rooted=self.rooted,
            divided=self.divided,
            spelled=self.spelled,
            error=self.largest * _ERROR if self.largest > _EXACT else 0.0,
        )

    def _kind_and_parts(self) -> tuple[str, list[Part]]:
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

    def _parts(self) -> list[Part]:
        parts = [self._part()]
        while self._peek() == ",":
            self._next()
            parts.append(self._part())
        return parts

    def _part(self) -> Part:
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

    def _each(self, work, *values: Part) -> Part:
        try:
            first, second = work(*(value[0] for value in values)), work(*(value[1] for value in values))
        except (ZeroDivisionError, OverflowError, ValueError):
            raise _NotRead from None
        self.largest = max(self.largest, abs(first), abs(second))
        if not self.largest <= _LARGEST:
            raise _NotRead
        self.smallest = min(self.smallest, abs(first) or 1.0, abs(second) or 1.0)
        try:
            third = work(*(value[2] for value in values))
        except (ZeroDivisionError, OverflowError, ValueError):
            third = math.nan  # 1/(x-1): x is no unit
        return first, second, third

    def _sum(self) -> Part:
        sign = -1 if self._peek() == "-" else 1
        if self._peek() in ("+", "-"):
            self._next()
        total = self._each(lambda a: sign * a, self._product())
        while self._peek() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            total = self._each(lambda a, b, sign=sign: a + sign * b, total, self._product())
        return total

    def _product(self) -> Part:
        product = self._power()
        while (token := self._peek()) not in _ENDS and token != "^":
            if token[0] in _DIGITS and self.tokens[self.position - 1] in _POINTS[0]:
                raise _NotRead  # 3 ft 4 in
            if token == "/":
                self._next()
                product = self._quotient(product, self._power)
                if self._peek() not in _ENDS:
                    raise _NotRead  # 1/2x
            else:
                if token in _TIMES:
                    self._next()
                product = self._each(lambda a, b: a * b, product, self._power())
        return product

    def _quotient(self, dividend: Part, divisor: Callable[[], Part]) -> Part:
        letters, self.letters = self.letters, set()
        value = divisor()
        self.divided = self.divided or bool(self.letters)
        self.letters |= letters
        return self._each(lambda a, b: a / b, dividend, value)

    def _function(self, function: Callable[[complex], complex], rooted: bool) -> Part:
        r"""\sin x, \sin(x), \sin^2 x, \sin 5x \cos x. Where what belongs to it is not clear, it is not read."""
        self.exact, self.functions = False, True
        self.rooted = self.rooted or rooted
        power = (1.0,) * 3
        if self._peek() == "^":
            self._next()
            power = self._argument()
            if power[0] not in (2.0, 3.0, 4.0):
                raise _NotRead  # -1 is the inverse
        if self._peek() in ("(", "{"):
            argument = self._until(")" if self._next() == "(" else "}")
            if self._peek() == "^":
                raise _NotRead
        else:
            a_number = self._peek() == "\\pi" or (self._peek() or "")[:1] in _DIGITS
            argument = self._power()
            if a_number and (self._peek() in _POINTS[0] or self._peek() == "\\pi"):
                argument = self._each(lambda a, b: a * b, argument, self._power())
            if self._peek() not in _ENDS and self._peek() not in _FUNCTIONS:
                raise _NotRead
        return self._each(lambda a, n: function(a) ** int(n), argument, power)

    def _power(self) -> Part:
        base = self._atom()
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._argument()
        if self._peek() == "^" or not all(abs(a) <= _LARGEST_EXPONENT for a in exponent):
            raise _NotRead
        if all(complex(a).imag == 0 and complex(a).real == round(complex(a).real) for a in exponent):
            return self._each(lambda a, b: a ** round(complex(b).real), base, exponent)
        if any(complex(a).imag or complex(a).real <= 0 for a in base):
            raise _NotRead  # the root of -8 is -2 for some
        self.exact, self.rooted, self.functions = False, True, True
        return self._each(lambda a, b: complex(a).real ** b, base, exponent)

    def _argument(self) -> Part:
        r"""What stands behind ^, \frac and \sqrt: in braces, or one digit or letter."""
        token = self._next()
        if len(token) == 1 and token in _DIGITS:
            return (float(token),) * 3
        if token in _POINTS[0]:
            return self._letter(token)
        if token != "{":
            raise _NotRead
        return self._until("}")

    def _letter(self, letter: str) -> Part:
        self.letters.add(letter)
        return tuple(point[letter] for point in _POINTS)

    def _until(self, closing: str) -> Part:
        value = self._sum()
        if self._next() != closing:
            raise _NotRead
        return value

    def _root(self) -> Part:
        if self._peek() != "[":
            return self._each(cmath.sqrt, self._argument())
        self._next()
        index, value = self._until("]"), self._argument()
        if any(complex(a).imag or complex(a).real <= 0 for a in value):
            raise _NotRead  # the root of -8 is -2 for some
        return self._each(lambda n, a: a.real ** (1 / n), index, value)

    def _atom(self) -> Part:
        token = self._next()
        if token[-1] in _DIGITS and token[0] != "\\":
            self.exact = self.exact and "." not in token
            return self._each(lambda a: a, (float(token),) * 3)
        if token in _FRACTIONS:
            return self._quotient(self._argument(), self._argument)
        if token == "\\sqrt":
            self.rooted = True
            return self._root()
        if token in _FUNCTIONS:
            return self._function(_FUNCTIONS[token], rooted=token == "\\ln")
        if token == "\\pi":
            return (math.pi,) * 3
        if token == "i":
            return (1j,) * 3
        if token in _POINTS[0]:
            if self._peek() == "(" and token not in _NO_FUNCTIONS:
                raise _NotRead
            return self._letter(token)
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
def readings(text: str) -> tuple[Value, ...]:
    """What a value may be; nothing where that is not known here."""
    name, text = name_and_rest(_THOUSANDS.sub(lambda match: re.sub(r"\D", "", match.group()), text.replace("\\$", "")))
    text = text.rstrip(" .")
    if (name or not _TWO_WAYS.fullmatch(text)) and len(_COMMAS.findall(text)) == 1 and not _LISTING.search(text):
        text = _COMMAS.sub(lambda match: match.group().replace(",", ""), text)  # what stands beside it leaves no doubt
    try:
        values = [replace(value, name=name) for value in _read(text)]
        if name and any(value.letters for value in values):
            values.append(_equation(f"{name}={text}"))  # y = 2x is a line, too
        return tuple(values)
    except _NotRead:
        return ()


def name_and_rest(text: str) -> tuple[str, str]:
    """x and 5 of x = 5."""
    named = NAMED.match(text)
    return (named.group(1), text[named.end() :].strip()) if named else ("", text.strip())


def _read(text: str) -> Iterator[Value]:
    listed = _LISTED.sub(",", text)
    if listed != text:
        yield replace(_Reader(listed).value(), exact=False)
    elif _WORDS.fullmatch(text):
        words = _COMMAND.sub("", text)
        yield Value("words", letters=frozenset(re.findall("[A-Za-z]", words)), spelled=bool(_A_WORD.search(words)))
    elif matrix := _MATRIX.fullmatch(text):
        yield _matrix(matrix.group(2))
    elif based := _BASED.fullmatch(text):
        yield from _based(*based.groups())
    elif len(_EITHER.findall(text)) == 1:
        either = [_Reader(_EITHER.sub(sign, text)).value() for sign in "+-"]
        if any(value.kind for value in either):
            raise _NotRead
        yield replace(either[0], kind=",", parts=tuple(value.parts[0] for value in either), exact=False)
    elif "=" in text:
        yield _equation(text)
    elif _UNION.search(text):
        yield _union(text)
    elif ratio := _RATIO.fullmatch(text):
        yield _ratio(*ratio.groups())
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
        yield replace(value, unit=unit.group().strip() if unit else "")
        if _PERCENT.search(text):
            yield replace(value, parts=tuple(tuple(at / 100 for at in part) for part in value.parts))


def _matrix(inside: str) -> Value:
    """Its cells row by row. A matrix of one cell may be a number."""
    if "\\begin" in inside:
        raise _NotRead
    rows = [row.split("&") for row in inside.strip().removesuffix("\\\\").split("\\\\")]
    if len({len(row) for row in rows}) != 1 or len(rows) == len(rows[0]) == 1:
        raise _NotRead
    try:
        cells = [_Reader(cell.strip()).value() for cell in itertools.chain(*rows)]
    except _NotRead:
        return Value("matrix")
    if any(cell.kind for cell in cells):
        return Value("matrix")
    return _joined("matrix", cells, columns=len(rows[0]))


def _based(sign: str, digits: str, base: str) -> Iterator[Value]:
    """2516_8: the number, and as its digits may be meant where the base is not repeated."""
    if not 2 <= int(base) <= 36 or len(digits) > _LONGEST_DIGITS:
        raise _NotRead
    numbers = [int(digits, int(base))] if max(int(digit, 36) for digit in digits) < int(base) else []
    numbers += [int(digits)] if digits.isdecimal() else []
    for number in numbers:
        yield Value("", ((float(-number if sign else number),) * 3,), exact=False)


def _with_comma(text: str) -> Iterator[Value]:
    """3,400 as a number, and 3,4 as a decimal."""
    if len(text) <= _LONGEST_DIGITS:
        yield Value("", ((float(text.replace(",", "")),) * 3,), exact=False)
        if text.count(",") == 1:
            yield Value("", ((float(text.replace(",", ".")),) * 3,), exact=False)


def _ratio(sign: str, above: str, below: str) -> Value:
    """1:2, which is 1/2, or a time."""
    if not int(below):
        raise _NotRead
    size = int(above) / int(below)
    return Value("", ((-size if sign else size,) * 3,), exact=False)


def _mixed(sign: str, whole: str, above: str, below: str) -> Iterator[Value]:
    r"""3\frac{1}{2} as 7/2, and as the product that it is where a factor stands before a fraction."""
    if not int(below):
        raise _NotRead
    fraction = int(above) / int(below)
    for size in (int(whole) + fraction, int(whole) * fraction):
        yield Value("", ((-size if sign else size,) * 3,), exact=False)


def _union(text: str) -> Value:
    intervals = [_Reader(part).value() for part in _UNION.split(text)]
    if not all(interval.kind[:1] in ("(", "[") and len(interval.parts) == 2 for interval in intervals):
        raise _NotRead
    return _joined("union", intervals, brackets="".join(interval.kind for interval in intervals))


def named_as_equation(value: Value) -> Value:
    """x = 5, which was read as 5 with a name, as an equation."""
    name = tuple(point[value.name] for point in _POINTS) if value.name != "i" else (1j,) * 3
    return replace(value, kind="equation", parts=(name, *value.parts), letters=value.letters | {value.name})


def _equation(text: str) -> Value:
    sides = [_Reader(side).value() for side in text.split("=")]
    if len(sides) != 2 or any(side.kind for side in sides):
        raise _NotRead
    return _joined("equation", sides)


def _joined(kind: str, values: list[Value], **more: object) -> Value:
    """One value that has the parts of several."""
    return Value(
        kind,
        tuple(part for value in values for part in value.parts),
        letters=frozenset().union(*(value.letters for value in values)),
        exact=all(value.exact for value in values),
        rooted=any(value.rooted for value in values),
        divided=any(value.divided for value in values),
        error=max(value.error for value in values),
        spelled=any(value.spelled for value in values),
        **more,
    )
