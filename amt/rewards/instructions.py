"""Whether a response follows its instructions [3.1.3]: the 25 instruction types of IFEval.

Strict, which the reward is: the answer is taken as it is, and all instructions must be followed. Loose, which
evaluations report as well: an instruction counts as followed if the answer follows it as it is or without its first
line, its last line, both, its asterisks, or asterisks and lines.

The checks decide as IFEval's published validator does, its quirks included (a keyword is a regular expression that
matches inside words; a text whose language cannot be told counts as followed). docs/decisions/ifeval.md has what is
different on purpose: arguments that IFEval replaces by random ones or fails on make the query invalid, language
detection is seeded, a keyword that is no regular expression is taken literally, and no keyword hangs.
"""

import inspect
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from amt.errors import InfrastructureError
from amt.rewards.answer import NO_ANSWER, answer_part
from amt.rewards.patterns import TooSlowError, count_matches
from amt.rewards.verdict import PASSED, Verdict, failed

_CONSTRAINED_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_RELATIONS = ("less than", "at least")


class UnknownInstructionError(ValueError):
    """An instruction type or argument that cannot be checked."""


@dataclass(frozen=True)
class Instruction:
    """One instruction with its arguments, which have been checked."""

    name: str
    """E.g. "punctuation:no_comma"."""
    check: Callable[[str], bool]

    def broken_by(self, text: str) -> str | None:
        """Why a text does not follow it; None if it does. An empty text follows nothing.

        Raises:
            InfrastructureError: it could not be checked this time.
        """
        try:
            return None if text.strip() and self.check(text) else self.name
        except TooSlowError as error:
            return f"{self.name} ({error})"


def grade_instructions(instructions: str | None, response: str) -> Verdict:
    """Strict verdict on one response: passed if its answer follows all instructions (see read_instructions)."""
    try:
        wanted = read_instructions(instructions)
    except UnknownInstructionError as error:
        return Verdict("invalid", reason=f"instructions cannot be checked: {error}")
    answer = answer_part(response)
    if answer is None:
        return failed(NO_ANSWER)
    try:
        broken = [why for instruction in wanted if (why := instruction.broken_by(answer))]
    except InfrastructureError as error:
        return Verdict("error", reason=str(error))
    return failed(f"not followed: {', '.join(broken)}") if broken else PASSED


def strict(instruction: Instruction, text: str) -> bool:
    """Whether a text as it is follows an instruction."""
    return instruction.broken_by(text) is None


def loose(instruction: Instruction, text: str) -> bool:
    """Whether a text follows an instruction as it is or in one of seven versions with less around it."""
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return any(strict(instruction, version) for part in cut for version in (part, part.replace("*", "")))


def follows(name: str, kwargs: dict[str, Any], text: str) -> bool:
    """Whether a text follows one instruction, e.g. follows("punctuation:no_comma", {}, "a b").

    Raises:
        UnknownInstructionError: there is no such type, or an argument is missing or of no use.
    """
    return strict(_bind(name, kwargs), text)


# --- instructions and their arguments --------------------------------------------------------------------


