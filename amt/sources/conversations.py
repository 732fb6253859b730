"""Conversations as datasets publish them -> [{"role", "content"}, ...] that end with the query."""

import re
from collections.abc import Iterable
from typing import Any

from amt.sources.dataset import LeftOut, Unified

# What datasets append to a problem to ask for a format. It is no part of the problem: left in, it would be
# trained on, and it makes different problems look alike to every duplicate and contamination test.
PROMPT_SUFFIXES = (
    r"(?:Please )?(?:reason|think) step by step,? and put your final answer within \\boxed\{\}\.?",
    r"Let's think step by step and output the final answer within \\box(?:ed)?\{\}\.?",
    r"Present the answer in LaTe[xX] format: \\boxed\{Your answer\}\.?",
    r"Write Python code to solve the problem\. Present the code in\s*```python\s*Your code\s*```\s*at the end\.?",
    r"Return your final response within \\boxed\{\}\.?",
)
_SUFFIX = re.compile(rf"\s*(?:{'|'.join(PROMPT_SUFFIXES)})\s*$", re.IGNORECASE)

_SHAREGPT_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


def strip_prompt_suffix(text: str | None) -> str:
    """The query without known format requests at its end; empty where the dataset has null."""
    return _SUFFIX.sub("", text or "").strip()


def last_question(turns: Iterable[dict[str, str]] | None) -> str:
    """The last user turn, as `strip_prompt_suffix` leaves it; empty where there is none."""
    asked = [turn["content"] for turn in turns or () if turn["role"] == "user"]
    return strip_prompt_suffix(asked[-1] if asked else None)


def from_sharegpt(turns: Iterable[dict[str, Any]], system: str | None = None) -> list[dict[str, str]]:
    """[{"from", "value"}] -> messages; a speaker that we do not know keeps its name and fails in up_to_query."""
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages.append({"role": _SHAREGPT_ROLES.get(turn["from"], turn["from"]), "content": turn["value"]})
    return messages


def up_to_query(messages: Iterable[dict[str, str]], **fields: Any) -> Unified | LeftOut:
    """The conversation up to its last user turn; a reply after it becomes the reference solution.

    Args:
        fields: further fields of Unified.
    """
    messages = [{"role": message["role"], "content": message["content"] or ""} for message in messages or ()]
    if unknown := {message["role"] for message in messages} - {"system", "user", "assistant"}:
        return LeftOut(f"unknown_speaker_{min(map(str, unknown))}")
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    if not users:
        return LeftOut("no_user_turn")
    last = users[-1]
    query = strip_prompt_suffix(messages[last]["content"])
    replies = [message["content"] for message in messages[last + 1 :] if message["role"] == "assistant"]
    kept = [message for message in messages[:last] if message["content"].strip()]
    return Unified(
        query=query,
        messages=(*kept, {"role": "user", "content": query}),
        reference_solution=replies[-1] if replies else None,
        **fields,
    )
