"""The benchmark of the detectors: its labels, and how it counts."""

import math

import pytest

from benchmarks.detectors.__main__ import KINDS, Counts, count, found, labelled_rows, read_labels, wilson
from benchmarks.detectors.draw import ROUNDS, draw, read_texts


def test_every_row_is_labelled_once_with_all_kinds():
    labels = read_labels()
    assert len({(label["file"], label["index"]) for label in labels}) == len(labels) >= 400
    for label in labels:
        assert {type(label[kind]) for kind in ("math", *KINDS)} == {bool}
        assert label["round"] in ROUNDS
        assert label["math"] or not any(label[kind] for kind in KINDS if kind != "image")


def test_the_labelled_rows_are_those_that_are_drawn(shared):
    texts = read_texts(shared("math").parent)
    labels = [(label["file"], label["index"], label["round"], label["part"]) for label in read_labels()]
    assert labels == list(draw(texts))


def test_no_detector_loses_a_row_that_reads_otherwise(shared, recipe):
    """What a rule finds, it drops: on the labelled rows none may find what is not there."""
    rows = list(labelled_rows(shared("math").parent))
    for row in rows:
        row["found"] = found(row, recipe.curate.clean)
    for kind, least_recall in {"proof": 0.9, "multi_part": 0.6, "multiple_choice": 0.95, "image": 0.85}.items():
        counts = count(rows, kind)
        assert counts.precision == 1.0, kind
        assert counts.recall >= least_recall, kind


def test_counts_are_of_the_rows_that_are_asked():
    rows = [
        {"image": True, "found": {"image": True}},
        {"image": True, "found": {"image": False}},
        {"image": False, "found": {"image": True}},
        {"image": False, "found": {"image": True}},
        {"image": True, "found": {}},
    ]
    counts = count(rows, "image")
    assert counts == Counts(right=1, wrong=2, missed=1)
    assert counts.precision == pytest.approx(1 / 3)
    assert counts.recall == 0.5
    assert math.isnan(Counts(0, 0, 3).precision)


# By the formula with z = 1.96, in Wilson (1927); the first is the textbook's 81 of 263.
@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [(81, 263, (0.2553, 0.3662)), (0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (0, 0, (0.0, 1.0))],
)
def test_wilson_intervals(successes, trials, interval):
    assert wilson(successes, trials) == pytest.approx(interval, abs=2e-4)
