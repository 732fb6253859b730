"""Which reward judges what, and that an error is never a 0."""

import json
import os
import signal
import threading
from contextlib import ExitStack

import psutil
import pytest

from amt import params
from amt.errors import InfrastructureError, MissingToolError
from amt.placement import Placement
from amt.rewards.dispatch import Grader, canaries, reward_kind
from amt.rewards.math_answer import MathGrader
from amt.rewards.reward_model import HEADS, Reading, RewardModel
from amt.rollout.server import VllmServer
from tests.sandbox.serving import SETTINGS as SANDBOX
from tests.toy_model import write_toy_model

SCORE = params.Score(
    heads={name: {"column": column, "range": (-2.0, 2.0)} for column, name in enumerate(HEADS)}, too_long="invalid"
)
AT_ONCE = (0.0, 0.0)  # attempts without pauses
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


def reads(**readings):
    """A reward model that has these readings for these responses, and some for any other."""

    def model(pairs):
        return [readings.get(text, Reading([len(text) / 100] * 3)) for _, text in pairs]

    return model


def test_a_mixed_batch_keeps_its_order():
    model = reads(
        good=Reading([1.0, 2.0, 3.0]), bad=Reading([-1.0, -1.0, -1.0], cut=True), extreme=Reading([-9.0, -9.0, -9.0])
    )
    with Grader(SANDBOX, SCORE, Placement(), model) as grader:
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
    third = pytest.approx((0.75 + 1.0 + 1.0) / 3)
    assert [judgement.reward for judgement in judgements] == [third, 1.0, 1.0, 0.25, 0.0, 0.0, 0.0, None]
    remarks = [("clipped",), (), (), ("cut",), (), (), ("clipped",), ()]
    assert [judgement.remarks for judgement in judgements] == remarks
    assert [judgement.status for judgement in judgements] == ["scored"] * 7 + ["invalid"]
    kinds = ["reward_model", "math", "code", "reward_model", "code", "math", "reward_model", "code"]
    assert [judgement.kind for judgement in judgements] == kinds


def test_canaries_grade_one_and_zero():
    by_kind = canaries()
    assert set(by_kind) == {"math", "code", "instructions"}
    with Grader(SANDBOX, SCORE, Placement()) as grader:
        for kind, probes in by_kind.items():
            assert {reward for _, _, reward in probes} == {0.0, 1.0}
            judgements = grader.grade([(query, response) for query, response, _ in probes])
            assert [judgement.reward for judgement in judgements] == [reward for _, _, reward in probes]
            assert {judgement.kind for judgement in judgements} == {kind}


def test_a_reward_server_that_recovers_loses_nothing():
    calls = []

    def scores(pairs):
        calls.append(len(pairs))
        if len(calls) < 3:
            raise InfrastructureError("server is down")
        return reads(a=Reading([0.0] * 3), b=Reading([0.0] * 3))(pairs)

    with Grader(SANDBOX, SCORE, Placement(), scores, AT_ONCE) as grader:
        judgements = grader.grade([(CHAT, "a"), (CHAT, "b")])
    assert [judgement.reward for judgement in judgements] == [0.5, 0.5]
    assert len(calls) == 3
    assert grader.counts == {"again": 4, "canaries": 3, "errors": 0}


@pytest.mark.parametrize(
    "model",
    [
        None,
        lambda pairs: [],
        reads(a=Reading([float("nan"), 0.0, 0.0])),
        reads(a=Reading([1.0, 1.0])),
        lambda pairs: [Reading([0.5] * 3)] * len(pairs),
        lambda pairs: [Reading([0.1 * place] * 3) for place, _ in enumerate(pairs)],
    ],
    ids=["no server", "no answer", "nan", "two heads", "one score for all", "the scores of others"],
)
def test_a_broken_reward_model_is_an_error_and_no_zero(model):
    with Grader(SANDBOX, SCORE, Placement(), model, AT_ONCE) as grader:
        (judgement,) = grader.grade([(CHAT, "a")])
    assert (judgement.status, judgement.reward) == ("error", None)
    assert judgement.reason
    assert grader.counts["errors"] == 1


def test_a_response_that_the_model_cannot_read_is_invalid():
    with Grader(SANDBOX, SCORE, Placement(), reads(a=Reading([], refused="too long"))) as grader:
        refused, read = grader.grade([(CHAT, "a"), (CHAT, "b")])
    assert (refused.status, refused.reward, refused.reason) == ("invalid", None, "too long")
    assert read.status == "scored"


