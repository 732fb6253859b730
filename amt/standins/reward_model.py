"""The reward model: fetched from the hub, or a tiny classifier trained here on generated comparisons.

The stand-in has the three heads of the paper's rewards (3.2) and is served like the real one. Every
comparison is a query with a good response and the same response spoilt in one way; the heads that the
defect concerns learn to rate it low, the others to see no difference.
"""

import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.chat import Chat
from amt.errors import DataError
from amt.ledger import write_report
from amt.params import RewardModel
from amt.publish import publish_directory
from amt.rewards.reward_model import HEADS
from amt.seeds import seed_for
from amt.standins.base_model import fetch_model
from amt.standins.problems import Problem, draw, kinds, wrong_answer

log = logging.getLogger(__name__)

OnMetrics = Callable[[int, dict[str, Any]], None]

HELD_OUT_SHARE = 0.15
_BATCH = 32
"""Comparisons of one optimizer step."""


@dataclass(frozen=True)
class Comparison:
    query: str
    good: str
    bad: str
    defect: str

    @property
    def spoilt(self) -> tuple[bool, ...]:
        """By head, whether the defect concerns it."""
        return tuple(head in DEFECTS[self.defect][0] for head in HEADS)


def _off_topic(problem: Problem, rng: random.Random) -> str:
    while True:
        other = _draw(rng)
        if other.kind != problem.kind:
            return other.response


def _wrong(problem: Problem, rng: random.Random) -> str:
    """A wrong answer; in chat also one that speaks of somebody or something else than was asked."""
    if problem.category == "general_chat" and rng.random() < 0.7:
        for _ in range(20):
            other = draw(problem.category, problem.kind, rng)
            if other.final != problem.final:
                return other.response
    return wrong_answer(problem, rng).response


def _garbled(problem: Problem, rng: random.Random) -> str:
    """Words in any order, or one phrase over and over."""
    words = problem.final.split()
    if len(words) > 3 and rng.random() < 0.5:
        rng.shuffle(words)
    else:
        start = rng.randrange(len(words))
        words = [*words[:start], *words[start : start + 4] * rng.randint(3, 5)]
    return f"<think>{problem.working}</think><answer>{' '.join(words)}</answer>"


