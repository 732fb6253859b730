"""Instruction following of paper section 2.1."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from amt.sources.conversations import up_to_query
from amt.sources.dataset import TEXT, TEXTS, TURNS, Dataset, LeftOut, Unified
from amt.sources.tulu3 import tulu3

# Every argument that an instruction of IFEval takes. The published struct has all keys in every row, most of them
# null, and a checker given a null raises: see _present.
_COUNTS = (
    "num_words", "num_sentences", "num_bullets", "num_paragraphs", "nth_paragraph", "num_placeholders",
    "num_highlights", "num_sections", "frequency", "let_frequency", "capital_frequency",
)  # fmt: skip
_WORDS = (
    "relation", "let_relation", "capital_relation", "keyword", "letter", "language", "first_word", "end_phrase",
    "postscript_marker", "section_spliter", "prompt_to_repeat",
)  # fmt: skip
_KWARGS = pa.struct(
    [
        *((name, pa.int64()) for name in _COUNTS),
        *((name, TEXT) for name in _WORDS),
        *((name, TEXTS) for name in ("keywords", "forbidden_words")),
    ]
)


def _present(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (kwargs or {}).items() if value is not None}


def _nemotron_if(row: dict[str, Any]) -> Unified | LeftOut:
    args = row["args"] or {}
    ids, kwargs = args.get("instruction_id_list") or [], args.get("kwargs") or []
    if not ids:
        return LeftOut("no_instructions")
    if len(ids) != len(kwargs):
        return LeftOut("instructions_without_arguments")
    # system_prompt switches Nemotron's thinking on and off: not ours.
    unified = up_to_query([turn for turn in row["input"] or [] if turn["role"] != "system"])
    if isinstance(unified, LeftOut):
        return unified
    present = [_present(entry) for entry in kwargs]
    return replace(unified, origin=row["category"], instructions={"instruction_id_list": list(ids), "kwargs": present})


NEMOTRON_IF = Dataset(
    name="nemotron_if",
    category="instruction_follow",
    hub_id="nvidia/Llama-Nemotron-Post-Training-Dataset",
    config="RL",
    split="instruction_following",
    licence="cc-by-4.0",
    columns=pa.schema(
        [
            ("input", TURNS),
            ("args", pa.struct([("instruction_id_list", TEXTS), ("kwargs", pa.list_(_KWARGS))])),
            ("category", TEXT),
            ("license", TEXT),
            ("reasoning", TEXT),
            ("used_in_training", TEXT),
            ("version", TEXT),
            ("system_prompt", TEXT),
        ]
    ),
    needs=("input", "args", "category", "license"),
    licence_column="license",
    # Files of one's own may name the arguments alone that an instruction has.
    optional=tuple(f"args.kwargs.{argument}" for argument in _KWARGS.names),
    unify=_nemotron_if,
)

TULU3_IF_SOURCE = "ai2-adapt-dev/personahub_ifdata_manual_seed_v3_29980"
# Constraints stand in prose only: no instruction ids, so the reward model scores these rows.
TULU3_IF = tulu3("tulu3_if", "instruction_follow", lambda subset: subset == TULU3_IF_SOURCE)
