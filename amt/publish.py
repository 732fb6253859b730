"""Nothing half-written is ever taken for an output.

A file or directory is written beside its place under a name of this process, flushed to disk, and
renamed at the end. A kill at any moment leaves the old output or none, plus a hidden leftover that the
next run of the same stage removes.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.partial-"
    for name in os.listdir(path.parent):
        if name.startswith(prefix) and not _is_being_written(leftover := path.parent / name):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return path.parent / f"{prefix}{os.getpid()}"


def _is_being_written(leftover: Path) -> bool:
    """By another process of this machine, which is alive."""
    pid = leftover.name.rpartition("-")[2]
    return pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def publish_file(path: str | Path, *, is_cache: bool = False) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` when the block ends without an exception.

    Args:
        is_cache: it saves time, nothing else, so it is not flushed to disk: a power cut may leave it empty.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        if not is_cache:
            _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def publish_directory(path: str | Path, *, is_cache: bool = False) -> Iterator[Path]:
    """Yield an empty temporary directory; rename it to `path` when the block ends without an exception.

    Args:
        is_cache: as of `publish_file`.
    """
    path = Path(path)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in () if is_cache else temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)
