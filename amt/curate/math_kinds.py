"""Kinds of math queries that the paper treats apart (2.2.1): multiple choice, proofs, several sub-questions.

Order matters: option blocks look like sub-questions, so multiple choice is asked first. Drawing code is masked.
A label such as (1) alone decides nothing, since it often lists conditions: two parts must ask. Measured on real rows by
benchmarks/detectors.
"""

import re
from collections.abc import Iterator

from amt.curate.drawings import DRAWING
from amt.rewards.math_answer import choice_letter, clean_ground_truth

_LABELS = (
    re.compile(r"\(\s*([A-J])\s*\)"),
    re.compile(r"(?:^|(?<=[\s}$]))\**([A-J])\**[).:]\**(?=\s|\$|\\|[^\s\w]|\w)", re.MULTILINE),
)
_SMALL_LABELS = (re.compile(r"(?:^|(?<=\s))\(?([a-j])\)", re.MULTILINE),)
# Options may be drawn, or stand without labels in a list: the query then says that a label is the answer.
_ANSWERED_BY_LABEL = re.compile(
    r"\b(?:enter|type|write|give|list|state|mark|choose|select|answer)\b[^.?!]{0,50}?"
    r"\b(?:(?:letters?|labels?)\s+of\s+(?:the|all|those|each|every)\b(?!\s+(?:word|name|alphabet))|those\s+options\b)",
    re.IGNORECASE,
)
# What stands before an option's text where options are set in a row, and what ends it: a gap, or a blank line, behind
# which the query goes on.
_SETTING = re.compile(r"\A(?:[\s~}]|\\[ ,;:!\\]|\\q?quad(?![A-Za-z]))+")
_SEPARATOR = re.compile(r"\\q?quad(?![A-Za-z])|\\hspace\b|\\\]|\n\s*\n")
_OPENED = re.compile(r"\\[A-Za-z]+\s*\{\Z")
_LETTERS = re.compile(r"(?:\\text\{)?\W*[A-J](?:\W+(?:and\W+)?[A-J])+\W*")
_SMALL_LETTER = re.compile(r"\(?([a-j])\)?\.?")
_OPTION_TEXT = re.compile(r"[\w\\√∞∅]")
_JOINED = re.compile(r"[\s,;}$~]*+(?:and|or|to)?[\s,;{$]*", re.IGNORECASE)

# "The census will show that" asks for nothing: but for "prove", the verb begins its clause.
_PROVE = re.compile(
    r"\b(?:prove|disprove)\b(?!n|d\s+by)|\bhow\s+to\s+proof\b|\bproof\s+(?:of|that)\b"
    r"|(?:^|[.!?;:,)$\]]\s*|\b(?:and|then|to|please|hence|also|now)\s+)"
    r"(?:show|demonstrate|verify|establish|deduce)\s+(?:that|why)\b"
    r"|\b(?:give|write|provide|find)\s+an?\s+(?:\w+\s+){0,2}proof\b",
    re.IGNORECASE | re.MULTILINE,
)
# What begins a sentence or clause is matched where one begins, which `_begins` finds in one pass: a pattern that looks
# for its beginning too tries every place of a long run of spaces or dots, and from each the rest of the run.
_CLAUSE_ENDS = re.compile(r"[.!;:,]\s")
_SENTENCE_ENDS = re.compile(r"[.!;:]\s")
_QUESTION_MAY_FOLLOW = re.compile(r"\n|[.?!:;]\s")
# A clause or sentence that begins with what asks: "does" and "find" within a condition do not.
_CLAUSE_ASKS = re.compile(
    r"(?:(?:then|hence|and|also|now|please)\s+)*"
    r"(?:find|determine|compute|calculate|evaluate|solve|simplify|prove|show\s+that)\b",
    re.IGNORECASE,
)
_SENTENCE_ASKS = re.compile(
    r"(?:express|state|list|give|write|draw|sketch|show|explain|describe|estimate|what|how|who|why)\b", re.IGNORECASE
)
# Outside quotation marks and to its end, a sentence that begins as a question, or with a condition and then does.
_QUESTION = re.compile(
    r"(?:(?:and|then|also)\b\W*)?(?:(?:if|when|given|suppose)\b[^?\n\"“”]{1,200}?,?\s)?"
    r"(?:what|how|which|when|where|who)\b[^?\n\"“”]{5,300}?\?",
    re.IGNORECASE,
)
_BETWEEN_WORDS = re.compile(r"\W+")
_ASKS_FOR_VALUE = re.compile(
    r"\b(?:find|determine|compute|calculate|evaluate|what\s+(?:is|are|was)|how\s+(?:many|much|long|far|old))\b",
    re.IGNORECASE,
)
_PART_LABELS = (
    re.compile(r"(?:^|(?<=\s))\**\(?([a-h])\)\**", re.MULTILINE),
    re.compile(r"(?:^|(?<=\s))\**\(([1-9])\)\**", re.MULTILINE),
    re.compile(r"^[^\S\n]*\**([1-9])[.)]\**(?=\s)", re.MULTILINE),
    re.compile(r"^[^\S\n]*\**([a-h])\.\**(?=\s)", re.MULTILINE),
    re.compile(r"(?:^|(?<=\s))\**(?:part|question|problem)\s+([a-h1-9])\b[).:]?\**", re.MULTILINE | re.IGNORECASE),
    re.compile(r"(?:^|(?<=\s))\**\((i{1,3}|iv|v)\)\**", re.MULTILINE),
)
_ROMAN = ("i", "ii", "iii", "iv", "v")
_LETTER = re.compile(r"\W*([A-Ja-j])\W*")


