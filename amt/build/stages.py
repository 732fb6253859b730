"""What a job of the rules is to Snakemake and DVC alike."""

import contextlib
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amt.build.command import normal
from amt.contents import IGNORE_FILE, Contents
from amt.errors import AmtError
from amt.yaml12 import load_yaml

if TYPE_CHECKING:
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow


class BuildError(AmtError):
    """The rules or the records of a build do not fit together."""


RECIPE = "params.yaml"
"""The recipe that dvc.yaml describes, and the name that the settings of every recipe are recorded under: a path is no
part of an artifact."""
CODE_FOLDER = ".amt/code"


@dataclass(frozen=True)
class Stage:
    name: str
    """Rule and wildcards: raw-deepmath_103k."""
    command: str
    """The rule's in normal form (amt.build.command)."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metrics: tuple[str, ...]
    """Outputs that `dvc metrics` shows."""
    plots: dict[str, dict | None] = field(compare=False)
    """Outputs that `dvc plots` shows, and how (PLOTS)."""
    params_file: str
    """The recipe."""
    settings: tuple[str, ...]
    """Keys of the recipe that the stage reads."""

    @property
    def outs(self) -> tuple[str, ...]:
        return (*self.outputs, *self.metrics)

    @property
    def code_file(self) -> str:
        """Lists the code that the stage is made of (amt.build.code): a dependency to DVC, no input of the rule."""
        return f"{CODE_FOLDER}/{min(self.outs)}.txt"  # not by its name: a rule that is renamed makes what it made

    @property
    def words(self) -> list[str]:
        """
        Raises:
            BuildError: a quote in the command is not closed.
        """
        try:
            return shlex.split(self.command)
        except ValueError as error:
            raise BuildError(f"the command of {self.name} is not one: {error}: {self.command}") from None


METRIC_NAMES = {"metrics", "scores"}
"""Names of JSON outputs whose numbers `dvc metrics` shows."""
PLOTS = {"curve": {"x": "step", "y": ["mean_tokens", "stop_ratio"]}, "figures": None}
"""Names of outputs that `dvc plots` draws: the columns of a JSON file with a list of points; None of pictures."""


UNSUPPORTED = {
    "temp": "it would be made again each time; `amt gc` removes what nothing needs",
    "pipe": "there is nothing to record of it",
    "service": "there is nothing to record of it",
    "touch": "DVC would not make it; let the command do so",
}
"""Marks of outputs, and why they have no place here."""
OF_PLACEMENT = re.compile(r"(?<!\{)\{(?:threads|resources)\b[^}]*\}")
"""What in a command is another on another machine."""


@contextlib.contextmanager
def planned(params_file: str = RECIPE) -> Iterator["Workflow"]:
    """The workflow with its DAG, every job in it, as in a fresh clone; runs nothing."""
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import WorkflowError
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    with SnakemakeApi(
        OutputSettings(quiet={Quietness.ALL}, dryrun=True, enable_file_logging=False, log_level_override="ERROR")
    ) as api:
        try:
            workflow_api = api.workflow(
                resource_settings=ResourceSettings(),
                config_settings=ConfigSettings(config={"params": params_file}),
                snakefile=Path("Snakefile"),
            )
            dag_api = workflow_api.dag(DAGSettings(forceall=True))
            workflow = dag_api.workflow_api._workflow_store
            workflow.execution_settings = ExecutionSettings()
            workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
            workflow._build_dag()
            yield workflow
        except WorkflowError as error:
            raise BuildError(f"the rules do not make a plan: {error}") from error
        except AmtError:
            raise
        except Exception as error:  # rules are Python: whatever is wrong with them
            place = f" ({error.filename}:{error.lineno})" if isinstance(error, SyntaxError) else ""
            told = error.msg if isinstance(error, SyntaxError) else error
            raise BuildError(f"the rules do not make a plan: {type(error).__name__}: {told}{place}") from error


def stage_of(job: "Job", params_file: str) -> Stage | None:
    """The stage of a job; None of a job that makes no file, such as rule all.

    Raises:
        BuildError: the rule is one that the two tools would not run alike.
    """
    from snakemake.io import is_flagged

    if not job.output:
        return None
    if not job.rule.shellcmd:
        raise BuildError(f"rule {job.rule.name} has no `shell:`. Only a shell command runs alike under both tools.")
    if placed := OF_PLACEMENT.search(job.rule.shellcmd):
        raise BuildError(
            f"rule {job.rule.name} has {placed[0]} in its command, and cores are no part of an artifact: a change of "
            "machine would make all anew. Let the script take them from the placement (amt.placement)."
        )
    for mark, told in UNSUPPORTED.items():
        if marked := [str(path) for path in job.output if is_flagged(path, mark)]:
            raise BuildError(f"{mark}() of {marked[0]} in rule {job.rule.name} is not supported: {told}.")
    if job.rule.conda_env or job.rule.container_img or job.rule.env_modules:
        raise BuildError(
            f"rule {job.rule.name} asks for an environment of its own, which DVC would not enter. Install what it "
            "needs into the project's: there its versions count."
        )
    logs = list(map(str, job.log))
    command = normal(job.shellcmd, logs)
    if named := [log for log in logs if re.search(rf"(?<![\w./-]){re.escape(log)}(?![\w./-])", command)]:
        raise BuildError(
            f"rule {job.rule.name} has its log {named[0]} in its command, and where messages go is no part of an "
            "artifact. Redirect them: 2>{log:q}, >{log:q} 2>&1, or 2>&1 | tee {log:q}."
        )
    metrics = [path for name, path in job.output.items() if name in METRIC_NAMES and str(path).endswith(".json")]
    metrics = list(map(str, metrics))
    return Stage(
        name="-".join([job.rule.name, *map(str, job.wildcards_dict.values())]).replace("/", "_"),
        command=command,
        inputs=tuple(dict.fromkeys(map(str, job.input))),
        outputs=tuple(path for path in map(str, job.output) if path not in metrics),
        metrics=tuple(metrics),
        plots={str(path): PLOTS[name] for name, path in job.output.items() if name in PLOTS},
        params_file=params_file,
        settings=tuple(_settings(job)),
    )


def _settings(job: "Job") -> dict[str, Any]:
    settings = getattr(job.params, "settings", None)
    if not isinstance(settings, dict):
        raise BuildError(f"rule {job.rule.name} declares no settings: give it `params: **reads(...)`.")
    return settings


def stages_of_jobs(jobs: Iterable["Job"], params_file: str) -> dict["Job", Stage]:
    """
    Raises:
        BuildError: two jobs are one stage by their names; or as of `stage_of`.
    """
    found = {job: stage for job in jobs if (stage := stage_of(job, params_file))}
    by_name: dict[str, Stage] = {}
    contents = Contents()
    for stage in found.values():
        if ignored := [path for path in stage.outs if contents.is_ignored(path)]:
            raise BuildError(f"{IGNORE_FILE} names {ignored[0]}, which {stage.name} makes: DVC could not keep it.")
        other = by_name.setdefault(stage.name, stage)
        if other is not stage:
            one, another = sorted((other.outs[0], stage.outs[0]))  # jobs come in no order
            raise BuildError(
                f"two jobs have the name {stage.name}: one makes {one}, one {another}. "
                "Rename a rule, or narrow its wildcards."
            )
    return found


def stages_of(workflow: "Workflow", params_file: str) -> list[Stage]:
    """All stages of a plan: rules in reading order, wildcards by name."""
    order = {rule.name: position for position, rule in enumerate(workflow.rules)}
    jobs = sorted(workflow.dag.jobs, key=lambda job: (order[job.rule.name], sorted(job.wildcards_dict.items())))
    return list(stages_of_jobs(jobs, params_file).values())


def described(path: Path = Path("dvc.yaml"), params_file: str = RECIPE) -> list[Stage]:
    """The stages as dvc.yaml has them, without a look at the rules: each after those that it reads."""
    stages = [_of_entry(name, entry, params_file) for name, entry in load_yaml(path).get("stages", {}).items()]
    return in_order(stages)


def _of_entry(name: str, entry: dict, params_file: str) -> Stage:
    return Stage(
        name=name,
        command=entry["cmd"],
        inputs=tuple(path for path in entry.get("deps", []) if not path.startswith(CODE_FOLDER)),
        outputs=tuple(next(iter(out)) if isinstance(out, dict) else out for out in entry.get("outs", [])),
        metrics=tuple(entry.get("metrics", [])),
        plots={},
        params_file=params_file,
        settings=tuple(entry.get("params", [])),
    )


def in_order(stages: list[Stage]) -> list[Stage]:
    """Each stage after those whose outputs it reads."""
    producer = {path: stage for stage in stages for path in stage.outs}
    ordered: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.name not in ordered:
            for path in stage.inputs:
                if path in producer:
                    visit(producer[path])
            ordered[stage.name] = stage

    for stage in stages:
        visit(stage)
    return list(ordered.values())
