"""The questions of an evaluation and how they are put to a model (paper 5.1.3)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.errors import DataError
from amt.params import Benchmark
from amt.rewards.instructions import UnknownInstructionError, read_instructions
from amt.rows import QUERY, read_rows


@dataclass(frozen=True)
class Questions:
    """One benchmark: its declaration and its rows (amt.rows.QUERY), ordered by row_id."""

    name: str
    settings: Benchmark
    rows: list[dict[str, Any]]


def load_questions(paths: Iterable[Path], declared: dict[str, Benchmark]) -> list[Questions]:
    """Benchmarks of files named {benchmark}.parquet.

    Raises:
        DataError: a file is not a declared benchmark, is empty, an arena question has no baseline answer, or an
            instruction cannot be checked.
    """
    sets = []
    for path in map(Path, paths):
        name = path.name.removesuffix(".parquet")
        if name not in declared:
            raise DataError(f"{path}: {name} is not under benchmarks in the recipe (it has: {', '.join(declared)}).")
        rows = sorted(read_rows(path, QUERY), key=lambda row: row["row_id"])
        if not rows:
            raise DataError(f"{path} holds no question. Delete it and run snakemake again.")
        if declared[name].kind == "arena":
            bare = [row["row_id"] for row in rows if not row["reference_solution"]]
            if bare:
                raise DataError(
                    f"{path}: {len(bare)} of {len(rows)} questions have no baseline answer in reference_solution, "
                    f"which the arena judge compares with (first: {bare[0]})."
                )
        if declared[name].kind == "instructions":
            _check_instructions(path, rows)
        sets.append(Questions(name, declared[name], rows))
    return sets


def _check_instructions(path: Path, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        try:
            read_instructions(row["instructions"])
        except UnknownInstructionError as error:
            raise DataError(
                f"{path}: the instructions of question {row['row_id']} cannot be checked: {error}."
            ) from None


def question_messages(row: dict[str, Any], prompt_suffix: str) -> list[dict[str, str]]:
    """Messages of a question; the benchmark's instruction is appended to the last user turn [5.1.3]."""
    messages = json.loads(row["messages"])
    if not prompt_suffix:
        return messages
    *earlier, last = messages
    return [*earlier, {**last, "content": f"{last['content']}\n{prompt_suffix}"}]
