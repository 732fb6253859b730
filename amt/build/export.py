"""Write dvc.yaml from the rules: one stage a job, with the rule's own command. Runs nothing.

A stage's command is the rule's, preceded by the creation of the log's folder, which Snakemake does by itself.
Everything is relative to the project, so that equal rules give equal bytes on every machine.
"""

from pathlib import Path

import yaml

from amt.build.stages import PAGE, Stage, planned, stages_of
from amt.publish import publish_file

HEADER = """\
# Generated from rules/*.smk and params.yaml by `make dvc.yaml`: do not edit. A test says when it is stale.
# `dvc repro` runs the same commands as `snakemake`; `dvc.lock` is written by either (amt/build/).
"""


def export(path: Path = Path("dvc.yaml"), params_file: str = "params.yaml") -> None:
    content = dvc_yaml(params_file)
    if not path.exists() or path.read_text() != content:
        with publish_file(path) as temporary:
            temporary.write_text(content)


def dvc_yaml(params_file: str = "params.yaml") -> str:
    with planned(params_file) as workflow:
        stages = stages_of(workflow, params_file)
    content: dict = {"stages": {stage.name: as_dvc(stage) for stage in stages}}
    if plots := [_plot(path, columns) for stage in stages for path, columns in stage.plots.items()]:
        content["plots"] = plots
    return HEADER + yaml.dump(content, sort_keys=False, width=110, default_flow_style=False)


def as_dvc(stage: Stage) -> dict:
    """The entry of a stage in dvc.yaml."""
    entry: dict = {"cmd": list(stage.commands), "deps": [*stage.inputs, stage.code_file]}
    if stage.settings:
        keys = list(stage.settings)
        entry["params"] = keys if stage.params_file == "params.yaml" else [{stage.params_file: keys}]
    if stage.outputs:
        entry["outs"] = [{path: {"cache": False}} if path.endswith(PAGE) else path for path in stage.outputs]
    if stage.metrics:
        entry["metrics"] = list(stage.metrics)
    return entry


def _plot(path: str, columns: dict | None) -> str | dict:
    return path if columns is None else {path: {"x": columns["x"], "y": {path: columns["y"]}}}
