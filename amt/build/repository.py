"""DVC as we use it ourselves: under its lock, silent, and without the hooks that we lay into it for others."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

_depth = 0


def is_ours() -> bool:
    """Whether what is done with DVC right now in this process is our own doing."""
    return _depth > 0


@contextlib.contextmanager
def own_use() -> Iterator[None]:
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


@contextlib.contextmanager
def repository() -> Iterator["Repo"]:
    """The project's DVC repository, locked."""
    from dvc.repo import Repo

    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with own_use(), Repo(".") as repo, repo.lock:
            yield repo
    finally:
        logger.setLevel(level)


def declared(repo: "Repo") -> dict[str, "PipelineStage"]:
    """The stages of dvc.yaml by name."""
    return {entry.name: entry for entry in repo.index.stages if hasattr(entry, "name")}
