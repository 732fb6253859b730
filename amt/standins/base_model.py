"""The base model: fetched from the hub, or a tiny Qwen2 trained here from random weights on plain text."""

import itertools
import json
import logging
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from amt.chat import Chat
from amt.errors import ParamsError, SourceError
from amt.params import Architecture, BaseLanguageModel, Pretraining
from amt.placement import Placement
from amt.publish import publish_directory
from amt.seeds import seed_for
from amt.standins.plain_text import documents, text_of
from amt.standins.problems import draw_many
from amt.standins.tokenizer import END_OF_TEXT, save_tokenizer, train_tokenizer

log = logging.getLogger(__name__)

WARMUP = 0.05
"""Share of the steps; then cosine to a tenth, since training goes on from here."""
UNPREDICTABLE_WEIGHT = 0.03
"""Loss weight of what nothing before it decides, such as the numbers of a sum. A real base model reads a
million times more text and can afford the noise; with full weight ours learns neither to copy nor to add."""
_TOKENIZER_TEXTS = 1500


def train_base_model(
    model: Path,
    *,
    architecture: Architecture,
    pretraining: Pretraining,
    phrases: Collection[str],
    seed: int,
    placement: Placement,
    on_metrics: Callable[[int, dict[str, Any]], None] = lambda step, metrics: None,
) -> None:
    """Train tokenizer and model, and write them as a Hugging Face directory.

    Args:
        phrases: texts that are one token each, see train_tokenizer.
    """
    from amt.megatron.session import Sequence, Session  # torch and Megatron take seconds to load

    with tempfile.TemporaryDirectory() as start:
        write_untrained(Path(start), architecture, phrases, seed)
        steps = max(1, round(pretraining.tokens / pretraining.batch_tokens))
        batches = _batches(Path(start), architecture, pretraining, seed)
        with Session.start(
            start,
            learning_rate=pretraining.learning_rate,
            beta2=0.95,
            weight_decay=0.01,
            clip_grad=1.0,
            placement=placement,
            seed=seed_for(seed, "base_model", "weights"),
        ) as session:
            began = reported = time.monotonic()
            for step, batch in enumerate(itertools.islice(batches, steps)):
                total = sum(sum(weights[1:]) for _, weights in batch)
                metrics = session.step(
                    [Sequence(ids, {"weight": weights}) for ids, weights in batch],
                    lambda log_prob_T, fields_T, doc_T, total=total: (
                        -(log_prob_T * fields_T["weight"]).sum() / total,
                        {},
                    ),
                    learning_rate(step, steps, pretraining.learning_rate),
                )
                on_metrics(step + 1, metrics)
                now = time.monotonic()
                if now - reported >= 5 or step + 1 == steps:
                    reported = now
                    left = (now - began) / (step + 1) * (steps - step - 1)
                    log.info("base_model: step %d/%d, loss %.3f, %.0f s left", step + 1, steps, metrics["loss"], left)
            session.export_hf(model)


def learning_rate(step: int, steps: int, peak: float) -> float:
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def write_untrained(directory: Path, architecture: Architecture, phrases: Collection[str], seed: int) -> None:
    """Tokenizer and configuration; without weights, which a Session then draws."""
    texts = [
        *map(text_of, itertools.islice(documents(seed_for(seed, "base_model", "tokenizer")), _TOKENIZER_TEXTS)),
        # So that role names and answers are not spelled letter by letter either.
        *(
            f"system\nuser\n{problem.query}\nassistant\n{problem.response}"
            for problem in draw_many(
                seed_for(seed, "base_model", "tokenizer", "chat"),
                {"math": 600, "code": 600, "science": 300, "instruction_follow": 400, "general_chat": 400},
            )
        ),
    ]
    tokenizer = train_tokenizer(texts, vocabulary=architecture.vocabulary, phrases=phrases)
    save_tokenizer(tokenizer, directory, context=architecture.context)
    chat = Chat(directory)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "dtype": "float32",
        "vocab_size": architecture.vocabulary,
        "hidden_size": architecture.hidden,
        "intermediate_size": architecture.ffn,
        "num_hidden_layers": architecture.layers,
        "num_attention_heads": architecture.heads,
        "num_key_value_heads": architecture.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": architecture.context,
        "initializer_range": 0.06,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": chat.eos_id,
        "pad_token_id": chat.encode(END_OF_TEXT)[0],
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"eos_token_id": chat.eos_id, "pad_token_id": config["pad_token_id"]}
    (directory / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def _batches(
    start: Path, architecture: Architecture, pretraining: Pretraining, seed: int
) -> Iterator[list[tuple[list[int], list[float]]]]:
    """(token ids, loss weights) of the documents of each step: at least batch_tokens, by less than one document.

    A document ends without any end token: a base model that has never seen one does not know when to stop.
    """
    chat = Chat(start)
    batch: list[tuple[list[int], list[float]]] = []
    for document in documents(seed_for(seed, "base_model", "text")):
        ids: list[int] = []
        weights: list[float] = []
        for text, follows in document:
            piece = chat.encode(text)
            ids += piece
            weights += [1.0 if follows else UNPREDICTABLE_WEIGHT] * len(piece)
        batch.append((ids[: architecture.context], weights[: architecture.context]))
        if sum(len(ids) for ids, _ in batch) >= pretraining.batch_tokens:
            yield batch
            batch = []


def fetch_base_model(model: Path, *, settings: BaseLanguageModel) -> None:
    """Download a model of the hub at its pinned revision.

    Raises:
        ParamsError: no id or no revision is set.
        SourceError: the hub cannot be reached, or has no such model or revision.
    """
    fetch_model(model, settings.hub_id, settings.revision, key="models.base")
    Chat(model)  # names what is missing if the model cannot be trained on conversations


def fetch_model(model: Path, hub_id: str | None, revision: str | None, *, key: str) -> None:
    """Download `hub_id` at `revision`. `key` is where the recipe names them."""
    for name, value in (("hub_id", hub_id), ("revision", revision)):
        if value is None:
            newest = f"`git ls-remote https://huggingface.co/{hub_id or 'ID'} HEAD` prints the newest commit"
            raise ParamsError(f"{key}.origin is hub, but {key}.{name} is null. Set it in the recipe: {newest}.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    with publish_directory(model) as temporary:
        try:
            snapshot_download(
                hub_id,
                revision=revision,
                local_dir=temporary,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"],
            )
        except RepositoryNotFoundError:
            raise SourceError(
                f"The hub has no model {hub_id} at {revision} that we may read ({key}.hub_id, {key}.revision)."
            ) from None
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise SourceError(
                f"{hub_id} at {revision} could not be downloaded: {error}\n"
                f"Check the connection and run again; or set {key}.origin: standin."
            ) from None
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
