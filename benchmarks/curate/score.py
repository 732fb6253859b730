"""Who was merged with whom, held against what was planted.

A planted row and its original are merged where both are, or became, one row: one was removed for the other, or both for
a third. So it does not matter which of a cluster stays, nor whether a chain leads there.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.curate.planted import TRUTH


@dataclass(frozen=True)
class Score:
    """Of the planted rows of each kind, the share that was merged with its original."""

    merged: dict[str, float]
    removed: int
    strangers: int
    """Rows removed for one that is not of their family (an original and all that was planted from it): copies that the
    real datasets hold themselves, and mistakes."""

    @property
    def normal_form(self) -> float:
        """Of the copies that differ in case, spacing, characters, punctuation and prompt suffix, each kind as much."""
        shares = [share for kind, share in self.merged.items() if kind.startswith("normal_")]
        return sum(shares) / len(shares)


def score(removed: Iterable[tuple[str, str]], truth: Iterable[tuple[str, str, str]]) -> Score:
    """Score the removals of one tool.

    Args:
        removed: (row_id, the row_id that stays in its place); the second may be removed for a third.
        truth: (row_id, kind, row_id of its original).

    Raises:
        ValueError: rows that are removed for one another in a circle, or one row twice.
    """
    same_as: dict[str, str] = {}
    for row, stays in removed:
        if same_as.setdefault(row, stays) != stays:
            raise ValueError(f"{row} is removed for {same_as[row]} and for {stays}")

    def stands_for(row: str) -> str:
        path = []
        while row in same_as:
            path.append(row)
            row = same_as[row]
            if row in path:
                raise ValueError(f"{row} is removed for itself: {' -> '.join([*path, row])}")
        return row

    original = {}
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for row, kind, source in truth:
        original[row] = source
        verdicts[kind].append(stands_for(row) == stands_for(source))
    strangers = sum(original.get(row, row) != original.get(stays, stays) for row, stays in same_as.items())
    return Score({kind: sum(found) / len(found) for kind, found in sorted(verdicts.items())}, len(same_as), strangers)


def read_truth(corpus: Path) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for path in sorted((corpus / "truth").glob("*.parquet")):
        table = pq.read_table(path, schema=TRUTH)
        found += zip(*(table.column(name).to_pylist() for name in TRUTH.names))
    return found
