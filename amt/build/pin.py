"""What a build runs from: a copy of the code and of the recipe, made when it starts.

Editing `params.yaml` or a module while a build runs changes nothing that runs or is recorded: jobs find the copy
through the environment, on other machines too (`PYTHONPATH`, `PYTHONSAFEPATH`, `AMT_PINNED_RECIPE`). One build at a
time: the lock is the kernel's, so that a killed build leaves none behind.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from amt.build.loads import PACKAGES
from amt.build.stages import BuildError
from amt.publish import publish_directory

PINS = Path(".amt/pins")
LOCK = Path(".amt/build.lock")
BUILDING = Path(".amt/building.json")
"""There while a build runs, and after one that was killed: who builds."""
RECIPE_VARIABLE = "AMT_PINNED_RECIPE"
"""Set while a build runs: the file that jobs read in place of the recipe."""
END_SECONDS = 10.0
"""How long a job of a killed build has to end when it is asked to."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pin:
    folder: Path
    recipe: Path

    @classmethod
    def at(cls, folder: Path) -> "Pin":
        (recipe,) = (folder / "recipe").iterdir()
        return cls(folder, recipe)

    @property
    def environment(self) -> dict[str, str]:
        inherited = os.environ.get("PYTHONPATH")
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.folder.absolute()), inherited])),
            # Without it `python -m` looks into the working directory first.
            "PYTHONSAFEPATH": "1",
            RECIPE_VARIABLE: str(self.recipe.absolute()),
        }


@dataclass(frozen=True)
class Snapshot:
    """Code and recipe as they were when they were read."""

    params_file: str
    files: dict[Path, bytes]
    digest: str

    @classmethod
    def take(cls, params_file: str) -> "Snapshot":
        code = [path for package in PACKAGES for path in Path(package).rglob("*") if "__pycache__" not in path.parts]
        files = {path: path.read_bytes() for path in sorted(code) if path.is_file()}
        files[Path("recipe") / Path(params_file).name] = Path(params_file).read_bytes()
        digest = hashlib.sha256()
        for path, content in files.items():
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return cls(params_file, files, digest.hexdigest()[:16])


def pin(snapshot: Snapshot) -> Pin:
    """Lay the copy down, or find it laid; copies of earlier builds go. Call it under the build's lock.

    Raises:
        BuildError: code or recipe are no longer what they were when the build was planned.
    """
    if Snapshot.take(snapshot.params_file).digest != snapshot.digest:
        raise BuildError(f"{snapshot.params_file} or the code was edited while the build was planned: start it again.")
    folder = PINS / snapshot.digest
    for other in PINS.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    if not _is_laid(folder, snapshot):
        with publish_directory(folder, is_cache=True) as temporary:
            for place in dict.fromkeys(path.parent for path in snapshot.files):
                (temporary / place).mkdir(parents=True, exist_ok=True)
            for path, content in snapshot.files.items():
                (temporary / path).write_bytes(content)
    return Pin.at(folder)


def _is_laid(folder: Path, snapshot: Snapshot) -> bool:
    """Whether it is there, and is what it was laid down as."""
    try:
        return all((folder / path).read_bytes() == content for path, content in snapshot.files.items())
    except FileNotFoundError:
        return False


# --- one build at a time -----------------------------------------------------------------------------------

_is_mine = False


@contextlib.contextmanager
def build_lock() -> Iterator[None]:
    """Hold the project: nothing is built, recorded or removed by another process meanwhile.

    Raises:
        BuildError: another process holds it, or the project cannot be written.
    """
    global _is_mine
    with _told():
        LOCK.parent.mkdir(exist_ok=True)
        opened = LOCK.open("a+")
    with opened as file:
        for attempt in range(5):  # one that only looks whether it is held holds it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 4:
                    raise BuildError(f"a build runs here already ({holder()}). Wait for it, or stop it.") from None
                time.sleep(0.05)
        with _told():
            file.truncate(0)
            file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
            file.flush()
        _is_mine = True
        try:
            yield
        finally:
            _is_mine = False


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Hold the project for a build. Jobs that a killed build left running are ended first: they write where ours will.

    Raises:
        BuildError: as of `build_lock`; or such a job does not end.
    """
    with build_lock():
        if BUILDING.exists():
            _end_jobs_left()
        with _told():
            BUILDING.write_text(LOCK.read_text())
        try:
            yield
        finally:
            BUILDING.unlink(missing_ok=True)


def is_building() -> bool:
    """Whether a build runs, of this process or another."""
    if not BUILDING.exists():  # who records, or removes garbage, holds the project for a moment only
        return False
    return _is_held(LOCK)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def experiments() -> list[Path]:
    """Folders in which experiments of DVC run, or wait to be recorded."""
    return [lock.parent.parent for lock in sorted(Path(".dvc/tmp/exps").glob(f"**/{LOCK}")) if _is_held(lock)]


def is_mine() -> bool:
    """Whether this process holds the project."""
    return _is_mine


def holder() -> str:
    """Who holds the project."""
    try:
        held_by = json.loads(LOCK.read_text())
    except (OSError, ValueError):
        return "it has just started"
    return f"process {held_by['pid']} on {held_by['host']}"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuildError(f"nothing can be built here: {LOCK.parent} cannot be written ({error.strerror}).") from None


def _end_jobs_left() -> None:
    """Jobs are known by what every one of them has in its environment: the path of a pinned recipe of this project."""
    mark = str(PINS.absolute()) + os.sep
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(RECIPE_VARIABLE, "").startswith(mark):
                left.append(process)
    if not left:
        return
    log.warning("ending %d process(es) of a build that was killed: %s", len(left), ", ".join(str(p.pid) for p in left))
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=END_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _, alive = psutil.wait_procs(alive, timeout=END_SECONDS)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise BuildError(f"a build was killed, and what it left running does not end: process {pids}. End it first.")
