"""Folders with a built state that comes back after every edit, and both tools in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.workflow.conftest import Workplace, copy_of_project, make_small

TOOLS = {"snakemake": ("snakemake",), "dvc": ("dvc", "repro")}
QUESTIONS = {"snakemake": ("snakemake", "-n"), "dvc": ("dvc", "status")}
IDLE = {"snakemake": "Nothing to be done", "dvc": "Data and pipelines are up to date."}
STANDIN = Path(__file__).with_name("standin.py")
LAUNCHER = """\
#!/bin/sh
# A stage is played by its stand-in; everything else is Python's own.
case "$1 $2" in
"-m scripts."*) exec {python} -I -S {standin} "$@" ;;
*) exec {python} "$@" ;;
esac
"""


@dataclass
class Place(Workplace):
    """A copy of the project in which stages are played, and what it was when it was built."""

    base: Path = field(kw_only=True)
    """Of everything that must not lie in the project: launcher, effects, what ran, the saved state."""
    environment_of_edit: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, base: Path) -> "Place":
        base.mkdir(parents=True)
        place = cls(base / "project", base=base)
        make_small(copy_of_project(place.path))
        bin = base / "bin"
        bin.mkdir()
        for name in ("python", "python3"):
            (bin / name).write_text(LAUNCHER.format(python=sys.executable, standin=STANDIN))
            (bin / name).chmod(0o755)
        return place

    def environment(self) -> dict[str, str]:
        own = super().environment()
        own["PATH"] = os.pathsep.join([str(self.base / "bin"), own["PATH"]])
        own |= {
            "BENCH_RAN": str(self.ran_file),
            "BENCH_EFFECTS": str(self.effects_file),
            "DVC_SITE_CACHE_DIR": str(self.base / "dvc"),
        }
        for name, value in self.environment_of_edit.items():
            own[name] = os.pathsep.join([value, own[name]]) if name == "PYTHONPATH" else value
        return own

    @property
    def effects_file(self) -> Path:
        return self.base / "effects.json"

    @property
    def ran_file(self) -> Path:
        return self.base / "ran"

    @property
    def saved(self) -> Path:
        return self.base / "saved"

    def ran(self) -> list[str]:
        """Stages that ran since this was last asked."""
        names = sorted(self.ran_file.read_text().split()) if self.ran_file.exists() else []
        self.ran_file.unlink(missing_ok=True)
        return names

    def save(self) -> None:
        shutil.copytree(self.path, self.saved, symlinks=True)

    def restore(self) -> None:
        """Make the project what it was when it was saved, time stamps too."""
        self.environment_of_edit = {}
        _mirror(self.saved, self.path)


def _mirror(source: Path, target: Path) -> None:
    """Copy what differs, by size, time, mode and goal of links; remove what the source has not."""
    there, here = _entries(source), _entries(target)
    for name in sorted(here.keys() - there.keys(), reverse=True):
        path = target / name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in sorted(there):
        if here.get(name) != there[name]:
            path = target / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.is_dir() and there[name] != "directory":
                shutil.rmtree(path)
            if there[name] == "directory":
                path.mkdir(exist_ok=True)
            else:
                shutil.copy2(source / name, path, follow_symlinks=False)


def _entries(root: Path) -> dict[str, str | tuple]:
    return dict(_walk(str(root), ""))


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str | tuple]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if name != ".git":
                    yield name, "directory"
                    yield from _walk(entry.path, f"{name}/")
            else:
                stat = entry.stat(follow_symlinks=False)
                goal = os.readlink(entry.path) if entry.is_symlink() else ""
                yield name, (stat.st_size, stat.st_mtime_ns, stat.st_mode, goal)


def run_beside(calls: list[tuple[Place, tuple[str, ...]]], timeout: float = 300) -> list[subprocess.CompletedProcess]:
    """Run commands side by side, each in its own place."""
    started = [
        subprocess.Popen(
            command,
            cwd=place.path,
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for place, command in calls
    ]
    done = []
    for process in started:
        said, _ = process.communicate(timeout=timeout)
        done.append(subprocess.CompletedProcess(process.args, process.returncode, said))
    return done
