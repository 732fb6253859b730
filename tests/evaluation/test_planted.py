"""What became of planted rows, by hand."""

import pytest

from amt.errors import DataError
from amt.evaluation.planted import found_against_planted


def _entry(stage, row_id, reason=None, detail=None, outcome="dropped"):
    outcome = "kept" if reason is None else outcome
    return {
        "row_id": row_id, "source": "s", "stage": stage, "outcome": outcome, "reason": reason, "detail": detail,
    }  # fmt: skip


def _counts(planted, ledgers, recipe):
    (item,) = found_against_planted(planted, ledgers, recipe)
    return tuple(item[key] for key in ("planted", "found", "gone_before", "missed", "beside")), item["recall"]


def test_found_missed_gone_and_not_planted(laptop):
    planted = {"url": [{"row_id": row} for row in ("a", "b", "c")]}
    clean = [
        _entry("clean", "a", "url"),
        _entry("clean", "b"),
        _entry("clean", "x", "url"),
        _entry("clean", "y", "image"),
    ]
    unique = [_entry("unique", "c", "exact_duplicate"), _entry("unique", "a"), _entry("unique", "b")]
    assert _counts(planted, {"clean": clean, "unique": unique}, laptop) == ((3, 1, 1, 1, 1), 0.5)


def test_a_fault_dropped_for_another_reason_at_its_own_stage_is_missed(laptop):
    planted = {"proof": [{"row_id": "a"}]}
    assert _counts(planted, {"verify_math": [_entry("verify_math", "a", "unclear")]}, laptop) == ((1, 0, 0, 1, 0), 0.0)


def test_of_a_duplicate_either_copy_may_go(laptop):
    planted = {"exact_duplicate": [{"row_id": "copy", "same_as": "original"}, {"row_id": "c2", "same_as": "o2"}]}
    unique = [
        _entry("unique", "copy"), _entry("unique", "original", "exact_duplicate"), _entry("unique", "c2"),
        _entry("unique", "o2"),
    ]  # fmt: skip
    assert _counts(planted, {"unique": unique}, laptop) == ((2, 1, 0, 1, 0), 0.5)


def test_a_kind_that_nothing_finds_is_named(laptop):
    with pytest.raises(DataError, match=r"1 of 2 kinds .* no finder: typo .*FINDERS"):
        found_against_planted({"typo": [{"row_id": "a"}], "url": []}, {}, laptop)


def test_a_copy_whose_original_was_not_taken_is_none(laptop):
    planted = {"exact_duplicate": [{"row_id": "copy", "same_as": "beyond the limit"}]}
    assert found_against_planted(planted, {"unique": [_entry("unique", "copy")]}, laptop) == []


def test_a_rewritten_choice_whose_truth_was_also_revised_counts_as_rewritten(laptop):
    planted = {"multiple_choice": [{"row_id": row} for row in "abcd"]}
    verify = [
        _entry("verify_math", "a", "rewritten", '{"ground_truth":{},"query":{}}', "changed"),
        _entry("verify_math", "b", "truth_revised", '{"ground_truth":{},"query":{}}', "changed"),
        _entry("verify_math", "c", "truth_revised", '{"ground_truth":{}}', "changed"),
        # Its rewriting was refused: it was told to be multiple choice all the same.
        _entry("verify_math", "d", "other_answer", '{"answer":"6","option":"5","query":""}'),
    ]
    assert _counts(planted, {"verify_math": verify}, laptop)[0] == (4, 3, 0, 1, 0)


def test_what_one_finder_found_of_another_kind_is_not_beside(laptop):
    planted = {
        "benchmark_verbatim": [{"row_id": "a", "benchmark": "math", "question": 0}],
        "benchmark_paraphrase": [{"row_id": "b", "benchmark": "math", "question": 1}],
    }
    found = [_entry("decontaminate", row, "benchmark_semantic") for row in ("a", "b", "c")]
    result = found_against_planted(planted, {"decontaminate": found}, laptop)
    assert [(item["kind"], item["found"], item["beside"]) for item in result] == [
        ("benchmark_verbatim", 1, 1),
        ("benchmark_paraphrase", 1, 1),
    ]


@pytest.mark.parametrize(("question", "counts"), [(399, 1), (400, 0)])
def test_a_leak_of_a_question_outside_the_benchmark_is_none(laptop, question, counts):
    """params.yaml asks for 400 questions, numbered from 0."""
    planted = {"benchmark_verbatim": [{"row_id": "a", "benchmark": "math", "question": question}]}
    found = found_against_planted(planted, {"decontaminate": [_entry("decontaminate", "a", "benchmark_exact")]}, laptop)
    assert len(found) == counts
