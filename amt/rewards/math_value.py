r"""Whether two closed forms have the same value, in microseconds where math_verify takes milliseconds.

Read is what stands for a number or a rational expression and nothing else: numbers, \frac, \sqrt, \pi, i, letters,
+ - * / ^, brackets, and tuples of these. Invariant: a verdict is given only where the numbers leave no doubt (far
apart, or equal in every digit that a float has, with small numbers all the way); all else is None, for math_verify.
"""

import cmath
import math
import re

_TOKEN = re.compile(r"\s*(\\[A-Za-z]+|\d+\.\d+|\.\d+|\d+|[A-Za-z]|[-+*/^(){}\[\],])", re.ASCII)
_SPACED_DIGITS = re.compile(r"\d\s+\d|\d\s*\\frac|\d\s*\\[dt]frac")
"""1 000 and 3\frac12: what they mean is for others to say."""
_IGNORED = re.compile(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\displaystyle(?![A-Za-z])|\\[,;!: ]")
_NAMED = re.compile(r"\s*[A-Za-z]\s*=(?!=)", re.ASCII)
_LETTER = re.compile(r"(?<![A-Za-z\\])[A-Za-z]", re.ASCII)
_DEGREES = re.compile(r"\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})\s*$")
_SHORT = re.compile(r"\\([dt]?frac|sqrt)\s*(\d)(?:\s*(\d))?(?!\d)", re.ASCII)
r"""\frac12 and \sqrt3. Of more digits it takes one or two, which not everybody means."""
_TIMES = ("\\cdot", "\\times", "*")
_FRACTIONS = ("\\frac", "\\dfrac", "\\tfrac")
_LONGEST = 120
_LARGEST = 1e6
"""Beyond it a float's digits may not tell two integers apart after some steps."""
_FAR = 1e-5
"""math_verify rounds to 6 decimals. Below 1 absolute, else relative to the larger."""
_SAME = 1e-12
_SMALL = 1e-3
"""Equal in every digit is not said of numbers below it."""
# Letters stand for these; e for itself, so that it is no more than equal to itself.
_POINTS = ({}, {})
for _place, _letter in enumerate("abcdefghjklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    _POINTS[0][_letter] = 1.1 + 0.37 * math.sqrt(_place + 2)
    _POINTS[1][_letter] = -0.6 - 0.23 * math.sqrt(_place + 3)


class _NotRead(Exception):
    """It is no closed form that is read here."""


class _Reader:
    """One value, worked out at both points while it is read."""

    def __init__(self, text: str):
        text = _SHORT.sub(_in_braces, _IGNORED.sub(" ", _DEGREES.sub("", text).replace(",\\!", "")))
        if len(text) > _LONGEST or _SPACED_DIGITS.search(text):
            raise _NotRead
        self.tokens, position = [], 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                if text[position:].strip():
                    raise _NotRead
                break
            self.tokens.append(match.group(1))
            position = match.end()
        self.position = 0
        self.letters: set[str] = set()
        self.exact = True
        self.rooted = False

    def values(self) -> tuple[str, list[tuple]]:
        """(brackets of a tuple or nothing, its parts); a part is the value at each point."""
        if self._peek() in ("(", "[") and "," in self.tokens:
            opening, parts = self._next(), [self._sum()]
            while self._peek() == ",":
                self._next()
                parts.append(self._sum())
            closing = self._next()
            if closing not in (")", "]") or self._peek() is not None:
                raise _NotRead
            return opening + closing, parts
        part = self._sum()
        if self._peek() is not None:
            raise _NotRead
        return "", [part]

    def _peek(self) -> str | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _next(self) -> str:
        if self.position == len(self.tokens):
            raise _NotRead
        self.position += 1
        return self.tokens[self.position - 1]

    def _each(self, work, *values: tuple) -> tuple:
        try:
            results = tuple(work(*at) for at in zip(*values))
        except (ZeroDivisionError, OverflowError, ValueError):
            raise _NotRead from None
        if not all(cmath.isfinite(result) for result in results) or max(map(abs, results)) > _LARGEST:
            raise _NotRead
        return results

    def _sum(self) -> tuple:
        sign = -1 if self._peek() == "-" else 1
        if self._peek() in ("+", "-"):
            self._next()
        total = self._each(lambda a: sign * a, self._product())
        while self._peek() in ("+", "-"):
            sign = -1 if self._next() == "-" else 1
            total = self._each(lambda a, b, sign=sign: a + sign * b, total, self._product())
        return total

    def _product(self) -> tuple:
        product = self._power()
        while (token := self._peek()) is not None and token not in ("+", "-", ",", ")", "]", "}", "^"):
            if token == "/":
                self._next()
                product = self._each(lambda a, b: a / b, product, self._power())
                if self._peek() is not None and self._peek() not in ("+", "-", ",", ")", "]", "}"):
                    raise _NotRead  # 1/2x
            else:
                if token in _TIMES:
                    self._next()
                product = self._each(lambda a, b: a * b, product, self._power())
        return product

    def _power(self) -> tuple:
        base = self._atom()
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._group() if self._peek() == "{" else self._script()
        if self._peek() == "^" or any(a.imag or a.real != round(a.real) or abs(a) > 20 for a in map(complex, exponent)):
            raise _NotRead
        return self._each(lambda a, b: a ** round(complex(b).real), base, exponent)

    def _script(self) -> tuple:
        r"""What stands behind ^ or \frac without braces: one digit or letter."""
        token = self._next()
        if len(token) == 1 and token.isdigit():
            return (float(token),) * 2
        raise _NotRead

    def _group(self) -> tuple:
        if self._next() != "{":
            raise _NotRead
        value = self._sum()
        if self._next() != "}":
            raise _NotRead
        return value

    def _atom(self) -> tuple:
        token = self._next()
        if token[0].isdigit() or token[0] == ".":
            self.exact = self.exact and "." not in token
            return self._each(lambda a: a, (float(token),) * 2)
        if token in _FRACTIONS:
            return self._each(lambda a, b: a / b, self._group(), self._group())
        if token == "\\sqrt":
            self.rooted = True
            return self._each(cmath.sqrt, self._group())
        if token == "\\pi":
            return (math.pi,) * 2
        if token == "i":
            return (1j,) * 2
        if len(token) == 1 and token.isalpha():
            if self._peek() == "(":
                raise _NotRead  # a function
            self.letters.add(token)
            return _POINTS[0][token], _POINTS[1][token]
        if token == "(":
            value = self._sum()
            if self._next() != ")":
                raise _NotRead
            return value
        raise _NotRead


def _in_braces(short: re.Match) -> str:
    command, first, second = short.groups()
    if command == "sqrt":
        return short.group() if second else rf"\sqrt{{{first}}}"
    return rf"\frac{{{first}}}{{{second}}}" if second else rf"\frac{{{first}}}"


def same_value(gold: str, answer: str) -> bool | None:
    """Whether two values are equal; None where this cannot be told for certain here."""
    if "=" not in gold and not _LETTER.search(gold):
        answer = answer[match.end() :] if (match := _NAMED.match(answer)) else answer  # x = 5 is 5
    answer = answer.removeprefix("\\$")
    try:
        readers = _Reader(gold), _Reader(answer)
        if readers[0].tokens == readers[1].tokens and readers[0].tokens:
            return True  # set otherwise, no more
        (brackets, parts), (other_brackets, other_parts) = (reader.values() for reader in readers)
    except _NotRead:
        return None
    first, second = readers
    if bool(brackets) != bool(other_brackets) and not first.letters and not second.letters:
        return False  # a number and a tuple or an interval
    if brackets != other_brackets or len(parts) != len(other_parts) or first.letters != second.letters:
        return None
    if first.letters and (first.rooted or second.rooted):
        return None  # sqrt(x^2) is x, or is not
    gaps = [
        abs(a - b) / max(abs(a), abs(b), 1)
        for part, other in zip(parts, other_parts)
        for a, b in zip(part, other)
    ]  # fmt: skip
    if max(gaps) > _FAR:
        return False
    small = any(0 < abs(a) < _SMALL for part in (*parts, *other_parts) for a in part)
    return True if max(gaps) < _SAME and first.exact and second.exact and not small else None
