"""What an edit is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.rebuild.flow import STAGES, Stage

if TYPE_CHECKING:
    from benchmarks.rebuild.places import Place

NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edit:
    """One change to a built project, and what it should lead to."""

    kind: str
    """settings, spelling, code, harmless, data, library, place, files, undone, rules"""
    what: str
    change: Callable[["Place"], None]
    changes: tuple[str, ...] = NOTHING
    """Rules, or single stages, of whose outputs the edit itself decides the bytes. What follows from these is not
    listed: the oracle finds it."""
    reaches: tuple[str, ...] = NOTHING
    """Those that must run since the edit is a part of what they are made of, though their bytes stay as they were:
    then nothing behind them may run."""
    stages: list[Stage] = field(default_factory=lambda: STAGES)
    """The flow after the edit."""
    undone: Callable[["Place"], None] | None = None
    """Builds with the edit, then this takes it back, and only then the question is asked."""

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.what}"

    def stages_of(self, listed: tuple[str, ...]) -> set[str]:
        known = {stage.name for stage in self.stages} | {stage.rule for stage in self.stages}
        assert not (unknown := set(listed) - known), f"{self.name}: no rule or stage is called {unknown}"
        return {stage.name for stage in self.stages if stage.rule in listed or stage.name in listed}

    @property
    def direct(self) -> set[str]:
        return self.stages_of(self.changes) | self.stages_of(self.reaches)


def replaced(file: str, old: str, new: str) -> Callable[["Place"], None]:
    """Text that stands in a file once."""

    def change(place: "Place") -> None:
        place.edit(file, old, new)

    return change


def rewritten(file: str, rewrite: Callable[[str], str]) -> Callable[["Place"], None]:
    def change(place: "Place") -> None:
        before = place.read(file)
        after = rewrite(before)
        assert after != before, f"{file} is as it was"
        place.write(file, after)

    return change
