"""Responses that are judged while others are generated. A scripted server stands where vLLM does."""

import time
from itertools import pairwise

import pytest

from amt.chat import Chat
from amt.errors import InfrastructureError, MissingToolError
from amt.grpo.rollouts import prompts_of, sample_groups
from amt.params import load
from amt.placement import Placement
from amt.rewards.dispatch import Grader
from amt.rollout.server import Generation
from tests.toy_model import digit_query, read_vocabulary, write_toy_model

RECIPE = load("params.yaml")
SAMPLES = 160


class Server:
    """Answers every request with the digit of its number; `between` is called before each part after the first."""

    def __init__(self, answers: dict[int, int], parts: list[int], between=lambda: None):
        self.answers, self.parts, self.between = answers, parts, between

    def generate_stream(self, requests, *, temperature):
        for start, end in pairwise([*self.parts, len(requests)]):
            if start:
                self.between()
            tokens = [[self.answers[number % 10], 3] for number in range(start, end)]
            yield [(start + place, Generation(ids, [-1.0, -1.0], "stop")) for place, ids in enumerate(tokens)]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    directory = write_toy_model(tmp_path_factory.mktemp("toy") / "model")
    words = read_vocabulary(directory)
    answers = {digit: words[f"<think>t</think><answer>\\boxed{{{digit}}}</answer>"] for digit in range(10)}
    return Chat(directory), answers


def sample(toy, grader, rows, parts, between=lambda: None):
    chat, answers = toy
    return sample_groups(
        Server(answers, parts, between),
        grader,
        chat,
        prompts_of(rows, chat, ""),
        samples=SAMPLES,
        seed_of=lambda row_id, sample: sample,
        temperature=1.0,
        max_tokens=2,
        label="toy",
    )


def test_a_finished_group_is_judged_while_the_next_is_generated(toy):
    """The second group comes only when the first is judged: were it judged afterwards, it would never come."""
    with Grader(RECIPE.sandbox, RECIPE.score, Placement()) as grader:

        def between():
            end = time.monotonic() + 60
            while not grader.counts["canaries"]:
                assert time.monotonic() < end, "nothing was judged while the server waited"
                time.sleep(0.01)

        groups, seconds = sample(toy, grader, [digit_query(3), digit_query(4)], [0, SAMPLES], between)
    rewards = [[rollout.judgement.reward for rollout in group] for group in groups]
    assert rewards == [[float(number % 10 == digit) for number in range(SAMPLES)] for digit in (3, 4)]
    assert seconds.keys() == {"rollout_s", "grade_s"}


CODE = digit_query(3) | {
    "category": "code", "tests": '{"kind": "stdin", "cases": [{"stdin": "", "stdout": "4"}]}',
}  # fmt: skip
PROGRAM = "<think>t</think><answer>\n```python\nprint(5)\n```\n</answer>"


class Programmer(Chat):
    """What the toy model writes, read as a program."""

    def decode(self, ids, **options):
        return PROGRAM


def test_without_a_sandbox_no_response_is_wrong(toy, no_sandbox):
    """Pass rates and both stages of GRPO get their rewards here."""
    chat, answers = toy
    with Grader(RECIPE.sandbox, RECIPE.score, Placement()) as grader, pytest.raises(MissingToolError, match="bwrap"):
        sample((Programmer(chat.model_dir), answers), grader, [CODE], [0])


def test_a_reward_that_is_broken_stops_the_step(toy):
    chat, answers = toy
    hopeless = RECIPE.sandbox.model_copy(update={"output_bytes": 1})
    with (
        Grader(hopeless, RECIPE.score, Placement(), pauses_s=(0.0, 0.0)) as grader,
        pytest.raises(InfrastructureError, match=r"toy:3-0 could not be judged.*code reward is broken"),
    ):
        sample((Programmer(chat.model_dir), answers), grader, [CODE], [0])
