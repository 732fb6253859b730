"""Copies of items that are planted to try decontamination."""

import random

import pytest

from amt.curate.copies import EDITS
from amt.curate.normal_form import normal_form
from amt.curate.quantities import quantities

TEXT = (
    "Natalia sold 48 clips to her friends in April. In May she sold half as many clips as before. Her brother Paolo "
    "bought 12 of them for $3 each, and their mother wrapped the rest. How many clips did Natalia sell altogether?"
)


@pytest.mark.parametrize(("kind", "changed"), [("verbatim", 0), ("light", 1), ("heavy", 6), ("embedded", 0)])
def test_a_copy_changes_as_many_words_as_its_kind_says_and_no_number(kind, changed):
    copy = EDITS[kind](TEXT, random.Random(1))
    assert copy != TEXT
    lost = [word for word in TEXT.split() if word not in copy.split()]
    assert len(lost) <= changed
    assert (len(lost) > 0) == (changed > 0)
    if kind != "embedded":
        # "half" is a word of four letters: it may go as any other.
        assert quantities(TEXT) - quantities(copy) in ({}, {"2": 1})
    assert (normal_form(copy) == normal_form(TEXT)) == (kind == "verbatim")
    assert (TEXT in copy) == (kind == "embedded")
    assert copy == EDITS[kind](TEXT, random.Random(1))
