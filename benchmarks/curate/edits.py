"""Copies, edits and variants of a problem, each from a random generator of its own; None where a text allows none.

Formulas, code, drawings and numbers are touched by the variants only, and so are words that do the work of a number or
an operator: an edited problem is the same problem. A variant is another problem: one number, or one operator, differs.

The lists of this module were written for it and know nothing of amt.curate: what a normal form ought to merge, and what
a guard ought to keep apart, is said here a second time.
"""

import random
import unicodedata
from collections.abc import Callable

import regex

from benchmarks.curate.real import Problem

LIGHT, HEAVY = 0.03, 0.12
"""Share of all words that an edit touches, at least one; a heavy edit also puts the sentences in another order. Words
that carry mathematics are left alone, so the others bear all of it: of prose every fourth word in a heavy edit."""
FEWEST_WORDS = 5  # that may be edited, of a text that is

_CODE = regex.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\[asy\].*?(?:\[/asy\]|\Z)|^\s*>>>.*?$", regex.DOTALL | regex.MULTILINE
)
_FORMULA = regex.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)|\\begin\{(\w+\*?)\}.*?\\end\{\1\}|\\[a-zA-Z]+(?:\{[^{}]*\})*",
    regex.DOTALL,
)
_WORD = regex.compile(r"(?<![\p{L}\p{N}_\\^{}$'’=<>+*/.-])\p{L}{3,}(?![\p{L}\p{N}_^{}$'’=<>+*/(\[-]|\.\w)")
_SENTENCE = regex.compile(r"(?<=[.?!])(?<!\b(?:Mr|Mrs|Ms|Dr|St|No|vs|e\.g|i\.e|\d)\.)\s+(?=[\p{Lu}$\\])")

