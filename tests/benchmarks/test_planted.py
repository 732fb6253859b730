"""The planted corpus: what is planted is what it is called, and the rest has nothing to do with it."""

import random
import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from string import Formatter

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt.rows import QUERY, read_shards
from benchmarks.curate import edits, templates
from benchmarks.curate.edits import KINDS
from benchmarks.curate.generated import CHAT, CROWDED, FAMILIES, SIZE, gathered, generated_problem, spread
from benchmarks.curate.planted import shards_of, write_corpus
from benchmarks.curate.real import Problem, real_problems
from benchmarks.curate.score import read_truth

MONEY = Problem(
    "x", "math", "Tom has $5 and buys 12 green apples for his sister Ann at the small shop. They cost $3 each."
)
FORMULA = Problem(
    "x",
    "math",
    "Let $x + 2 < 7$ and consider the real roots of the polynomial. Find the largest value of $x$ among these roots.",
    has_formulas=True,
)


@pytest.fixture(scope="module")
def pairs(corpus):
    """{kind: [(text of the original, planted text)]}"""
    text_of = {row["row_id"]: row["query"] for row in read_shards(shards_of(corpus), QUERY)}
    found = {}
    for row, kind, original in read_truth(corpus):
        found.setdefault(kind, []).append((text_of[original], text_of[row]))
    return found


def numbers(text):
    """Digits of any script as ASCII, in order."""
    return re.findall(r"\d+", unicodedata.normalize("NFKC", text))


def test_every_kind_has_its_share_and_stems_from_rows_that_are_not_planted(corpus):
    truth = read_truth(corpus)
    assert Counter(kind for _, kind, _ in truth) == {
        "exact": 40, "light": 40, "heavy": 40, "number": 200, "operator": 40,
        "normal_case": 20, "normal_spacing": 20, "normal_unicode": 20, "normal_punctuation": 20, "normal_suffix": 20,
    }  # fmt: skip
    ids = [row["row_id"] for row in read_shards(shards_of(corpus), QUERY)]
    assert len(ids) == len(set(ids)) == 4_000
    assert ids == sorted(ids)
    planted = {row for row, _, _ in truth}
    assert len(planted) == len(truth)
    assert {original for _, _, original in truth} <= set(ids) - planted


def test_a_generated_corpus_has_chats_and_a_crowd_that_nothing_is_planted_of(corpus, pairs):
    rows = read_shards(shards_of(corpus), QUERY)
    planted = {row for row, _, _ in read_truth(corpus)}
    of_origin = Counter(row["origin"] for row in rows if row["row_id"] not in planted)
    assert of_origin == {"generated": 2_340, "chat": 1_000, "crowded": 200}
    text_of = {row["row_id"]: row for row in rows}
    assert {text_of[name]["origin"] for _, kind, name in read_truth(corpus)} == {"generated"}
    chats, crowd = ([row["query"] for row in rows if row["origin"] == origin] for origin in ("chat", "crowded"))
    assert not [text for text in chats if numbers(text)]
    assert {tuple(numbers(text)) for text in crowd} == {("150",)}
    # Most of the crowd is one text, and of two chats nothing is.
    common = [set.intersection(*(set(text.split()) for text in texts)) for texts in (crowd, chats)]
    assert len(common[0]) > 35
    assert len(common[1]) == 0


def test_nothing_else_is_a_copy(corpus):
    planted = {row for row, _, _ in read_truth(corpus)}
    others = [row["query"] for row in read_shards(shards_of(corpus), QUERY) if row["row_id"] not in planted]
    assert len(set(others)) == len(others)


def test_copies_are_equal_but_for_what_a_normal_form_takes_away(pairs):
    def letters_and_digits(text):
        return [sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalnum()]

    assert all(original == copy for original, copy in pairs["exact"])
    for kind in ("normal_case", "normal_spacing", "normal_unicode", "normal_punctuation"):
        for original, copy in pairs[kind]:
            assert original != copy
            assert letters_and_digits(original) == letters_and_digits(copy)
    assert all(copy.startswith(original) and "step by step" in copy for original, copy in pairs["normal_suffix"])


def test_edits_leave_numbers_and_formulas_alone(pairs):
    for kind in ("light", "heavy"):
        for original, edited in pairs[kind]:
            assert original != edited
            assert sorted(numbers(original)) == sorted(numbers(edited))
            assert Counter(re.findall(r"\$[^$]*\$", original)) == Counter(re.findall(r"\$[^$]*\$", edited))


def test_light_edits_touch_three_words_of_a_hundred_and_heavy_ones_more(pairs):
    def kept(original, edited):
        return len(set(original.split()) & set(edited.split())) / len(set(original.split()))

    light, heavy = ([kept(*pair) for pair in pairs[kind]] for kind in ("light", "heavy"))
    assert min(light) > 0.9
    # Three of four edits lose a word: one is an insertion.
    assert sum(light) / len(light) == pytest.approx(1 - 0.75 * edits.LIGHT, abs=0.015)
    assert sum(heavy) / len(heavy) == pytest.approx(1 - 0.75 * edits.HEAVY, abs=0.03)


def test_number_variants_differ_in_one_number_and_nothing_else(pairs):
    for original, variant in pairs["number"]:
        assert re.split(r"\d+", original) == re.split(r"\d+", variant)
        assert sum(left != right for left, right in zip(numbers(original), numbers(variant), strict=True)) == 1


