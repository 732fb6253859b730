r"""Whether two math answers have the same value, in microseconds where math_verify takes milliseconds.

Invariant: a verdict is given only where the numbers leave no doubt (far apart, or equal in every digit that a float
has, with small numbers all the way) or where the two are of kinds that never are the same, in every way that they can
be read (amt.rewards.math_reading); all else is None, for math_verify.
"""

import cmath
import math
from dataclasses import replace

from amt.rewards.math_reading import NAMED, Part, Value, name_and_rest, named_as_equation, readings, tokens

_FAR = 1e-5
"""math_verify rounds to 6 decimals. Below 1 absolute, else relative to the larger."""
_SAME = 1e-12
_SMALL = 1e-3
"""Equal in every digit is not said of numbers below it."""
_UNORDERED = (",", "{}")


def same_value(gold: str, answer: str) -> bool | None:
    """Whether two values are equal; None where this cannot be told for certain here."""
    if _set_alike(gold, answer):
        return True
    of_gold, of_answer = readings(gold), readings(answer)
    verdicts = {_same(one, other) for one in of_gold for other in of_answer}
    if verdicts == {False}:
        return False
    return True if verdicts == {True} and len(of_gold) == len(of_answer) == 1 else None


def _set_alike(gold: str, answer: str) -> bool:
    """Whether the two are set otherwise, and no more."""
    if not NAMED.match(gold):
        answer = name_and_rest(answer)[1]
    return bool(of_gold := tokens(gold)) and of_gold == tokens(answer)


def _same(gold: Value, answer: Value) -> bool | None:
    kinds = {gold.kind, answer.kind}
    if len(kinds) == 2 and kinds & {"words", "union", "matrix", "equation"}:
        return False if _unlike(gold, answer) or _unlike(answer, gold) else None
    if not gold.parts or not answer.parts:
        return None  # words, or matrices of what is not read
    if (gold.unit and answer.unit and gold.unit != answer.unit) or (gold.name and answer.name not in ("", gold.name)):
        return None
    if gold.spelled or answer.spelled or "e" in gold.letters ^ answer.letters:
        return None  # words, or Euler's number
    if "union" in kinds:
        return _same_union(_merged(gold), _merged(answer))
    if "equation" in kinds:
        return False if _other_curve(gold, answer) else None
    if "" in kinds and len(kinds) == 2:
        several, one = (gold, answer) if gold.kind else (answer, gold)
        if several.kind in _UNORDERED and len(set(several.parts)) == 1:  # 5, 5 may be 5
            return False if _same_parts(replace(several, kind="", parts=several.parts[:1]), one) is False else None
        return False
    if kinds == {"matrix"} and gold.columns != answer.columns:
        return None if len(gold.parts) == len(answer.parts) else False
    return _same_parts(gold, answer)


def _unlike(one: Value, other: Value) -> bool:
    """Whether one is words, a union, a matrix or an equation, and the other of a kind that is never the same."""
    if one.kind == "words":
        return not other.letters or (not other.spelled if one.spelled else one.letters != other.letters)
    if one.kind == "matrix":
        if other.kind in ("", "union", "equation"):
            return True
        return bool(one.parts) and _same_parts(replace(one, kind="[]"), other) is False
    if one.kind == "union" and len(other.parts) == 2 and other.kind[:1] in ("(", "["):
        return _same_union(_merged(one), _merged(replace(other, brackets=other.kind))) is False
    if one.kind == "union":
        return other.kind in ("", "equation") or (other.kind[:1] in ("(", "[") and len(other.parts) > 2)
    if one.kind == "equation" and other.kind == "" and other.name:
        return _other_curve(one, named_as_equation(other))
    if one.kind == "equation" and other.kind == "":
        spelled = one.spelled or other.spelled or "e" in one.letters ^ other.letters
        return not spelled and all(
            _far(side, other.parts[0], one.error + other.error, everywhere=True) for side in one.parts
        )
    return one.kind == "equation" and other.kind != "words"


