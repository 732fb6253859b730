"""Counting matches of patterns from data: as `re` counts them, and never for long."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.rewards.patterns import TooSlowError, count_matches

PARTS = ["a", "b", "(a|b)", "a*", "b+?", "a{1,2}", "(?:ab)?", ".", r"\b", r"\s", "[ab]", "^", "$", "é", "C++", ""]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PARTS), max_size=4).map("".join), st.text(alphabet="abC \né\u0301\ud800", max_size=12))
def test_as_re_counts(keyword, text):
    expected = len(re.findall(rf"\b{keyword}\b", text, re.IGNORECASE))
    assert count_matches(keyword, text, before=r"\b", after=r"\b", flags=re.IGNORECASE) == expected


@pytest.mark.parametrize(
    ("keyword", "text", "count"),
    [
        ("*", "a * b *", 2),
        ("(", "f(x)", 1),
        ("c#", "C# and c#", 2),
        ("a{99999999999}", "a{99999999999}", 1),
        ("c++", "C++", 1),  # a regular expression since Python 3.11: the whole of a run of c
    ],
)
def test_what_is_no_regular_expression_is_literal(keyword, text, count):
    assert count_matches(keyword, text, flags=re.IGNORECASE) == count


def test_backtracking_ends():
    with pytest.raises(TooSlowError, match=r"\(x\+x\+\)\+y"):
        count_matches("(x+x+)+y", "x" * 60)


def test_plain_keywords_take_long_texts():
    assert count_matches("sea", "sea " * 100_000) == 100_000
    assert count_matches("sea|sky", "sea sky " * 50_000) == 100_000
