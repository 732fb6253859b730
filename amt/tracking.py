"""Every stage's run in MLflow: settings, data, curves, metrics, reports. Nothing else imports mlflow.

A stage only appends lines to a journal in `scratch/tracking/`; one recorder process a project reads the
journals and writes them to MLflow while the stages run (docs/decisions/tracking.md says why). So a stage
never waits for MLflow, the store has one writer, and a store that is down loses nothing: what could not be
recorded stays in its journal, and the next recorder tries again.

Store: `mlflow.db` and `mlartifacts/` in the working directory, where a plain `mlflow ui` looks, or what
MLFLOW_TRACKING_URI names. `AMT_TRACKING=off` turns everything off; `python -m amt.tracking` records by hand
what is left.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import numbers
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amt.contents import Contents
from amt.placement import placement

log = logging.getLogger(__name__)

IDLE_SECONDS = 20
"""A recorder without open journals ends after this time."""
STILLBORN_SECONDS = 60
"""A journal without a whole first line after this time belongs to a stage that was killed while it wrote it."""
POLL_SECONDS = 0.5
ARTIFACT_LIMIT_BYTES = 20 * 2**20
ARTIFACT_SUFFIXES = {".json", ".html", ".svg", ".png", ".csv"}


# --- in the stage ----------------------------------------------------------------------------------------


class Run:
    """The MLflow run of this process; without a journal (tracking off, no stage running) it records nothing."""

    def __init__(self, journal: Path | None) -> None:
        self._journal = journal

    def log_metrics(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Add one point to each curve, at once: `tracking.current().log_metrics(step, {"loss": 1.2})`.

        For training loops, once a step. Entries that are not numbers are left out, so the line written to
        metrics.jsonl can be passed as it is. Costs one appended line; never raises for MLflow's sake.
        """
        self._write({"at": "metrics", "step": step, "time": time.time(), "values": numbers_of(metrics)})

    def _write(self, entry: dict[str, Any]) -> None:
        if self._journal is None:
            return
        try:
            with self._journal.open("a") as file:
                file.write(json.dumps(entry, default=str) + "\n")
        except OSError as error:
            log.warning("tracking: %s cannot be written (%s); this run is not in MLflow.", self._journal, error)
            self._journal = None


_current = Run(None)


def current() -> Run:
    """The run of the stage that this process carries out."""
    return _current


@contextlib.contextmanager
def track(
    stage: str, *, experiment: str, labels: list[str], paths: Mapping[str, list[Path]], settings: dict
) -> Iterator[Run]:
    """Record the block as one MLflow run.

    Args:
        stage: name of the script.
        experiment: name of the recipe.
        labels: values that tell runs of one script apart, e.g. the source.
        paths: files and directories by argument. Those written during the block are outputs, the others inputs.
        settings: the whole recipe; the recorder keeps what the stage declares in dvc.yaml.
    """
    global _current
    if os.environ.get("AMT_TRACKING") == "off":
        yield _current
        return
    started = time.time()
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(folder / f"{int(started * 1000)}-{stage}-{os.getpid()}.jsonl")
    except OSError as error:
        log.warning("tracking: %s cannot be created (%s); this run is not in MLflow.", folder, error)
        run = Run(None)
    run._write({
        "at": "start", "time": started, "stage": stage, "labels": labels, "experiment": experiment,
        "paths": {name: [str(path) for path in some] for name, some in paths.items()},
        "settings": settings, "command": ["python", "-m", f"scripts.{stage}", *sys.argv[1:]],
        "dvc_exp": os.environ.get("DVC_EXP_NAME"),
        "pid": os.getpid(), "host": socket.gethostname(), "born": _birth(os.getpid()),
    })  # fmt: skip
    _ensure_recorder(folder)
    _current = run
    status, error = "FAILED", "ended without a result"
    try:
        yield run
        status, error = "FINISHED", None
    except BaseException as raised:
        status = "KILLED" if isinstance(raised, KeyboardInterrupt) else "FAILED"
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        _current = Run(None)
        written = [str(path) for some in paths.values() for path in some if _written_since(path, started)]
        run._write({"at": "end", "time": time.time(), "status": status, "error": error, "written": written})
        _ensure_recorder(folder)


def numbers_of(content: Any, prefix: str = "") -> dict[str, float]:
    """Numeric leaves of nested mappings as {"outer/inner": value}, names as MLflow allows them."""
    if isinstance(content, numbers.Real):
        return {prefix: float(content)}
    if not isinstance(content, Mapping):
        return {}
    found = {}
    for key, value in content.items():
        name = re.sub(r"[^\w\-. /]", "_", str(key))
        found |= numbers_of(value, f"{prefix}/{name}" if prefix else name)
    return found