def _other_curve(gold: Value, answer: Value) -> bool:
    """Whether two equations of polynomials are no multiples of each other, nor of each other's square."""
    if gold.letters != answer.letters or any(one.rooted or one.divided or one.error for one in (gold, answer)):
        return False
    first, second = ([a - b for a, b in zip(*one.parts)][:2] for one in (gold, answer))
    if min(map(abs, first + second)) < _SMALL:
        return False

    def multiples(some: list[complex], others: list[complex]) -> bool:
        return abs(some[0] * others[1] - some[1] * others[0]) < _FAR * max(map(abs, some)) * max(map(abs, others))

    squares = ([a * a for a in one] for one in (first, second))
    return not (multiples(first, second) or any(map(multiples, (second, first), squares)))


_Interval = tuple[float, bool, float, bool]
"""Left end and whether it belongs to it, right end and whether it does."""


def _merged(union: Value) -> list[_Interval] | None:
    """The intervals of a union from left to right, none of which touches the next; None where that is not certain."""
    if union.letters or union.error or any(complex(part[0]).imag for part in union.parts):
        return None
    ends = [complex(part[0]).real for part in union.parts]
    closed = [bracket in "[]" for bracket in union.brackets]
    intervals = sorted(zip(ends[::2], closed[::2], ends[1::2], closed[1::2]), key=lambda one: (one[0], not one[1]))
    merged: list[_Interval] = []
    for left, has_left, right, has_right in intervals:
        if left >= right:
            return None
        last = merged[-1] if merged else None
        if last and left != last[2] and not _far((left,), (last[2],), 0.0):
            return None  # they may touch
        if last and (left < last[2] or (left == last[2] and (has_left or last[3]))):
            merged[-1] = (*last[:2], *max(last[2:], (right, has_right)))
        else:
            merged.append((left, has_left, right, has_right))
    return merged


def _same_union(gold: list[_Interval] | None, answer: list[_Interval] | None) -> bool | None:
    if gold is None or answer is None:
        return None
    ends = [[end for interval in one for end in (interval[0], interval[2])] for one in (gold, answer)]
    if len(ends[0]) != len(ends[1]) or any(_far((a,), (b,), 0.0) for a, b in zip(*ends)):
        return False
    return True if gold == answer else None


def _same_parts(gold: Value, answer: Value) -> bool | None:
    # The root of x^2 is x where x is positive, 5 m is 5 where m is a unit: then only what is far everywhere differs.
    rooted = bool(gold.letters) and (gold.rooted or answer.rooted)
    in_doubt = gold.letters != answer.letters or rooted
    error = gold.error + answer.error
    far = [[_far(a, b, error, everywhere=in_doubt) for b in answer.parts] for a in gold.parts]
    if gold.kind in _UNORDERED or answer.kind in _UNORDERED:
        if any(map(all, far)) or any(map(all, zip(*far))):
            return False  # a part is like none of the other side
    elif len(gold.parts) != len(answer.parts) or any(far[at][at] for at in range(len(far))):
        return False
    if len(gold.parts) != len(answer.parts) or in_doubt or gold.kind != answer.kind:
        return None
    if not (gold.exact and answer.exact):
        return None
    pairs = [pair for both in zip(gold.parts, answer.parts) for pair in zip(*both)]
    gaps = [_gap(a, b, 0.0) for a, b in pairs]
    return None if any(gap >= _SAME for gap in gaps) else True


def _far(part: Part, other: Part, error: float, everywhere: bool = False) -> bool:
    """Whether two values are far from each other, at some point or everywhere."""
    gaps = [_gap(a, b, error) for a, b in zip(part, other)]
    return all(not gap <= _FAR for gap in gaps) if everywhere else any(gap > _FAR for gap in gaps)


def _gap(a: complex, b: complex, error: float) -> float:
    """How far two numbers are from each other at least; NaN where one is none."""
    if cmath.isfinite(a) and cmath.isfinite(b):
        return (abs(a - b) - error) / max(abs(a), abs(b), 1)
    if cmath.isnan(a) or cmath.isnan(b):
        return math.nan
    return 0.0 if a == b else math.inf
