"""All ledgers of a build as one table, asked through DuckDB.

A ledger is sorted by row_id, so the footer of its file says which ids each of its row groups can hold: a question
about one row opens the few files that can have it, however many there are.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from amt.errors import DataError
from amt.rows import LEDGER

PLACES = ("data", "models")
"""Folders of a project that ledgers lie below."""
_COLUMNS = ", ".join(LEDGER.names)


def find_ledgers(root: Path = Path(".")) -> list[Path]:
    """Files below PLACES that are named ledger.parquet or *.ledger.parquet, or are Parquet in a folder `ledger`."""
    return sorted(path for place in PLACES for path in _ledgers_below(root / place))


def _ledgers_below(folder: Path) -> Iterator[Path]:
    for inside, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]  # half-written ones
        is_ledger_folder = os.path.basename(inside) == "ledger"
        for name in files:
            if name.startswith(".") or not name.endswith(".parquet"):
                continue
            if is_ledger_folder or name == "ledger.parquet" or name.endswith(".ledger.parquet"):
                yield Path(inside, name)


@dataclass(frozen=True)
class Part:
    """A row group of a ledger's file."""

    file: str
    first: str
    """Smallest row_id."""
    last: str
    """Largest row_id."""


@dataclass(frozen=True)
class Footer:
    """What a ledger's file says of itself before any of its lines is read."""

    stage: str
    parts: tuple[Part, ...]


class Ledgers:
    """Ledger files of any number of stages, several a stage where its work is split.

    Raises:
        DataError: there is no file, or one is not readable.
    """

    def __init__(self, files: Sequence[Path]):
        if not files:
            raise DataError(f"no ledger of this build lies below {' or '.join(PLACES)}. Run: snakemake")
        self.files = [str(file) for file in files]
        self._connection = duckdb.connect()
        self._connection.execute("SET preserve_insertion_order = false")

    @cached_property
    def _footers(self) -> list[Footer]:
        with ThreadPoolExecutor() as pool:  # waiting for the disk, mostly
            return list(pool.map(_footer, self.files))

    @cached_property
    def parts(self) -> list[Part]:
        return [part for footer in self._footers for part in footer.parts]

    @cached_property
    def stages(self) -> set[str]:
        """Stages that have a ledger, if it be without a line."""
        return {footer.stage for footer in self._footers}

    def files_of(self, stage: str) -> list[str]:
        return [file for file, footer in zip(self.files, self._footers, strict=True) if footer.stage == stage]

    def ask(self, question: str, *values: Any, files: Sequence[str] | None = None) -> list[tuple]:
        """Rows of a SELECT in which `ledger` is the table of all lines.

        Args:
            values: of the ? in the question.
            files: look only into these.
        """
        files = self.files if files is None else files
        if not files:
            return []
        table = f"WITH ledger AS (SELECT {_COLUMNS} FROM read_parquet(?)) "
        try:
            return self._connection.execute(table + question, [list(files), *values]).fetchall()
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.BinderException) as error:
            first_line = str(error).splitlines()[0]
            raise DataError(f"a ledger is not readable ({first_line}). Delete it and run snakemake again.") from None

    def between(self, first: str, behind: str) -> list[dict[str, Any]]:
        """Lines with first <= row_id < behind."""
        files = dict.fromkeys(part.file for part in self.parts if part.first < behind and first <= part.last)
        question = f"SELECT {_COLUMNS} FROM ledger WHERE row_id >= ? AND row_id < ?"
        return [dict(zip(LEDGER.names, line)) for line in self.ask(question, first, behind, files=list(files))]

    def about(self, row_ids: Sequence[str], reasons: Sequence[str]) -> list[dict[str, Any]]:
        """Lines of these rows or with one of these reasons."""
        question = (
            f"SELECT {_COLUMNS} FROM ledger WHERE list_contains(?::VARCHAR[], reason) "
            "OR row_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL"
        )
        lines = self.ask(question, list(reasons), list(row_ids))
        return [dict(zip(LEDGER.names, line)) for line in lines]


def _footer(file: str) -> Footer:
    try:
        metadata = pq.read_metadata(file)
        place = {metadata.schema.column(number).name: number for number in range(metadata.num_columns)}
        parts = []
        for number in range(metadata.num_row_groups):
            if (group := metadata.row_group(number)).num_rows:
                row_id = group.column(place["row_id"]).statistics
                parts.append(Part(file, row_id.min, row_id.max))
        return Footer(metadata.metadata[b"stage"].decode(), tuple(parts))
    except FileNotFoundError:
        raise DataError(f"{file} does not exist. Build it with: snakemake {file}") from None
    except (pa.ArrowInvalid, OSError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{file} is not readable as a ledger ({error}). Delete it and run snakemake again.") from None
