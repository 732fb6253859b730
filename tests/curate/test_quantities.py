"""Numbers by value, and what they say for and against a copy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.curate.quantities import agreement, bits, quantities


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,000.50 and 7.0", {"1000.5": 1, "7": 1}),
        (r"6{,}000{,}000 and 912,\!673", {"6000000": 1, "912673": 1}),
        ("3 and three", {"3": 2}),
        ("forty-eight, two hundred and fifty, three thousand", {"48": 1, "250": 1, "3000": 1}),
        ("one two three", {"1": 1, "2": 1, "3": 1}),
        ("half of it, twice, a third, two dozen", {"2": 3, "3": 1, "12": 1}),
        (r"\frac12, \frac{1}{2} and 1/2", {"1": 3, "2": 3}),
        (r"20%, 20 percent, $20\%$, 0.2, one fifth", {"1": 5, "5": 5}),
        ("30% of it costs $.35.", {"30": 1, "35": 1}),
        ("12.5% of 80, and 2.20%", {"12.5": 1, "80": 1, "2.2": 1}),  # no share begins within a number
        ("none at all", {}),
    ],
)
def test_values_are_compared_and_not_spellings(text, numbers):
    assert quantities(text) == numbers


@pytest.mark.parametrize(
    ("value", "weight"),
    [("1", 0), ("0", 0), ("2", 1), ("10", 1), ("1000", 3), ("64", 6), ("912673", 12), ("9" * 5000, 12)],
)
def test_a_number_weighs_the_bits_it_takes_to_write(value, weight):
    assert bits(value) == weight


@given(st.integers(2, 10**9))
def test_digits_and_words_of_a_group_have_one_value(number):
    assert quantities(f"{number:,}") == quantities(str(number)) == {str(number): 1}


@pytest.mark.parametrize("text", ["7" * 5000, "0." + "7" * 5000, "7" * 5000 + "%", "." + "7" * 5000])
def test_a_number_of_any_length_is_read(text):
    """Python reads at most 4,300 digits as a number."""
    (value,) = quantities(text)
    assert "7" * 5000 in value


def test_other_numbers_speak_against_a_copy_and_fewer_or_more_less_so():
    item = quantities("64 apples for 8 children")
    same, part, longer, other = (
        agreement(item, quantities(text))
        for text in (
            "8 children share 64 apples",
            "64 apples",
            "64 apples, 8 children, 16 pears",
            "64 apples, 4 children",
        )
    )
    assert same.of_texts == 9  # 6 bits of 64 and 3 of 8
    assert same.of_texts > part.of_texts > other.of_texts
    assert same.of_texts > longer.of_texts > other.of_texts
    assert longer.of_part == same.of_part > other.of_part
    assert (other.swapped, part.swapped, longer.swapped) == (1, 0, 0)