# Words that carry mathematics, as numbers, comparisons, operations, quantifiers and negations do.
_KEPT_WORDS = frozenset(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million
    billion dozen half halves third thirds quarter quarters fourth fifth sixth seventh eighth ninth tenth once twice
    thrice double triple doubled tripled single pair both first second last next previous final percent
    more less fewer greater larger smaller bigger higher lower longer shorter older younger faster slower most least
    greatest largest smallest biggest highest lowest longest shortest maximum minimum maximal minimal max min
    maximize minimize not never without none neither nor unless except only exactly every each all any some other
    different distinct equal equals before after above below between inside outside left right upper
    odd even prime positive negative nonnegative nonzero increase increases increased increasing decrease decreases
    decreased decreasing ascending descending sum sums difference product quotient remainder total average mean median
    plus minus times divided multiplied add added adding subtract subtracted divide multiply square squared cube cubed
    root true false yes sin cos tan log and""".split()
)
_SYNONYMS = dict(
    pair.split(":")
    for pair in """
    find:determine determine:find compute:calculate calculate:compute evaluate:compute big:large large:big
    small:little begins:starts starts:begins buys:purchases bought:purchased gets:receives gives:hands
    house:home kids:children needs:requires wants:wishes makes:produces many:numerous show:prove suppose:assume
    assume:suppose given:provided contains:holds holds:contains picks:chooses takes:grabs keeps:retains
    walks:strolls friends:pals money:cash store:shop shop:store answer:solution returns:yields return:yield
    list:collection function:routine satisfy:fulfil""".split()
)
_FILLERS = """really actually perhaps simply also then now indeed clearly basically today often usually just here there
surely again currently together quickly""".split()

_SUFFIXES = (
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "Let's think step by step and output the final answer within \\boxed{}.",
    "Please reason step by step.",
    "Think step by step.",
)  # fmt: skip

# Each pair is swapped in either direction; left and right side are what stands in the text.
_SIGNS = [(r"\max", r"\min"), (r"\leq", r"\geq"), (r"\le", r"\ge"), ("<=", ">="), ("≤", "≥"), ("<", ">")]
_COMMANDS = [
    (r"\binom", r"\frac"), (r"\sum", r"\prod"), (r"\lfloor", r"\lceil"), (r"\in", r"\notin"), (r"\cap", r"\cup"),
    (r"\sin", r"\cos"), (r"\perp", r"\parallel"), (r"\pi", r"\theta"), (r"\times", r"\div"), (r"\log", r"\ln"),
    (r"\overline", r"\overrightarrow"), (r"\arcsin", r"\arccos"), (r"\sqrt", r"\sqrt[3]"), (r"\infty", r"0"),
]  # fmt: skip
_COMPARING = [
    ("maximum", "minimum"), ("maximal", "minimal"), ("largest", "smallest"), ("greatest", "least"),
    ("highest", "lowest"), ("longest", "shortest"), ("at most", "at least"), ("more than", "less than"),
    ("greater than", "less than"), ("ascending", "descending"), ("increasing", "decreasing"), ("sum of", "product of"),
    # What real problems of one text differ in.
    ("area", "perimeter"), ("radius", "diameter"), ("girls", "boys"), ("exactly", "at least"), ("second", "third"),
    ("same", "different"), ("distinguishable", "indistinguishable"), ("row", "column"), ("heads", "tails"),
    ("sine", "cosine"), ("union", "intersection"), ("average", "total"), ("red", "blue"), ("nickel", "dime"),
    ("length", "width"), ("minutes", "hours"), ("inches", "feet"), ("cents", "dollars"), ("left", "right"),
    ("mother", "father"), ("Monday", "Friday"), ("triangle", "quadrilateral"), ("third", "quarter"),
    ("isosceles", "equilateral"), ("convex", "concave"), ("inscribed", "circumscribed"), ("real", "complex"),
    ("roots", "coefficients"), ("altitude", "median"), ("hypotenuse", "leg"), ("vertices", "edges"),
]  # fmt: skip
_SWAPS = {left: right for pair in _SIGNS + _COMMANDS + _COMPARING for left, right in (pair, pair[::-1])}
_SWAPS = {left.lower(): right for left, right in _SWAPS.items()}
_SWAPS |= {"+": "-", "-": "+", "less than": "more than", "least": "greatest", "at least": "at most", "third": "second"}
_WORDY = "|".join(sorted((word for pair in _COMPARING for word in pair), key=len, reverse=True))
_COMMAND = "|".join(name[1:] for pair in _SIGNS[:3] + _COMMANDS for name in pair if name[1:].isalpha())
_OPERATOR = regex.compile(
    rf"(?<![\p{{L}}\\])(?:{_WORDY})(?!\p{{L}})|(?<!\\)\\(?:{_COMMAND})(?![\p{{L}}\[])"
    r"|(?<![-=<>])(?:<=|>=|[<>])(?![<>=-])|[≤≥]",
    regex.IGNORECASE,
)
_PLUS_OR_MINUS = regex.compile(r"(?<=[\p{L}\p{N})}\]])(\s*)([+-])(\s*)(?=[\p{L}\p{N}(\\])")
_NUMBER = regex.compile(r"(?<![\p{L}\p{N}_\\]|\d[.,])\d{1,6}(?![\d_]|[.,]\d)")


def exact(problem: Problem, rng: random.Random) -> str | None:
    return problem.text


def light(problem: Problem, rng: random.Random) -> str | None:
    return _words_edited(problem, LIGHT, rng)


def heavy(problem: Problem, rng: random.Random) -> str | None:
    text = _words_edited(problem, HEAVY, rng)
    if text is None:
        return None
    sentences = _pieces(text, _SENTENCE, _untouchable(text, problem))
    if len(sentences) < 2:
        return None
    order = list(range(len(sentences)))
    rng.shuffle(order)
    if order == sorted(order):
        order = order[1:] + order[:1]
    return " ".join(sentences[place] for place in order)


def number(problem: Problem, rng: random.Random) -> str | None:
    """One number of the problem is another one."""
    drawn = _spans(_CODE, problem.text)
    places = [found for found in _NUMBER.finditer(problem.text) if not _within(found.start(), drawn)]
    if problem.category != "math" or not places:
        return None
    found = rng.choice(places)
    value = int(found[0])
    other = rng.choice([value + step for step in range(-9, 10) if step and value + step > 1])
    return problem.text[: found.start()] + str(other) + problem.text[found.end() :]


def operator(problem: Problem, rng: random.Random) -> str | None:
    r"""One sign, command or word is another: < for >, + for -, \binom for \frac, minimum for maximum.

    Which one is drawn from those that the problem has, however often it has each.
    """
    drawn = _spans(_CODE, problem.text)
    formulas = _formulas(problem)
    places = [found.span() for found in _OPERATOR.finditer(problem.text) if not _within(found.start(), drawn)]
    places += [found.span(2) for found in _PLUS_OR_MINUS.finditer(problem.text) if _within(found.start(), formulas)]
    if problem.category != "math" or not places:
        return None
    old = rng.choice(sorted({problem.text[start:end] for start, end in places}))
    start, end = rng.choice([(start, end) for start, end in places if problem.text[start:end] == old])
    new = _SWAPS[old.lower()]
    return problem.text[:start] + (new.capitalize() if old[0].isupper() else new) + problem.text[end:]


def case(problem: Problem, rng: random.Random) -> str | None:
    """Words in capitals, in small letters, or both in turn."""
    change = rng.choice([str.upper, str.lower, str.title, str.swapcase])
    return _each_word(problem, change)


def spacing(problem: Problem, rng: random.Random) -> str | None:
    """Other white space between words."""
    held = _untouchable(problem.text, problem)
    spaces = ["  ", "\n", "\t", " \n", "\u00a0", "\u2009 "]
    between = regex.compile(r"(?<=[\p{L},.;:])\s+(?=\p{L})")
    return _substituted(problem.text, between, lambda found: rng.choice(spaces), held)


def unicode(problem: Problem, rng: random.Random) -> str | None:
    """Other spellings of the same characters: full-width digits, ligatures, typographic quotes, accents apart."""
    spellings = {"fi": "ﬁ", "fl": "ﬂ", "ff": "ﬀ", "'": "’", '"': "“", "...": "…"}
    digits = str.maketrans("0123456789", "０１２３４５６７８９")
    held = _untouchable(problem.text, problem)
    sign = regex.compile(
        r"fi|fl|ff|(?<=\p{L})'(?=\p{L})|\"|\.\.\.|(?<![\p{L}\p{N}\\_,.$-])\d+(?![\p{L}\p{N}_^]|[,.]\d)|\p{M}|[à-ÿ]"
    )

    def respelt(found: regex.Match) -> str:
        return spellings.get(found[0]) or unicodedata.normalize("NFD", found[0].translate(digits))

    return _substituted(problem.text, sign, respelt, held)


def punctuation(problem: Problem, rng: random.Random) -> str | None:
    """A space before marks that end a clause, and none at the very end of the text."""
    held = _untouchable(problem.text, problem)
    spaced = _substituted(problem.text, regex.compile(r"(?<=\p{L})[,.;?](?=\s|$)"), lambda found: " " + found[0], held)
    return spaced and spaced.rstrip(" .?") + rng.choice(["", " ?", "."])


def suffix(problem: Problem, rng: random.Random) -> str | None:
    """The words with which a dataset asks for steps and a box."""
    return problem.text + rng.choice(["\n\n", "\n", " "]) + rng.choice(_SUFFIXES)


KINDS: dict[str, tuple[Callable[[Problem, random.Random], str | None], float]] = {
    # kind: (how it is made, its share of all rows)
    "exact": (exact, 0.01),
    "normal_case": (case, 0.005),
    "normal_spacing": (spacing, 0.005),
    "normal_unicode": (unicode, 0.005),
    "normal_punctuation": (punctuation, 0.005),
    "normal_suffix": (suffix, 0.005),
    "light": (light, 0.01),
    "heavy": (heavy, 0.01),
    "number": (number, 0.05),
    "operator": (operator, 0.01),
}


def _words_edited(problem: Problem, share: float, rng: random.Random) -> str | None:
    text = problem.text
    held = _untouchable(text, problem)
    words = [found.span() for found in _WORD.finditer(text) if found[0].lower() not in _KEPT_WORDS]
    places = [span for span in words if not _within(span[0], held)]
    edits = max(1, round(share * len(text.split())))
    if len(places) < max(FEWEST_WORDS, edits):
        return None
    parts, done = [], 0
    for start, end in sorted(rng.sample(places, edits)):
        parts += [text[done:start], _edited(text[start:end], rng)]
        done = end
    return "".join([*parts, text[done:]])


def _edited(word: str, rng: random.Random) -> str:
    how = rng.choice(["replaced", "dropped", "inserted", "typo"])
    if how == "replaced":
        new = _SYNONYMS.get(word.lower()) or rng.choice(_FILLERS)
        return new.capitalize() if word[0].isupper() else new
    if how == "dropped":
        return ""
    if how == "inserted":
        return f"{word} {rng.choice(_FILLERS)}"
    place = rng.randrange(len(word) - 1)
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return rng.choice([swapped, word[:place] + word[place + 1 :], word[: place + 1] + word[place:]])


def _formulas(problem: Problem) -> list[tuple[int, int]]:
    return _spans(_FORMULA, problem.text) if problem.has_formulas else []


def _untouchable(text: str, problem: Problem) -> list[tuple[int, int]]:
    return _spans(_CODE, text) + (_spans(_FORMULA, text) if problem.has_formulas else [])


def _spans(pattern: regex.Pattern, text: str) -> list[tuple[int, int]]:
    return [found.span() for found in pattern.finditer(text)]


def _within(place: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in spans)


def _substituted(text: str, pattern: regex.Pattern, new: Callable, held: list[tuple[int, int]]) -> str | None:
    changed = pattern.sub(lambda found: found[0] if _within(found.start(), held) else new(found), text)
    return None if changed == text else changed


def _each_word(problem: Problem, change: Callable[[str], str]) -> str | None:
    held = _untouchable(problem.text, problem)
    return _substituted(problem.text, _WORD, lambda found: change(found[0]), held)


def _pieces(text: str, separator: regex.Pattern, held: list[tuple[int, int]]) -> list[str]:
    pieces, done = [], 0
    for found in separator.finditer(text):
        if not _within(found.start(), held):
            pieces.append(text[done : found.start()])
            done = found.end()
    return [*pieces, text[done:]]
