"""Tulu 3, a mixture of which two sources of paper section 2.1 take their parts."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from amt.sources.conversations import up_to_query
from amt.sources.dataset import TEXT, TURNS, Dataset, LeftOut, Unified


def tulu3(name: str, category: str, belongs: Callable[[str], bool]) -> Dataset:
    """
    Args:
        belongs: whether a subset, by its name in the column `source`, is a part of this source.
    """

    def unify(row: dict[str, Any]) -> Unified | LeftOut:
        if not belongs(row["source"] or ""):
            return LeftOut("other_subset")
        return up_to_query(row["messages"], published_id=row["id"], origin=row["source"])

    return Dataset(
        name=name,
        category=category,
        hub_id="allenai/tulu-3-sft-mixture",
        config="default",
        split="train",
        licence="odc-by-1.0",
        columns=pa.schema([("id", TEXT), ("messages", TURNS), ("source", TEXT)]),
        needs=("id", "messages", "source"),
        unify=unify,
    )
