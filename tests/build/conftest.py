"""A small tree of modules, of which a stage's code is asked."""

import textwrap
from pathlib import Path

import pytest

from amt.build.code import Code, SourceTree

VERSIONS = {"numpy": "2.3.5", "torch": "2.13.0", "httpx": "0.28"}

MODEL = '''
"""A model."""

import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

RATE = 1_000
LIMITS = {"low": 1, "high": 2}


def train(rows: list, rate: float = RATE) -> float:
    """Train."""
    # Sums first.
    total = 0.0
    for row in rows:
        total += math.sqrt(row) * rate
    return shift(total)


def shift(value):
    return value + LIMITS["low"]


def unused(value):
    return value - 1
'''
SCRIPT = '''
"""Train a model."""

from amt.model import train


def main():
    print(train([1, 2]))


if __name__ == "__main__":
    main()
'''


class Tree:
    """A project of amt/model.py and scripts/fit.py, and what else is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(
            **{"amt/__init__.py": "", "scripts/__init__.py": "", "amt/model.py": MODEL, "scripts/fit.py": SCRIPT}
        )

    def write(self, **files: str) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text).lstrip("\n"))

    def edit(self, old: str, new: str, name: str = "amt/model.py") -> None:
        text = (self.path / name).read_text()
        assert old in text
        (self.path / name).write_text(text.replace(old, new))

    def code(self, *words: str) -> Code:
        return SourceTree(self.path, version_of=VERSIONS.get).code_of(words or ("python", "-m", "scripts.fit"))

    def counted(self, *words: str) -> set[str]:
        return set(self.code(*words).definitions)

    def counts_in(self, source: str, *, script: str = "from amt.m import f\nf()\n") -> set[str]:
        """What counts of amt/m.py, by bare names."""
        self.write(**{"amt/m.py": source, "scripts/s.py": script})
        names = self.counted("python", "-m", "scripts.s")
        return {name.removeprefix("amt.m.") for name in names if name.startswith("amt.m.")}

    def digest_of(self, source: str) -> str:
        """Of the function f in it."""
        self.counts_in(source)
        return self.code("python", "-m", "scripts.s").definitions["amt.m.f"]


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path)
