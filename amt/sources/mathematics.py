"""Mathematics of paper section 2.1."""

import re
from typing import Any

import pyarrow as pa

from amt.rewards.math_answer import last_boxed
from amt.sources.conversations import strip_prompt_suffix
from amt.sources.dataset import TEXT, TEXTS, TURNS, Dataset, LeftOut, Unified

_THE_ANSWER_IS = re.compile(r"The answer is:\s*(.*?)\s*$", re.DOTALL)


def _stated(answer: str | None) -> str | None:
    answer = (answer or "").strip()
    return answer or None


def _openr1(row: dict[str, Any]) -> Unified:
    return Unified(
        query=strip_prompt_suffix(row["problem"]),
        published_id=row["uuid"],
        origin=row["source"],
        ground_truth=_stated(row["answer"]),
        reference_solution=row["solution"],
    )


OPENR1_MATH_220K = Dataset(
    name="openr1_math_220k",
    category="math",
    hub_id="open-r1/OpenR1-Math-220k",
    config="all",
    split="default+extended",
    licence="apache-2.0",
    columns=pa.schema(
        [
            ("problem", TEXT),
            ("solution", TEXT),
            ("answer", TEXT),
            ("problem_type", TEXT),
            ("question_type", TEXT),
            ("source", TEXT),
            ("uuid", TEXT),
            ("is_reasoning_complete", pa.list_(pa.bool_())),
            ("generations", TEXTS),
            ("correctness_math_verify", pa.list_(pa.bool_())),
            ("correctness_llama", pa.list_(pa.bool_())),
            ("finish_reasons", TEXTS),
            ("correctness_count", pa.int64()),
            ("messages", TURNS),
        ]
    ),
    needs=("problem", "uuid", "source", "answer", "solution"),
    unify=_openr1,
)


def _big_math(row: dict[str, Any]) -> Unified:
    return Unified(query=strip_prompt_suffix(row["problem"]), origin=row["source"], ground_truth=_stated(row["answer"]))


BIG_MATH_RL_VERIFIED = Dataset(
    name="big_math_rl_verified",
    category="math",
    hub_id="SynthLabsAI/Big-Math-RL-Verified",
    config="default",
    split="train",
    licence="apache-2.0",
    gated=True,
    columns=pa.schema(
        [
            ("problem", TEXT),
            ("answer", TEXT),
            ("source", TEXT),
            ("domain", TEXTS),
            ("llama8b_solve_rate", pa.float64()),
        ]
    ),
    needs=("problem", "source", "answer"),
    unify=_big_math,
)


def _numinamath(row: dict[str, Any]) -> Unified:
    # No answer column: the last \boxed{} of the solution; without one the row has no ground truth.
    return Unified(
        query=strip_prompt_suffix(row["problem"]),
        origin=row["source"],
        ground_truth=_stated(last_boxed(row["solution"] or "")),
        reference_solution=row["solution"],
    )


NUMINAMATH = Dataset(
    name="numinamath",
    category="math",
    hub_id="AI-MO/NuminaMath-CoT",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema([("source", TEXT), ("problem", TEXT), ("solution", TEXT), ("messages", TURNS)]),
    needs=("problem", "source", "solution"),
    unify=_numinamath,
)


def _metamathqa(row: dict[str, Any]) -> Unified:
    found = _THE_ANSWER_IS.search(row["response"] or "")
    return Unified(
        query=strip_prompt_suffix(row["query"]),
        origin=row["type"],
        ground_truth=_stated(found[1]) if found else None,
        reference_solution=row["response"],
    )


METAMATHQA = Dataset(
    name="metamathqa",
    category="math",
    hub_id="meta-math/MetaMathQA",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema([("type", TEXT), ("query", TEXT), ("original_question", TEXT), ("response", TEXT)]),
    needs=("query", "type", "response"),
    unify=_metamathqa,
)


