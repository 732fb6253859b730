r"""What the form of a math answer decides, before math_verify looks for its value.

math_verify takes a value wherever it finds one: it reads "6 \Rightarrow 5", "6 (not 5)", "1, \ldots, 5" and "6=5" as 5.
Invariant: beside its value an answer has a unit, a name before an equals sign and words of introduction, but nothing
that may deny the value, offer another or hide it, unless the ground truth has it too.
"""

import math
import re
from collections.abc import Callable
from fractions import Fraction

from amt.rewards.math_letters import AS_TEXT
from amt.rewards.math_reading import readings
from amt.rewards.math_units import other_unit

# --- notation --------------------------------------------------------------------------------------------

_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0x2212: "-", ord("~"): " "}
_ASCII |= {0x2013: "-", ord("∞"): "\\infty ", ord("∠"): "\\angle ", ord("²"): "^{2}", ord("³"): "^{3}"}
_ASCII |= {ord(sign): f"\\frac{{{above}}}{{{below}}}" for sign, above, below in ("½12", "⅓13", "⅔23", "¼14", "¾34")}
_ROOT = re.compile(r"√\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(\d+|[A-Za-z]))")
_UPRIGHT = re.compile(r"\\(?:mathrm|text|textrm|operatorname)\s*\{\s*([ie])\s*\}")
_SPACES = re.compile(r"\s{2,}")
_SAME = {"\\varnothing": "\\emptyset", "\\lvert": "|", "\\rvert": "|", "\\vert": "|", "\\mid": "|", "\\dfrac": "\\frac"}
_SAME |= {"\\tfrac": "\\frac", "\\cfrac": "\\frac"}
_RENAMED = re.compile("(?:" + "|".join(re.escape(name) for name in _SAME) + ")(?![A-Za-z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(?:(\d)(?!\d)|(?=\{))", re.ASCII)
_REPEATING = re.compile(r"(?<![\d.])(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?", re.ASCII)
_SCIENTIFIC = re.compile(r"([+-]?\d+(?:\.\d+)?)[eE]([+-]?\d{1,3})", re.ASCII)
_CURRENCY = re.compile(r"[€£¥₹]|\\(?:euro|pounds)(?![A-Za-z])")
_COLOUR = re.compile(r"\\(?:text)?color\s*\{[a-zA-Z]*\}")
_TEXT_IN_BASE = re.compile(r"\\(?:text|mathrm)\s*\{\s*([0-9A-Za-z]+)\s*\}(?=\s*_)")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALE_WORD = rf"(?i:{'|'.join(_SCALES)})"
_SCALED = re.compile(
    r"(?<![\w.,^/}])(?<![\^/_]\{)(?<!\d\s)(?:(\d{1,3}(?:(?:,|\{,\})\d{3})+|\d+(?:\.\d+)?)|(?=\\frac))"
    rf"(?:\s*\\frac\{{(\d+)\}}\{{(\d+)\}})?(?:\\[,;: ]|\s)*"
    rf"(?:\\(?:text|textrm|mathrm|mbox)\s*\{{\s*({_SCALE_WORD}(?:\s+{_SCALE_WORD})*)\s*\}}"
    rf"|(\\text\s*\{{\s*)?({_SCALE_WORD}(?:\s+{_SCALE_WORD})*)(?![A-Za-z]))",
    re.ASCII,
)
"""A number, which is no exponent nor the end of another, and the words that multiply it."""
_LEFT_SCALE = re.compile(rf"(?<![A-Za-z]){_SCALE_WORD}s?(?![A-Za-z])")
_PERCENT_WORD = re.compile(r"(?<=[\d}\s])(?:\\text\s*\{\s*(?:percent|\\?%)\s*\}|percent)\s*$", re.ASCII)
_DOLLARS_BETWEEN = re.compile(r"(?<!\\)\$\s*(,|;|and|or|\\text\{[^{}]*\})\s*(?<!\\)\$")
_LONGEST_REPETEND = 50