def test_operator_variants_keep_their_numbers_and_differ_in_one_place(pairs):
    for original, variant in pairs["operator"]:
        assert original != variant
        assert numbers(original) == numbers(variant)
        same = SequenceMatcher(None, original.split(), variant.split(), autojunk=False).get_opcodes()
        ((_, first, last, _, _),) = (change for change in same if change[0] != "equal")
        assert last - first <= 2  # "at least" is one


@pytest.mark.parametrize(
    ("problem", "signs"),
    [
        # In a word problem $ is money, and nothing in it is more or less.
        (MONEY, set()),
        (
            FORMULA,
            {"$x - 2 < 7$", "$x + 2 > 7$", "smallest", "complex roots", "real coefficients", "these coefficients"},
        ),
        (Problem("x", "math", "Find $\\max(a, b)$ if $a \\le b$.", None, True), {"$\\min(a,", "\\ge"}),
        # A name is no operator, a drawing no formula, and code has constraints of its own.
        (Problem("x", "math", "Max draws [asy] a -- b; if (x < 2) {} [/asy] slowly.", None, True), set()),
        (Problem("x", "code", "Return the largest of all.", None, True), set()),
    ],
)
def test_operators_that_are_turned_round(problem, signs):
    made = {edits.operator(problem, random.Random(seed)) for seed in range(60)} - {None}
    assert len(made) == len(signs)
    assert all(any(sign in text for text in made) for sign in signs)


def test_a_text_that_allows_no_edit_has_none():
    short = Problem("x", "math", "Find $x$ if $x^2 = 4$.", has_formulas=True)
    assert edits.light(short, random.Random(1)) is None
    assert edits.heavy(short, random.Random(1)) is None
    assert edits.number(Problem("x", "math", "Prove it."), random.Random(1)) is None


@given(st.sampled_from(sorted(KINDS)), st.integers(0, SIZE - 1), st.integers(0, 99))
def test_any_generated_problem_allows_nearly_every_kind(kind, number, seed):
    text = generated_problem(number, seed)
    made = KINDS[kind][0](Problem("x", "math", text, has_formulas="$" in text), random.Random(seed))
    assert made or kind in ("operator", "normal_unicode")


def test_equal_seeds_give_equal_bytes_and_other_seeds_other_rows(corpus, tmp_path):
    write_corpus(tmp_path / "again", 4_000, seed=3, data=None, processes=1)
    write_corpus(tmp_path / "other", 4_000, seed=4, data=None)
    for folder in ("shards", "truth"):
        first, again, other = (
            sorted((base / folder).iterdir()) for base in (corpus, tmp_path / "again", tmp_path / "other")
        )
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
        assert [path.read_bytes() for path in first] != [path.read_bytes() for path in other]


def test_shards_are_even_in_number_and_size(tmp_path):
    write_corpus(tmp_path, 52_001, seed=1, data=None)
    files = [pq.ParquetFile(path).metadata for path in shards_of(tmp_path)]
    assert [file.num_rows for file in files] == [26_000, 26_001]
    assert [file.row_group(0).num_rows for file in files] == [20_480, 20_480]


@given(st.integers(1, 10**18), st.integers(0, 50), st.data())
def test_spreading_is_one_to_one(size, seed, data):
    number = data.draw(st.integers(0, size - 1))
    assert 0 <= spread(number, size, seed) < size
    assert gathered(spread(number, size, seed), size, seed) == number


def test_every_slot_of_a_family_shows_in_every_problem():
    """Otherwise two numbers could give one text."""

    def slots(wording):
        return {name for _, name, _, _ in Formatter().parse(wording) if name}

    for family in (*FAMILIES, CHAT, CROWDED):
        shown = [set.intersection(*map(slots, wordings)) for wordings in family.sentences]
        assert set().union(*shown) == set(family.slots)
        assert all(len(set(values)) == len(values) for values in family.slots.values())
    assert slots(templates.OPENING) == set(templates.TALK)


def test_generated_problems_have_thousands_of_forms():
    problems = [generated_problem(number, 5) for number in range(6_000)]
    assert len(set(problems)) == 6_000
    assert len({re.sub(r"\d+", "#", problem) for problem in problems}) > 5_500
    assert len({problem.split(". ", 1)[0] for problem in problems}) > 2_000


def test_half_of_what_is_planted_stems_from_real_problems(real_data, tmp_path):
    write_corpus(tmp_path, 6_000, seed=2, data=real_data)
    origin = {row["row_id"]: row["origin"] for row in read_shards(shards_of(tmp_path), QUERY)}
    assert sum(name != "generated" for name in origin.values()) > 0.15 * 6_000
    stems = [origin[original] != "generated" for _, _, original in read_truth(tmp_path)]
    assert 0.4 < sum(stems) / len(stems) <= 0.5


def test_edits_of_real_problems_leave_their_formulas_alone(real_data):
    problems = [problem for problem in real_problems(real_data) if problem.origin == "math500"]
    made = [(problem.text, edits.light(problem, random.Random(place))) for place, problem in enumerate(problems)]
    edited = [(text, new) for text, new in made if new]
    assert len(edited) > 250
    for text, new in edited:
        assert numbers(text) == numbers(new)
        assert re.findall(r"\\\w+|[-+*/=<>^]", text) == re.findall(r"\\\w+|[-+*/=<>^]", new)
