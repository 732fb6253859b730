"""What an adapter declares, and what it makes of one published row."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

TEXT = pa.string()
TEXTS = pa.list_(TEXT)
TURNS = pa.list_(pa.struct([("content", TEXT), ("role", TEXT)]))
SHAREGPT_TURNS = pa.list_(pa.struct([("from", TEXT), ("value", TEXT)]))


@dataclass(frozen=True)
class Unified:
    """A published row in our terms. Fields are those of amt.rows.QUERY; messages and tests are not JSON yet."""

    query: str
    published_id: str | int | None = None
    """Names the row in its dataset; None where the dataset has no ids, then the content names it."""
    messages: tuple[dict[str, str], ...] = ()
    """The whole conversation up to the query; empty means the query alone."""
    origin: str | None = None
    ground_truth: str | None = None
    tests: dict[str, Any] | None = None
    instructions: dict[str, Any] | None = None
    starter_code: str | None = None
    reference_solution: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A published row that must not come in, and why."""

    reason: str


@dataclass(frozen=True)
class Dataset:
    """One dataset: where it is published, its columns there, and how a row becomes a query."""

    name: str
    category: str
    hub_id: str
    config: str | None
    """One configuration, or several joined by +, each with the columns of `needs` that are not in `optional`."""
    split: str
    """One split, or several joined by +."""
    licence: str
    """As its card declares it, by its name in amt.licences."""
    columns: pa.Schema
    """All published columns."""
    needs: tuple[str, ...]
    """The columns that `unify` reads: what is downloaded of the hub, and checked to be there."""
    unify: Callable[[dict[str, Any]], Unified | LeftOut]
    contest_day: Callable[[dict[str, Any]], date | None] | None = None
    """When the contest of a published row took place (UTC), None where the row does not say: contests of some days are
    an evaluation set [5.1.1]. None for datasets without such rows."""
    optional: tuple[str, ...] = ()
    """Columns of `needs` that some configurations lack, and fields within columns (a.b) that may be absent: null."""
    licence_column: str | None = None
    """Where rows declare licences of their own; a row that does not has the dataset's."""
    gated: bool = False
    """The hub hands it out to accounts that accepted its terms: a token is needed."""
    files: tuple[str, ...] = ()
    """Files of the repository to read in place of `config` and `split`: JSON lines, CSV or Parquet by their ending."""
