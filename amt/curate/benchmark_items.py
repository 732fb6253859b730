"""Items of the evaluation sets that queries are compared with."""

from dataclasses import dataclass
from pathlib import Path

from amt.curate.normal_form import conversation_text
from amt.rows import QUERY, read_rows


@dataclass(frozen=True)
class Item:
    """A question of an evaluation set."""

    benchmark: str
    row_id: str
    text: str
    is_code: bool


def read_items(benchmarks: list[Path]) -> list[Item]:
    """Items of evaluation sets, Parquet of amt.rows.QUERY; a file's name is the benchmark's."""
    return [
        Item(path.stem, row["row_id"], conversation_text(row), row["category"] == "code")
        for path in benchmarks
        for row in read_rows(path, QUERY)
    ]
