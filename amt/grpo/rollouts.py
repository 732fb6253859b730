"""Responses of a served model to queries, judged while more are being generated.

Invariant: every query that was asked for has all of its samples, each with a judgement that is `scored` or
`invalid`. A judgement that could not be made is an InfrastructureError, never a reward of 0.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from amt.chat import Chat
from amt.errors import InfrastructureError
from amt.rewards.dispatch import Grader, Grading, Judgement
from amt.rollout.journal import AnswerJournal
from amt.rollout.server import Generation, Request, VllmServer
from amt.rows import write_table

log = logging.getLogger(__name__)

_GRADED_AT_ONCE = 128
"""Fewest responses that are judged together while more are generated."""

ROLLOUT = pa.schema(
    [
        pa.field("step", pa.int32(), nullable=False),  # 0 outside of GRPO
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("prompt_tokens", pa.int32(), nullable=False),
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),  # stop | length
        pa.field("reward_kind", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # scored | invalid
        pa.field("reward", pa.float64()),  # in [0, 1]; null if invalid
        pa.field("reason", pa.string()),
        pa.field("advantage", pa.float64()),  # null outside of GRPO
    ]
)


@dataclass(frozen=True)
class Rollout:
    """One response to one query."""

    row: dict[str, Any]
    sample: int
    prompt_ids: list[int]
    seed: int
    generation: Generation
    judgement: Judgement


@dataclass(frozen=True)
class Prompt:
    """A query as token ids, ready to be asked."""

    row: dict[str, Any]
    token_ids: list[int]


def prompts_of(rows: list[dict[str, Any]], chat: Chat, system_prompt: str) -> list[Prompt]:
    return [Prompt(row, chat.prompt_ids(json.loads(row["messages"]), system_prompt)) for row in rows]


def sample_groups(
    server: VllmServer,
    grader: Grader,
    chat: Chat,
    prompts: list[Prompt],
    *,
    samples: int,
    seed_of: Callable[[str, int], int],
    temperature: float,
    max_tokens: int,
    label: str,
    journal_of: Callable[[list[Request]], AnswerJournal] | None = None,
) -> tuple[list[list[Rollout]], dict[str, float]]:
    """Sample and judge `samples` responses to each prompt.

    Args:
        seed_of: (row_id, sample) -> seed.
        label: names the work in progress lines and errors.
        journal_of: where responses to these requests are kept as they come, and found again after a kill.

    Returns:
        The rollouts by prompt, and seconds: {"rollout_s": until the last response was there, "grade_s": from then
        until the last judgement was}.
    """
    requests = [
        Request(prompt.token_ids, seed_of(prompt.row["row_id"], sample), max_tokens)
        for prompt in prompts
        for sample in range(samples)
    ]
    journal = journal_of(requests) if journal_of else None
    known = journal.read() if journal else {}
    generations: list[Generation | None] = [known.get(number) for number in range(len(requests))]
    judgements: list[Judgement | None] = [None] * len(requests)
    waiting = sorted(known)
    judged: deque[tuple[list[int], Grading]] = deque()
    missing = [number for number in range(len(requests)) if number not in known]
    began = said = time.monotonic()

    def judge() -> None:
        pairs = [(prompts[number // samples].row, chat.decode(generations[number].token_ids)) for number in waiting]
        judged.append((waiting.copy(), grader.submit(pairs)))
        waiting.clear()

    def collect() -> None:
        numbers, grading = judged.popleft()
        for number, judgement in zip(numbers, grading.result(), strict=True):
            if judgement.status == "error":
                raise InfrastructureError(
                    f"{label}: a response to {prompts[number // samples].row['row_id']} could not be judged: "
                    f"{judgement.reason}"
                )
            judgements[number] = judgement

    if known:
        log.info("%s: %d of %d responses were made before", label, len(known), len(requests))
    done = 0
    for arrived in server.generate_stream([requests[number] for number in missing], temperature=temperature):
        new = {missing[place]: generation for place, generation in arrived}
        if journal:
            journal.add(new)
        for number, generation in new.items():
            generations[number] = generation
            waiting.append(number)
        done += len(new)
        if len(waiting) >= _GRADED_AT_ONCE:
            judge()
        while judged and judged[0][1].done():
            collect()
        if (now := time.monotonic()) - said > 10:
            said = now
            log.info("%s: %d of %d responses, %.0f/s", label, done, len(missing), done / (now - began))
    generated = time.monotonic()
    if waiting:
        judge()
    while judged:
        collect()
    seconds = {"rollout_s": generated - began, "grade_s": time.monotonic() - generated}
    rollouts = [
        Rollout(
            prompts[number // samples].row,
            number % samples,
            request.prompt_ids,
            request.seed,
            generations[number],
            judgements[number],
        )
        for number, request in enumerate(requests)
    ]
    groups = [rollouts[start : start + samples] for start in range(0, len(rollouts), samples)]
    return groups, seconds


def write_journal(
    path: Path, groups: list[list[Rollout]], *, step: int, advantage_PS: list[list[float]] | None = None
) -> None:
    """Write rollouts as Parquet of ROLLOUT, by query and sample."""
    lines = [
        {
            "step": step,
            "row_id": rollout.row["row_id"],
            "category": rollout.row["category"],
            "sample": rollout.sample,
            "seed": rollout.seed,
            "prompt_tokens": len(rollout.prompt_ids),
            "token_ids": rollout.generation.token_ids,
            "finish_reason": rollout.generation.finish_reason,
            "reward_kind": rollout.judgement.kind,
            "status": rollout.judgement.status,
            "reward": rollout.judgement.reward,
            "reason": rollout.judgement.reason,
            "advantage": None if advantage_PS is None else advantage_PS[number][rollout.sample],
        }
        for number, group in enumerate(groups)
        for rollout in group
    ]
    lines.sort(key=lambda line: (line["row_id"], line["sample"]))
    write_table(path, pa.Table.from_pylist(lines, schema=ROLLOUT))
