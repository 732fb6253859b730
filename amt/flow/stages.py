"""The stages that keep a ledger, and whose rows each of them takes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FlowStage:
    name: str
    """As in its ledger."""
    label: str
    """As on pages."""
    after: str | None
    """The stage whose kept rows come in: all of them and no others. None where rows come from outside."""
    unit: Literal["queries", "responses"] = "queries"
    """What a line is about. The first stage of responses after one of queries has one or more for each query."""


FLOW = (
    FlowStage("queries", "collect", None),
    FlowStage("clean", "clean", "queries"),
    FlowStage("unique", "unique", "clean"),
    FlowStage("decontaminate", "decontaminate", "unique"),
    FlowStage("verify_math", "verify math", "decontaminate"),
    FlowStage("filter_responses", "filter responses", "verify_math", "responses"),
    FlowStage("score", "score", "filter_responses", "responses"),
    FlowStage("sft_set", "SFT set", "score", "responses"),
    FlowStage("sft", "SFT", "sft_set", "responses"),
    FlowStage("pass_rates", "pass rates", "verify_math"),
    FlowStage("rl_set_1", "RL set 1", "verify_math"),
    FlowStage("grpo_1", "RL stage 1", "rl_set_1"),
    FlowStage("rl_set_2", "RL set 2", "verify_math"),
    FlowStage("grpo_2", "RL stage 2", "rl_set_2"),
)
"""In reading order: a stage stands behind the one whose rows it takes."""

STAGE = {stage.name: stage for stage in FLOW}


TRAINING = ("sft", "grpo_1", "grpo_2")
"""Stages whose kept rows went into a model."""


def trunk() -> list[FlowStage]:
    """The stages that every row passes, until ways part."""
    (stage,) = (stage for stage in FLOW if stage.after is None)
    found = [stage]
    while len(following := [stage for stage in FLOW if stage.after == found[-1].name]) == 1:
        found += following
    return found


def position(name: str) -> int:
    """For sorting; a stage that is none of FLOW comes last."""
    return next((number for number, stage in enumerate(FLOW) if stage.name == name), len(FLOW))
