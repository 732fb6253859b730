"""Which parts of a text are embedded."""

from itertools import pairwise

import pytest

from amt.curate.views import WINDOW_WORDS, prose, views

FUNCTION = '''from typing import List

def below(operations: List[int]) -> bool:
    """Tell whether the balance is ever negative.
    >>> below([1, -2])
    True
    """
    return min(operations) < 0  # of the running sum
'''


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("How many apples are left?", "How many apples are left?"),
        (FUNCTION, "Tell whether the balance is ever negative."),
        (
            f"Complete this for me:\n```python\n{FUNCTION}```",
            "Complete this for me: Tell whether the balance is ever negative.",
        ),
        ("int add(int a, int b) {\n// the sum of the two numbers\nreturn a + b; }", "the sum of the two numbers"),
        ("def f(x):\n    return x", ""),
        # What stands after code is said again, and its own blank lines are code's.
        (
            'def f(x):\n    """Add one to x.\n\n    Never two.\n    """\n\n    return x + 1\n\nWhat does f(3) give?',
            "What does f(3) give? Add one to x. Never two.",
        ),
        # Words that code begins with too.
        ("package A costs 3 dollars.\nHow much are 4 of it?", "package A costs 3 dollars.\nHow much are 4 of it?"),
        ("public opinion is split.", "public opinion is split."),
        ("from China import duties rose by 5 %.", "from China import duties rose by 5 %."),
    ],
)
def test_prose_is_what_is_said_outside_of_code(text, said):
    assert prose(text) == said


def test_a_short_text_is_its_only_view():
    assert views("How many apples are left?") == ["How many apples are left?"]


def test_every_sentence_of_a_long_text_stands_whole_in_a_window():
    sentences = [f"Sentence number {number} has exactly seven words." for number in range(30)]
    whole, *windows = views(" ".join(sentences))
    assert whole == " ".join(sentences)
    assert all(any(sentence in window for window in windows) for sentence in sentences)
    assert all(len(window.split()) < WINDOW_WORDS + 7 for window in windows)
    # Two neighbours stand together in one, so that an item of two sentences is not always cut.
    assert all(any(f"{first} {second}" in window for window in windows) for first, second in pairwise(sentences))


@pytest.mark.parametrize("end", ["。", " "])
def test_a_long_text_without_ends_of_sentences_that_english_has_is_cut_too(end):
    """In Chinese, and a list of words without any full stop."""
    text = end.join("一个农场有三十只鸡和五头牛" if end == "。" else f"word{number}" for number in range(180))
    whole, *windows = views(text)
    assert whole == text
    assert len(windows) >= 3
    assert all(len(window) < len(text) / 2 for window in windows)