def normal(value: str) -> str:
    r"""The value in the notation that math_verify reads right: 0.\overline{3} and 3.2e5 as fractions, \frac12 in
    braces, LaTeX for what Unicode has a sign for, one space where there are many."""
    if value.isascii() and value.isdigit():
        return value  # most are
    if not value.isascii():
        value = _ROOT.sub(lambda match: rf"\sqrt{{{match[1] or match[2] or match[3]}}}", value).translate(_ASCII)
    value = _SPACES.sub(" ", value.replace("~", " "))
    if "\\" in value:
        value = _COLOUR.sub("", _RENAMED.sub(lambda match: _SAME[match.group()], _UPRIGHT.sub(r"\1", value)))
        value = _SHORT_FRACTION.sub(
            lambda match: f"\\frac{{{match[1]}}}" + (f"{{{match[2]}}}" if match[2] else ""), value
        )
        value = _REPEATING.sub(_repeating, _TEXT_IN_BASE.sub(r"\1", value))
    if "$" in value:
        value = _DOLLARS_BETWEEN.sub(r" \1 ", value)
    if _scale_named(value):
        value = _SCALED.sub(_scaled, value)
    if "percent" in value or "%" in value:
        value = _PERCENT_WORD.sub(r"\\%", value)
    match = _SCIENTIFIC.fullmatch(value.strip()) if "e" in value or "E" in value else None
    return _written(Fraction(match[1]) * Fraction(10) ** int(match[2])) if match else value


def _scale_named(value: str) -> bool:
    return "illion" in value or "housand" in value or "undred" in value


def _scaled(match: re.Match) -> str:
    r"""5\text{ million dollars} as 5000000\text{ dollars}."""
    whole, above, below, alone, opening, words = match.groups()
    if above and not int(below):
        return match.group()
    number = Fraction(re.sub(r"[,{}]", "", whole or "0")) + (Fraction(int(above), int(below)) if above else 0)
    factors = [_SCALES[word] for word in (alone or words).lower().split()]
    return _written(number * math.prod(factors)) + (opening or "")


def _repeating(match: re.Match) -> str:
    whole, once, repetend = match.groups()
    if len(once) + len(repetend) > _LONGEST_REPETEND:
        return match.group()
    repeated = Fraction(int(repetend), 10 ** len(repetend) - 1)
    return _written(int(whole or 0) + (int(once or 0) + repeated) / 10 ** len(once))


def _written(number: Fraction) -> str:
    if number.denominator == 1:
        return str(number)
    return f"{'-' * (number < 0)}\\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"


def without_currency(gold: str, answer: str) -> str:
    """The answer without its currency, where the ground truth names none."""
    return answer if _CURRENCY.search(gold) else _CURRENCY.sub("", answer)


_BASED = re.compile(r"(\d[0-9A-Za-z]*|[A-F]+\d[0-9A-F]*)_\{?(\d{1,2})\}?", re.ASCII)
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_PERCENT = re.compile(r"(.*?)\\?%", re.ASCII)
_FRACTION = re.compile(r"([+-]?)(?:(\d{0,20})\\frac\{(\d{1,20})\}\{(\d{1,20})\}|(\d{1,20})/(\d{1,20}))", re.ASCII)


_LAST_SIDE = re.compile(r"(?:(.*)(?:=|\\approx))?(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z](?:\([A-Za-z]\))?|")


def notation_verdict(gold: str, answer: str) -> bool | None:
    r"""Whether two values are equal, where one is a percentage or a time or both name their base; else None.

    25\% is 0.25, and it is 25 where a percentage was asked for. 600\% is 6, but as the answer to a question for a
    percentage it is wrong: of numbers above 1 only the 6 in 6\% counts. Below 1 it does not: 0.5 is 50\%. A numeral
    begins with a digit: a_{12} is a name.
    """
    if "_" in gold and "_" in answer:
        bases = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
        numbers = [_in_base(*match.groups()) if match else None for match in bases]
        return None if None in numbers else numbers[0] == numbers[1]
    if (time := _TIME.fullmatch(gold)) and ":" not in answer and math.gcd(int(time[1]), int(time[2])) > 1:
        return False  # a ratio would be in lowest terms
    return _percent_verdict(gold, answer) if "%" in gold or "%" in answer else None


def _percent_verdict(gold: str, answer: str) -> bool | None:
    names, values = zip(*(_LAST_SIDE.fullmatch(side).groups() for side in (gold, answer)))
    percents = [_PERCENT.fullmatch(value) for value in values]
    numbers = [_fraction(match[1] if match else value) for match, value in zip(percents, values)]
    if None in numbers:
        return None
    a_name = all(name is None or _NAME.fullmatch(name) for name in names)
    if all(percents):
        return (a_name and numbers[0] == numbers[1]) or None
    percent, number = numbers if percents[0] else reversed(numbers)
    if number == percent and 0 < abs(number) < 1:
        return False
    return True if a_name and (number == percent or (number == percent / 100 and abs(number) <= 1)) else None


def _in_base(digits: str, base: str) -> int | None:
    try:
        return int(digits, int(base))
    except ValueError:  # a digit that the base has not
        return None


