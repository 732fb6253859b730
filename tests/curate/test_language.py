"""Which language a query is in, and which rows leave for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from amt.curate.clean import clean, other_language
from amt.curate.language import language, prose
from amt.errors import ParamsError
from amt.params import Clean
from benchmarks.detectors.draw import read_texts
from benchmarks.language.__main__ import read_problems
from tests.curate.conftest import query

PROBLEMS = [(code, number, text) for code, texts in read_problems().items() for number, text in enumerate(texts)]
ENGLISH = "A baker sells 48 loaves on Monday and twice as many on Tuesday. How many loaves does he sell?"


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def settings(recipe):
    def with_languages(*codes: str) -> Clean:
        return recipe.curate.clean.model_copy(update={"languages": list(codes) or None})

    return with_languages


def test_problems_in_other_languages_leave_under_their_own_name(run_stage_on, settings):
    rows = [query(text, f"s:{code}{number}", category="math") for code, number, text in PROBLEMS]
    _, entries, report = run_stage_on(clean, [*rows, query(ENGLISH, "s:en")], settings=settings("en"))
    assert entries["s:en"]["outcome"] == "kept"
    assert set(report["dropped"]) == {"language"}
    # The others are a few words around a formula.
    assert report["dropped"]["language"] >= 110
    for code, number, _ in PROBLEMS:
        entry = entries[f"s:{code}{number}"]
        if entry["outcome"] == "dropped":
            found = json.loads(entry["detail"])
            assert found["language"] == code
            assert settings().language_confidence <= found["confidence"] <= 1


def test_the_languages_asked_for_stay(run_stage_on, settings):
    rows = [query(text, f"s:{code}{number}") for code, number, text in PROBLEMS]
    kept, _, _ = run_stage_on(clean, [*rows, query(ENGLISH, "s:en")], settings=settings("zh", "pl"))
    kept = {row["row_id"] for row in kept}
    assert {f"s:{code}{number}" for code, number, _ in PROBLEMS if code in ("zh", "pl")} <= kept
    assert "s:en" not in kept


def test_without_languages_all_stay(run_stage_on, settings):
    rows = [query(text, f"s:{code}{number}") for code, number, text in PROBLEMS]
    _, _, report = run_stage_on(clean, rows, settings=settings())
    assert report["dropped"] == {}


def test_no_real_english_row_leaves(shared, settings):
    texts = read_texts(shared("math").parent)
    assert len(texts) > 20_000
    lost = [key for key, text in texts.items() if other_language(asked(text), settings("en"))]
    assert lost == []


@pytest.mark.parametrize(
    "text",
    [
        "$x^2 + y^2 = z^2$",
        r"Berechne $\int_0^1 x^2\,dx$.",  # one word, which might be a name
        "```python\nfür = 1\nwährend = für + 2\nausgabe(während)\n```",
        "42",
        "",
    ],
)
def test_what_cannot_be_judged_stays(settings, text):
    assert other_language(asked(text), settings("en")) is None


def test_the_user_is_judged_and_not_who_answers(settings):
    german = "Ein Zug fährt mit 80 km/h. Nach welcher Zeit hat er 200 km zurückgelegt?"
    turns = [("user", ENGLISH), ("assistant", german * 5), ("user", "Thank you, and how many on Wednesday?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert other_language(messages, settings("en")) is None
    assert other_language(asked(german), settings("en"))[0] == "language"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Let $x + y$ be even, and find $\\frac{x}{2}$.", "Let be even and find"),
        ("He paid $5 for lunch and gave his brother $2. How much?", "He paid for lunch and gave his brother How much"),
        (r"Solve \[x = 1\] or \begin{align*} y &= 2 \end{align*} now.", "Solve or now"),
        ("Fix `foo bar` in\n```\nwhile True: pass\n```\nplease.", "Fix in please"),
        ("Call max_value2 of a[i] at https://a.example/word now", "Call of at now"),
        ("The [asy] draw the circle; [/asy] circle's centre", "The circle's centre"),
        ("半径为3厘米的圆", "半径为 厘米的圆"),
    ],
)
def test_prose_is_the_words_without_formulas_and_code(text, words):
    assert prose(text) == words


WORDS = st.lists(st.from_regex(r"[a-zäöüé]{2,9}", fullmatch=True), min_size=1, max_size=8).map(" ".join)
FORMULAS = st.text("abcxyz0123456789+-*/=^_{}()<> \\", min_size=1, max_size=30)


@given(WORDS, FORMULAS, WORDS, st.sampled_from([("$", "$"), ("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)")]))
def test_a_formula_says_nothing_about_the_language(before, formula, after, marks):
    """But for what follows a backslash, which may well be a delimiter."""
    formula = formula.replace("\\", "")
    assert prose(f"{before} {marks[0]}{formula}{marks[1]} {after}") == f"{before} {after}"


@given(st.text(max_size=300))
def test_any_text_has_a_language_or_none(text):
    found = language(text)
    assert found is None or (2 <= len(found[0]) <= 3 and 0 <= found[1] <= 1)


def test_a_language_that_cannot_be_told_is_named_with_its_key(run_stage_on, settings):
    with pytest.raises(ParamsError, match=r"curate\.clean\.languages: xx cannot be told.* de, .*en, "):
        run_stage_on(clean, [query(ENGLISH)], settings=settings("en", "xx"))


@pytest.mark.parametrize("languages", [[], ["English"], ["EN"], "en"])
def test_languages_are_codes(languages):
    with pytest.raises(ValidationError):
        Clean(asy_is_image=False, languages=languages, language_confidence=0.5)