def read_instructions(text: str | None) -> list[Instruction]:
    """Instructions in the form of the paper's Figure 3; arguments that are null are left out.

    Args:
        text: JSON {"instruction_id_list": ["punctuation:no_comma", ...], "kwargs": [{...}, ...]}, as many of each.

    Raises:
        UnknownInstructionError: it has another form, no instruction, or one that cannot be checked.
    """
    try:
        content = json.loads(text or "null")
        names, arguments = content["instruction_id_list"], content["kwargs"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnknownInstructionError(f"{type(error).__name__}: {error}") from None
    if not isinstance(names, list) or not isinstance(arguments, list) or not len(names) == len(arguments) > 0:
        raise UnknownInstructionError("instruction_id_list and kwargs are not two lists of one length above 0")
    return [_bind(name, kwargs) for name, kwargs in zip(names, arguments)]


def _bind(name: str, kwargs: dict[str, Any] | None) -> Instruction:
    if not isinstance(name, str) or name not in CHECKS:
        raise UnknownInstructionError(f"unknown instruction type {name!r}")
    if not isinstance(kwargs, dict | None):
        raise UnknownInstructionError(f"{name}: its arguments are {kwargs!r}, which names none")
    given = {key: value for key, value in (kwargs or {}).items() if value is not None}
    try:
        inspect.signature(CHECKS[name]).bind("", **given)
    except TypeError as error:
        raise UnknownInstructionError(f"{name}: {error}") from None
    for key, value in given.items():
        given[key], fault = _argument(key, value)
        if fault:
            raise UnknownInstructionError(f"{name}: {key} is {value!r}, {fault}")
    if given.get("nth_paragraph", 0) > given.get("num_paragraphs", 0):
        raise UnknownInstructionError(f"{name}: no paragraph {given['nth_paragraph']} in {given['num_paragraphs']}")
    check = CHECKS[name]
    return Instruction(name, lambda text: check(text, **given))


# Not read off the checks' annotations: a digest of code leaves those out.
_NUMBERS = frozenset(
    """frequency let_frequency capital_frequency num_sentences num_words num_paragraphs nth_paragraph num_placeholders
    num_bullets num_highlights num_sections""".split()
)
_LISTS = frozenset({"keywords", "forbidden_words"})


def _argument(name: str, value: Any) -> tuple[Any, str | None]:
    """The argument as its check takes it, and why it is of no use."""
    if name in _NUMBERS:
        if isinstance(value, float) and value.is_integer():  # a column of numbers with gaps is read as floats
            value = int(value)
        lowest = int(name == "nth_paragraph")
        usable = isinstance(value, int) and not isinstance(value, bool) and value >= lowest
        return value, None if usable else f"no whole number from {lowest} on"
    words = value if name in _LISTS else [value]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word.strip() for word in words):
        return value, "empty or no text"
    if name.endswith("relation") and value not in _RELATIONS:
        return value, "not 'less than' or 'at least'"
    if name == "letter" and len(value) != 1:
        return value, "not one letter"
    if name == "language" and value not in _languages():
        return value, "which is never detected"
    return value, None


def _compare(count: int, relation: str, threshold: int) -> bool:
    return count < threshold if relation == "less than" else count >= threshold


# --- keywords --------------------------------------------------------------------------------------------


def _keyword_existence(text: str, *, keywords: list[str]) -> bool:
    return all(count_matches(keyword, text, flags=re.IGNORECASE) for keyword in keywords)


def _keyword_frequency(text: str, *, keyword: str, frequency: int, relation: str) -> bool:
    return _compare(count_matches(keyword.strip(), text, flags=re.IGNORECASE), relation, frequency)


def _forbidden_words(text: str, *, forbidden_words: list[str]) -> bool:
    return not any(
        count_matches(word, text, before=r"\b", after=r"\b", flags=re.IGNORECASE) for word in forbidden_words
    )


def _letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> bool:
    return _compare(Counter(text.lower())[letter.strip().lower()], let_relation, let_frequency)


# --- language and case -----------------------------------------------------------------------------------

_detector_lock = threading.Lock()


@cache
def _languages() -> frozenset[str]:
    """Codes that the detector knows: each of its profiles is named by one."""
    import langdetect

    return frozenset(os.listdir(langdetect.PROFILES_DIRECTORY))


@lru_cache(maxsize=1000)
def _language(text: str) -> str | None:
    """ISO code of a text's language, or None if there is nothing to tell it by. Equal texts, equal answer."""
    import langdetect

    with _detector_lock:
        langdetect.DetectorFactory.seed = 0
        try:
            return langdetect.detect(text)
        except langdetect.LangDetectException:
            return None


def _response_language(text: str, *, language: str) -> bool:
    return _language(text) in (language, None)


def _english_capital(text: str) -> bool:
    return text.isupper() and _language(text) in ("en", None)


def _english_lowercase(text: str) -> bool:
    return text.islower() and _language(text) in ("en", None)


def _capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: str) -> bool:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    tokenizer = NLTKWordTokenizer()
    words = [word for sentence in _sentences(text) for word in tokenizer.tokenize(sentence)]
    return _compare(sum(word.isupper() for word in words), capital_relation, capital_frequency)


# --- length ----------------------------------------------------------------------------------------------


@cache
def _punkt():
    """NLTK's sentence splitter with its model of English, which NLTK itself has as a download only."""
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
    from punkt import load_model

    model, parameters = load_model("english"), PunktParameters()
    parameters.abbrev_types = set(model.abbrev_types)
    parameters.collocations = set(model.collocations)
    parameters.sent_starters = set(model.sent_starters)
    # NLTK's own defaultdict would grow by every word that is looked up.
    parameters.ortho_context = Counter(model.ortho_context)
    return PunktSentenceTokenizer(parameters)


def _sentences(text: str) -> list[str]:
    # Punkt takes quadratic time on a run of white space; where a sentence ends does not depend on its length.
    return _punkt().tokenize(re.sub(r"\s{100,}", lambda run: run.group()[:100], text))


