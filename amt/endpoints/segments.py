"""Answers in files that never change, named by their content: what DVC keeps, pushes and pulls.

    answers/{digest of the file}.parquet    digest, model, reply, forgotten; sorted by digest

`forgotten` counts the answers to a question that were of no use before this one: whatever the order in which segments
come, the last answer counts, in every clone.

A build ends by writing the answers that no segment has yet into new ones (`write_out`), and whoever opens the database
reads in those that it has not seen (`read_in`). So answers that were paid for in one clone are asked again in none.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amt.endpoints.database import connect, told, transaction
from amt.errors import DataError
from amt.publish import publish_file

FOLDER = "answers"
SEGMENT_BYTES = 256 * 2**20
"""Of replies in one segment, before compression."""
GROUP_BYTES = 8 * 2**20
"""Of replies in memory at once."""
COLUMNS = ("digest", "model", "reply", "forgotten")
ENTER = """
INSERT INTO replies (digest, model, reply, segment, forgotten)
SELECT :digest, :model, :reply, :segment, :forgotten
WHERE NOT EXISTS (SELECT 1 FROM useless WHERE digest = :digest AND forgotten > :forgotten)
ON CONFLICT (digest) DO UPDATE
SET model = excluded.model, reply = excluded.reply, segment = excluded.segment, forgotten = excluded.forgotten
WHERE excluded.forgotten > replies.forgotten
"""


def write_out(path: Path) -> list[Path]:
    """Write answers that are in no segment yet into new ones.

    Args:
        path: the database.

    Returns:
        Segments that DVC does not have, these and those of an earlier call that was killed. `mark_kept` when it has.
    """
    if not path.exists():
        return []
    folder = path.with_name(FOLDER)
    with told(path):
        database = connect(path)
        try:
            waiting = _unfinished(database, folder)
            while database.execute("SELECT 1 FROM replies WHERE segment IS NULL LIMIT 1").fetchone():
                waiting.append(_write_one(database, folder))
        finally:
            database.close()
    return waiting


def mark_kept(path: Path, segments: list[Path]) -> None:
    """DVC has them."""
    with told(path):
        database = connect(path)
        try:
            database.executemany("UPDATE segments SET is_kept = 1 WHERE name = ?", [(file.name,) for file in segments])
        finally:
            database.close()


def _unfinished(database: sqlite3.Connection, folder: Path) -> list[Path]:
    """Segments that DVC may not have. What should be in one that was never written waits for another."""
    found = []
    for (name,) in database.execute("SELECT name FROM segments WHERE NOT is_kept ORDER BY name").fetchall():
        if (folder / name).exists():
            found.append(folder / name)
            continue
        with transaction(database):
            database.execute("UPDATE replies SET segment = NULL WHERE segment = ?", (name,))
            database.execute("DELETE FROM segments WHERE name = ?", (name,))
    return found


def _write_one(database: sqlite3.Connection, folder: Path) -> Path:
    rows = database.execute("SELECT digest, model, reply, forgotten FROM replies WHERE segment IS NULL ORDER BY digest")
    with publish_file(folder.with_name("next.parquet")) as temporary:
        digests = _write_rows(temporary, rows)
        rows.close()
        name = f"{_digest(temporary)}.parquet"
        # First: a file that the database does not know would be read in as somebody else's.
        with transaction(database):
            database.execute("INSERT INTO segments VALUES (?, 0) ON CONFLICT DO NOTHING", (name,))
            database.executemany(
                "UPDATE replies SET segment = ? WHERE digest = ? AND segment IS NULL",
                [(name, digest) for digest in digests],
            )
    folder.mkdir(exist_ok=True)
    return folder.with_name("next.parquet").rename(folder / name)


def _write_rows(file: Path, rows: Iterator[tuple[str, str, str, int]]) -> list[str]:
    """Up to SEGMENT_BYTES of them; returns their digests."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"digest": pa.string(), "model": pa.string(), "reply": pa.string(), "forgotten": pa.int32()}
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])
    digests: list[str] = []
    size = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while size < SEGMENT_BYTES and (group := _group(rows)):
            writer.write_table(pa.table(dict(zip(schema.names, zip(*group, strict=True), strict=True)), schema))
            digests += [digest for digest, *_ in group]
            size += sum(len(reply) for _, _, reply, _ in group)
    return digests


def _group(rows: Iterator[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    group, size = [], 0
    while size < GROUP_BYTES and (row := next(rows, None)):
        group.append(row)
        size += len(row[2])
    return group


def read_in(database: sqlite3.Connection, folder: Path) -> None:
    """Enter the answers of segments that the database has not seen. Answers that it has stay as they are, but for those
    that were forgotten elsewhere; what it has forgotten does not come back.

    Args:
        folder: of the database.

    Raises:
        DataError: a segment is damaged.
    """
    found = {file.name: file for file in (folder / FOLDER).glob("*.parquet")}
    if not found:
        return
    for name in sorted(found.keys() - {name for (name,) in database.execute("SELECT name FROM segments")}):
        with transaction(database):
            if database.execute("SELECT 1 FROM segments WHERE name = ?", (name,)).fetchone():
                continue  # another process was faster
            for rows in _groups(found[name]):
                database.executemany(ENTER, [row | {"segment": name} for row in rows])
            database.execute("INSERT INTO segments VALUES (?, 1)", (name,))


def _groups(file: Path) -> Iterator[list[dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if _digest(file) != file.stem:
            raise ValueError("its content is not what its name says")
        with pq.ParquetFile(file) as table:
            # Those of before `forgotten` are the first answers to their questions.
            columns = [name for name in COLUMNS if name != "forgotten" or name in table.schema_arrow.names]
            for group in range(table.num_row_groups):
                yield [{"forgotten": 0} | row for row in table.read_row_group(group, columns).to_pylist()]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataError(
            f"{file}, answers of endpoints that DVC keeps, cannot be read ({error}). Delete it, then bring it back "
            f"with `dvc checkout` or `dvc pull`; without it its answers are asked, and paid for, again."
        ) from None


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
