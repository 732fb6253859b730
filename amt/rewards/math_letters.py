r"""Answers that are words, or names made of letters: whether two are the same.

math_verify takes letters for variables and their order for none: ASA, AAS and SAA are one product to it, IV is VI, and
\angle ABC is \angle BAC. Invariant: only values that are letters and no more, but for a sign before them and what sets
them as text, have a verdict here.
"""

import re

_BEGINS = re.compile(r"\s*(?:\{\s*)?(?:[A-Za-z]|\\(?:text|math|mbox|operatorname|angle|over|vec))")
AS_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|textnormal|mbox|mathrm|mathbf|mathit|operatorname)\s*\{([^{}]*)\}"
)
_NAME = re.compile(
    r"\s*(\\(?:angle|overline|overrightarrow|vec)(?![A-Za-z]))?\s*\{?\s*([A-Za-z](?:[A-Za-z0-9]|_\d|_\{\d+\})*)\s*\}?\s*"
)
_ONE_DIGIT = re.compile(r"_\{(\d)\}")
_TWO_IN_ORDER = "[IVX]{2}|XL|LX|XC|CX|[HT]{2}|[TF]{2}|[WL]{2}|[HL]{2}"
"""Roman numerals, heads and tails, true and false, wins and losses, high and low."""
_ORDERED = re.compile(
    rf"[A-Za-z]{{4,}}|[A-Z]{{3}}|{_TWO_IN_ORDER}|(?=.[a-z]*[aeiouy])[A-Z][a-z]{{2}}|one|two|six|ten|yes|odd|no"
    r"|(?=.*\d)(?:[A-Z][a-z]?\d*){2,}",
    re.ASCII,
)
"""Letters beside each other that are no product: words, names, Roman numerals, formulas. Others may be: ab, xyz."""
_SEGMENT = re.compile(f"(?!{_TWO_IN_ORDER})[A-Z]{{2}}")
_WORDS = re.compile(r"[A-Za-z][A-Za-z\s,.'-]*", re.ASCII)
_OR_AND = {(True, False), (False, True)}
_BETWEEN_WORDS = re.compile(r"\s*,\s*(?:and\s)?\s*|\s+and\s+")


def letters_verdict(gold: str, answer: str) -> bool | None:
    r"""Whether two words or names are the same; None where they are none, or where that is not certain.

    Two capitals are a segment, with \overline or without: of what two points name it is by far the most frequent, and
    what has a direction has an arrow. So BA is AB, as it is where they are factors.
    """
    if not (_BEGINS.match(gold) and _BEGINS.match(answer)):
        return None
    plain_gold, plain_answer = AS_TEXT.sub(r"\1", gold), AS_TEXT.sub(r"\1", answer)
    a_text = plain_gold != gold or plain_answer != answer
    if _WORDS.fullmatch(plain_gold) and _WORDS.fullmatch(plain_answer):
        if a_text and {(" or " in side, " and " in side) for side in (plain_gold, plain_answer)} == _OR_AND:
            return False
        if _same_words(plain_gold, plain_answer, a_text):
            return True
    of_gold, of_answer = _NAME.fullmatch(plain_gold), _NAME.fullmatch(plain_answer)
    return _same_name(of_gold, of_answer, a_text) if of_gold and of_answer else None


def _same_name(gold: re.Match, answer: re.Match, a_text: bool) -> bool | None:
    first, second = (_ONE_DIGIT.sub(r"_\1", match[2]) for match in (gold, answer))
    if first == second and gold[1] == answer[1]:
        return True
    if {gold[1], answer[1]} <= {None, "\\overline"} and _SEGMENT.fullmatch(first) and _SEGMENT.fullmatch(second):
        return True if sorted(first) == sorted(second) else None
    first, second = (re.sub(r"[_{}]", "", name) for name in (first, second))
    if gold[1] != answer[1] or sorted(first) != sorted(second):
        return None
    if first == second:
        return True if _ORDERED.fullmatch(first) else None  # H2O and H_2O, but not x2 and x_2
    if gold[1] == "\\angle":
        return len(first) == 3 and first == second[::-1]
    return False if gold[1] or a_text or _ORDERED.fullmatch(first) or _ORDERED.fullmatch(second) else None


def _same_words(gold: str, answer: str, a_text: bool) -> bool:
    """Whether words are the same, whatever sets or joins them. Two that are joined by "and" may change places."""
    of_gold, of_answer = (
        [_folded(word, a_text) for word in _BETWEEN_WORDS.split(value.strip(" ."))] for value in (gold, answer)
    )
    return of_gold == of_answer or (" and " in gold and len(of_gold) == 2 and of_gold == of_answer[::-1])


def _folded(word: str, a_text: bool) -> str:
    """Without spaces, and of words that are set as text without their case, which of single letters counts."""
    word = "".join(word.split())
    return word.lower() if a_text and (len(word) > 2 or word in ("No", "NO")) else word
