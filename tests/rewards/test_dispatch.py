"""Which reward judges what, and that an error is never a 0."""

import json

import pytest

from amt import params
from amt.errors import InfrastructureError
from amt.placement import Placement
from amt.rewards.dispatch import Grader, canaries, reward_kind
from amt.rewards.reward_model import mean_reward

SANDBOX = params.Sandbox(
    cpu_seconds=1.0,
    wall_seconds=10.0,
    memory_mb=256,
    output_bytes=100_000,
    compile_seconds=10.0,
    compile_memory_mb=1024,
    allow_unprotected=False,
)
SCORE = params.Score(reward_range=(-2.0, 2.0))
CHAT = {"category": "general_chat", "messages": "[]"}


def row(category, **columns):
    return {"category": category, "ground_truth": None, "tests": None, "instructions": None, **columns}


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (row("math", ground_truth="5"), "math"),
        (row("math"), "reward_model"),
        (row("math", ground_truth=" "), "reward_model"),
        (row("science", ground_truth="B"), "math"),
        (row("science"), "reward_model"),
        (row("code", tests="{}"), "code"),
        (row("code"), "reward_model"),
        (row("instruction_follow", instructions="{}"), "instructions"),
        (row("instruction_follow"), "reward_model"),
        (row("general_chat", ground_truth="5"), "reward_model"),
    ],
)
def test_reward_kind(query, kind):
    assert reward_kind(query) == kind


def test_a_mixed_batch_keeps_its_order():
    three_scores = {"good": [1.0, 2.0, 3.0], "bad": [-1.0, -1.0, -1.0], "extreme": [-9.0, -9.0, -9.0]}
    with Grader(SANDBOX, SCORE, Placement(), lambda pairs: [three_scores[response] for _, response in pairs]) as grader:
        code = row("code", tests=json.dumps({"kind": "stdin", "cases": [{"stdin": "", "stdout": "5"}]}))
        block = "<think></think><answer>\n```python\nprint({})\n```\n</answer>"
        batch = [
            (CHAT, "good"),
            (row("math", ground_truth="5"), "<think></think><answer>\\boxed{5}</answer>"),
            (code, block.format(5)),
            (CHAT, "bad"),
            (code, block.format(6)),
            (row("science", ground_truth="B"), "<think></think><answer>\\boxed{C}</answer>"),
            (CHAT, "extreme"),
            (row("code", tests="{}"), block.format(5)),
        ]
        judgements = grader.grade(batch)
        assert grader.sandbox_tier == "bubblewrap+seccomp"
    assert [judgement.reward for judgement in judgements] == [1.0, 1.0, 1.0, 0.25, 0.0, 0.0, 0.0, None]
    assert [judgement.status for judgement in judgements] == ["scored"] * 7 + ["invalid"]
    kinds = ["reward_model", "math", "code", "reward_model", "code", "math", "reward_model", "code"]
    assert [judgement.kind for judgement in judgements] == kinds


def test_canaries_grade_one_and_zero():
    by_kind = canaries()
    assert set(by_kind) == {"math", "code", "instructions"}
    with Grader(SANDBOX, SCORE, Placement()) as grader:
        for kind, probes in by_kind.items():
            assert sorted(reward for _, _, reward in probes) == [0.0, 1.0]
            judgements = grader.grade([(query, response) for query, response, _ in probes])
            assert [judgement.reward for judgement in judgements] == [reward for _, _, reward in probes]
            assert {judgement.kind for judgement in judgements} == {kind}


def test_a_reward_server_that_recovers_loses_nothing():
    calls = []

    def scores(pairs):
        calls.append(len(pairs))
        if len(calls) < 3:
            raise InfrastructureError("server is down")
        return [[0.0, 0.0, 0.0]] * len(pairs)

    with Grader(SANDBOX, SCORE, Placement(), scores) as grader:
        judgements = grader.grade([(CHAT, "a"), (CHAT, "b")])
    assert [judgement.reward for judgement in judgements] == [0.5, 0.5]
    assert calls == [2, 2, 2]


@pytest.mark.parametrize(
    "scores",
    [None, lambda pairs: [], lambda pairs: [[float("nan"), 0.0, 0.0]], lambda pairs: [[1.0, 1.0]]],
    ids=["no server", "no answer", "nan", "two heads"],
)
def test_a_broken_reward_model_is_an_error_and_no_zero(scores):
    with Grader(SANDBOX, SCORE, Placement(), scores) as grader:
        (judgement,) = grader.grade([(CHAT, "a")])
    assert (judgement.status, judgement.reward) == ("error", None)
    assert judgement.reason


def test_a_verifier_that_fails_its_canary_judges_nothing():
    """A sandbox that lets no result out would score every program 0."""
    hopeless = SANDBOX.model_copy(update={"output_bytes": 1})
    query, right, _ = canaries()["code"][0]
    with Grader(hopeless, SCORE, Placement()) as grader:
        (judgement,) = grader.grade([(query, right)])
    assert (judgement.status, judgement.reward) == ("error", None)


@pytest.mark.parametrize(
    ("scores", "reward"),
    [([0.0, 0.0, 0.0], 0.5), ([2.0, 2.0, 2.0], 1.0), ([-2.0, 0.0, 2.0], 0.5), ([9.0, 9.0, 9.0], 1.0), ([1.0], None)],
)
def test_mean_reward(scores, reward):
    assert mean_reward(scores, (-2.0, 2.0)) == reward
