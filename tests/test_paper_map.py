"""docs/paper-map.md: what it names exists, and no section or figure of method is missing."""

import re
from pathlib import Path

import pytest

from amt.params import load
from tests.recipe_comments import keys

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "recipes" / "am-thinking-v1-32b.yaml"
LINES = (ROOT / "docs" / "paper-map.md").read_text().splitlines()
RECIPE = load(PAPER).model_dump()


def _tables():
    """(cells of the header, cells of a row) of every row of every table."""
    header = None
    for line in LINES:
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if header is None:
            header = cells
        elif set(line) - set("|- "):
            assert len(cells) == len(header), line
            yield header, cells


def _column(name):
    return [cells[header.index(name)] for header, cells in _tables() if name in header]


def _spans(name):
    return sorted({span for cell in _column(name) for span in re.findall(r"`([^`]+)`", cell)})


def test_every_section_of_method_has_rows():
    sections = "2 2.1 2.2 2.2.1 2.3 3.1.1 3.1.2 3.1.3 3.2 4.1 4.2 4.3 4.3.1 4.3.2 5.1.1 5.1.2 5.1.3 5.2 5.3"
    # A section has a heading, or its first row begins with its number.
    found = [re.match(r"#+ (\d(?:\.\d)*) |\| (\d(?:\.\d)+) ", line) for line in LINES]
    assert {match[1] or match[2] for match in found if match} >= set(sections.split())


FIGURES = """8 mathematical; 9 of code; 6 scientific; 2 instruction-following; 8 of general chat; 2.84 million; 8e-5;
32k; size 64; 2 epochs; 5 %; 32k math; 22k code; 15k general chat; 5k instruction-following; 256 queries; 16 rollouts;
24K tokens; 4e-6; 32K tokens; 1e-6; 30 questions; October 2024 to February 2025; 49,152 tokens; Temperature 0.6;
top-p 0.95; 64 responses; LiveCodeBench: 16; Arena-Hard: 1; 2M tokens; 8e-6; 0.5M tokens"""
"""Copied from the paper by hand."""


@pytest.mark.parametrize("figure", re.split(r";\s", FIGURES))
def test_every_figure_of_method_stands_in_a_row(figure):
    assert any(figure in sentence for sentence in _column("The paper says"))


def test_every_row_names_a_test_or_says_that_it_is_not_built():
    for test in _column("Test"):
        assert test.startswith(("`tests/", "not built")), test


def test_rules_exist():
    rules = "\n".join(file.read_text() for file in (ROOT / "rules").glob("*.smk"))
    assert [name for name in _spans("Rule") if not re.search(rf"^rule {name}:", rules, re.MULTILINE)] == []


def test_keys_and_files_of_fixed_choices_exist():
    named = [*_spans("Keys"), *_spans("Parameter")]
    assert [name for name in named if not (_exists(name) or ("/" in name and (ROOT / name).exists()))] == []


def _exists(key):
    value = RECIPE
    for part in key.split("."):
        if part not in value:
            return False
        value = value[part]
    return True


def test_tests_exist():
    unknown = []
    for name in _spans("Test"):
        file, _, function = name.partition("::")
        content = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        if not re.search(rf"^def {function}\(", content, re.MULTILINE):
            unknown.append(name)
    assert unknown == []


def test_what_the_recipe_calls_open_is_in_the_list_of_open_questions():
    """A key whose comment in the paper's recipe says "open in the paper" stands in the list, itself or its section."""
    listed = _spans("Parameter")
    called_open = [key.name for key in keys(PAPER) if "open in the paper" in key.comment]
    assert len(called_open) > 40
    assert [key for key in called_open if not any(f"{key}.".startswith(f"{name}.") for name in listed)] == []
