"""DVC as we use it ourselves: under its lock, silent, and without a refresh by the hooks that we lay into it."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from amt.build.stages import BuildError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

PATIENCE_SECONDS = 60.0
"""How long a build waits for another command of DVC."""
log = logging.getLogger(__name__)
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
def inside(root: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def repository(patience: float = PATIENCE_SECONDS) -> Iterator["Repo"]:
    """The project's DVC repository, locked.

    Args:
        patience: seconds to wait for the lock.

    Raises:
        BuildError: another command of DVC holds the lock.
    """
    from dvc.repo import Repo

    from amt.build.dvc_hooks import install

    install()  # in an environment without `_amt_startup.pth`, too
    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with own_use(), Repo(".") as repo, _locked(repo, patience):
            yield repo
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _locked(repo: "Repo", patience: float) -> Iterator[None]:
    from dvc.lock import LockError

    end = time.monotonic() + patience
    told = False
    while True:
        try:
            repo.lock.lock()  # tries for three seconds
            break
        except LockError:
            if time.monotonic() > end:
                raise BuildError(
                    f"another command of DVC holds this project, for {patience:.0f} s now. Let it end, or stop it."
                ) from None
            if not told:
                log.warning("waiting for another command of DVC in this project to end")
                told = True
    try:
        yield
    finally:
        repo.lock.unlock()


def declared(repo: "Repo") -> dict[str, "PipelineStage"]:
    """The stages of dvc.yaml by name."""
    return {entry.name: entry for entry in repo.index.stages if hasattr(entry, "name")}


def of_record(repo: "Repo", record: dict) -> "PipelineStage":
    """The stage that a record tells of, whether dvc.yaml has it or not."""
    return repo.stage_cache._create_stage(record, wdir=repo.root_dir)
