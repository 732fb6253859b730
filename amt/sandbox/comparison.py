"""Whether what a program printed or returned is what was expected. All of it is data by now: nothing here runs.

Both sides are compared by fixed rules, so a program can neither read an expected value nor decide a comparison.
"""

import json
import math
import re
from typing import Any

RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9

NESTED = 200
"""How deep a value may be: as deep as what a worker lets out, and what every walk here has the stack for."""
_WRITTEN_BITS = 14_000
"""Of the integers that Python writes in decimal: at most 4300 digits, for it takes quadratic time."""

_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def same_output(expected: str, printed: str) -> bool:
    """Whether a program printed what was expected.

    Exactly, or token by token: lines and their order stay, white space at line ends and empty lines at the
    end do not matter. Tokens are equal as text (case matters); where the expected token is written as a float,
    any number within tolerance will do. nan equals nothing.
    """
    if expected == printed and "nan" not in expected.lower():
        return True
    # Not splitlines(): a form feed or a U+2028 ends no line.
    expected_lines, printed_lines = expected.rstrip().split("\n"), printed.rstrip().split("\n")
    if len(expected_lines) != len(printed_lines):
        return False
    for expected_line, printed_line in zip(expected_lines, printed_lines):
        expected_tokens, printed_tokens = expected_line.split(), printed_line.split()
        if len(expected_tokens) != len(printed_tokens):
            return False
        if not all(map(_same_token, expected_tokens, printed_tokens)):
            return False
    return True


def _same_token(expected: str, printed: str) -> bool:
    if expected == printed:
        return expected.lower() not in ("nan", "+nan", "-nan")
    if _FLOAT.fullmatch(expected) and _NUMBER.fullmatch(printed):
        number = float(expected)
        return math.isfinite(number) and _close(number, float(printed))  # 1e999 is not 1e998
    return False


def _close(expected: float, actual: float) -> bool:
    return math.isclose(expected, actual, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


class WrongType(Exception):
    """What came out of the sandbox is no typed value."""


def typed_value(result: bytes) -> Any:
    """The value that a call returned, out of the sandbox's typed JSON. Tuples come as lists.

    Raises:
        WrongType: it is nothing of the kind; the program forged it.
    """
    try:
        content = json.loads(result)
        if set(content) != {"value"}:
            raise WrongType("more than a value")
        return _value(content["value"], NESTED)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise WrongType(str(error)) from None


def _value(typed: list, depth: int) -> Any:
    if not depth:
        raise WrongType("nested too deeply")
    match typed:
        case ["none"]:
            return None
        case ["bool", bool(value)] | ["str", str(value)]:
            return value
        case ["bytes", str(digits)]:
            return bytes.fromhex(digits)
        case ["int", str(digits)]:
            return int(digits, 16)
        case ["float", str(digits)]:
            return float.fromhex(digits)
        case ["complex", [str(real), str(imaginary)]]:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case ["list", list(items)]:
            return [_value(item, depth - 1) for item in items]
        case ["set", list(items)]:
            return frozenset(_hashable(_value(item, depth - 1)) for item in items)
        case ["dict", list(items)]:
            return {_hashable(_value(key, depth - 1)): _value(item, depth - 1) for key, item in items}
    raise WrongType(f"no typed value: {str(typed)[:80]}")


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def same_value(expected: Any, actual: Any) -> bool:
    """Whether a call returned what was expected: both are plain data, so no comparison of the program's runs.

    Tuples and lists are alike, bool is no int, a number equals an int only exactly and a float within
    tolerance, nan equals nothing. JSON has text keys only, so the key 1 of a result equals an expected "1".
    """
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, float) and isinstance(actual, int | float):
        return expected == actual or _close_or_false(expected, actual)
    if isinstance(expected, int | complex) and isinstance(actual, int | float | complex):
        return expected == actual
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list | tuple) and len(expected) == len(actual) and all(map(same_value, expected, actual))
        )
    if isinstance(expected, dict):
        return isinstance(actual, dict) and len(expected) == len(actual) and _same_items(expected, actual)
    if isinstance(expected, set | frozenset):
        return isinstance(actual, frozenset) and len(expected) == len(actual) and _same_members(expected, actual)
    return type(expected) is type(actual) and expected == actual


def _close_or_false(expected: float, actual: float) -> bool:
    try:
        return _close(expected, float(actual))
    except OverflowError:  # an int beyond every float
        return False


def _same_members(expected: set | frozenset, actual: frozenset) -> bool:
    """Of sets of equal size. Floats find their like in order of size, all else is equal exactly."""
    numbers, exact = _sorted_numbers(expected), set(map(_key, expected))
    if numbers is not None and any(isinstance(number, float) for number in numbers):
        found = _sorted_numbers(actual)
        return found is not None and all(map(same_value, numbers, found))
    return exact == set(map(_key, actual))


def _sorted_numbers(values: set | frozenset) -> list | None:
    """None where there is anything but numbers."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return None
    return sorted(values)


def _same_items(expected: dict, actual: dict) -> bool:
    """Of dicts of equal size."""
    by_key = {_key(key): value for key, value in actual.items()}
    texts = any(isinstance(key, str) for key in expected)
    as_text = {_json_key(key): value for key, value in actual.items()} if texts else {}
    for key, value in expected.items():
        found = by_key.get(_key(key), _MISSING)
        if found is _MISSING and isinstance(key, str):
            found = as_text.get(key, _MISSING)
        if found is _MISSING or not same_value(value, found):
            return False
    return True


_MISSING = object()


def _key(value: Any) -> Any:
    """A member of a set or a key of a dict, so that True is not 1 and nan not itself."""
    if isinstance(value, bool) or value != value:
        return (type(value), value if isinstance(value, bool) else object())
    return tuple(map(_key, value)) if isinstance(value, tuple | list) else value


def _json_key(key: Any) -> Any:
    """What JSON makes of a key; an integer that is too long to be written stays one."""
    if isinstance(key, int) and key.bit_length() > _WRITTEN_BITS:
        return key
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    return str(key) if isinstance(key, int | float) else key
