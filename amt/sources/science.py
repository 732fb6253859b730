"""Scientific and logical reasoning of paper section 2.1: most is multiple choice with a letter as ground truth."""

from typing import Any

import pyarrow as pa

from amt.rewards.math_answer import last_boxed
from amt.sources.conversations import last_question, strip_prompt_suffix
from amt.sources.dataset import TEXT, TURNS, Dataset, LeftOut, Unified

LETTERS = "ABCDE"


def _task_mmmlu(row: dict[str, Any]) -> Unified | LeftOut:
    if "mmmlu" not in (row["task_name"] or ""):
        return LeftOut("other_task")
    ground_truth = (row["targets"] or "").strip()
    if not ground_truth:
        return LeftOut("no_ground_truth")
    # `definition` asks for the letter alone, against the response format that all of our data has: left out.
    return Unified(
        query=strip_prompt_suffix(row["inputs"]),
        published_id=row["id"],
        origin=row["task_name"],
        ground_truth=ground_truth,
    )


TASK_MMMLU = Dataset(
    name="task_mmmlu",
    category="science",
    hub_id="Muennighoff/natural-instructions",
    config="default",
    split="train",
    licence="apache-2.0",
    columns=pa.schema([("task_name", TEXT), ("id", TEXT), ("definition", TEXT), ("inputs", TEXT), ("targets", TEXT)]),
    needs=("task_name", "id", "inputs", "targets"),
    unify=_task_mmmlu,
)


def _logic_701(row: dict[str, Any]) -> Unified | LeftOut:
    if not (row["problem_statement"] or "").strip():
        return LeftOut("empty_query")
    options = [row[f"answer_option_{number}"] for number in range(1, 6)]
    lines = [f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=True) if option]
    number = row["correct_option_number"]  # counted from 1
    if number is None or not 1 <= number <= 5 or not options[number - 1]:
        return LeftOut("no_correct_option")
    return Unified(
        query="\n".join([row["problem_statement"].strip(), *lines]),
        origin=row["topic"],
        ground_truth=LETTERS[number - 1],
        reference_solution=row["solution"],
    )


LOGIC_701 = Dataset(
    name="logic_701",
    category="science",
    hub_id="hivaze/LOGIC-701",
    config="en",
    split="train",
    licence="apache-2.0",
    columns=pa.schema(
        [
            ("topic", TEXT),
            ("problem_statement", TEXT),
            ("solution", TEXT),
            *((f"answer_option_{number}", TEXT) for number in range(1, 6)),
            ("correct_option_number", pa.int64()),
        ]
    ),
    needs=(
        "topic",
        "problem_statement",
        "solution",
        *(f"answer_option_{number}" for number in range(1, 6)),
        "correct_option_number",
    ),
    unify=_logic_701,
)


def _chemistryqa(row: dict[str, Any]) -> Unified | LeftOut:
    answer = (row["answer"] or "").strip()
    if not answer:
        return LeftOut("no_ground_truth")
    return Unified(query=strip_prompt_suffix(row["question"]), published_id=row["url"], ground_truth=answer)


CHEMISTRYQA = Dataset(
    name="chemistryqa",
    category="science",
    hub_id="avaliev/ChemistryQA",
    config="default",
    split="train+validation+test",
    licence="c-uda-1.0",
    columns=pa.schema(
        [
            ("question", TEXT),
            ("answer", TEXT),
            ("target_var_json", TEXT),
            ("answer_json", TEXT),
            ("condition_json", TEXT),
            ("url", TEXT),
        ]
    ),
    needs=("question", "answer", "url"),
    unify=_chemistryqa,
)


def _nemotron_science(row: dict[str, Any]) -> Unified | LeftOut:
    if row["reasoning"] != "on":
        return LeftOut("without_reasoning")
    answer = last_boxed(row["output"] or "")
    if not (answer or "").strip():
        return LeftOut("no_ground_truth")
    return Unified(
        query=last_question(row["input"]),
        origin=row["generator"],
        ground_truth=answer.strip(),
    )


NEMOTRON_SCIENCE = Dataset(
    name="nemotron_science",
    category="science",
    hub_id="nvidia/Llama-Nemotron-Post-Training-Dataset",
    config="SFT",
    split="science",
    licence="cc-by-4.0",
    columns=pa.schema(
        [
            ("input", TURNS),
            ("output", TEXT),
            ("category", TEXT),
            ("license", TEXT),
            ("reasoning", TEXT),
            ("generator", TEXT),
            ("used_in_training", TEXT),
            ("version", TEXT),
            ("system_prompt", TEXT),
        ]
    ),
    needs=("input", "output", "license", "reasoning", "generator"),
    licence_column="license",
    unify=_nemotron_science,
)

CHECKABLE_WORDS = 8
"""Words up to which the answer to a school question can be compared; a longer one explains."""


def _ncert_row(row: dict[str, Any]) -> Unified:
    answer = (row["Answer"] or "").strip()
    is_checkable = 0 < len(answer.split()) <= CHECKABLE_WORDS
    return Unified(
        query=strip_prompt_suffix(row["Question"]),
        origin=row["Topic"],
        ground_truth=answer if is_checkable else None,
        reference_solution=None if is_checkable else answer or None,
    )


def _ncert(name: str, hub_id: str) -> Dataset:
    """Questions on a school book. The licence is of the questions; the text that they were made from is not free."""
    return Dataset(
        name=name,
        category="science",
        hub_id=hub_id,
        config="default",
        split="train",
        licence="mit",
        columns=pa.schema(
            [
                ("Topic", TEXT),
                ("Explanation", TEXT),
                ("Question", TEXT),
                ("Answer", TEXT),
                ("Difficulty", TEXT),
                ("StudentLevel", TEXT),
                ("Question Type", TEXT),
                ("Question Complexity", TEXT),
                ("Prerequisites", TEXT),
                ("Estimated Time", TEXT),
                ("subject", TEXT),
                ("grade", pa.int64()),
            ]
        ),
        needs=("Topic", "Question", "Answer"),
        unify=_ncert_row,
    )


NCERT_PHYSICS_11 = _ncert("ncert_physics_11", "KadamParth/NCERT_Physics_11th")
NCERT_PHYSICS_12 = _ncert("ncert_physics_12", "KadamParth/NCERT_Physics_12th")
NCERT_CHEMISTRY_11 = _ncert("ncert_chemistry_11", "KadamParth/NCERT_Chemistry_11th")
NCERT_CHEMISTRY_12 = _ncert("ncert_chemistry_12", "KadamParth/NCERT_Chemistry_12th")
NCERT_BIOLOGY_11 = _ncert("ncert_biology_11", "KadamParth/NCERT_Biology_11th")
NCERT_BIOLOGY_12 = _ncert("ncert_biology_12", "KadamParth/NCERT_Biology_12th")


def _logiclm(row: dict[str, Any]) -> Unified | LeftOut:
    answer = (row["answer"] or "").strip()
    if not answer:
        return LeftOut("no_ground_truth")
    return Unified(query=strip_prompt_suffix(row["question"]), ground_truth=answer)


LOGICLM = Dataset(
    name="logiclm",
    category="science",
    hub_id="longface/logicLM",
    config=None,
    split="train",
    licence="apache-2.0",
    columns=pa.schema([("question", TEXT), ("answer", TEXT)]),
    needs=("question", "answer"),
    unify=_logiclm,
    files=("LD-train.jsonl",),
)
