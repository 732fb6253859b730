"""Coverage of items by texts, against a count of word tuples."""

from hypothesis import given, settings
from hypothesis import strategies as st

from amt.curate.ngram_index import Coverage, NgramIndex, hashed_words, longest_span

WORDS = st.lists(st.sampled_from("a b c d e f".split()), min_size=1, max_size=14).map(" ".join)


def grams(text: str, length: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def most_covered(index: NgramIndex, texts: list[str]) -> list[Coverage | None]:
    return [next(iter(items), None) for items in index.covered(hashed_words(texts), 0.0)]


@settings(max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=1), st.lists(WORDS, max_size=6))
def test_with_one_item_coverage_is_the_share_of_its_ngrams(items, texts):
    """All words of a single item are equally rare, so that the weights drop out."""
    length = min(4, len(items[0].split()))
    wanted = grams(items[0], length) if length >= 2 else set()
    found = most_covered(NgramIndex(hashed_words(items), 4), texts)
    for text, coverage in zip(texts, found, strict=True):
        share = len(wanted & grams(text, length)) / len(wanted) if wanted else 0
        assert (coverage.share if coverage else 0) == share or abs(coverage.share - share) < 1e-9


def test_the_item_with_the_larger_share_is_named_whatever_stands_beside_the_text():
    items = ["the red fox jumps over a lazy dog", "the red fox sleeps under the old tree near home"]
    texts = ["nothing of it", items[1], f"we saw {items[0]} today", ""]
    found = most_covered(NgramIndex(hashed_words(items), 4), texts)
    assert [coverage and (coverage.item, round(coverage.share, 6)) for coverage in found] == [
        None,
        (1, 1.0),
        (0, 1.0),
        None,
    ]


def test_words_that_many_items_have_count_less():
    boilerplate = "where m and n are relatively prime positive integers find the sum"
    own = ["violet tigers paint seven quiet harbours slowly", "bronze kettles hum beneath forgotten lighthouse stairs"]
    items = [f"{text} {boilerplate}" for text in own]
    items += [f"item number {number} asks something else {boilerplate}" for number in range(20)]
    index = NgramIndex(hashed_words(items), 4)
    (said,), (shared,) = (most_covered(index, [text]) for text in (own[0], boilerplate))
    plain = len(grams(own[0], 4)) / len(grams(items[0], 4))
    assert (said.item, said.share > plain + 0.1) == (0, True)
    assert shared.share < 1 - plain


def test_the_longest_run_is_the_span():
    item, text = "a b c d e f g h", "x a b c d y b c d e f g z"
    assert longest_span(text.split(), item.split(), 3) == "b c d e f g"
