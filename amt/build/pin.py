"""What a build runs from: a copy of the code and of the recipe, made when it starts.

Editing `params.yaml` or a module while a build runs changes nothing that runs or is recorded: jobs find the copy
through the environment, on other machines too (`PYTHONPATH`, `PYTHONSAFEPATH`, `AMT_PINNED_RECIPE`). One build at a
time: the lock is the kernel's, so that a killed build leaves none behind.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amt.build.stages import BuildError
from amt.publish import publish_directory

PINS = Path(".amt/pins")
LOCK = Path(".amt/build.lock")
PACKAGES = ("amt", "scripts")
RECIPE_VARIABLE = "AMT_PINNED_RECIPE"
"""Set while a build runs: the file that jobs read in place of the recipe."""


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
    if not folder.exists():
        with publish_directory(folder) as temporary:
            for path, content in snapshot.files.items():
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / path).write_bytes(content)
    return Pin.at(folder)


@contextlib.contextmanager
def build_lock() -> Iterator[None]:
    """Hold the project while building.

    Raises:
        BuildError: another build runs here.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BuildError(f"a build runs here already ({_holder(file.read())}). Wait for it, or stop it.") from None
        file.truncate(0)
        file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        file.flush()
        yield


def is_building() -> bool:
    """Whether a build runs here, in this process or another."""
    try:
        with LOCK.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _holder(content: str) -> str:
    try:
        holder = json.loads(content)
    except ValueError:
        return "it has just started"
    return f"process {holder['pid']} on {holder['host']}"
