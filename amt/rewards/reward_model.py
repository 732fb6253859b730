"""Reward of a response that no rule can check [3.2]: the mean of helpfulness, correctness and coherence."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amt import params
from amt.chat import Chat
from amt.errors import DataError, ParamsError

if TYPE_CHECKING:
    from amt.rollout.server import VllmServer

HEADS = ("helpfulness", "correctness", "coherence")

LEAST_SHARE = 0.25
"""Share of the context that must be left to what is cut: of less, a model judges something else."""

MARK = "\n[...]\n"
"""Stands where something was left out, so that the model does not take the gap for incoherence."""


@dataclass(frozen=True)
class Reading:
    """What a reward model makes of one response."""

    scores: list[float]
    """Of all outputs of the model, raw; empty if refused."""
    cut: bool = False
    """Prompt or response was too long, and its middle was left out."""
    refused: str | None = None
    """Why it cannot be judged."""


def mean_reward(scores: list[float], heads: params.Heads) -> tuple[float, bool] | None:
    """(mean of the three scores, each mapped from its range to [0, 1] and clipped there; whether one was clipped).

    None if one of the three is missing or not finite: that is a broken server, not a bad response.
    """
    placed = []
    for head in (getattr(heads, name) for name in HEADS):
        if head.column >= len(scores) or not math.isfinite(scores[head.column]):
            return None
        low, high = head.range
        placed.append((scores[head.column] - low) / (high - low))
    clipped = [min(1.0, max(0.0, value)) for value in placed]
    return sum(clipped) / len(HEADS), clipped != placed


class RewardModel:
    """Reads (query, response) pairs, by a vLLM server of kind "classify".

    The model reads the conversation in its own chat template, with the whole response as the last turn. A control
    token that the response spells stays text: else it could end its turn and praise itself in the user's.

    Args:
        server: amt.rollout.server.VllmServer(kind="classify") of model_dir, entered by the caller.
        model_dir: the reward model's Hugging Face directory.

    Raises:
        ParamsError: the model has no such outputs, or calls them otherwise.
    """

    def __init__(self, server: "VllmServer", model_dir: str | Path, settings: params.Score):
        check_heads(model_dir, settings.heads)
        self._server = server
        self._chat = Chat(model_dir)
        self._too_long = settings.too_long

    def __call__(self, pairs: list[tuple[dict[str, Any], str]]) -> list[Reading]:
        """
        Raises:
            InfrastructureError: the server does not answer.
        """
        inputs = [self._input(query, response) for query, response in pairs]
        scores = iter(self._server.classify([ids for ids, _ in inputs if ids]))
        return [
            Reading(next(scores), cut=note is not None) if ids else Reading([], refused=note) for ids, note in inputs
        ]

    def _input(self, query: dict[str, Any], response: str) -> tuple[list[int], str | None]:
        """(token ids, None), (token ids, what was cut), or ([], why it is refused)."""
        prompt = self._chat.prompt_ids(json.loads(query["messages"]))
        answer = self._chat.encode_plain(response)
        context = self._server.max_model_len
        room = context - 1  # of the end of the turn
        note = None
        if len(prompt) + len(answer) > room:
            note = f"prompt and response have {len(prompt)} and {len(answer)} tokens, the reward model takes {context}"
            of_part = {"cut_response": room - len(prompt), "cut_prompt": room - len(answer), "invalid": 0}
            left = of_part[self._too_long]
            if left < LEAST_SHARE * context:
                return [], f"{note} (score.too_long: {self._too_long})"
            if self._too_long == "cut_response":
                answer = self._without_middle(answer, left)
            else:
                prompt = self._without_middle(prompt, left)
        return [*prompt, *answer, self._chat.eos_id], note

    def _without_middle(self, token_ids: list[int], length: int) -> list[int]:
        mark = self._chat.encode_plain(MARK)
        end = (length - len(mark)) // 2
        beginning = length - len(mark) - end
        return [*token_ids[:beginning], *mark, *token_ids[-end:]]


def check_heads(model_dir: str | Path, heads: params.Heads) -> None:
    """
    Raises:
        ParamsError: the model has no such outputs, or its config.json names others so.
        DataError: it has no config.json.
    """
    file = Path(model_dir) / "config.json"
    try:
        config = json.loads(file.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{model_dir} is no Hugging Face model directory: {file}: {error!r}") from None
    labels = {int(number): label for number, label in (config.get("id2label") or {}).items()}
    outputs = len(labels) or config.get("num_labels") or 2  # as transformers counts them
    for name in HEADS:
        column = getattr(heads, name).column
        if column >= outputs:
            raise ParamsError(
                f"score.heads.{name}.column is {column}, but {model_dir} has {outputs} output(s), counted from 0. Name "
                "those that are the three scores; of a model with a single output it is 0 for all three."
            )
        named = [number for number, label in labels.items() if label == name]
        if named and column not in named:
            raise ParamsError(
                f"score.heads.{name}.column is {column}, which {model_dir} calls {labels[column]}: its {name} is "
                f"{named[0]}."
            )
