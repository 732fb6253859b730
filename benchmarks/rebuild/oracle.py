"""What an edit should run, and what should lie there afterwards: a plain loop over `flow`, with no build tool in it."""

import os
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from benchmarks.rebuild import standin
from benchmarks.rebuild.flow import STAGES, Stage

Contents = dict[str, str]
"""{path of an output: digest of what lies there}; nothing is there for one that is missing."""


@dataclass(frozen=True)
class Expected:
    runs: set[str]
    """Stages: those that the edit reaches directly, and those of which an input's bytes differ from the built state."""
    contents: Contents


def in_order(stages: list[Stage] = STAGES) -> list[Stage]:
    by_output = {path: stage.name for stage in stages for path in stage.outputs.values()}
    before = {
        stage.name: {by_output[path] for paths in stage.inputs.values() for path in paths if path in by_output}
        for stage in stages
    }
    by_name = {stage.name: stage for stage in stages}
    return [by_name[name] for name in TopologicalSorter(before).static_order()]


def build_clean(folder: Path, effects: dict, stages: list[Stage] = STAGES) -> Contents:
    """Run every stage in a folder without outputs, one after the other."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        for stage in in_order(stages):
            standin.run(stage.words, effects, Path("."), Path("params.yaml"))
        return contents(Path("."), stages)
    finally:
        os.chdir(before)


def contents(folder: Path, stages: list[Stage] = STAGES) -> Contents:
    return {path: digest(folder / path) for stage in stages for path in stage.outputs.values()}


def digest(path: Path) -> str:
    try:
        return standin._digest(path)
    except FileNotFoundError:
        return "missing"


def expect(
    built: Contents,
    clean: Contents,
    direct: set[str],
    changed: set[str],
    stages: list[Stage] = STAGES,
) -> Expected:
    """
    Args:
        built: before the edit.
        clean: after it, made in a clean folder.
        direct: stages whose code, settings, libraries or command the edit changes.
        changed: files that no stage makes, and to which the edit gave other bytes.
    """
    runs = set(direct)
    for stage in stages:
        for paths in stage.inputs.values():
            if any(clean[path] != built.get(path) if path in clean else path in changed for path in paths):
                runs.add(stage.name)
    return Expected(runs, clean)
