"""The file that holds answers of endpoints, what they cost, and which questions are being asked right now.

One SQLite database for all models, used by several processes at once. On a local disk it writes ahead (WAL), so that a
killed process loses nothing that it stored; WAL needs memory that all its users share, which a network file system does
not give, so there every answer is flushed to disk and nothing else is shared but the file (SQLite, "Write-Ahead
Logging", 2.2).
"""

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from amt.errors import DataError

VERSION = 2
"""Of the tables below."""
SCHEMA = """
CREATE TABLE replies (
    digest TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    reply TEXT NOT NULL,    -- JSON of ChatReply
    segment TEXT,           -- the file among those that DVC keeps which has it, or will
    forgotten INTEGER NOT NULL DEFAULT 0  -- answers to the question that were forgotten before it
);
CREATE INDEX not_in_a_segment ON replies (digest) WHERE segment IS NULL;
CREATE INDEX by_segment ON replies (segment);
CREATE TABLE spending (     -- by users of this database: answers of a segment were paid for elsewhere
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    answers INTEGER NOT NULL,
    unusable INTEGER NOT NULL,   -- answers that came whole, were billed, and were of no use
    cut INTEGER NOT NULL,        -- requests that were perhaps billed: their answer did not come whole, or was none
    estimated INTEGER NOT NULL,  -- answers without a token count of the endpoint
    unpriced INTEGER NOT NULL,   -- answers whose cost is not known
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,       -- millionths of a millionth of the currency
    perhaps INTEGER NOT NULL DEFAULT 0,  -- most that was billed beyond it
    PRIMARY KEY (role, model)
);
CREATE TABLE flights (      -- questions that are being asked
    digest TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    address TEXT NOT NULL,
    worst INTEGER NOT NULL  -- most that it can cost
);
CREATE TABLE useless (      -- what came to a question and was of no use
    digest TEXT PRIMARY KEY,
    answers INTEGER NOT NULL,              -- no completions
    forgotten INTEGER NOT NULL DEFAULT 0   -- answers that were stored, and forgotten
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    is_kept INTEGER NOT NULL  -- whether DVC has it
);
"""
SINCE_VERSION_1 = """
ALTER TABLE replies ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spending ADD COLUMN perhaps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE useless ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
DROP TABLE flights;
CREATE TABLE flights (
    digest TEXT PRIMARY KEY, owner TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, address TEXT NOT NULL,
    worst INTEGER NOT NULL
);
"""
BUSY_S = 60.0
"""How long a transaction waits for those of other processes."""
NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|smbfs|9p|afs|ceph|lustre|gpfs|beegfs\w*|glusterfs|pvfs2|orangefs|panfs|wekafs|fuse\..*|ncpfs|"
    r"virtiofs"
)
"""File systems whose files several machines may have open: WAL is unsafe there."""


def connect(path: Path) -> sqlite3.Connection:
    """Open it, make it where it is not.

    Raises:
        DataError: it is corrupt, of a newer version, or cannot be written.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            _set_up(database, path)
        except BaseException:
            database.close()
            raise
    return database


def _set_up(database: sqlite3.Connection, path: Path) -> None:
    is_shared = NETWORK.fullmatch(file_system(path)) is not None
    mode = "TRUNCATE" if is_shared else "WAL"
    if database.execute("PRAGMA journal_mode").fetchone()[0] != mode.lower():
        _journal(database, mode)
    database.execute(f"PRAGMA synchronous={'FULL' if is_shared else 'NORMAL'}")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version < VERSION:
        with transaction(database):
            if database.execute("PRAGMA user_version").fetchone()[0] == version:  # nobody was faster
                for statement in (SINCE_VERSION_1 if version else SCHEMA).split(";"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version={VERSION}")
    elif version != VERSION:
        raise DataError(
            f"{path}, the answers of endpoints, has version {version} of its tables; this amt reads {VERSION}. "
            "Use the amt that wrote it, or name another folder: endpoint_cache in the file that AMT_PLACEMENT names."
        )


def _journal(database: sqlite3.Connection, mode: str) -> None:
    """SQLite does not wait for others where the mode changes."""
    end = time.monotonic() + BUSY_S
    while True:
        try:
            database.execute(f"PRAGMA journal_mode={mode}")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it, alone among all processes."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite itself takes some back, as where the disk is full
            database.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What can be wrong with the file, in words that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DataError(f"{path}, the answers of endpoints, cannot be used ({error}). {_cure(str(error))}") from None
    except OSError as error:
        raise DataError(
            f"{path}, the answers of endpoints, cannot be used ({error.strerror}). {_cure('readonly')}"
        ) from None


def _cure(error: str) -> str:
    kept = "What is in it stays, and the same command goes on from there."
    elsewhere = "or name another folder: endpoint_cache in the file that AMT_PLACEMENT names."
    if "full" in error or "disk I/O" in error:
        return f"Make room on its disk, {elsewhere} {kept}"
    if "readonly" in error or "read-only" in error or "unable to open" in error:
        return f"Make the file and its folder writable, {elsewhere}"
    if "locked" in error or "busy" in error:
        return f"Another process has held it for {BUSY_S:.0f} s: wait for it, or end it. {kept}"
    return (
        "It seems to be corrupt: move it away, and delete it if nothing can save it. Answers that DVC keeps "
        "(answers/ beside it) are read from there; all others would be asked, and paid for, again."
    )


def file_system(path: Path, mounts: str | None = None) -> str:
    """Type of the file system on which a path lies, as Linux names it; empty where that cannot be told.

    Args:
        mounts: what /proc/self/mounts says.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return ""
    path = path.resolve()
    found: tuple[int, str] = (-1, "")
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split(" ")
        folder = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place))
        if path.is_relative_to(folder) and len(folder.parts) >= found[0]:  # of two on one place, the later one counts
            found = len(folder.parts), kind
    return found[1]
