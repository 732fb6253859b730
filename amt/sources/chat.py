"""General chat of paper section 2.1, single- and multi-turn."""

import re
from typing import Any

import pyarrow as pa

from amt.sources.conversations import from_sharegpt, strip_prompt_suffix, up_to_query
from amt.sources.dataset import SHAREGPT_TURNS, TEXT, TEXTS, TURNS, Dataset, LeftOut, Unified
from amt.sources.tulu3 import tulu3


def _ultra_chat(row: dict[str, Any]) -> Unified | LeftOut:
    return up_to_query(row["messages"], published_id=row["prompt_id"])


ULTRA_CHAT = Dataset(
    name="ultra_chat",
    category="general_chat",
    hub_id="HuggingFaceH4/ultrachat_200k",
    config="default",
    split="train_sft",
    licence="mit",
    columns=pa.schema([("prompt", TEXT), ("prompt_id", TEXT), ("messages", TURNS)]),
    needs=("prompt_id", "messages"),
    unify=_ultra_chat,
)


def _openhermes(row: dict[str, Any]) -> Unified | LeftOut:
    # id, idx and hash are null in most rows.
    messages = from_sharegpt(row["conversations"] or [], row["system_prompt"])
    return up_to_query(messages, published_id=row["id"], origin=row["source"])


OPENHERMES_2_5 = Dataset(
    name="openhermes_2_5",
    category="general_chat",
    hub_id="teknium/OpenHermes-2.5",
    config="default",
    split="train",
    licence="not declared",
    columns=pa.schema(
        [
            ("custom_instruction", pa.bool_()),
            ("topic", TEXT),
            ("model_name", TEXT),
            ("model", TEXT),
            ("skip_prompt_formatting", pa.bool_()),
            ("category", TEXT),
            ("conversations", pa.list_(pa.struct([("from", TEXT), ("value", TEXT), ("weight", pa.float64())]))),
            ("views", pa.int64()),
            ("language", TEXT),
            ("id", TEXT),
            ("title", TEXT),
            ("idx", TEXT),
            ("hash", TEXT),
            ("avatarUrl", TEXT),
            ("system_prompt", TEXT),
            ("source", TEXT),
        ]
    ),
    needs=("conversations", "system_prompt", "id", "source"),
    optional=("conversations.weight",),
    unify=_openhermes,
)


def _evol(row: dict[str, Any]) -> Unified | LeftOut:
    return up_to_query(from_sharegpt(row["conversations"] or []), published_id=row["idx"])


EVOL = Dataset(
    name="evol",
    category="general_chat",
    hub_id="WizardLMTeam/WizardLM_evol_instruct_V2_196k",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema([("idx", TEXT), ("conversations", SHAREGPT_TURNS)]),
    needs=("idx", "conversations"),
    unify=_evol,
)


def _infinity_instruct(row: dict[str, Any]) -> Unified | LeftOut:
    return up_to_query(from_sharegpt(row["conversations"] or []), published_id=row["id"], origin=row["source"])


INFINITY_INSTRUCT = Dataset(
    name="infinity_instruct",
    category="general_chat",
    hub_id="BAAI/Infinity-Instruct",
    config="7M",
    split="train",
    licence="cc-by-sa-4.0",
    gated=True,
    columns=pa.schema(
        [
            ("id", pa.int64()),
            ("conversations", SHAREGPT_TURNS),
            (
                "label",
                pa.struct(
                    [
                        ("ability_en", TEXTS),
                        ("ability_zh", TEXTS),
                        ("cate_ability_en", TEXTS),
                        ("cate_ability_zh", TEXTS),
                    ]
                ),
            ),
            ("langdetect", TEXT),
            ("source", TEXT),
        ]
    ),
    needs=("id", "conversations", "source"),
    unify=_infinity_instruct,
)


def _open_orca(row: dict[str, Any]) -> Unified | LeftOut:
    turns = [
        {"role": "system", "content": row["system_prompt"]},
        {"role": "user", "content": row["question"]},
        {"role": "assistant", "content": row["response"]},
    ]
    # The part of FLAN that a row comes from stands before the point.
    part = (row["id"] or "").partition(".")[0] or None
    return up_to_query(turns, published_id=row["id"], origin=part)


OPEN_ORCA = Dataset(
    name="open_orca",
    category="general_chat",
    hub_id="Open-Orca/OpenOrca",
    config=None,
    split="train",
    licence="mit",
    columns=pa.schema([("id", TEXT), ("system_prompt", TEXT), ("question", TEXT), ("response", TEXT)]),
    needs=("id", "system_prompt", "question", "response"),
    unify=_open_orca,
    files=("1M-GPT4-Augmented.parquet", "3_5M-GPT3_5-Augmented.parquet"),
)

_NOT_CHAT = re.compile("math|code|gsm8k|ifdata", re.IGNORECASE)
"""Subsets of Tulu 3 for mathematics, for code, and of instruction following, which is a source of its own."""
TULU3_CHAT = tulu3("tulu3_chat", "general_chat", lambda subset: not _NOT_CHAT.search(subset))


def _natural_reasoning(row: dict[str, Any]) -> Unified:
    answer = (row["reference_answer"] or "").strip()
    said = [one["response"] for one in row["responses"] or [] if one["response"]]
    return Unified(
        query=strip_prompt_suffix(row["question"]), ground_truth=answer or None, reference_solution=(said or [None])[0]
    )


NATURAL_REASONING = Dataset(
    name="natural_reasoning",
    category="general_chat",
    hub_id="facebook/natural_reasoning",
    config="default",
    split="train",
    licence="cc-by-nc-4.0",
    columns=pa.schema(
        [
            ("question", TEXT),
            ("reference_answer", TEXT),
            ("responses", pa.list_(pa.struct([("response_model", TEXT), ("response", TEXT)]))),
        ]
    ),
    needs=("question", "reference_answer", "responses"),
    optional=("responses.response_model",),
    unify=_natural_reasoning,
)


def _flan(row: dict[str, Any]) -> Unified:
    # Targets are often a word, which no test compares: the reward model judges, as of all chat.
    return Unified(query=strip_prompt_suffix(row["inputs"]), origin=row["task"], reference_solution=row["targets"])


FLAN = Dataset(
    name="flan",
    category="general_chat",
    hub_id="Muennighoff/flan",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema([("inputs", TEXT), ("targets", TEXT), ("task", TEXT)]),
    needs=("inputs", "targets", "task"),
    unify=_flan,
)
