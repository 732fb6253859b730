"""Copies of items that are planted to try decontamination."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.curate.benchmark_items import Item
from amt.curate.copies import EDITS, draw_items, edited_copies
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
        assert quantities(TEXT) == quantities(copy)
    assert (normal_form(copy) == normal_form(TEXT)) == (kind == "verbatim")
    assert (TEXT in copy) == (kind == "embedded")
    assert copy == EDITS[kind](TEXT, random.Random(1))


NUMBERS = ("seven", "three", "twelve", "forty", "hundred", "twice", "half", "dozen", "third", "both")


@given(st.lists(st.sampled_from([*NUMBERS, "eggs", "many"]), max_size=9), st.integers(0, 99))
def test_a_number_in_words_is_never_replaced(said, seed):
    """Seven friends who share three pizzas are another problem than some friends who do."""
    text = f"{' '.join(said)} pizzas. Seven friends share three of them."
    for kind in ("light", "heavy"):
        copy = EDITS[kind](text, random.Random(seed))
        for number in ("Seven", *NUMBERS):
            assert copy.split().count(number) == text.split().count(number)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(1, 120), st.integers(0, 9))
def test_of_every_benchmark_as_many_items_are_drawn_as_of_the_others(sizes, count, seed):
    items = [Item(f"b{name}", f"b{name}:{n:02}", "x", False) for name, size in enumerate(sizes) for n in range(size)]
    drawn = draw_items(items, count, seed)
    assert drawn == sorted(set(drawn), key=lambda item: item.row_id)
    size = Counter(item.benchmark for item in items)
    own = Counter(item.benchmark for item in drawn)
    assert own.keys() == size.keys()
    assert len(drawn) == min(len(items), max(count, len(size)))
    most = max(own.values(), default=0)
    assert all(own[name] in (size[name], most, most - 1) for name in own)
    assert drawn == draw_items(list(reversed(items)), count, seed) or len(drawn) < len(items)


def test_a_copy_depends_on_its_item_alone():
    items = [Item("b", f"b:{number}", f"{TEXT} Part {number}.", False) for number in range(3)]
    assert edited_copies("heavy", items, 1)[1:] == edited_copies("heavy", items[1:], 1)
    assert edited_copies("heavy", items, 1) != edited_copies("heavy", items, 2)
