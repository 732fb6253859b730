"""Units behind a value: whether two are known and not the same.

A unit that only one side has does not count, nor does one that stands in no table here: `12\\text{ marbles}`. Letters
that are not set as text are a unit behind a number alone: 3m+2s is a sum.
"""

import re

_BEHIND = re.compile(
    r"(?:[\d})]|\\pi(?![A-Za-z]))[\s~]*(?:\\[,;: ][\s~]*)*"
    r"(?:\\(?:text|textrm|textnormal|mbox|mathrm)\s*\{([A-Za-z\s~./^23{}\\]*)\}|([A-Za-z][A-Za-z./ ]*))"
    r"\s*(?:\^\s*\{?\s*([23])\s*\}?)?[\s.]*$",
    re.ASCII,
)
_NUMBERS = re.compile(r"\s*-?[^A-Za-z+=-]+(?:\s[A-Za-z]+\.?\s[^A-Za-z+=-]+)*", re.ASCII)
"""What may stand before letters that are a unit: a number, or 3 ft 4."""
_SETTING = re.compile(r"\\[A-Za-z]+|\^\s*\{-?\d+\}")
_LAST_LETTER = re.compile(r"[\d}\s]\s*([A-Za-z])[\s.]*$", re.ASCII)
_DOLLARS = re.compile(r"\s*-?\s*\\\$\s*\d")
_POWER = re.compile(r"(.*?)\s*\^\s*\{?\s*([23])\s*\}?")
_PER = re.compile(r"\s*/\s*|\s+per\s+")
_POWERS = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3, "cu.": 3}

_WORDS = (
    "metre meter|gram|litre liter|second sec|watt|volt|ampere amp|hertz|pascal|joule|newton|mole|byte|bit|ohm"
    "|minute min|hour hr|day|week|month|year yr|decade|century|inch inches in|foot feet ft|yard yd|mile mi|pound lb"
    "|ounce oz|ton|gallon gal|quart|pint|cup|acre|dollar|cent|penny|euro|degree deg|radian rad|percent"
)
_BASES = {
    word: names.split()[0] for names in _WORDS.split("|") for name in names.split() for word in (name, name + "s")
} | {"centuries": "century", "pennies": "penny", "mph": "mile/hour"}
_SYMBOLS = {
    "m": "metre", "g": "gram", "L": "litre", "l": "litre", "s": "second", "W": "watt", "V": "volt", "A": "ampere",
    "Hz": "hertz", "Pa": "pascal", "J": "joule", "N": "newton", "mol": "mole", "h": "hour", "d": "day", "B": "byte",
}  # fmt: skip
_PREFIXES = {"k": "kilo", "M": "mega", "G": "giga", "c": "centi", "m": "milli", "d": "deci", "n": "nano"}


def other_unit(gold: str, answer: str) -> bool:
    """Whether both name a unit, and not the same: cm and m, cm^2 and cm^3, mW and MW."""
    units = _unit(gold), _unit(answer)
    return None not in units and units[0] != units[1]


def last_factor_kept(value: str) -> str:
    r"""x+2m as x+2m^{1}, for math_verify, which strips off whatever letter at the end it knows as a unit."""
    match = _LAST_LETTER.search(value)
    if match is None or match[1] in "ie":
        return value
    before = value[: match.start(1)]
    a_unit = _behind_number(before) or (before[-1:].isspace() and not re.search("[A-Za-z]", _SETTING.sub("", before)))
    return value if a_unit else value[: match.end(1)] + "^{1}"


def _behind_number(before: str) -> bool:
    """Whether what stands before letters, on their side of an equation, is a number."""
    return bool(_NUMBERS.fullmatch(_SETTING.sub("", before.rpartition("=")[2])))


def _unit(value: str) -> tuple[tuple[str, int], ...] | None:
    """Its factors with their powers, those behind a slash negative; None where there is no unit that is known."""
    if value.endswith("%"):
        return (("percent", 1),)
    if _DOLLARS.match(value):
        return (("dollar", 1),)
    match = _BEHIND.search(value)
    if match is None or (match[2] and not _behind_number(value[: match.start(2)])):
        return None
    text = " ".join(re.sub(r"[~\\]", " ", match[1] or match[2]).split())
    above, *below = _PER.split(text + f"^{match[3]}" * bool(match[3]))
    factors = [_factor(above), *map(_factor, below)]
    if None in factors:
        return None
    (first, power), *others = factors
    first, _, hour = first.partition("/")  # mph
    return ((first, power), *((name, -exponent) for name, exponent in [*others, *([(hour, 1)] if hour else [])]))


def _factor(text: str) -> tuple[str, int] | None:
    power = 1
    if raised := _POWER.fullmatch(text):
        text, power = raised[1], int(raised[2])
    first, _, rest = text.partition(" ")
    if first.lower() in _POWERS:
        text, power = rest, _POWERS[first.lower()]
    name = _name(text.strip().removesuffix("."))
    return name and (name, power)


def _name(text: str) -> str | None:
    if text in _SYMBOLS or text.lower() in _BASES:
        return _SYMBOLS.get(text) or _BASES[text.lower()]
    if text[:1] in _PREFIXES and text[1:] in _SYMBOLS:
        return _PREFIXES[text[0]] + _SYMBOLS[text[1:]]
    prefix = next((name for name in _PREFIXES.values() if text.lower().startswith(name)), None)
    base = _BASES.get(text.lower().removeprefix(prefix)) if prefix else None
    return base and prefix + base
