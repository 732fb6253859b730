"""What a stage leaves in MLflow: a real script, a real store, read back with MLflow's own client."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amt.contents import Contents
from amt.tracking import flat_settings, numbers_of

PROJECT = Path(__file__).resolve().parents[1]

STAGE = '''
"""A training stage in miniature."""
from pathlib import Path
import json, time
from scripts.entry import run_stage, stage_parser
from amt import tracking
from amt.errors import DataError

def main(args, recipe):
    for step in range(3):
        tracking.current().log_metrics(step, {"loss": 1.0 / (step + 1), "note": "text"})
    while args.how == "hang":
        time.sleep(0.05)
    if args.how == "fail":
        raise DataError("rows are missing")
    args.model.mkdir()
    (args.model / "weights.bin").write_text("w")
    (args.model / "report.json").write_text(json.dumps({"rows_in": 4, "dropped": {"url": 3}, "name": "x"}))
    Path(args.page).write_text("<p>")

parser = stage_parser("miniature", __doc__)
parser.add_argument("--how")
for name in ("--rows", "--model", "--page"):
    parser.add_argument(name, type=Path)
run_stage(parser, main)
'''

DVC_YAML = """
stages:
  miniature-ok:
    cmd: python -m scripts.miniature --how ok --rows rows.txt --model model --page page.html
    params:
    - sft.learning_rate
    - curate.clean
"""


class Place:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "scripts").mkdir()
        (path / "scripts" / "__init__.py").touch()
        (path / "scripts" / "entry.py").write_text((PROJECT / "scripts" / "entry.py").read_text())
        (path / "scripts" / "miniature.py").write_text(STAGE)
        (path / "rows.txt").write_text("rows")
        (path / "dvc.yaml").write_text(DVC_YAML)
        self.environment = os.environ | {"AMT_TRACKING": "on", "PYTHONPATH": f"{path}:{PROJECT}"}

    def start(self, how: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "scripts.miniature", "--params", str(PROJECT / "params.yaml"), "--how", how]
        command += ["--rows", "rows.txt", "--model", "model", "--page", "page.html"]
        return subprocess.Popen(command, cwd=self.path, env=self.environment | environment, stderr=subprocess.PIPE)

    def journals(self) -> list[str]:
        return [journal.read_text() for journal in self.path.glob("scratch/tracking/*.jsonl")]

    def flush(self, **environment: str) -> list[str]:
        code = "import json; from amt.tracking import flush; print(json.dumps(flush(500)))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.path,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout)

    def runs(self) -> dict:
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.path}/mlflow.db")
        found = client.search_runs([client.get_experiment_by_name("laptop").experiment_id])
        return {run.info.run_name: (run, client) for run in found}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_runs_hold_settings_data_curves_and_reports(place):
    """Two stages at once that create the store, one that fails and one that is killed."""
    hanging = place.start("hang")
    stages = [place.start("ok"), place.start("fail"), hanging]
    assert [stage.wait() for stage in stages[:2]] == [0, 1]
    while not any('"hang"' in text and '"step": 2' in text for text in place.journals()):
        assert hanging.poll() is None
        time.sleep(0.05)
    hanging.send_signal(signal.SIGKILL)
    hanging.wait()
    for stage in stages:
        stage.stderr.close()
    assert place.flush() == []

    runs = place.runs()
    assert {name: run.info.status for name, (run, _) in runs.items()} == {
        "miniature-ok": "FINISHED",
        "miniature-fail": "FAILED",
        "miniature-hang": "KILLED",
    }
    run, client = runs["miniature-ok"]
    assert run.data.params == {
        "sft.learning_rate": run.data.params["sft.learning_rate"],
        "curate.clean.asy_is_image": "false",
        "curate.clean.languages": "null",
        "curate.clean.language_confidence": "0.5",
    }
    assert run.data.metrics["rows_in"] == 4
    assert run.data.metrics["dropped/url"] == 3
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    used = [(entry.dataset.name, entry.dataset.digest) for entry in run.inputs.dataset_inputs]
    assert used == [("rows.txt", hashlib.md5(b"rows").hexdigest())]
    stored = {item.path for item in client.list_artifacts(run.info.run_id)}
    stored |= {item.path for item in client.list_artifacts(run.info.run_id, "model")}
    assert stored == {"page.html", "model", "model/report.json"}
    assert runs["miniature-fail"][0].data.tags["error"] == "DataError: rows are missing"


def test_a_store_that_is_down_costs_no_stage_and_loses_nothing(place):
    down = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    stage = place.start("ok", **down)
    assert stage.wait() == 0
    stage.stderr.close()
    (warning,) = place.flush(**down)
    assert "is not in MLflow" in warning
    assert "python -m amt.tracking" in warning
    # That recorder ends by itself; the next one tries again, here with the store that stands in the project.
    while place.flush():
        time.sleep(0.5)
    assert list(place.runs()) == ["miniature-ok"]


def test_a_recorder_waits_neither_for_a_stage_that_died_at_birth_nor_for_another_machine(place):
    folder = place.path / "scratch" / "tracking"
    folder.mkdir(parents=True)
    stillborn, remote = folder / "1-a-1.jsonl", folder / "2-b-2.jsonl"
    stillborn.write_text('{"at": "sta')
    os.utime(stillborn, (0, 0))
    start = {
        "at": "start", "time": 1.0, "stage": "b", "labels": [], "experiment": "laptop", "paths": {}, "settings": {},
        "command": ["python", "-m", "scripts.b"], "pid": 2, "host": "elsewhere", "born": "1",
    }  # fmt: skip
    remote.write_text(json.dumps(start) + "\n")
    command = [sys.executable, "-m", "amt.tracking"]
    assert subprocess.run(command, cwd=place.path, env=place.environment).returncode == 0
    assert not stillborn.exists()
    assert remote.exists()
    assert {name: run.info.status for name, (run, _) in place.runs().items()} == {"b": "RUNNING"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": 1, "b": {"c (x)": True, "d": "no", "e": [1]}}, {"a": 1.0, "b/c _x_": 1.0}),
        ({}, {}),
    ],
)
def test_numbers_of(content, expected):
    assert numbers_of(content) == expected


def test_flat_settings_of_declared_sections():
    settings = {"sft": {"rate": 0.5, "list": [1]}, "seed": 3}
    assert flat_settings(settings, ["sft"]) == {"sft.rate": "0.5", "sft.list": "[1]"}
    assert flat_settings(settings, None) == {"sft.rate": "0.5", "sft.list": "[1]", "seed": "3"}


def test_digests_are_those_of_dvc(tmp_path, monkeypatch):
    """A directory as DVC writes it: MD5 of the list of its files. Recorded with dvc 3.67.1 for this content."""
    (tmp_path / "d" / "in").mkdir(parents=True)
    (tmp_path / "d" / "a.txt").write_text("1")
    (tmp_path / "d" / "in" / "b.txt").write_text("2")
    (tmp_path / "d" / ".snakemake_timestamp").touch()
    (tmp_path / ".dvcignore").write_text(".snakemake_timestamp\n")
    monkeypatch.chdir(tmp_path)
    assert Contents().of(tmp_path / "d" / "a.txt").md5 == "c4ca4238a0b923820dcc509a6f75849b"
    assert Contents().of(tmp_path / "d").md5 == "874382ca74efa81f5b613013ce629e89.dir"
