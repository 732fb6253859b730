"""The stand-in reward model: its comparisons, its loss, and three heads that tell good from spoilt."""

import itertools
import math
import re
from collections import Counter

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from amt.chat import Chat
from amt.ledger import read_report
from amt.params import Architecture, RewardModel
from amt.standins.base_model import write_untrained
from amt.standins.reward_model import Comparison, comparison_loss, comparisons, train_reward_model

SYSTEM = "You are a helpful assistant. Use <think> </think> and <answer> </answer> tags."
ARCHITECTURE = Architecture(layers=2, hidden=64, heads=2, kv_heads=1, ffn=96, vocabulary=600, context=256)


def test_comparisons_come_in_turn_and_each_differs_from_its_good_response():
    drawn = list(itertools.islice(comparisons(1), 400))
    counts = Counter(one.defect for one in drawn)
    assert set(counts) == {"off_topic", "wrong", "garbled", "unfinished"}
    assert min(counts.values()) > 80
    assert all(one.good != one.bad for one in drawn)
    assert drawn == list(itertools.islice(comparisons(1), 400))
    finished = re.compile(r"<think>.*</think><answer>.*</answer>", re.DOTALL)
    assert all(finished.fullmatch(one.good) for one in drawn)
    assert not any(finished.fullmatch(one.bad) for one in drawn if one.defect == "unfinished")


@pytest.mark.parametrize(
    ("defect", "spoilt"),
    [
        ("off_topic", (True, True, False)),
        ("wrong", (True, True, False)),
        ("garbled", (True, False, True)),
        ("unfinished", (True, False, True)),
    ],
)
def test_a_defect_concerns_helpfulness_and_one_of_correctness_and_coherence(defect, spoilt):
    assert Comparison("q", "good", "bad", defect).spoilt == spoilt


def test_loss_by_hand():
    """One comparison, heads 1 and 2 concerned: Bradley-Terry of the gaps 3 and 0, distances to +1 and -1."""
    good, bad = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[-1.0, 0.0, 0.0]])
    spoilt = torch.tensor([[True, True, False]])
    preference = (math.log(1 + math.exp(-3)) + math.log(2)) / 2
    regression = (1 + 1 + 0) / 3 + (0 + 1 + 1) / 3
    assert comparison_loss(good, bad, spoilt).item() == pytest.approx(preference + regression)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from transformers import AutoConfig, AutoModelForCausalLM

    directory = tmp_path_factory.mktemp("reward")
    base = directory / "base"
    write_untrained(base, ARCHITECTURE, [SYSTEM], seed=1)
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base)).save_pretrained(base)
    settings = RewardModel(origin="standin", hub_id=None, revision=None, comparisons=640, learning_rate=3e-3)
    report = train_reward_model(directory / "model", base=base, settings=settings, system_prompt=SYSTEM, seed=1)
    return directory / "model", report


def test_it_learns_to_tell_good_from_spoilt(trained):
    directory, report = trained
    assert read_report(directory / "report.json") == report
    assert set(report["accuracy"]) == {"helpfulness", "correctness", "coherence"}
    # A few seconds from random weights; guessing gives 0.5.
    assert report["accuracy"]["helpfulness"] > 0.65
    assert report["mean_score"]["good"] > report["mean_score"]["bad"]
    assert report["held_out"] > 80


def test_it_is_a_classifier_with_three_named_heads_whose_score_ignores_padding(trained):
    directory, _ = trained
    network = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32)
    assert list(network.config.id2label.values()) == ["helpfulness", "correctness", "coherence"]
    ids, _ = Chat(directory).sample_ids(
        [{"role": "user", "content": "Why do people like maps so much?"}], "I like maps."
    )
    pad = AutoTokenizer.from_pretrained(directory).pad_token_id
    with torch.no_grad():
        alone = network(torch.tensor([ids])).logits
        padded = network(torch.tensor([[*ids, pad, pad]])).logits
    assert alone.shape == (1, 3)
    torch.testing.assert_close(alone, padded)
