"""The MLflow runs behind an artifact: those that made it, and those that made something else of the same stage."""

from datetime import datetime

from amt.build.records import Records
from amt.build.stages import CODE_FOLDER, Stage
from amt.tracking import RecordedRun, inputs_digest, params_digest, runs_of


def run_lines(stage: Stage) -> list[str]:
    """A line for each run of a stage, newest first: `=` before those of just what the artifact is made of now."""
    record = Records().last(stage)
    lines = []
    for run in runs_of(stage.name):
        differs = differences(record, run)
        when = datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M:%S")
        took = f"{run.seconds:8.1f} s" if run.seconds is not None else "  running"
        told = "made this" if not differs else f"other {', '.join(differs)}"
        commit = run.tags.get("mlflow.source.git.commit", "")[:7] or "no commit"
        experiment = f"  dvc exp {run.tags['dvc.exp']}" if "dvc.exp" in run.tags else ""
        lines.append(
            f"{'=' if not differs else ' '} {run.run_id}  {when} {took}  {run.status:<8}  {run.experiment}  "
            f"{commit}{experiment}  {told}"
        )
    return lines


def differences(record: dict | None, run: RecordedRun) -> list[str]:
    """In what a run differs from what the artifact is made of; empty if it made it, or made the same."""
    if record is None:
        return ["than nothing: dvc.lock has no such stage"]
    deps = {dep["path"]: dep["md5"] for dep in record.get("deps", [])}
    code = [deps.pop(path) for path in list(deps) if path.startswith(CODE_FOLDER)]
    (settings,) = record.get("params", {"": {}}).values()
    wanted = {"amt.params": params_digest(settings), "amt.inputs": inputs_digest(deps)}
    if code:
        wanted["amt.code"] = code[0]
    return [key.removeprefix("amt.") for key, value in wanted.items() if run.tags.get(key) != value]