def _folder() -> Path:
    return Path(placement().scratch).resolve() / "tracking"


def _written_since(path: Path, started: float) -> bool:
    # File systems stamp with the time of the last kernel tick, up to some milliseconds back.
    return path.exists() and path.stat().st_mtime >= started - 0.02


def _birth(pid: int) -> str | None:
    """Start time of a process in clock ticks: with the id it names a process for good (ids are used again)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _ensure_recorder(folder: Path) -> None:
    try:
        with (folder / "recorder.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        with (folder / "recorder.log").open("a") as output:
            # Its own session: a Ctrl-C or the end of this job must not cut off what is being recorded.
            subprocess.Popen(
                [sys.executable, "-m", "amt.tracking"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, cwd=Path.cwd(), env=os.environ | {"PYTHONPATH": _importable()},
            )  # fmt: skip
    except OSError as error:
        log.warning("tracking: no recorder could be started (%s); `python -m amt.tracking` records it later.", error)


def _importable() -> str:
    root = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


# --- after the stages ------------------------------------------------------------------------------------


def flush(timeout: float = 30) -> list[str]:
    """Wait until every ended run is in MLflow; return a line for each that is not.

    Called by the Snakefile when a build ends, so that what `mlflow ui` shows then is complete.
    """
    folder = _folder()
    deadline = time.monotonic() + timeout
    while left := list(folder.glob("*.jsonl")):
        _ensure_recorder(folder)
        if time.monotonic() > deadline or all(journal.with_suffix(".error").exists() for journal in left):
            break
        time.sleep(0.1)
    return [
        f"tracking: {journal.stem} is not in MLflow: {_reason(journal)}. "
        "Its journal is kept; `python -m amt.tracking` tries again."
        for journal in left
    ]


def _reason(journal: Path) -> str:
    try:
        return journal.with_suffix(".error").read_text().strip()
    except OSError:
        return "still being recorded"


# --- the recorder ----------------------------------------------------------------------------------------


def record() -> None:
    """Write journals to MLflow until none has been open for IDLE_SECONDS. At most one a project."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    os.nice(10)
    store = None
    while True:
        with (folder / "recorder.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for mark in folder.glob("*.error"):
                mark.unlink()
            store = store or _Store()
            seen = _follow(folder, store)
        # A stage that saw the lock held between our last look and now has started no recorder of its own.
        if all(seen.get(journal) == journal.stat().st_size for journal in _waiting(folder)):
            return


def _waiting(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl") if not path.with_suffix(".error").exists())


def _follow(folder: Path, store: "_Store") -> dict[Path, int]:
    """Record until nothing has come and no stage has run here for IDLE_SECONDS; {journal left open: bytes read}.

    A stage on another machine may be alive and silent: it starts a recorder again when it ends.
    """
    idle_since = time.monotonic()
    runs: dict[Path, _Recording] = {}
    while time.monotonic() - idle_since < IDLE_SECONDS:
        for journal in _waiting(folder):
            try:
                recording = runs.setdefault(journal, _Recording(journal, store))
                before = recording.offset
                ended = recording.advance()
                if ended or recording.offset > before or recording.is_running_here():
                    idle_since = time.monotonic()
                if ended:
                    journal.unlink()
                    recording.state.unlink(missing_ok=True)
                    del runs[journal]
            except Exception as error:
                runs.pop(journal, None)
                traceback.print_exc()
                journal.with_suffix(".error").write_text(f"{type(error).__name__}: {error}\n")
        sys.stdout.flush()
        time.sleep(POLL_SECONDS)
    return {journal: recording.offset for journal, recording in runs.items()}


class _Store:
    """MLflow, imported once: it takes seconds, and creating the database some more."""

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        import mlflow
        from mlflow import MlflowClient

        self.mlflow = mlflow
        self.is_local = "MLFLOW_TRACKING_URI" not in os.environ
        self.root = Path(os.environ.get("AMT_TRACKING_ROOT", Path.cwd()))
        self.client = MlflowClient(f"sqlite:///{self.root}/mlflow.db" if self.is_local else None)
        self.contents = Contents(Path(".amt/contents.json"))
        self._experiments: dict[str, str] = {}
        self._stages: tuple[int, dict[str, Any]] | None = None

    def experiment(self, name: str) -> str:
        if name not in self._experiments:
            found = self.client.get_experiment_by_name(name)
            location = (self.root / "mlartifacts" / name).as_uri() if self.is_local else None
            self._experiments[name] = found.experiment_id if found else self.client.create_experiment(name, location)
        return self._experiments[name]

    def declared(self, command: list[str]) -> tuple[str | None, dict[str, Any]]:
        """Name and entry of the stage of dvc.yaml with this command, whichever recipe it was given."""
        import yaml

        path = Path("dvc.yaml")
        if not path.exists():
            return None, {}
        changed = path.stat().st_mtime_ns
        if self._stages is None or self._stages[0] != changed:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            stages = yaml.load(path.read_text(), Loader=loader)["stages"]
            self._stages = changed, {_essence(stage["cmd"]): (name, stage) for name, stage in stages.items()}
        return self._stages[1].get(_essence(shlex.join(command)), (None, {}))


def _essence(command: str) -> tuple[str, ...]:
    """A stage's command without the name of the recipe, which a person may add."""
    words = shlex.split(command)
    return tuple(
        word for before, word in zip(["", *words], words, strict=False) if word != "--params" and before != "--params"
    )


def _declared_keys(stage: dict) -> list[str]:
    keys: list[str] = []
    for entry in stage.get("params", []):
        keys += [entry] if isinstance(entry, str) else [key for some in entry.values() for key in some or []]
    return keys


class _Recording:
    """One journal on its way into one MLflow run. `state` lets another recorder go on after a kill."""

    def __init__(self, journal: Path, store: _Store) -> None:
        self.journal = journal
        self.state = journal.with_suffix(".state")
        self.store = store
        self.offset, self.run_id = 0, None
        self.start: dict[str, Any] = {}
        if self.state.exists():
            kept = json.loads(self.state.read_text())
            self.offset, self.run_id = kept["offset"], kept["run_id"]
            with journal.open() as file:
                self.start = json.loads(file.readline())

    def advance(self) -> bool:
        """Record what was added. True when the run has ended, or was killed before its first line: nothing is lost."""
        with self.journal.open("rb") as file:
            file.seek(self.offset)
            added = file.read()
        lines = added[: added.rfind(b"\n") + 1]
        entries = [json.loads(line) for line in lines.splitlines()]
        points = []
        ended = False
        for entry in entries:
            if entry["at"] == "start":
                self._begin(entry)
            elif entry["at"] == "metrics":
                points += self._points(entry["values"], entry["time"], entry["step"])
            else:
                points += self._end(entry)
                ended = True
        self._log_points(points)
        if ended:
            self.store.client.set_terminated(self.run_id, entries[-1]["status"], _milliseconds(entries[-1]["time"]))
            return True
        if lines:
            self.offset += len(lines)
            self.state.write_text(json.dumps({"offset": self.offset, "run_id": self.run_id}))
        elif not self.start:
            return time.time() - self.journal.stat().st_mtime > STILLBORN_SECONDS
        elif self._ran_here() and not self.is_running_here():
            self.store.client.set_tag(self.run_id, "error", "the process was killed")
            self.store.client.set_terminated(self.run_id, "KILLED")
            return True
        return False

    def _ran_here(self) -> bool:
        return bool(self.start) and self.start["host"] == socket.gethostname()

    def is_running_here(self) -> bool:
        return self._ran_here() and _birth(self.start["pid"]) == self.start["born"]

    def _begin(self, entry: dict[str, Any]) -> None:
        self.start = entry
        name, declared = self.store.declared(entry["command"])
        code = [path for path in declared.get("deps", []) if path.startswith(".amt/code/") and Path(path).is_file()]
        tags = {
            "mlflow.source.name": f"scripts/{entry['stage']}.py",
            "mlflow.source.type": "LOCAL",
            "mlflow.user": os.environ.get("USER", str(os.getuid())),
            "stage": entry["stage"],
            "command": shlex.join(entry["command"])[:5000],
        }
        if commit := _git_commit():
            tags["mlflow.source.git.commit"] = commit
        if entry.get("dvc_exp"):
            tags["dvc.exp"] = entry["dvc_exp"]
        if name:
            tags["amt.stage"] = name
            tags["amt.params"] = params_digest(_declared_values(entry["settings"], _declared_keys(declared)))
        if code:
            tags["amt.code"] = self.store.contents.of(code[0]).md5
        run = self.store.client.create_run(
            self.store.experiment(entry["experiment"]),
            start_time=_milliseconds(entry["time"]),
            run_name=name or "-".join([entry["stage"], *entry["labels"]]),
            tags=tags,
        )
        self.run_id = run.info.run_id

    def _end(self, entry: dict[str, Any]) -> list:
        client, entities = self.store.client, self.store.mlflow.entities
        written = set(entry["written"])
        _, declared = self.store.declared(self.start["command"])
        settings = flat_settings(self.start["settings"], _declared_keys(declared) if declared else None)
        tags = {"error": entry["error"][:5000]} if entry["error"] else {}
        inputs = []
        digests = {}
        for argument, paths in self.start["paths"].items():
            for path in paths:
                if path in written or not Path(path).exists():
                    continue
                content = self.store.contents.of(path)
                digests[path] = content.md5
                dataset = entities.Dataset(name=path[-500:], digest=content.md5, source_type="local", source=path)
                inputs.append(entities.DatasetInput(dataset, [entities.InputTag("mlflow.data.context", argument)]))
        tags["amt.inputs"] = inputs_digest(digests)
        client.log_batch(
            self.run_id,
            params=[entities.Param(key, value) for key, value in settings.items()][:1000],
            tags=[entities.RunTag(key, value) for key, value in tags.items()],
        )
        if inputs:
            client.log_inputs(self.run_id, datasets=inputs)
        points = self._points({"wall_seconds": entry["time"] - self.start["time"]}, entry["time"], 0)
        for path in sorted(written):
            points += self._output(Path(path), entry["time"])
        return points

    def _output(self, path: Path, when: float) -> list:
        """Small readable outputs become artifacts; the numbers of reports become metrics."""
        points = []
        found = [path] if path.is_file() else [path / "report.json", path / "metrics.jsonl", *sorted(path.glob("*.*"))]
        for file in dict.fromkeys(found):
            readable = file.suffix in ARTIFACT_SUFFIXES or file.name == "metrics.jsonl"
            if not readable or not file.is_file() or file.stat().st_size > ARTIFACT_LIMIT_BYTES:
                continue
            self.store.client.log_artifact(self.run_id, str(file), None if path.is_file() else path.name)
            if file.suffix == ".json" and (path.is_file() or file.name == "report.json"):
                values = dict(list(numbers_of(json.loads(file.read_text())).items())[:500])
                points += self._points(values, when, 0)
        return points

    def _points(self, values: dict[str, float], when: float, step: int) -> list:
        metric = self.store.mlflow.entities.Metric
        return [metric(key[:250], value, _milliseconds(when), step) for key, value in values.items()]

    def _log_points(self, points: list) -> None:
        for first in range(0, len(points), 1000):
            self.store.client.log_batch(self.run_id, metrics=points[first : first + 1000])


# --- what a run was made of ------------------------------------------------------------------------------


def params_digest(values: Mapping[str, Any]) -> str:
    """Digest of settings by dotted key, equal where they are equal to Python and DVC: 1 and 1.0 are one value."""
    return hashlib.md5(json.dumps(_plain(values), sort_keys=True).encode()).hexdigest()


def inputs_digest(digests: Mapping[str, str]) -> str:
    """Digest of what a stage reads: MD5 by path, as dvc.lock has them."""
    return hashlib.md5(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _declared_values(settings: dict, keys: list[str]) -> dict[str, Any]:
    values = {}
    for key in keys:
        value: Any = settings
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        values[key] = value
    return values


@dataclass(frozen=True)
class RecordedRun:
    """A run in MLflow, as `amt runs` lists it."""

    run_id: str
    experiment: str
    status: str
    started: float
    """Seconds since 1970."""
    seconds: float | None
    tags: dict[str, str]
    metrics: dict[str, float]


def runs_of(stage: str) -> list[RecordedRun]:
    """All runs of a stage of dvc.yaml, newest first; none where nothing was recorded yet."""
    if "MLFLOW_TRACKING_URI" not in os.environ and not Path("mlflow.db").exists():
        return []
    client = _Store().client
    names = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    found = client.search_runs(
        list(names), f"tags.`amt.stage` = '{stage}'", order_by=["attributes.start_time DESC"], max_results=1000
    )
    return [
        RecordedRun(
            run_id=run.info.run_id,
            experiment=names[run.info.experiment_id],
            status=run.info.status,
            started=run.info.start_time / 1000,
            seconds=(run.info.end_time - run.info.start_time) / 1000 if run.info.end_time else None,
            tags=dict(run.data.tags),
            metrics=dict(run.data.metrics),
        )
        for run in found
    ]


def flat_settings(settings: dict, keys: list[str] | None) -> dict[str, str]:
    """{"sft.learning_rate": "0.002"} of the sections named by `keys`; all of them without keys."""
    found: dict[str, str] = {}

    def collect(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                collect(f"{prefix}.{key}" if prefix else key, inner)
        else:
            found[prefix[:250]] = (value if isinstance(value, str) else json.dumps(value))[:5900]

    for key in keys if keys is not None else settings:
        value = settings
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        collect(key, value)
    return found


def _git_commit() -> str | None:
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    except FileNotFoundError:  # no git here
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


if __name__ == "__main__":
    record()
