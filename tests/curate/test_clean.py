"""What counts as a URL or an image reference, and what does not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.curate import clean as module
from amt.curate.clean import clean, outside_reference
from amt.curate.fingerprint import fingerprint
from amt.rows import FINGERPRINT, canonical_json, read_rows
from tests.curate.conftest import query

ASY = "[asy]\ndraw((0,0)--(1,1));\n[/asy]"


@pytest.fixture
def reason_of(run_stage_on, recipe):
    def run(row, **changes):
        _, entries, _ = run_stage_on(clean, [row], settings=recipe.curate.clean.model_copy(update=changes))
        return entries[row["row_id"]]["reason"]

    return run


@pytest.mark.parametrize(
    "text",
    [
        "Summarise https://example.org/a/b.html please.",
        "Read [this](http://example.com).",
        "See www.example.net/pens for more.",
        "Clone github.com/user/project and build it.",
        "ftp://files.example.org/x",
        "Watch youtu.be/dQw4 first.",
        "The form is at bit.ly/3xYz9, or goo.gl/abc.",
    ],
)
def test_urls_are_dropped(reason_of, text):
    assert reason_of(query(text)) == "url"


@pytest.mark.parametrize(
    "text",
    [
        "![a triangle](triangle.png) What is its area?",
        'What is this? <img src="cat.jpg">',
        "<image>\nDescribe it.",
        "How many triangles are in the figure below?",
        "The diagram above shows a circle of radius 3.",
        "As shown in the figure, ABC is a triangle.",
        "In the figure, AB is parallel to CD.",
        "The picture below shows the apples. How many are there?",
        "Consider the following graph shown in Figure 2.",
        "Look at chart_3.png and name the largest bar.",
        "The figure shows a circle.",
        "According to the figure, what is x?",
        "As the figure shows, AB is parallel to CD.",
        "Find x in the given figure.",
        "What is x in the adjoining figure?",
        "The shaded region in the figure has area 12. Find r.",
        "The graph of y = f(x) is shown below.",
        "What does the following graph show?",
        "The bar graph below shows the number of home runs.",
        "In the triangle shown, AB = 3.",
        "Two semicircles are tangent, as shown. Find r.",
        "Figure 1 shows a pump.",
        "Describe this picture.",
        "I have attached an image. What is on it?",
        "The graph of y = f(x) is shown in red below.",
        "Valid and invalid plots are shown below.",
        "Look at data:image/png;base64,iVBORw0KGgoAAAANSUhEUg and say what it is.",
    ],
)
def test_image_references_are_dropped(reason_of, text):
    assert reason_of(query(text)) == "image"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Write to tom@x.com and ask.", "general_chat"),
        ("Use numpy.org style docstrings.", "general_chat"),
        ("What does x.com stand for?", "general_chat"),
        ("Find a.b/c if a=1.", "math"),
        ("I cannot figure it out. Help!", "general_chat"),
        ("Round to three significant figures.", "math"),
        ("Draw a diagram of a cell with text characters.", "general_chat"),
        ("Paint a picture with words.", "general_chat"),
        ("She needs help with the drawing.", "math"),
        ("How many hours to process all of the pictures?", "math"),
        ("Write a function that renames 'photo.png' to 'photo.jpg'.", "code"),
        ("Save the plot as plot.png.", "code"),
        ("Draw the graph of y = x^2 and describe what the graph shows.", "math"),
        ("The area under the graph above y = 0 is 3.", "math"),
        ("Find the shortest path in the given graph with edges 1-2 and 2-3.", "code"),
        # The words mean what stands below, as text.
        ("The chart below gives distances. \\begin{tabular}{|c|c|} a & 1 \\end{tabular} Find the sum.", "math"),
        ("According to the chart, who won?\n| name | points |\n| Ann | 3 |", "math"),
        ('Fix my style: background-image: url("data:image/png;base64,%s");', "general_chat"),
        ("Write a state diagram of a lift as text.", "general_chat"),
        ("What is meant in the figure of speech?", "general_chat"),
        ("She won bronze in the figure skating. Look at the big picture.", "general_chat"),
        ("It has been shown by Gauss, as shown in his letters. Skate a figure 8.", "general_chat"),
        ("Divide x.py/y and it.ly/2 and a.co/b.", "general_chat"),
    ],
)
def test_ordinary_text_stays(reason_of, text, category):
    assert reason_of(query(text, category=category)) is None


@pytest.mark.parametrize(
    ("asy_is_image", "text", "reason"),
    [
        (False, f"What is the length? {ASY}", None),
        # The figure meant is the drawing code, which the model can read.
        (False, f"What is the length in the figure below? {ASY}", None),
        (False, f"![x](x.png) What is the length? {ASY}", "image"),
        (True, f"What is the length? {ASY}", "image"),
    ],
)
def test_drawing_code_is_text_unless_the_recipe_says_otherwise(reason_of, asy_is_image, text, reason):
    assert reason_of(query(text, category="math"), asy_is_image=asy_is_image) == reason


def test_every_turn_is_looked_at(reason_of):
    turns = [("user", "See http://example.org"), ("assistant", "Yes."), ("user", "And now?")]
    messages = canonical_json([{"role": role, "content": content} for role, content in turns])
    assert reason_of(query("And now?", messages=messages)) == "url"


def test_the_ledger_quotes_what_was_found(run_stage_on, recipe):
    _, entries, _ = run_stage_on(clean, [query("Go to http://a.example/b now.", "s:1")], settings=recipe.curate.clean)
    assert entries["s:1"]["detail"] == "http://a.example/b"


def test_a_source_without_rows_is_a_table_without_rows(run_stage_on, recipe, tmp_path):
    """As where all of its rows have an excluded licence."""
    kept, entries, report = run_stage_on(clean, [], settings=recipe.curate.clean)
    assert (kept, entries, report["rows_in"], report["kept"]) == ([], {}, 0, 0)
    fingerprint(tmp_path / "clean" / "kept.parquet", tmp_path / "f.parquet", recipe.curate.fingerprint)
    assert read_rows(tmp_path / "f.parquet", FINGERPRINT) == []


PATTERNS = ("URL", "EMBEDDED_IMAGE", "IMAGE_MENTION", "IMAGE_FILE")


@pytest.mark.parametrize("name", PATTERNS)
@settings(max_examples=300)
@given(data=st.data())
def test_looking_for_hints_first_loses_nothing(recipe, name, data):
    """Whatever a pattern finds is found, in any case of letters, though most texts are never searched by it."""
    pattern = getattr(module, name)
    found = data.draw(st.from_regex(re.compile(pattern.pattern, re.VERBOSE | re.IGNORECASE)))
    if pattern.search(found):
        fault = outside_reference([{"role": "user", "content": found}], "math", recipe.curate.clean)
        assert fault or module.DRAWING.search(found) or module._DRAWN_AS_TEXT.search(found)