def _fraction(value: str) -> Fraction | None:
    if _PLAIN_NUMBER.fullmatch(value):
        return Fraction(value)
    match = _FRACTION.fullmatch(value)
    if match is None or not int(match[4] or match[6]):
        return None
    size = Fraction(int(match[3] or match[5]), int(match[4] or match[6]))
    if match[2] and size >= 1:
        return None  # no mixed number
    size += int(match[2] or 0)
    return -size if match[1] == "-" else size


# --- claims ----------------------------------------------------------------------------------------------

_ABOUT = re.compile(r"\\(?:approx|simeq|sim|doteq|cong)(?![A-Za-z])|≈|≃")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_CLOSE = 1 / 20
_LONGEST_DECIMAL = 40
_INDEX = re.compile(r"_\s*(?:\{[^{}]*\}|\w)")
_ARGUMENT = re.compile(r"(?<=[A-Za-z}'])\s*\([^()]*\)")
_LETTERS = re.compile(r"(?!\s*[ei]\s*$)[A-Za-z{}'|\s]*")
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:\s*\^\s*\{?\s*\\circ\s*\}?)?[\s~.]*", re.ASCII)
_EULER = re.compile(r"(?<![A-Za-z\\])e(?![A-Za-z])")


def claims(gold: str, answer: str) -> list[str]:
    r"""The values that an answer states, each of which must be the right one: of "2+3=5" both, of "x=y=5" the last.

    Of an exact value and the decimal that it is rounded to, \sqrt{2} \approx 1.41, the one that the ground truth is
    like; of other approximations each.
    """
    about = [side.strip() for side in _ABOUT.split(answer)] if "\\" in answer or not answer.isascii() else [answer]
    if len(about) > 1 and not _ABOUT.search(gold):
        exact, near = about[0], about[-1]
        if len(about) > 2:
            return about
        quantity = _QUANTITY.fullmatch(AS_TEXT.sub("", near))
        if _names_a_value(exact):
            answer = near
        elif quantity is None or (is_near := _rounded(exact, quantity[1])) is False:
            return about
        else:
            answer = near if is_near and _PLAIN_NUMBER.fullmatch(gold) and "." in gold else exact
    if "=" not in answer or "=" in gold or re.search(r"[<>!:=]=|=[<>=]|[,;]|\\begin", answer):
        return [answer]
    *others, last = (side.strip() for side in answer.split("="))
    if last and not AS_TEXT.sub("", "".join(others)).strip():
        return [last]  # \text{Area} = 5
    return [*(side for side in others if re.search(r"\d", side) and not _letters(side)), answer]


def _names_a_value(text: str) -> bool:
    r"""Whether it has a value's name and no value: \theta, AB, f(2), P(X > 2), |z|, t_{1/2}; or nothing at all."""
    bare = _ARGUMENT.sub("", _INDEX.sub("", AS_TEXT.sub("", text)))
    return set(_COMMAND.findall(bare)) <= _OF_NAMES and bool(_LETTERS.fullmatch(_COMMAND.sub("", bare)))


def _rounded(exact: str, near: str) -> bool | None:
    """Whether a decimal is an exact value that is rounded, or cut off behind the point; None if the value cannot be
    read here."""
    if len(near) > _LONGEST_DECIMAL:
        return False
    read = readings(_EULER.sub(f"({math.e})", exact.rpartition("=")[2]))
    whole, _, decimals = near.partition(".")
    unit = 10.0 ** -len(decimals) if decimals else 10.0 ** (len(whole) - len(whole.rstrip("0")))
    for value in read:
        size = complex(value.parts[0][0]) if len(value.parts) == 1 and not value.letters else math.nan
        gap = abs(size - float(near))
        beyond = size.real * float(near) > 0 and abs(size) >= abs(float(near))
        if gap <= unit * 0.500001 or (decimals and beyond and gap < unit):
            return bool(decimals) or unit == 1 or gap <= _CLOSE * abs(size)
    return False if read else None


def _letters(value: str) -> bool:
    """Whether there is a variable or a word in a value."""
    return bool(re.search(r"[A-Za-z]", _COMMAND.sub(" ", AS_TEXT.sub(r" \1 ", value)))) or bool(
        _GREEK & set(_COMMAND.findall(value))
    )


