"""Scores of hand-made removals, and the figures and targets that follow."""

import pytest

from benchmarks.curate.__main__ import FIGURES, figures, missed_targets, told
from benchmarks.curate.measure import Measured
from benchmarks.curate.score import Score, score

TRUTH = [
    ("light 1", "light", "a"),
    ("light 2", "light", "b"),
    ("number 1", "number", "a"),
    ("number 2", "number", "c"),
    ("case 1", "normal_case", "c"),
    ("space 1", "normal_spacing", "c"),
    ("space 2", "normal_spacing", "a"),
]


@pytest.mark.parametrize(
    ("removed", "merged", "strangers"),
    [
        ({}, {}, 0),
        ({"light 1": "a"}, {"light": 0.5}, 0),
        # Whichever of the two stays.
        ({"b": "light 2"}, {"light": 0.5}, 0),
        # Both went for a third; the number variant of the same problem stays for itself.
        ({"light 1": "z", "a": "z"}, {"light": 0.5}, 2),
        # A chain, in whichever order: the number variant ends where its original does.
        ({"light 1": "a", "number 1": "light 1", "a": "y"}, {"light": 0.5, "number": 0.5}, 1),
        # Removed, but for another problem.
        ({"number 2": "a"}, {}, 1),
        ({"case 1": "c", "space 1": "case 1"}, {"normal_case": 1.0, "normal_spacing": 0.5}, 0),
    ],
)
def test_who_is_merged(removed, merged, strangers):
    found = score(removed.items(), TRUTH)
    assert found.merged == {"light": 0, "number": 0, "normal_case": 0, "normal_spacing": 0} | merged
    assert (found.removed, found.strangers) == (len(removed), strangers)


def test_each_normal_form_counts_alike():
    assert score({"case 1": "c"}.items(), TRUTH).normal_form == 0.5


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ([("a", "b"), ("b", "a")], "removed for itself: a -> b -> a"),
        ([("a", "b"), ("a", "c")], "a is removed for b and for c"),
    ],
)
def test_removals_that_cannot_be(removed, message):
    with pytest.raises(ValueError, match=message):
        score(removed, [("a", "light", "b")])


def runs(seconds, gigabytes):
    return [Measured({"seconds": each}, int(gigabytes * 1e9)) for each in seconds]


@pytest.fixture
def found():
    """1,000 rows; decontamination as measured elsewhere."""
    measurements = {
        "amt exact": runs([0.003, 0.004, 0.009], 0.5),
        "amt near": runs([0.02, 0.02, 0.02], 1.5),
        "rensa": runs([0.05, 0.04, 0.03], 9.0),
        "datatrove": runs([1.0, 2.0, 3.0], 9.0),
        "amt n-gram": runs([0.01, 0.01, 0.01], 0.2),
        "any 8-gram": runs([0.02, 0.02, 0.02], 9.0),
    }
    near = Score({"light": 0.99, "heavy": 0.9, "number": 0.0, "operator": 0.005}, removed=10, strangers=0)
    decontamination = {
        "embed_qps": 80.0, "decon_paraphrase": 0.96, "decon_light": 0.99,
        "decon_embedded": 0.99, "decon_fp": 0.004, "peak_gb": 1.0,
    }  # fmt: skip
    return figures(measurements, {"amt near": near}, 1_000, decontamination)


def test_rates_are_of_medians_and_ratios_ours_over_theirs(found):
    assert found["exact_qps"] == 250_000
    assert found["near_qps"] == 50_000
    assert found["vs_rensa"] == 2
    assert found["vs_datatrove"] == 100
    assert found["vs_any8gram"] == 2
    assert found["peak_gb"] == 1.5  # of ours alone


def test_the_last_line_has_all_figures(found, capsys):
    assert told(found) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert [part.partition("=")[0] for part in line.removeprefix("curate: ").split()] == FIGURES
    assert line.startswith("curate: exact_qps=250000 near_qps=50000 ngram_qps=100000 embed_qps=80 near_light=0.9900")


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"near_light": 0.9799}, ["near_light is 0.9799, below 0.98"]),
        (
            {"number_merge": 0.0011, "decon_fp": 0.006},
            ["number_merge is 0.0011, above 0.001", "decon_fp is 0.0060, above 0.005"],
        ),
        ({"exact_qps": 249_999.0}, ["exact_qps is 249999, below 250000"]),
        ({"embed_qps": 1.0, "peak_gb": 99.0}, []),
    ],
)
def test_missed_targets_are_named_and_fail(found, changed, missed, capsys):
    assert missed_targets(found | changed) == missed
    assert told(found | changed) == bool(missed)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("missed")] == [
        f"missed: {line}" for line in missed
    ]
