"""Whether two texts with the same formulas ask the same: each number must do the same work in both."""

import regex

from amt.curate.normal_form import numbers_in_order, tokens, words

_SENTENCE_END = regex.compile(r"(?<=[.?!;。？！])\s+|\n+")


def same_number_contexts(left: str, right: str) -> bool:
    """Whether each number does the same work in both texts, which have the same numbers.

    Numbers in the same order do. In another order, sentences may have been moved (fine) or numbers swapped
    (another problem): the sentence most like each sentence with numbers must hold the same numbers.
    """
    if numbers_in_order(tokens(left)) == numbers_in_order(tokens(right)):
        return True
    left_sentences, right_sentences = _sentences(left), _sentences(right)
    for said, held in left_sentences:
        most_alike = max(right_sentences, key=lambda other: (_alike(said, other[0]), other[1] == held), default=None)
        if most_alike is None or most_alike[1] != held:
            return False
    return True


def _sentences(text: str) -> list[tuple[set[str], list[str]]]:
    """(words without numbers, numbers in order) of each sentence that holds numbers."""
    found = []
    for sentence in _SENTENCE_END.split(text):
        sentence_tokens = tokens(sentence)
        if held := numbers_in_order(sentence_tokens):
            found.append((set(words(sentence_tokens)) - set(held), held))
    return found


def _alike(left: set[str], right: set[str]) -> float:
    return len(left & right) / max(1, len(left | right))