def _deepmath(row: dict[str, Any]) -> Unified:
    return Unified(
        query=strip_prompt_suffix(row["question"]),
        origin=row["topic"],
        ground_truth=_stated(row["final_answer"]),
        reference_solution=row["r1_solution_1"],
    )


DEEPMATH_103K = Dataset(
    name="deepmath_103k",
    category="math",
    hub_id="zwhe99/DeepMath-103K",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("question", TEXT),
            ("final_answer", TEXT),
            ("difficulty", pa.float64()),
            ("topic", TEXT),
            ("r1_solution_1", TEXT),
            ("r1_solution_2", TEXT),
            ("r1_solution_3", TEXT),
        ]
    ),
    needs=("question", "topic", "final_answer", "r1_solution_1"),
    unify=_deepmath,
)


def _aime(row: dict[str, Any]) -> Unified | LeftOut:
    if row["Year"] is None:
        return LeftOut("unknown_year")  # for all that is known, 2024
    if row["Year"] == 2024:
        return LeftOut("aime_2024_is_an_evaluation_set")
    return Unified(
        query=strip_prompt_suffix(row["Question"]),
        published_id=row["ID"],
        origin=str(row["Year"]),
        ground_truth=_stated(row["Answer"]),
    )


AIME_1983_2024 = Dataset(
    name="aime_1983_2024",
    category="math",
    hub_id="di-zhang-fdu/AIME_1983_2024",
    config="default",
    split="train",
    licence="mit",
    columns=pa.schema(
        [
            ("ID", TEXT),
            ("Year", pa.int64()),
            ("Problem Number", pa.int64()),
            ("Question", TEXT),
            ("Answer", TEXT),
            ("Part", TEXT),
        ]
    ),
    needs=("ID", "Year", "Question", "Answer"),
    unify=_aime,
)


SHORT_ANSWER = 120
"""Characters up to which a text of one line is a final answer, not a solution."""


def _data_ablation(row: dict[str, Any]) -> Unified | LeftOut:
    if row["cot_type"] != "math":
        return LeftOut("other_subject")
    solution = _stated(row["solution"])
    # Some rows have a final answer here, others a whole solution with the answer in its last box.
    answer = _stated(last_boxed(solution or ""))
    if answer is None and solution and len(solution) <= SHORT_ANSWER and "\n" not in solution:
        answer = solution
    return Unified(
        query=strip_prompt_suffix(row["question"]),
        origin=row["source_type"],
        ground_truth=answer,
        reference_solution=solution if solution != answer else None,
    )


DATA_ABLATION_FULL59K = Dataset(
    name="data_ablation_full59k",
    category="math",
    hub_id="simplescaling/data_ablation_full59K",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema(
        [
            ("solution", TEXT),
            ("question", TEXT),
            ("cot_type", TEXT),
            ("source_type", TEXT),
            ("metadata", TEXT),
            ("cot", pa.null()),
            ("thinking_trajectories", TEXTS),
            ("attempt", TEXT),
        ]
    ),
    needs=("solution", "question", "cot_type", "source_type"),
    unify=_data_ablation,
)


def _amc_2023(row: dict[str, Any]) -> Unified:
    answer = row["answer"]
    return Unified(
        query=strip_prompt_suffix(row["problem"]),
        published_id=row["id"],
        origin=row["url"],
        # 142.0 is the integer 142.
        ground_truth=None if answer is None else str(int(answer) if float(answer).is_integer() else answer),
    )


# The paper names no dataset of the hub; this one holds the problems of AMC 12 in 2022 and 2023.
AMC_2023 = Dataset(
    name="amc_2023",
    category="math",
    hub_id="AI-MO/aimo-validation-amc",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema([("id", pa.int64()), ("problem", TEXT), ("answer", pa.float64()), ("url", TEXT)]),
    needs=("id", "problem", "answer", "url"),
    unify=_amc_2023,
)