def options(query: str, ground_truth: str | None = None) -> list[str]:
    """Texts of a multiple-choice query's options, A first; empty if it is none.

    Three labels in order make options, or two that begin lines. Small letters do only where the ground truth is one.
    """
    text = DRAWING.sub(" ", query)
    small = _SMALL_LABELS if ground_truth and _LETTER.fullmatch(ground_truth) else ()
    for label in (*_LABELS, *small):
        marks = _in_order(label, text, "ABCDEFGHIJ")
        texts = [text[mark.end() : end].strip() for mark, end in zip(marks, _ends(marks, text), strict=True)]
        if len(marks) < 2 or any(_JOINED.fullmatch(option) or not _OPTION_TEXT.search(option) for option in texts):
            continue
        begin_lines = all(text[: mark.start()].rstrip(" \t(*").endswith("\n") for mark in marks)
        if len(marks) >= 3 or begin_lines:
            return texts
    return []


def right_option(query: str, ground_truth: str) -> str | None:
    """Text of the option of a multiple-choice query that the ground truth names, or the ground truth where it is no
    letter; None where it is several letters, or the letter of no option in the text."""
    truth = clean_ground_truth(ground_truth) or ""
    if _LETTERS.fullmatch(truth):
        return None
    texts = [_unset(option) for option in options(query, ground_truth)]
    letter = choice_letter(truth)
    if letter is None and truth not in texts and (small := _SMALL_LETTER.fullmatch(truth)):
        letter = small[1].upper()
    if letter is None:
        return truth or None
    place = ord(letter) - ord("A")
    return (texts[place] or None) if place < len(texts) else None


def _unset(option: str) -> str:
    r"""An option without what sets it in a row of options: "}\ 5/2\qquad\textbf{" is 5/2."""
    text = _SEPARATOR.split(_SETTING.sub("", option, count=1), maxsplit=1)[0].rstrip("\\ \t\r\n~")
    text = _OPENED.sub("", text).rstrip()
    if text.count("$") % 2:
        text = text.removesuffix("$").rstrip() if text.endswith("$") else text.removeprefix("$").lstrip()
    unopened = text.count("}") - text.count("{")
    while text.endswith("}") and unopened > 0:
        text, unopened = text[:-1].rstrip(), unopened - 1
    return text


def is_multiple_choice(query: str, ground_truth: str | None = None) -> bool:
    """Whether a query offers options, or asks for the labels of what is right."""
    return bool(options(query, ground_truth)) or bool(_ANSWERED_BY_LABEL.search(DRAWING.sub(" ", query)))


def is_proof(query: str, ground_truth: str | None) -> bool:
    """Whether a query asks for a proof and for no value besides that the ground truth could hold."""
    text = DRAWING.sub(" ", query)
    if not _PROVE.search(text):
        return False
    return not (ground_truth and _ASKS_FOR_VALUE.search(text)) or ground_truth.strip().lower().strip(".") == "proof"


def is_multi_part(query: str) -> bool:
    """Whether a query has two labelled parts, in order, that each ask for something, or two sentences that do."""
    text = DRAWING.sub(" ", query)
    if _questions(text) >= 2:
        return True
    for label in _PART_LABELS:
        for alphabet in ("abcdefgh", "123456789", _ROMAN):
            marks = _in_order(label, text, alphabet)
            parts = [text[mark.end() : end] for mark, end in zip(marks, _ends(marks, text), strict=True)]
            if sum(map(_asks, parts)) >= 2:
                return True
    return False


def _questions(text: str) -> int:
    count = end = 0
    for start in _begins(text, _QUESTION_MAY_FOLLOW):
        if start >= end and (question := _QUESTION.match(text, start)):
            count, end = count + 1, question.end()
    return count


def _asks(text: str) -> bool:
    return (
        "?" in text
        or any(_CLAUSE_ASKS.match(text, start) for start in _begins(text, _CLAUSE_ENDS))
        or any(_SENTENCE_ASKS.match(text, start) for start in _begins(text, _SENTENCE_ENDS))
    )


def _begins(text: str, ends: re.Pattern) -> Iterator[int]:
    """Places of the words that begin the text, or that follow signs with an end of what came before among them."""
    if not _BETWEEN_WORDS.match(text):
        yield 0
    for signs in _BETWEEN_WORDS.finditer(text):
        if signs.start() == 0 or ends.search(signs[0]):
            yield signs.end()


def _in_order(label: re.Pattern, text: str, alphabet: str | tuple[str, ...]) -> list[re.Match]:
    """The last run of labels that counts up from the alphabet's first."""
    best: list[re.Match] = []
    current: list[re.Match] = []
    for mark in label.finditer(text):
        name = mark[1].upper() if alphabet[0] == "A" else mark[1].lower()
        if name == alphabet[0]:
            current = [mark]
        elif current and len(current) < len(alphabet) and name == alphabet[len(current)]:
            current = [*current, mark]
        if len(current) >= max(2, len(best)):
            best = current
    return best


def _ends(marks: list[re.Match], text: str) -> list[int]:
    return [*(mark.start() for mark in marks[1:]), len(text)] if marks else []
