"""Projects to build in: the toy of four small stages, and a copy of this one."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Workplace:
    """A project in a folder of its own, and the commands that its user types."""

    path: Path

    def call(self, *command: str, timeout: float | None = None, **environment: str) -> subprocess.CompletedProcess:
        """Run a command to its end, whatever its exit status; its two streams come back as one."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def do(self, *command: str, **environment: str) -> str:
        done = self.call(*command, **environment)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
        return done.stdout

    def environment(self) -> dict[str, str]:
        # The copy's own amt and scripts where it has them, otherwise this project's.
        roots = [str(self.path)] if (self.path / "amt").exists() else [str(self.path), str(PROJECT)]
        author = {
            f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {"PATH": path, "PYTHONPATH": os.pathsep.join(roots), "AMT_TRACKING": "off"}
        return os.environ | author | own

    def write(self, name: str, content: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def edit(self, name: str, old: str, new: str) -> None:
        content = self.read(name)
        assert content.count(old) == 1, f"{name} holds {old!r} {content.count(old)} times"
        self.write(name, content.replace(old, new))

    def clone(self, path: Path) -> "Workplace":
        """What another user gets: the committed files, and none of the ignored ones."""
        subprocess.run(["git", "clone", "--quiet", str(self.path), str(path)], check=True)
        return Workplace(path)

    def commit(self) -> None:
        self.do("git", "add", "--all")
        self.do("git", "commit", "--quiet", "--message", "all")


@pytest.fixture
def toy(tmp_path) -> Workplace:
    path = tmp_path / "toy"
    shutil.copytree(PROJECT / "tests" / "workflow" / "toy", path)
    (path / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", "profiles/default/config.yaml"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, path / name)
    workplace = Workplace(path)
    workplace.write(
        ".gitignore", "/.snakemake/\n/.amt/\n/data/\n/models/\n/reports/\n/logs/\n/scratch/\n/ran\n/fail-*\n/wait-*\n"
    )
    workplace.do("git", "init", "--quiet")
    workplace.do("python", "-m", "amt.build", "export")
    workplace.commit()
    return workplace


def copy_of_project(path: Path) -> Workplace:
    """This project as its user would commit it: tracked and new files, none of the ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, path / name)
    workplace = Workplace(path)
    workplace.do("git", "init", "--quiet")
    workplace.commit()
    return workplace


@pytest.fixture
def project(tmp_path) -> Workplace:
    return copy_of_project(tmp_path / "project")


def make_small(workplace: Workplace, *, shards: int = 1) -> None:
    """Give the project the recipe of mini.yaml: params.yaml with other sizes, and only the sources named there.

    Args:
        shards: of one source, and of the merged rows.
    """
    recipe = yaml.safe_load(workplace.read("params.yaml"))
    sizes = yaml.safe_load((PROJECT / "tests" / "workflow" / "mini.yaml").read_text())
    recipe["sources"] = {name: source for name, source in recipe["sources"].items() if name in sizes["sources"]}
    _set(recipe, sizes)
    recipe["sources"]["metamathqa"]["shards"] = recipe["curate"]["shards"] = shards
    recipe["name"] = "mini"
    workplace.write("params.yaml", yaml.safe_dump(recipe, sort_keys=False))
    workplace.do("python", "-m", "amt.build", "export")
    workplace.commit()


def _set(recipe: dict, sizes: dict) -> None:
    for key, value in sizes.items():
        assert key in recipe, f"mini.yaml has {key}, which params.yaml has not"
        if isinstance(value, dict):
            _set(recipe[key], value)
        else:
            recipe[key] = value
