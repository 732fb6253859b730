"""The stand-in base model: what it reads, and that it comes out as any Hugging Face model."""

import itertools
import json
import math
import re

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from amt.chat import Chat
from amt.errors import ParamsError, SourceError
from amt.params import Architecture, BaseLanguageModel, Pretraining
from amt.placement import Placement
from amt.standins.base_model import fetch_base_model, learning_rate, train_base_model
from amt.standins.benchmarks import math_questions
from amt.standins.plain_text import documents, is_held_out, text_of

SYSTEM = "You are a helpful assistant. Use <think> </think> and <answer> </answer> tags."
ARCHITECTURE = Architecture(layers=2, hidden=64, heads=2, kv_heads=1, ffn=96, vocabulary=400, context=256)
PRETRAINING = Pretraining(tokens=20_000, batch_tokens=1000, learning_rate=5e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("base") / "model"
    curve = []
    train_base_model(
        directory,
        architecture=ARCHITECTURE,
        pretraining=PRETRAINING,
        phrases=[SYSTEM],
        seed=1,
        placement=Placement(),
        on_metrics=lambda step, metrics: curve.append((step, metrics["loss"])),
    )
    return directory, curve


def test_it_loads_in_transformers_and_has_learned_its_text(trained):
    directory, curve = trained
    network = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    text = text_of(next(documents(99)))
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        loss = network(ids, labels=ids).loss.item()
    assert loss < 0.9 * math.log(ARCHITECTURE.vocabulary)
    assert [step for step, _ in curve] == list(range(1, 21))
    assert curve[-1][1] < 0.8 * curve[0][1]


def test_tokenizer_and_configuration_agree(trained):
    directory, _ = trained
    chat = Chat(directory)
    config = json.loads((directory / "config.json").read_text())
    assert chat.tokenizer.get_vocab_size() <= config["vocab_size"] == 400
    assert config["eos_token_id"] == chat.eos_id
    assert json.loads((directory / "generation_config.json").read_text())["eos_token_id"] == chat.eos_id
    assert len(chat.encode(SYSTEM)) == 1


def test_its_text_has_no_turns_and_few_answers_in_tags():
    texts = [text_of(document) for document in itertools.islice(documents(7), 2000)]
    assert not any("<|" in text for text in texts)
    tagged = sum("<think>" in text for text in texts)
    assert 0.03 < tagged / len(texts) < 0.1


def test_sums_in_its_text_are_right():
    text = "".join(map(text_of, itertools.islice(documents(3), 500)))
    sums = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)\.", text)
    assert len(sums) > 500
    for left, operator, right, result in sums:
        left, right, result = int(left), int(right), int(result)
        expected = {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[operator]
        assert result == expected


def test_no_story_has_the_numbers_of_a_benchmark_question():
    questions = {tuple(sorted(re.findall(r"\d+", question.query))) for question in math_questions()}
    stories = [
        piece for document in itertools.islice(documents(3), 3000) for piece, follows in document
        if not follows and piece.endswith("?")
    ]  # fmt: skip
    assert len(stories) > 1000
    assert not [story for story in stories if tuple(sorted(re.findall(r"\d+", story))) in questions]
    assert all(is_held_out(question.query) for question in math_questions())
    assert is_held_out(f"Before all, a word. {math_questions()[0].query} And 5 more.")
    assert not is_held_out("Why do people like rivers?")


def test_documents_repeat_by_seed():
    assert list(itertools.islice(documents(1), 50)) == list(itertools.islice(documents(1), 50))
    assert list(itertools.islice(documents(1), 50)) != list(itertools.islice(documents(2), 50))


@pytest.mark.parametrize(("step", "expected"), [(0, 0.2), (4, 1.0), (5, 1.0), (52.5, 0.55), (100, 0.1)])
def test_learning_rate_rises_for_a_twentieth_and_falls_to_a_tenth(step, expected):
    assert learning_rate(step, 100, 1.0) == pytest.approx(expected)


COMMIT = "a1b2c3d4e5" * 4


def hub_model(**changed):
    values = {
        "origin": "hub",
        "hub_id": "Qwen/Qwen2.5-32B",
        "revision": COMMIT,
        "architecture": None,
        "pretraining": None,
    }
    return BaseLanguageModel(**(values | changed))


@pytest.mark.parametrize("key", ["hub_id", "revision"])
def test_a_hub_model_without_id_or_revision_names_the_key(tmp_path, key):
    with pytest.raises(ParamsError, match=rf"models\.base\.{key} is null"):
        fetch_base_model(tmp_path / "model", settings=hub_model(**{key: None}))


def test_without_a_connection_the_message_says_what_to_do_and_nothing_is_left(tmp_path, monkeypatch):
    # A port that nothing listens on: the connection is refused at once.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SourceError, match=rf"Qwen2\.5-32B at {COMMIT} could not be downloaded(.|\n)*origin: standin"):
        fetch_base_model(tmp_path / "model", settings=hub_model())
    assert not list(tmp_path.glob("*model*"))