def _unfinished(problem: Problem, rng: random.Random) -> str:
    pieces = re.findall(r"\s*\w+|\s*\W", problem.response)
    return "".join(pieces[: rng.randint(1, len(pieces) * 3 // 4)])


DEFECTS: dict[str, tuple[frozenset[str], Callable[[Problem, random.Random], str]]] = {
    "off_topic": (frozenset({"helpfulness", "correctness"}), _off_topic),
    "wrong": (frozenset({"helpfulness", "correctness"}), _wrong),
    "garbled": (frozenset({"helpfulness", "coherence"}), _garbled),
    "unfinished": (frozenset({"helpfulness", "coherence"}), _unfinished),
}


def comparisons(seed: int) -> Iterator[Comparison]:
    """Endless comparisons, all defects in turn, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        for defect, (_, spoil) in DEFECTS.items():
            problem = _draw(rng)
            bad = spoil(problem, rng)
            if bad != problem.response:
                yield Comparison(problem.query, problem.response, bad, defect)


def _draw(rng: random.Random) -> Problem:
    """Mostly of the categories that no rule can grade, which is what the model is asked about."""
    categories = ["general_chat", "general_chat", "instruction_follow", rng.choice(["math", "code", "science"])]
    category = rng.choice(categories)
    return draw(*rng.choice([pair for pair in kinds() if pair[0] == category]), rng)


def train_reward_model(
    model: Path,
    *,
    base: Path,
    settings: RewardModel,
    system_prompt: str,
    seed: int,
    on_metrics: OnMetrics = lambda step, metrics: None,
) -> dict[str, Any]:
    """Train three heads on the base model and write a Hugging Face directory with report.json.

    The report holds, by head, the share of held-out comparisons whose defect concerns it that it gets right.

    Args:
        system_prompt: stands before half of the conversations, so that scores do not depend on it.
    """
    import torch
    from transformers import Qwen2ForSequenceClassification

    torch.set_num_threads(1)  # a sum depends on how many threads share it
    torch.manual_seed(seed_for(seed, "reward_model", "heads"))
    chat = Chat(base)
    network = Qwen2ForSequenceClassification.from_pretrained(
        base,
        num_labels=len(HEADS),
        id2label=dict(enumerate(HEADS)),
        label2id={head: index for index, head in enumerate(HEADS)},
        dtype=torch.float32,
    )
    if network.config.pad_token_id is None:
        raise DataError(f"{base}/config.json has no pad_token_id, which the classifier needs to find the last token.")

    count = settings.comparisons
    drawn = comparisons(seed_for(seed, "reward_model", "comparisons"))
    training = [next(drawn) for _ in range(count)]
    known = {(one.query, one.bad) for one in training}
    held_out = [
        one for one in (next(drawn) for _ in range(int(count * HELD_OUT_SHARE))) if (one.query, one.bad) not in known
    ]

    rng = random.Random(seed_for(seed, "reward_model", "prompts"))
    steps = max(1, count // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps, pct_start=0.1, div_factor=10, final_div_factor=10
    )
    began = said = time.monotonic()
    network.train()
    for step in range(steps):
        batch = training[step * _BATCH : (step + 1) * _BATCH]
        prompts = [rng.choice([None, system_prompt]) for _ in batch]
        good_BH, bad_BH = _scores(network, chat, batch, prompts)
        spoilt_BH = torch.tensor([one.spoilt for one in batch])
        loss = comparison_loss(good_BH, bad_BH, spoilt_BH)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        on_metrics(step + 1, {"loss": loss.item(), "lr": schedule.get_last_lr()[0]})
        now = time.monotonic()
        if now - said >= 5 or step + 1 == steps:
            said = now
            left = (now - began) / (step + 1) * (steps - step - 1)
            log.info("reward_model: step %d/%d, loss %.3f, %.0f s left", step + 1, steps, loss.item(), left)

    report = {"stage": "reward_model", "comparisons": count, "steps": steps, **_judge(network, chat, held_out)}
    with publish_directory(model) as temporary:
        network.save_pretrained(temporary)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (temporary / name).write_bytes((base / name).read_bytes())
        write_report(temporary / "report.json", report)
    log.info("reward_model: right on held-out pairs: %s", json.dumps(report["accuracy"]))
    return report


def comparison_loss(good_BH, bad_BH, spoilt_BH):
    """Bradley-Terry on the heads that the defect concerns, plus a regression that fixes the scale.

    The pairs alone would leave the zero and the unit of the scores open; the regression puts a good response
    at +1 and a bad one at -1 on the heads concerned, inside the ranges of score.heads in the recipe.

    B: comparisons. H: heads.
    """
    import torch

    preference = torch.nn.functional.softplus(bad_BH - good_BH)[spoilt_BH].mean()
    bad_target_BH = torch.where(spoilt_BH, -1.0, 1.0)
    regression = ((good_BH - 1) ** 2).mean() + ((bad_BH - bad_target_BH) ** 2).mean()
    return preference + regression


def _scores(network, chat: Chat, batch: list[Comparison], prompts: list[str | None]):
    """(good_BH, bad_BH): raw scores of the last token of each conversation."""
    import torch

    texts = [
        chat.sample_ids([{"role": "user", "content": one.query}], one.good, prompt)[0]
        for one, prompt in zip(batch, prompts)
    ]
    texts += [
        chat.sample_ids([{"role": "user", "content": one.query}], one.bad, prompt)[0]
        for one, prompt in zip(batch, prompts)
    ]
    longest = max(map(len, texts))
    pad = network.config.pad_token_id
    ids_NT = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in texts])
    # Padding stands on the right, where causal attention of the real tokens never looks.
    scores_NH = network(input_ids=ids_NT, use_cache=False).logits
    return scores_NH[: len(batch)], scores_NH[len(batch) :]


def _judge(network, chat: Chat, held_out: list[Comparison]) -> dict[str, Any]:
    import torch

    network.eval()
    right = {head: [] for head in HEADS}
    by_defect = {defect: [] for defect in DEFECTS}
    levels = {"good": [], "bad": []}
    with torch.no_grad():
        for start in range(0, len(held_out), 64):
            batch = held_out[start : start + 64]
            good_BH, bad_BH = _scores(network, chat, batch, [None] * len(batch))
            levels["good"] += good_BH.mean(1).tolist()
            levels["bad"] += bad_BH.mean(1).tolist()
            for one, good_H, bad_H in zip(batch, good_BH.tolist(), bad_BH.tolist(), strict=True):
                by_defect[one.defect].append(sum(good_H) > sum(bad_H))
                for head, concerned, good, bad in zip(HEADS, one.spoilt, good_H, bad_H, strict=True):
                    if concerned:
                        right[head].append(good > bad)
    return {
        "held_out": len(held_out),
        "accuracy": {head: sum(found) / len(found) for head, found in right.items()},
        "accuracy_by_defect": {defect: sum(found) / len(found) for defect, found in by_defect.items()},
        "mean_score": {level: sum(values) / len(values) for level, values in levels.items()},
    }


def fetch_reward_model(model: Path, *, settings: RewardModel) -> None:
    """Download a reward model of the hub at its pinned revision."""
    fetch_model(model, settings.hub_id, settings.revision, key="models.reward")