# --- objections ------------------------------------------------------------------------------------------


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GREEK = _names(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell hbar"
)
_KNOWN = _GREEK | _names(
    "frac sqrt cdot times div pm mp pi infty emptyset circ degree angle triangle overline bar vec hat widehat binom "
    "sum prod int lim log ln lg exp sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh max min gcd lcm det "
    "lfloor rfloor lceil rceil left right big Big bigg Bigg bigl bigr Bigl Bigr quad qquad displaystyle textstyle "
    "le leq leqslant ge geq geqslant lt gt begin end partial prime Re Im text textbf textit textrm textsf mbox mathrm "
    "mathbf mathit operatorname mathbb mathcal mathsf boldsymbol boxed euro pounds approx simeq sim doteq cong "
    "textnormal"
)
_OF_NAMES = _GREEK | _names("angle measuredangle triangle overline overrightarrow bar vec hat widehat tilde")
_OF_SETS = _names("cup cap setminus in subset subseteq bigcup")
_SET = re.compile(r"[\[(<>]|\\(?:\{|in|mathbb|le|ge|emptyset|infty|cup|cap|setminus)|\bR\b")
_STRANGE = re.compile(
    r"[#@`\"?¬→⇒⇔≡≠∨∧…&]|(?<!\\)[;:]|\.\.\.|(?<!\\)\\\d|\d\s*\(\s*\\(?:pm|mp)|[:=!]=|=[<>=]|<>|->|\|\s*\||_\s*\{?\s*\d+\.\d|\d\s*\.\s+\d|\d\s+\.\d|%\s*\d"
)
_DANGLING = re.compile(
    r"(?:^|\()\s*(?:[*/^_<>,;:!'](?!\s*$)|\.(?!\d)|\\(?:cdot|times|div|le|leq|ge|geq|lt|gt)(?![A-Za-z]))|\(\s*="
)
_LOOSE_CIRCLE = re.compile(r"(?<!\^)(?<!\^\{)\\circ(?![A-Za-z])")
_LOOSE_FRACTION = re.compile(r"\\frac(?!\s*(?:\{|\d\s*[A-Za-z\\]|\\pi))")
_NEW_LINE = re.compile(r"\\\\")
_ENVIRONMENT = re.compile(r"\\begin\s*\{")
_DENIAL = re.compile(
    r"(?<![A-Za-z])(?:not|no|\w+n't|cannot|never|neither|nor|wrong|false|incorrect|except|but|unless|instead|either"
    r"|maybe|perhaps|possibly|probably|anything|whatever)(?![A-Za-z])",
    re.IGNORECASE,
)
_OR = re.compile(r"(?<![A-Za-z\\])(?:or|and|vs|versus)(?![A-Za-z])", re.IGNORECASE)
_SEVERAL = re.compile(r"[,;&]|\\(?:pm|mp|cup|cap|begin)(?![A-Za-z])|±|(?<![A-Za-z\\])(?:or|and)(?![A-Za-z])", re.I)
_FUNCTIONS = _names("sin cos tan cot sec csc log ln exp sqrt pi arcsin arccos arctan gcd lcm max min")
_POWER_OF_UNIT = re.compile(r"(?<=[A-Za-z§])\s*\^\s*\{?\s*[23]\s*\}?")
_WORD = re.compile(r"[A-Za-z]{2,}")


def objection(gold: str, answer: str) -> str | None:
    """What in the answer may deny its value, offer another or hide it, though the ground truth has nothing like it."""
    answer = answer.rstrip(" .,;:")
    for rule in _RULES:
        if reason := rule(gold, answer):
            return f"the answer has {reason}, the ground truth has not"
    return None


def _strange(gold: str, answer: str) -> str | None:
    allowed = {*_COMMAND.findall(gold), *_KNOWN, *(_OF_SETS if _SET.search(gold) else ())}
    if unknown := set(_COMMAND.findall(answer)) - allowed:
        return f"\\{min(unknown)}"
    where = AS_TEXT.sub(" ", answer)
    of_gold = {"".join(found.split()) for found in _STRANGE.findall(gold)}
    of_gold |= {";"} if "," in gold else {":"} if "/" in gold or "\\frac" in gold else set()
    of_gold |= {"&"} if _ENVIRONMENT.search(answer) else set()
    signs = {sign for found in _STRANGE.findall(where) if (sign := "".join(found.split())) not in of_gold}
    return repr(min(signs)) if signs else None


