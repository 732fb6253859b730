"""Which math queries stay, which are changed, and what stands in the ledger about them.

The models answer over HTTP: a server of this test that holds what each model says to each problem.
"""

import json

import pytest

from amt.curate.verify_math import answer_classes, verify_math
from amt.endpoints.client import ChatClient
from amt.rewards.math_answer import MathGrader
from amt.rows import VOTE, read_rows
from tests.curate.conftest import query
from tests.curate.endpoint import Endpoint

ROLES = ("teacher", "second_opinion", "clarity_judge", "rewriter")


class Models:
    """`says[role, problem]` holds the model's answers, given one after the other."""

    def __init__(self):
        self.says = {}
        self.asked = []

    def answer(self, request, problem):
        compares = "\nMultiple choice:\n" in request["messages"][-1]["content"]
        role = "rewriting_judge" if compares else request["model"]
        self.asked.append((role, problem))
        standard = {
            "teacher": [r"<think>…</think><answer>\boxed{5}</answer>"],
            "second_opinion": [r"\boxed{5}"],
            "clarity_judge": ['{"clear": true, "reason": ""}'],
            "rewriter": ['{"applicable": false, "query": "", "answer": ""}'],
            "rewriting_judge": ['{"same": true, "reason": ""}'],
        }
        given = self.says.get((role, problem), standard[role])
        return given[(self.asked.count((role, problem)) - 1) % len(given)], "stop"


@pytest.fixture
def models():
    models = Models()
    with Endpoint(models.answer) as endpoint:
        models.address = endpoint.address
        yield models


@pytest.fixture
def run_verify(run_stage_on, recipe, models, tmp_path):
    """Runs the stage; one request at a time, so that answers come in the order in which they are written down."""

    def run(rows, **changes):
        clients = {role: ChatClient(models.address, role, None, tmp_path / "cache", 1, role=role) for role in ROLES}
        kept, entries, _ = run_stage_on(
            verify_math,
            rows,
            votes=tmp_path / "votes.parquet",
            settings=recipe.curate.verify_math.model_copy(update=changes),
            endpoints=recipe.endpoints,
            clients=clients,
            seed=1,
        )
        return {row["row_id"]: row for row in kept}, entries, read_rows(tmp_path / "votes.parquet", VOTE)

    return run


def boxed(*answers):
    return [
        rf"<think>…</think><answer>\boxed{{{answer}}}</answer>" if answer else "I do not know." for answer in answers
    ]


def problem(text="What is 2 + 3?", truth="5", **columns):
    return query(text, "m:1", category="math", ground_truth=truth, **columns)


@pytest.mark.parametrize(
    ("truth", "teacher", "second", "outcome", "truth_after"),
    [
        ("5", ["5", "5", "5", "6"], None, None, "5"),
        ("\\frac{1}{2}", ["1/2", "0.5", "2/4", "4"], None, None, "\\frac{1}{2}"),  # equal, though no two texts are
        ("7", ["5", "5", "5", "7"], "5", "truth_revised", "5"),
        ("7", ["\\frac{1}{2}", "0.5", "2/4", None], "1/2", "truth_revised", "1/2"),
        ("7", ["5", "5", "5", "7"], "7", None, "7"),
        ("7", ["5", "5", "5", "7"], "8", "truth_unresolved", None),
        ("7", ["5", "5", "5", "7"], None, "truth_unresolved", None),
        ("7", [None, None, None, None], "7", None, "7"),
        ("7", [None, None, None, None], "5", "truth_unresolved", None),
        # Half is no majority, nor is most of few: the second opinion may back the ground truth and revises nothing.
        ("7", ["5", "5", "7", "7"], "5", "truth_unresolved", None),
        ("7", ["5", "5", "7", "7"], "7", None, "7"),
        ("7", ["5", "5", "3", None], "5", "truth_unresolved", None),
        ("7", ["7", None, None, None], None, "truth_unresolved", None),
        ("7", ["7", None, None, None], "7", None, "7"),
        ("7", ["1", "2", "3", "4"], "3", "truth_unresolved", None),
    ],
)
def test_ground_truth(run_verify, models, truth, teacher, second, outcome, truth_after):
    row = problem(truth=truth)
    models.says["teacher", row["query"]] = boxed(*teacher)
    models.says["second_opinion", row["query"]] = boxed(second)
    kept, entries, votes = run_verify([row])
    assert entries["m:1"]["reason"] == outcome
    assert (kept["m:1"]["ground_truth"] if kept else None) == truth_after
    # Every vote is kept, whatever came of the row.
    assert [vote["answer"] for vote in votes if vote["role"] == "teacher"] == teacher
    if outcome == "truth_revised":
        assert json.loads(entries["m:1"]["detail"]) == {"ground_truth": {"old": truth, "new": truth_after}}
    consulted = [vote["answer"] for vote in votes if vote["role"] == "second_opinion"]
    assert consulted == ([] if (truth, teacher[0]) in {("5", "5"), ("\\frac{1}{2}", "1/2")} else [second])


