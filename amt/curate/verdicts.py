"""A person's verdicts on removals: a small YAML file, an input of decontamination.

    - row_id: numinamath:0123456789abcdef
      item: aime24:fedcba9876543210
      verdict: keep
      why: another problem about the same triangle

keep: the row is no copy of that item and stays, unless it copies another one. remove: the row goes whatever the rules
say of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from amt.errors import DataError

Text = Annotated[str, Field(min_length=1)]


class Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    row_id: Text
    item: Text
    """row_id of the benchmark item."""
    verdict: Literal["keep", "remove"]
    why: Text


@dataclass(frozen=True)
class Verdicts:
    cleared: dict[str, frozenset[str]]
    """{row: items that it is no copy of}"""
    remove: dict[str, Verdict]
    """By row."""


def read_verdicts(path: Path, known_items: set[str]) -> Verdicts:
    """
    Args:
        known_items: row ids of all benchmark items.

    Raises:
        DataError: the file is malformed, names an unknown item, or says two things of one row and item.
    """
    try:
        found = TypeAdapter(list[Verdict]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
    except (ValidationError, yaml.YAMLError) as error:
        raise DataError(
            f"{path} is no list of verdicts ({error}). Each has row_id, item, verdict (keep or remove) and why."
        ) from None
    pairs = [(verdict.row_id, verdict.item) for verdict in found]
    if twice := sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        raise DataError(f"{path} has several verdicts on {twice[0][0]} and {twice[0][1]}. Leave one.")
    if unknown := sorted({verdict.item for verdict in found} - known_items):
        raise DataError(
            f"{path}: {len(unknown)} of {len(found)} verdicts name an item that no declared benchmark has, such as "
            f"{unknown[0]}. Item ids stand in data/curated/decontaminated/removals.parquet; delete verdicts on "
            "benchmarks that are not declared any more."
        )
    cleared: dict[str, frozenset[str]] = {}
    for verdict in found:
        if verdict.verdict == "keep":
            cleared[verdict.row_id] = cleared.get(verdict.row_id, frozenset()) | {verdict.item}
    return Verdicts(cleared, {verdict.row_id: verdict for verdict in found if verdict.verdict == "remove"})
