"""One edit, done in two places: judged, built by one tool in each, compared with the oracle, judged by the other."""

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks.rebuild import oracle
from benchmarks.rebuild.edit import Edit
from benchmarks.rebuild.flow import STAGES, Stage
from benchmarks.rebuild.places import IDLE, QUESTIONS, TOOLS, Place, run_beside

OTHER = {"snakemake": "dvc", "dvc": "snakemake"}


@dataclass
class Outcome:
    edit: Edit
    expected: set[str] = field(default_factory=set)
    ran: dict[str, list[str]] = field(default_factory=dict)
    """By tool."""
    stale: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    disagree: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not (self.stale or self.needless or self.disagree)

    def told(self) -> str:
        faults = [f"  {name}: {line}" for name in ("stale", "needless", "disagree") for line in getattr(self, name)]
        return "\n".join([self.edit.name, f"  expected: {_listed(self.expected)}", *faults])


class Bench:
    """Two places with the same built state.

    Args:
        places: by tool.
        folder: for clean builds.
    """

    def __init__(self, places: dict[str, Place], folder: Path) -> None:
        self.places = places
        self.folder = folder
        self.recipe = _digest(places["snakemake"].path / "params.yaml")
        self.effects = {"settings": {self.recipe: {}}, "code": {}, "always": {}}
        self.built: oracle.Contents = {}

    def build(self) -> None:
        """Build both places with Snakemake, and keep them."""
        self._lay(self.effects)
        places = list(self.places.values())
        for place, done in zip(places, run_beside([(place, TOOLS["snakemake"]) for place in places])):
            assert done.returncode == 0, done.stdout
            assert place.ran() == sorted(stage.name for stage in STAGES), "the rules are not those of flow.py"
        self.built = self._clean(self.effects, STAGES)
        for place in self.places.values():
            assert oracle.contents(place.path) == self.built, "a stage reads other inputs than flow.py says"
            place.do(*TOOLS["dvc"])
            place.do(*TOOLS["snakemake"])
            assert place.ran() == []
            place.save()

    def try_out(self, edit: Edit, *, quiet: bool = False) -> Outcome:
        """
        Args:
            quiet: the bytes of the stages that the edit changes stay as they were, as they do for many a real edit:
                then these run, and nothing behind them.
        """
        outcome = Outcome(edit)
        before = {path: _digest(self.places["snakemake"].path / path) for path in self._given(edit)}
        for place in self.places.values():
            edit.change(place)
        effects = self._effects(edit, quiet)
        self._lay(effects)
        expected = self._expected(edit, effects, before, edit.direct)
        if edit.undone:
            self._run(outcome)
            for place in self.places.values():
                edit.undone(place)
            self._lay(self.effects)
            expected = self._expected(edit, self.effects, before, set())
        outcome.expected = expected.runs
        self._ask(outcome)
        self._run(outcome)
        self._compare(outcome, expected)
        if any(outcome.ran.values()):
            self._cross(outcome)
        for place in self.places.values():
            place.restore()
        return outcome

    def _expected(self, edit: Edit, effects: dict, before: dict[str, str], direct: set[str]) -> oracle.Expected:
        place = self.places["snakemake"]
        changed = {path for path in before if before[path] != _digest(place.path / path)}
        return oracle.expect(self.built, self._clean(effects, edit.stages), direct, changed, edit.stages)

    def _given(self, edit: Edit) -> set[str]:
        """Inputs that no stage makes."""
        made = {path for stage in edit.stages for path in stage.outputs.values()}
        return {path for stage in edit.stages for paths in stage.inputs.values() for path in paths} - made

    def _effects(self, edit: Edit, quiet: bool) -> dict:
        """The edit gives the stages that it changes other bytes, if they see it."""
        changed = set() if quiet else edit.stages_of(edit.changes)
        nonces = {name: f"{name} after {edit.name}" for name in changed}
        place = self.places["snakemake"]
        effects = {"settings": {self.recipe: {}}, "code": {}, "always": {}}
        if (recipe := _digest(place.path / "params.yaml")) != self.recipe:
            effects["settings"][recipe] = nonces
        elif edit.kind == "code":
            for file in (place.path / folder for folder in ("amt", "scripts")):
                for module in file.rglob("*"):
                    if module.is_file() and "__pycache__" not in module.parts:
                        name = str(module.relative_to(place.path))
                        if module.stat().st_mtime_ns != (place.saved / name).stat().st_mtime_ns:
                            effects["code"][name] = {_digest(module): nonces}
        else:
            effects["always"] = nonces
        return effects

    def _lay(self, effects: dict) -> None:
        for place in self.places.values():
            place.effects_file.write_text(json.dumps(effects))

    def _clean(self, effects: dict, stages: list) -> oracle.Contents:
        """Build by the oracle, from what the edited project gives."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("amt", "scripts", "params.yaml", "verdicts.yaml"):
            source = self.places["snakemake"].path / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.folder / name)
        return oracle.build_clean(self.folder, effects, stages)

    def _ask(self, outcome: Outcome) -> None:
        """What `snakemake -n` and `dvc status` name before anything runs. Snakemake also names what may follow, DVC
        only what it sees by itself; both name what the edit reaches directly."""
        least = {"snakemake": outcome.expected, "dvc": outcome.edit.direct & outcome.expected}
        most = {"snakemake": outcome.expected | _behind(outcome.expected, outcome.edit.stages), "dvc": outcome.expected}
        done = run_beside([(place, QUESTIONS[tool]) for tool, place in self.places.items()])
        for (tool, place), asked in zip(self.places.items(), done):
            asks, named = " ".join(QUESTIONS[tool]), NAMED[tool](asked.stdout)
            if asked.returncode:
                outcome.disagree.append(f"{tool} cannot say what it would do: {asked.stdout[-300:]}")
            elif _restores(outcome.edit):
                pass  # DVC calls changed what it will bring back
            elif lacking := least[tool] - named:
                outcome.disagree.append(f"{asks} did not name {_listed(lacking)}")
            elif more := named - most[tool]:
                outcome.disagree.append(f"{asks} named {_listed(more)}")
            elif bool(outcome.expected) == (IDLE[tool] in asked.stdout):
                outcome.disagree.append(f"{asks} is wrong on whether there is nothing to do")
            place.ran()

    def _run(self, outcome: Outcome) -> None:
        done = run_beside([(place, TOOLS[tool]) for tool, place in self.places.items()])
        for (tool, place), ran in zip(self.places.items(), done):
            outcome.ran[tool] = place.ran()
            if ran.returncode:
                outcome.stale.append(f"{tool} failed: {ran.stdout[-800:]}")

    def _compare(self, outcome: Outcome, expected: oracle.Expected) -> None:
        for tool, ran in outcome.ran.items():
            if lacking := expected.runs - set(ran):
                outcome.stale.append(f"{tool} did not run {_listed(lacking)}")
            there = oracle.contents(self.places[tool].path, outcome.edit.stages)
            if wrong := {path for path in there if there[path] != expected.contents[path]}:
                outcome.stale.append(f"{tool} left other bytes than a clean build in {_listed(wrong)}")
            if more := Counter(ran) - Counter(expected.runs):
                outcome.needless.append(f"{tool} ran {_listed(more)}")
        if outcome.ran["snakemake"] != outcome.ran["dvc"]:
            snakemake, dvc = (Counter(outcome.ran[tool]) for tool in ("snakemake", "dvc"))
            outcome.disagree.append(
                f"only snakemake ran {_listed(snakemake - dvc)}; only dvc {_listed(dvc - snakemake)}"
            )

    def _cross(self, outcome: Outcome) -> None:
        """What one tool has built, the other must leave alone."""
        done = run_beside([(place, TOOLS[OTHER[tool]]) for tool, place in self.places.items()])
        for (tool, place), said in zip(self.places.items(), done):
            other = OTHER[tool]
            if (ran := place.ran()) or said.returncode or IDLE[other] not in said.stdout:
                outcome.disagree.append(f"after {tool}, {other} ran {_listed(ran)}: {said.stdout[-300:]}")


def _named_by_snakemake(said: str) -> set[str]:
    """Of the blocks of a plan: `rule raw:`, and its wildcards some lines below."""
    names = set()
    for block in re.findall(r"^(?:local)?rule \w+:\n(?:    .*\n)*", said, re.MULTILINE):
        rule = re.match(r"(?:local)?rule (\w+)", block)[1]
        values = re.findall(r"=([^,\n]+)", "".join(re.findall(r"^    wildcards: (.*)$", block, re.MULTILINE)))
        names.add("-".join([rule, *values]))
    return names - {"all"}


def _named_by_dvc(said: str) -> set[str]:
    return set(re.findall(r"^(\S+):$", said, re.MULTILINE))


NAMED = {"snakemake": _named_by_snakemake, "dvc": _named_by_dvc}


def _behind(runs: set[str], stages: list[Stage]) -> set[str]:
    """Stages that read what these make, directly or through others."""
    found, more = set(), set(runs)
    while more:
        made = {path for stage in stages if stage.name in more for path in stage.outputs.values()}
        readers = {stage.name for stage in stages if any(made.intersection(paths) for paths in stage.inputs.values())}
        more = readers - found
        found |= readers
    return found


def _restores(edit: Edit) -> bool:
    """Whether what differs comes back without a run."""
    return edit.undone is not None or edit.kind == "files"


def _listed(names) -> str:
    names = sorted(names)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"