def _misplaced(gold: str, answer: str) -> str | None:
    for pattern in (_DANGLING, _LOOSE_CIRCLE, _LOOSE_FRACTION):
        if (found := pattern.search(answer)) and not pattern.search(gold):
            return f"a loose {found.group().strip()}"
    if _NEW_LINE.search(answer) and not _ENVIRONMENT.search(answer) and not _NEW_LINE.search(gold):
        return "two lines"
    if "$" in answer.replace("\\$", "").strip(" $"):
        return "a $ inside"
    if not _matches(answer) and _matches(gold):
        return "brackets that do not match"
    return "|" if answer.count("|") % 2 and not gold.count("|") % 2 else None


def _matches(value: str) -> bool:
    """As many brackets are opened as closed, whatever their kind: [0, 1) is well."""
    plain = value.replace("\\{", "").replace("\\}", "")
    opened, closed = (sum(map(plain.count, signs)) for signs in ("([", ")]"))
    return opened == closed and plain.count("{") == plain.count("}")


def _denied(gold: str, answer: str) -> str | None:
    if denials := _found(_DENIAL, answer) - _found(_DENIAL, gold):
        return repr(min(denials))
    if not _SEVERAL.search(gold) and (others := _found(_OR, answer)):
        return repr(min(others))
    return None


def _found(pattern: re.Pattern, value: str) -> set[str]:
    return {word.lower() for word in pattern.findall(value)}


def _interrupted(gold: str, answer: str) -> str | None:
    r"""Words between numbers: \sqrt{6} \text{to} \sqrt{7}, 7 to 6."""
    if _SEVERAL.search(gold):
        return None
    if "§" in _between_numbers(answer) and "§" not in _between_numbers(gold):
        return "words between numbers"
    if _letters(gold):
        return None
    words = {word.lower() for word in _WORD.findall(_COMMAND.sub(" ", _between_numbers(answer)))}
    return repr(min(words - _FUNCTIONS)) if words - _FUNCTIONS else None


def _between_numbers(value: str) -> str:
    """What stands between the first and the last digit of each side of an equation, § for words in a text command."""
    value = AS_TEXT.sub(lambda match: " § " if match[1].strip() else " ", value)
    sides = _POWER_OF_UNIT.sub(" ", value).split("=")
    digits = [[place for place, character in enumerate(side) if character.isdecimal()] for side in sides]
    return " ".join(side[places[0] : places[-1]] for side, places in zip(sides, digits) if places)


_WORDS_BETWEEN = re.compile(
    r"\d[\s~]*(?:\\text\s*\{(?!\W*(?:and|or)\W*\})[^{}]*\}|(?!(?:and|or)\b)[A-Za-z]+)[\s~]*(?=\d)", re.ASCII
)
_ANGLE = re.compile(r"angle\s*\{?\s*([A-Z](?:\s*[A-Z]){2})(?![A-Za-z])")
_TERM = re.compile(r"[-+*/^\d]|\\(?:cdot|times|frac|sqrt)|(?<![A-Za-z])[a-z]{2,3}(?![A-Za-z])", re.ASCII)


def _rearranged(gold: str, answer: str) -> str | None:
    """3 ft 4 in and 4 ft 3 in: products to math_verify, whose factors may change places."""
    if _WORDS_BETWEEN.search(_COMMAND.sub(_keep_text, gold)) and _numbers(gold) != _numbers(answer):
        return "other numbers, or in another order"
    return None


def _of_other_angle(gold: str, answer: str) -> str | None:
    """m\\angle BAC for m\\angle ABC: products of the same letters to math_verify."""
    of_gold, of_answer = _angles(gold), _angles(answer)
    return "another angle" if of_gold and of_answer - of_gold else None


def _angles(value: str) -> set[str]:
    names = {"".join(name.split()) for name in _ANGLE.findall(value)}
    return {min(name, name[::-1]) for name in names}


def _keep_text(command: re.Match) -> str:
    return command.group() if command[1] == "text" else " = "


def _numbers(value: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", value)


def _of_other_units(gold: str, answer: str) -> str | None:
    if (_scale_named(gold) or _scale_named(answer)) and _found(_LEFT_SCALE, gold) != _found(_LEFT_SCALE, answer):
        return "another scale"
    return "another unit" if other_unit(gold, answer) else None


def _one_side(gold: str, answer: str) -> str | None:
    """12 for 3x+4y=12: of an equation that names no value its right side is none."""
    left, equals, right = gold.partition("=")
    if not equals or "=" in right or "=" in answer or _letters(answer):
        return None
    return "no equation" if any(_letters(side) and _TERM.search(side) for side in (left, right)) else None


_RULES: tuple[Callable[[str, str], str | None], ...] = (
    _strange, _misplaced, _denied, _interrupted, _rearranged, _of_other_angle, _of_other_units, _one_side,
)  # fmt: skip