@pytest.mark.parametrize("teacher", [["B. 5", "B", "B. 5", "B"], ["B", "B. 5", "B", "B. 5"]])
def test_a_letter_and_its_option_are_one_vote(run_verify, models, teacher):
    models.says["teacher", CHOICE] = boxed(*teacher)
    kept, _, votes = run_verify([problem(CHOICE, "B")], not_applicable="keep")
    assert kept["m:1"]["ground_truth"] == "B"
    assert [(vote["role"], vote["answer_class"]) for vote in votes] == [("teacher", 0)] * 4


def test_unresolved_rows_can_be_kept(run_verify, models):
    row = problem(truth="7")
    models.says["second_opinion", row["query"]] = boxed("8")
    kept, entries, _ = run_verify([row], unresolved="keep")
    assert kept["m:1"]["ground_truth"] == "7"
    assert entries["m:1"]["outcome"] == "kept"


CHOICE = "What is 2 + 3?\nA) 4\nB) 5\nC) 6"


def test_multiple_choice_is_asked_openly(run_verify, models):
    models.says["rewriter", CHOICE] = ['Sure: {"applicable": true, "query": "What is 2 + 3?", "answer": "5"}']
    kept, entries, votes = run_verify([problem(CHOICE, "B")])
    assert (kept["m:1"]["query"], kept["m:1"]["ground_truth"]) == ("What is 2 + 3?", "5")
    assert entries["m:1"]["reason"] == "rewritten"
    assert json.loads(entries["m:1"]["detail"])["ground_truth"] == {"old": "B", "new": "5"}
    assert {asked for asked in models.asked if asked[0] == "teacher"} == {("teacher", "What is 2 + 3?")}
    (judged,) = (vote for vote in votes if vote["role"] == "rewriting_judge")
    assert json.loads(judged["response"]) == {"same": True, "reason": ""}


@pytest.mark.parametrize(
    ("query", "truth", "new_truth"),
    [
        (CHOICE, "(B)", "5"),
        (CHOICE, r"\text{B}", "5"),
        (CHOICE, "B. 5", "5"),
        (CHOICE, "5", "5"),
        ("What is 2 + 3? a) 4 b) 5 c) 6", "b", "5"),
        # The option's own text becomes the ground truth, without what sets it in its row.
        (
            r"What is 2 + 3? $\textbf{(A)}\ 6\qquad\textbf{(B)}\ \frac{10}{2}\qquad\textbf{(C)}\ 4$",
            "B",
            r"\frac{10}{2}",
        ),
        ("What is 2 + 3?\n(A) 6\n(B) 4\n(C) 5\n\nEnter the letter of the correct option.", r"\text{(C)}", "5"),
    ],
)
def test_the_ground_truth_becomes_the_text_of_the_option_that_it_names(run_verify, models, query, truth, new_truth):
    models.says["rewriter", query] = ['{"applicable": true, "query": "What is 2 + 3?", "answer": "5"}']
    kept, entries, _ = run_verify([problem(query, truth)])
    assert entries["m:1"]["reason"] == "rewritten"
    assert kept["m:1"]["ground_truth"] == new_truth


@pytest.mark.parametrize(
    ("new_query", "answer", "judge", "reason"),
    [
        (CHOICE, "5", None, "still_multiple_choice"),
        ("What is 2 + 4?", "6", None, "other_answer"),  # of another question
        ("What is 2 + 3?", "B", None, "other_answer"),
        ("What is 1 + 4?", "5", '{"same": false, "reason": "other numbers"}', "other_question"),
        ("What is 1 + 4?", "5", "I cannot tell.", "no_usable_answer"),
    ],
)
def test_a_rewriting_that_is_not_the_same_question_asked_openly_is_refused(
    run_verify, models, new_query, answer, judge, reason
):
    good = query(f"Good. {CHOICE}", "m:2", category="math", ground_truth="B")
    models.says["rewriter", good["query"]] = ['{"applicable": true, "query": "What is 3 + 2?", "answer": "5"}']
    models.says["rewriter", CHOICE] = [json.dumps({"applicable": True, "query": new_query, "answer": answer})]
    models.says["rewriting_judge", new_query] = [judge]
    kept, entries, votes = run_verify([problem(CHOICE, "B"), good])
    assert entries["m:1"]["reason"] == reason
    assert set(kept) == {"m:2"}
    detail = entries["m:1"]["detail"]
    if reason == "no_usable_answer":
        assert "I cannot tell." in detail
    else:
        said = {"query": new_query, "answer": answer, "option": "5"}
        assert json.loads(detail) == said | ({"why": "other numbers"} if reason == "other_question" else {})
    # Nobody is asked about what is refused already, and what the judge says is kept.
    judged = [json.loads(vote["response"]) for vote in votes if vote["row_id"] == "m:1"]
    assert judged == ([{"same": False, "reason": "other numbers"}] if reason == "other_question" else [])
    asked = [said for said in models.asked if said[1] == new_query and said[0] != "rewriter"]
    assert {role for role, _ in asked} == ({"rewriting_judge"} if judge else set())


