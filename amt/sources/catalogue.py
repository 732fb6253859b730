"""Every dataset that has an adapter."""

from typing import TypeVar

from amt.errors import SourceError
from amt.sources.chat import OPENHERMES_2_5, ULTRA_CHAT
from amt.sources.dataset import Dataset
from amt.sources.instructions import NEMOTRON_IF, TULU3_IF
from amt.sources.mathematics import (
    AIME_1983_2024,
    BIG_MATH_RL_VERIFIED,
    DEEPMATH_103K,
    METAMATHQA,
    NUMINAMATH,
    OPENR1_MATH_220K,
)
from amt.sources.programming import ACECODE_87K, KODCODE_V1, OPENCODER, VERIFIABLE_CODING
from amt.sources.science import LOGIC_701, TASK_MMMLU

Value = TypeVar("Value")
ByArgument = dict[str, Value]
"""A table of which a stage uses the entry that its command names: the adapter of one source is no part of what the
others are made of (amt.build.code)."""

DATASETS: ByArgument[Dataset] = {
    "openr1_math_220k": OPENR1_MATH_220K,
    "big_math_rl_verified": BIG_MATH_RL_VERIFIED,
    "numinamath": NUMINAMATH,
    "metamathqa": METAMATHQA,
    "deepmath_103k": DEEPMATH_103K,
    "aime_1983_2024": AIME_1983_2024,
    "kodcode_v1": KODCODE_V1,
    "opencoder": OPENCODER,
    "verifiable_coding": VERIFIABLE_CODING,
    "acecode_87k": ACECODE_87K,
    "task_mmmlu": TASK_MMMLU,
    "logic_701": LOGIC_701,
    "nemotron_if": NEMOTRON_IF,
    "tulu3_if": TULU3_IF,
    "ultra_chat": ULTRA_CHAT,
    "openhermes_2_5": OPENHERMES_2_5,
}


def dataset(name: str) -> Dataset:
    """The adapter of a source.

    Raises:
        SourceError: there is none.
    """
    if name not in DATASETS:
        raise SourceError(
            f"sources.{name} has no adapter (there are: {', '.join(DATASETS)}). "
            "Write one in amt/sources and list it in amt/sources/catalogue.py, or remove it from params.yaml."
        )
    return DATASETS[name]