def test_kinds_of_reward_do_not_wait_for_one_another():
    """The reward model answers only when the math of the same batch and of the next is judged."""
    judged = threading.Event()

    def model(pairs):
        assert judged.wait(60)
        return reads(a=Reading([0.0] * 3))(pairs)

    math = (row("math", ground_truth="5"), "<think></think><answer>\\boxed{5}</answer>")
    with Grader(SANDBOX, SCORE, Placement(), model) as grader:
        both = grader.submit([(CHAT, "a"), math])
        (later,) = grader.grade([math])
        assert later.reward == 1.0
        assert not both.done()
        judged.set()
        assert [judgement.reward for judgement in both.result()] == [0.5, 1.0]
        assert both.done()


def test_a_closed_grader_finishes_nothing_more_and_leaves_nothing_behind():
    before = set(psutil.Process().children(recursive=True))
    started, go_on = threading.Event(), threading.Event()

    def model(pairs):
        started.set()
        assert go_on.wait(60)
        return reads()(pairs)

    grader = Grader(SANDBOX, SCORE, Placement(), model)
    assert grader.grade([canaries()["code"][0][:2], canaries()["math"][0][:2]])[0].reward == 1.0
    assert set(psutil.Process().children(recursive=True)) - before
    long = grader.submit([(CHAT, "a")] * 3000)
    assert started.wait(60)
    threading.Timer(0.2, go_on.set).start()
    grader.close()
    with pytest.raises(InfrastructureError, match="closed before it had judged all"):
        long.result()
    assert set(psutil.Process().children(recursive=True)) <= before


def test_without_a_sandbox_no_program_is_judged(no_sandbox):
    query, right, _ = canaries()["code"][0]
    with Grader(SANDBOX, SCORE, Placement()) as grader, pytest.raises(MissingToolError, match="bwrap is not installed"):
        grader.grade([(query, right), canaries()["math"][0][:2]])


def test_a_reward_server_that_is_gone_is_an_error(tmp_path):
    directory = write_toy_model(tmp_path / "model", labels=3)
    query = CHAT | {"messages": json.dumps([{"role": "user", "content": "1 2 3"}])}
    with ExitStack() as stack:
        server = VllmServer(
            directory, kind="classify", max_model_len=128, log=tmp_path / "log", placement=Placement(kv_cache_gb=1)
        )
        model = RewardModel(stack.enter_context(server), directory, SCORE)
        grader = stack.enter_context(Grader(SANDBOX, SCORE, Placement(), model, AT_ONCE))
        (before,) = grader.grade([(query, "4")])
        os.killpg(server._process.pid, signal.SIGKILL)
        (after,) = grader.grade([(query, "4")])
    assert before.status == "scored"
    assert (after.status, after.reward) == ("error", None)
    assert "exit status -9" in after.reason


def test_math_processes_that_find_all_answers_different_judge_nothing():
    query, response = {"category": "math", "ground_truth": "5"}, "<think>.</think><answer>\\boxed{5}</answer>"
    with Grader(SANDBOX, SCORE, Placement(), None, AT_ONCE) as grader:
        grader._math.close()
        grader._math = MathGrader(1, cpu_seconds=1e-4)  # too short for any comparison
        (judgement,) = grader.grade([(query, response)])
    assert (judgement.status, judgement.reward) == ("error", None)
    assert "the math reward is broken" in judgement.reason


def test_a_verifier_that_fails_its_canary_judges_nothing():
    """A sandbox that lets no result out would score every program 0. It is tried again first, as any error is."""
    hopeless = SANDBOX.model_copy(update={"output_bytes": 1})
    query, right, _ = canaries()["code"][0]
    with Grader(hopeless, SCORE, Placement(), None, AT_ONCE) as grader:
        (judgement,) = grader.grade([(query, right)])
    assert (judgement.status, judgement.reward) == ("error", None)
    assert grader.counts == {"canaries": 6, "canaries_wrong": 3, "again": 2, "errors": 1}


def test_a_verifier_that_is_mended_while_it_is_waited_for_judges_all():
    query, right, _ = canaries()["math"][2]  # which is left to math_verify
    with Grader(SANDBOX, SCORE, Placement(), None, AT_ONCE) as grader:

        def changed(cpu_seconds):
            grader._math.close()
            grader._math = MathGrader(1, cpu_seconds)

        class Mending(threading.Event):
            def wait(self, timeout=None):
                changed(cpu_seconds=1.0)
                return False

        changed(cpu_seconds=1e-4)  # too short for any comparison
        grader._closed = Mending()
        (judgement,) = grader.grade([(query, right)])
    assert (judgement.status, judgement.reward) == ("scored", 1.0)
    assert grader.counts == {"canaries": 8, "canaries_wrong": 1, "again": 1, "errors": 0}
