"""The stand-in tokenizer: numbers and phrases whole, every text comes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.standins.tokenizer import train_tokenizer

SYSTEM = "You are helpful. Use <think> </think> and <answer> </answer> tags."
SUFFIX = "Let's think step by step and output the final answer within \\box{}."
TEXTS = [f"Tom has {n} apples and buys {n * 7} more. {SYSTEM} How many? {SUFFIX}" for n in range(300)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocabulary=520, phrases=[SYSTEM, SUFFIX, ""])


def test_numbers_below_100_are_one_token_with_the_space_before_them(tokenizer):
    for number in range(100):
        assert len(tokenizer.encode(f"{number}").ids) == 1
        assert len(tokenizer.encode(f" {number}").ids) == 1
    assert tokenizer.encode("12345").tokens == ["12", "34", "5"]


def test_system_prompt_and_suffix_are_one_token_each_and_decode_to_themselves(tokenizer):
    ids = tokenizer.encode(f"{SYSTEM}\n{SUFFIX}").ids
    assert len(ids) == 3
    assert tokenizer.decode(ids) == f"{SYSTEM}\n{SUFFIX}"
    assert tokenizer.decode(ids[:1]) == SYSTEM


def test_the_vocabulary_is_no_larger_than_asked_for_and_has_no_gaps(tokenizer):
    assert tokenizer.get_vocab_size() <= 520
    assert sorted(tokenizer.get_vocab().values()) == list(range(tokenizer.get_vocab_size()))


def test_training_again_gives_the_same_tokenizer(tokenizer):
    again = train_tokenizer(TEXTS, vocabulary=520, phrases=[SYSTEM, SUFFIX, ""])
    assert again.to_str() == tokenizer.to_str()


@settings(max_examples=200)
@given(st.text(), st.sampled_from(["", SYSTEM, SUFFIX, "</think>", "\\boxed{7}"]), st.text())
def test_every_text_comes_back(tokenizer, before, phrase, after):
    text = before + phrase + after
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