def _number_sentences(text: str, *, num_sentences: int, relation: str) -> bool:
    return _compare(len(_sentences(text)), relation, num_sentences)


def _number_words(text: str, *, num_words: int, relation: str) -> bool:
    return _compare(len(re.findall(r"\w+", text)), relation, num_words)


def _number_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """Paragraphs are separated by ***; only the first and the last piece may be empty."""
    pieces = [piece.strip() for piece in re.split(r"\s?\*\*\*\s?", text)]
    if not all(pieces[1:-1]):
        return False
    return sum(map(bool, pieces)) == num_paragraphs


def _nth_paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Paragraphs are separated by an empty line. The nth is counted among all pieces, the empty ones too."""
    pieces = text.split("\n\n")
    count = sum(bool(piece.strip()) for piece in pieces)
    if not 1 <= nth_paragraph <= count or count != num_paragraphs:
        return False
    words = pieces[nth_paragraph - 1].split()
    if not words:
        return False
    found = re.match(r"""[^.,?!'"]*""", words[0].lstrip("'").lstrip('"')).group()
    # Letter by letter, as IFEval does: a Greek word that ends in a capital sigma becomes another one as a whole.
    return "".join(letter.lower() for letter in found) == first_word.lower()


# --- content and format ----------------------------------------------------------------------------------


def _number_placeholders(text: str, *, num_placeholders: int) -> bool:
    """[...] within a line. Without a regular expression: one that finds no end looks for it from every [ again."""
    found = 0
    for line in text.split("\n"):
        end = -1
        while (start := line.find("[", end + 1)) >= 0 and (end := line.find("]", start)) >= 0:
            found += 1
    return found >= num_placeholders


def _postscript(text: str, *, postscript_marker: str) -> bool:
    marker = postscript_marker.strip()
    special = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    if marker in special:
        return bool(re.search(special[marker], text.lower()))
    return count_matches(marker.lower(), text.lower(), flags=re.MULTILINE) > 0


def _number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    # IFEval's \s* also spans lines: the same bullets, but in quadratic time on empty lines.
    stars = re.findall(r"^[^\S\n]*\*[^\*].*$", text, re.MULTILINE)
    dashes = re.findall(r"^[^\S\n]*-.*$", text, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


def _constrained_response(text: str) -> bool:
    return any(option in text for option in _CONSTRAINED_RESPONSES)


def _number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    single = [found.strip("*").strip() for found in re.findall(r"\*[^\n\*]*\*", text)]
    double = [found[2:-2].strip() for found in re.findall(r"\*\*[^\n\*]*\*\*", text)]
    return sum(map(bool, single + double)) >= num_highlights


def _multiple_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    return count_matches(section_spliter.strip(), text, before=r"\s?", after=r"\s?\d+\s?") >= num_sections


def _json_format(text: str) -> bool:
    text = text.strip()
    for prefix in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(prefix)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str) -> bool:
    """<<...>> within a line, from its first << to its last >>."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end - 2 and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def _two_responses(text: str) -> bool:
    pieces = [piece.strip() for piece in text.split("******")]
    if not all(pieces[1:-1]):
        return False
    given = [piece for piece in pieces if piece]
    return len(given) == 2 and given[0] != given[1]


def _repeat_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _end_checker(text: str, *, end_phrase: str) -> bool:
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def _quotation(text: str) -> bool:
    text = text.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def _no_comma(text: str) -> bool:
    return "," not in text


CHECKS: dict[str, Callable[..., bool]] = {
    "keywords:existence": _keyword_existence,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _forbidden_words,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _response_language,
    "length_constraints:number_sentences": _number_sentences,
    "length_constraints:number_paragraphs": _number_paragraphs,
    "length_constraints:number_words": _number_words,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph_first_word,
    "detectable_content:number_placeholders": _number_placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _number_bullet_lists,
    "detectable_format:constrained_response": _constrained_response,
    "detectable_format:number_highlighted_sections": _number_highlighted_sections,
    "detectable_format:multiple_sections": _multiple_sections,
    "detectable_format:json_format": _json_format,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat_prompt,
    "startend:end_checker": _end_checker,
    "startend:quotation": _quotation,
    "change_case:capital_word_frequency": _capital_word_frequency,
    "change_case:english_capital": _english_capital,
    "change_case:english_lowercase": _english_lowercase,
    "punctuation:no_comma": _no_comma,
}