@pytest.mark.parametrize(
    ("changes", "reason", "kept_query"),
    [
        ({}, "not_applicable", None),
        ({"not_applicable": "keep"}, None, CHOICE),
        ({"multiple_choice": "drop"}, "multiple_choice", None),
    ],
)
def test_multiple_choice_that_cannot_be_rewritten(run_verify, models, changes, reason, kept_query):
    models.says["teacher", CHOICE] = boxed("B")
    kept, entries, _ = run_verify([problem(CHOICE, "B")], **changes)
    assert entries["m:1"]["reason"] == reason
    assert (kept["m:1"]["query"] if kept else None) == kept_query


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (problem("Prove that 2 + 3 = 5.", None), "proof"),
        (problem("(a) What is 2 + 3? (b) What is 3 + 3?", "5; 6"), "multi_part"),
        (problem(truth=None), "no_ground_truth"),
        (problem(truth="  "), "no_ground_truth"),
        (problem(CHOICE, None), "no_ground_truth"),
        (problem(CHOICE, "E"), "not_applicable"),  # no option of this letter
        (problem(CHOICE, r"\text{A, C}"), "not_applicable"),
        (problem("Enter the letter of the graph that rises.", "B"), "not_applicable"),  # the options are drawn
    ],
)
def test_what_cannot_be_verified_is_dropped_unasked(run_verify, models, row, reason):
    _, entries, _ = run_verify([row])
    assert entries["m:1"]["reason"] == reason
    assert models.asked == []


def test_unclear_queries_are_dropped_with_the_reason_and_not_answered(run_verify, models):
    row = problem("Tom has some apples.")
    models.says["clarity_judge", row["query"]] = ['{"clear": false, "reason": "no question"}']
    _, entries, votes = run_verify([row])
    assert (entries["m:1"]["reason"], entries["m:1"]["detail"]) == ("unclear", "no question")
    assert votes == []


def test_a_judge_that_stammers_is_asked_again(run_verify, models):
    row = problem()
    models.says["clarity_judge", row["query"]] = ["Certainly!", '{"clear": "maybe"}', '{"clear": true, "reason": ""}']
    kept, _, _ = run_verify([row])
    assert set(kept) == {"m:1"}


def test_a_row_whose_judge_gives_no_usable_answer_is_dropped_and_stops_no_other(run_verify, models):
    rows = [query(f"What is {n} + 3?", f"m:{n}", category="math", ground_truth="5") for n in range(3)]
    models.says["clarity_judge", "What is 1 + 3?"] = ["It seems clear to me."]
    kept, entries, _ = run_verify(rows)
    assert set(kept) == {"m:0", "m:2"}
    assert entries["m:1"]["reason"] == "no_usable_answer"
    assert "It seems clear to me." in entries["m:1"]["detail"]


def test_other_categories_pass_unchanged_and_unasked(run_verify, models):
    row = query(CHOICE, "s:1", category="science", ground_truth="C")
    kept, entries, _ = run_verify([row])
    assert kept["s:1"] == row
    assert entries["s:1"]["outcome"] == "kept"
    assert models.asked == []


def test_answer_classes_are_ranked_by_frequency():
    with MathGrader() as grader:
        given = [["1/2", "3", "0.5", None], [None], ["3", "1/2", "0.5"]]
        classes = answer_classes(given, ["3", "x", None], grader)
    assert classes[0].of_answers == [0, 1, 0, None]
    assert (classes[0].of_truth, classes[0].majority) == (1, None)
    assert (classes[1].of_answers, classes[1].of_truth, classes[1].majority) == ([None], None, None)
    assert classes[2].majority == "1/2"
