"""Every dataset that has an adapter."""

from typing import TypeVar

from amt.errors import SourceError
from amt.sources.chat import (
    EVOL,
    FLAN,
    INFINITY_INSTRUCT,
    NATURAL_REASONING,
    OPEN_ORCA,
    OPENHERMES_2_5,
    TULU3_CHAT,
    ULTRA_CHAT,
)
from amt.sources.dataset import Dataset
from amt.sources.instructions import NEMOTRON_IF, TULU3_IF
from amt.sources.mathematics import (
    AIME_1983_2024,
    AMC_2023,
    BIG_MATH_RL_VERIFIED,
    DATA_ABLATION_FULL59K,
    DEEPMATH_103K,
    METAMATHQA,
    NUMINAMATH,
    OPENR1_MATH_220K,
)
from amt.sources.programming import (
    ACECODE_87K,
    CODEFORCES_COTS,
    DEEPCODER,
    KODCODE_V1,
    LIVECODEBENCH_GENERATION,
    OPENCODER,
    OPENTHOUGHTS_CODE,
    PRIME_EURUS2,
    VERIFIABLE_CODING,
)
from amt.sources.science import (
    CHEMISTRYQA,
    LOGIC_701,
    LOGICLM,
    NCERT_BIOLOGY_11,
    NCERT_BIOLOGY_12,
    NCERT_CHEMISTRY_11,
    NCERT_CHEMISTRY_12,
    NCERT_PHYSICS_11,
    NCERT_PHYSICS_12,
    NEMOTRON_SCIENCE,
    TASK_MMMLU,
)

Value = TypeVar("Value")
ByArgument = dict[str, Value]
"""A table of which a stage uses the entry that its command names: the adapter of one source is no part of what the
others are made of (amt.build.code)."""

DATASETS: ByArgument[Dataset] = {
    "openr1_math_220k": OPENR1_MATH_220K,
    "big_math_rl_verified": BIG_MATH_RL_VERIFIED,
    "data_ablation_full59k": DATA_ABLATION_FULL59K,
    "numinamath": NUMINAMATH,
    "metamathqa": METAMATHQA,
    "amc_2023": AMC_2023,
    "deepmath_103k": DEEPMATH_103K,
    "aime_1983_2024": AIME_1983_2024,
    "prime_eurus2": PRIME_EURUS2,
    "deepcoder": DEEPCODER,
    "kodcode_v1": KODCODE_V1,
    "livecodebench_generation": LIVECODEBENCH_GENERATION,
    "codeforces_cots": CODEFORCES_COTS,
    "verifiable_coding": VERIFIABLE_CODING,
    "opencoder": OPENCODER,
    "openthoughts_code": OPENTHOUGHTS_CODE,
    "acecode_87k": ACECODE_87K,
    "task_mmmlu": TASK_MMMLU,
    "chemistryqa": CHEMISTRYQA,
    "nemotron_science": NEMOTRON_SCIENCE,
    "logic_701": LOGIC_701,
    "ncert_physics_11": NCERT_PHYSICS_11,
    "ncert_physics_12": NCERT_PHYSICS_12,
    "ncert_chemistry_11": NCERT_CHEMISTRY_11,
    "ncert_chemistry_12": NCERT_CHEMISTRY_12,
    "ncert_biology_11": NCERT_BIOLOGY_11,
    "ncert_biology_12": NCERT_BIOLOGY_12,
    "logiclm": LOGICLM,
    "nemotron_if": NEMOTRON_IF,
    "tulu3_if": TULU3_IF,
    "evol": EVOL,
    "infinity_instruct": INFINITY_INSTRUCT,
    "open_orca": OPEN_ORCA,
    "tulu3_chat": TULU3_CHAT,
    "natural_reasoning": NATURAL_REASONING,
    "flan": FLAN,
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
