"""Values in examples, in order."""

import pytest

from amt.curate.literals import hashed_literals, literals


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f(5, 6.50, 007) -> [11, 4]", ["5", "6.5", "7", "11", "4"]),
        ("f('Ab c', \"d\") == True, nil, null, None", ["'ab c", "'d", "true", "none", "none", "none"]),
        ("'''Say it''' f(1)", ["1"]),
        # Apostrophes, and digits within names, are no values.
        ("Natalia's friend didn't see x1 or 2nd", []),
        ("", []),
    ],
)
def test_values_are_numbers_texts_and_words_for_truth(text, found):
    assert literals(text) == found


def test_equal_values_have_equal_hashes_in_any_text():
    found = hashed_literals(["f(1, 'a')", "", '{1.0, "a"}'])
    assert found.offsets.tolist() == [0, 2, 2, 4]
    assert found.of(0).tolist() == found.of(2).tolist()
    assert len(set(found.hashes.tolist())) == 2
