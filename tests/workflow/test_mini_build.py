"""The whole flow, small, with the real trainer, servers, sandbox, DVC and MLflow: built once, asked by every test."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pyarrow.parquet as pq
import pytest
import yaml

from amt.flow.chain import check_chain
from amt.flow.funnel import count
from amt.flow.ledgers import Ledgers, find_ledgers
from amt.rows import read_rows
from tests.workflow.conftest import Workplace, copy_of_project, make_small

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Workplace:
    workplace = copy_of_project(tmp_path_factory.mktemp("mini") / "project")
    make_small(workplace, shards=2)
    done = workplace.call("python", "-m", "scripts.run", timeout=1700, AMT_TRACKING="on")
    assert done.returncode == 0, done.stdout
    workplace.write("logs/run.txt", done.stdout)
    return workplace


@pytest.fixture(scope="session")
def reproduced(built, tmp_path_factory) -> Workplace:
    """What another user gets who clones the project and types `dvc repro`: no artifact, no lock, no cache."""
    clone = built.clone(tmp_path_factory.mktemp("reproduced") / "project")
    assert not (clone.path / "dvc.lock").exists()
    done = clone.call("dvc", "repro", timeout=1700)
    assert done.returncode == 0, done.stdout
    return clone


@pytest.fixture
def copy_of_built(built, tmp_path) -> Workplace:
    """What was built, to be spoilt: links into the first one's cache, which holds every artifact write-protected."""
    shutil.copytree(
        built.path, tmp_path / "project", symlinks=True, ignore=shutil.ignore_patterns("cache", "mlflow.db")
    )
    return Workplace(tmp_path / "project")


def test_it_ends_with_one_line_of_figures(built):
    *_, report, runs, closing = built.read("logs/run.txt").splitlines()
    assert report == "report: reports/index.html"
    assert runs.endswith("mlflow ui")
    number = r"(-?\d+(?:\.\d+)?)"
    pattern = (
        rf"run: wall_s={number} peak_gb={number} rows_in={number} rows_sft={number} "
        rf"base={number} sft={number} rl1={number} rl2={number} gain={number} ci95=\[{number},{number}\]"
    )
    found = re.fullmatch(pattern, closing)
    assert found, closing
    _, peak_gb, rows_in, rows_sft, base, sft, rl1, rl2, gain, low, high = map(float, found.groups())
    raw = sum(pq.read_metadata(path).num_rows for path in built.path.glob("data/raw/*/rows.parquet"))
    assert rows_in == raw
    assert rows_sft > 0
    assert all(0 <= rate <= 1 for rate in (base, sft, rl1, rl2))
    assert gain == pytest.approx(rl2 - sft, abs=2e-4)
    assert low <= gain <= high
    assert peak_gb < 12


def test_every_job_was_told_of_while_it_ran(built):
    done = re.findall(r"\[ *\d+/(\d+)\] done", built.read("logs/run.txt"))
    assert len(done) == int(done[0]) > 30


def test_every_row_is_accounted_for_from_the_raw_file_to_the_checkpoints(built):
    ledgers = Ledgers(find_ledgers(built.path))
    check_chain(ledgers)  # as the report did, too
    collected, *_, last = count(ledgers).by_stage()
    raw = sum(pq.read_metadata(path).num_rows for path in built.path.glob("data/raw/*/rows.parquet"))
    assert (collected.stage, collected.rows_in, last.stage) == ("queries", raw, "grpo_2")
    files = list(built.path.glob("data/queries/*/*/queries.parquet"))
    assert {len(list(path.parent.parent.iterdir())) for path in files} == {1, 2}  # one source lies in two shards
    assert collected.kept == sum(pq.read_metadata(path).num_rows for path in files)


def test_a_row_is_traced_from_the_raw_file_to_reinforcement_learning(built):
    used = [line for line in read_rows(built.path / "models/rl1/ledger.parquet") if line["outcome"] == "used"]
    row_id, source = used[0]["row_id"], used[0]["source"]
    *life, in_short = built.do("amt", "trace", row_id).splitlines()
    assert life[0] == row_id
    told = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in life[1:] if not line.startswith("  response "))
    assert re.fullmatch(rf"came in; row \d+ \(from 0\) of data/raw/{source}/, .+", told["collect"])
    assert told["unique"] == told["clean"] == told["decontaminate"] == "kept"
    assert re.fullmatch(r"kept \(\d of 6 passed\)", told["pass rates"])
    steps = json.loads(used[0]["detail"])["steps"]
    assert told["RL stage 1"].startswith(f"used in step{'s' * (len(steps) > 1)} {steps[0]} (mean reward ")
    journal = read_rows(built.path / f"models/rl1/rollouts/step_{steps[0]:04d}.parquet")
    assert row_id in {line["row_id"] for line in journal}
    assert f"used in {len(steps)} step{'s' * (len(steps) > 1)} of RL stage 1" in in_short


def test_a_response_is_traced_to_its_packed_sequence_and_its_steps(built):
    packed = next(line for line in read_rows(built.path / "data/sft/ledger.parquet") if line["outcome"] == "packed")
    told = built.do("amt", "trace", packed["row_id"])
    ((pack, place),) = json.loads(packed["detail"])["packs"]
    assert f"packed into sequence {pack} (place {place})" in told
    assert re.search(r"SFT +used in steps \d+, \d+\n", told)  # once an epoch
    row_id = packed["row_id"].partition("/")[0]
    near = built.call("amt", "trace", row_id[:-1] + "x")
    assert near.returncode == 1
    assert re.search(rf"^error: no ledger knows {row_id[:-1]}x\. Near it: {row_id}", near.stdout, re.MULTILINE)


def test_the_funnel_is_told_and_drawn(built):
    raw = {path.parent.name: pq.read_metadata(path).num_rows for path in built.path.glob("data/raw/*/rows.parquet")}
    header, *lines = built.do("amt", "funnel", "--by", "source", "--out", "logs/funnel.png").splitlines()
    assert header.split()[:2] == ["source", "rows"]
    rows = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in lines}
    assert rows == raw | {"all": sum(raw.values())}
    assert (built.path / "logs/funnel.png").read_bytes().startswith(b"\x89PNG")
    by_category = built.do("amt", "funnel", "--by", "category").splitlines()
    assert [line.split()[0] for line in by_category[1:-1]] == [
        "code", "general_chat", "instruction_follow", "math", "science",
    ]  # fmt: skip


def test_dvc_repro_builds_the_same_artifacts_byte_by_byte(built, reproduced):
    by_snakemake, by_dvc = (yaml.safe_load(place.read("dvc.lock"))["stages"] for place in (built, reproduced))
    assert by_snakemake.keys() == by_dvc.keys()
    different = [
        out["path"]
        for name, stage in by_snakemake.items()
        for out, other in zip(stage["outs"], by_dvc[name]["outs"], strict=True)
        if out != other
    ]
    assert different == []
    assert by_snakemake == by_dvc  # commands, dependencies and settings too


def test_the_report_is_a_file_of_its_own(built, reproduced):
    # A browser follows a link into the cache, where files have no names that say they are pages.
    for place in (built, reproduced):
        page = place.path / "reports" / "index.html"
        assert not page.is_symlink()
        assert "<!doctype html>" in page.read_text()[:100].lower()


def test_nothing_is_left_to_do_in_either_tool(built):
    assert "Nothing to be done" in built.do("snakemake")
    assert "Data and pipelines are up to date." in built.do("dvc", "status")
    assert "Data and pipelines are up to date." in built.do("dvc", "repro")


def test_a_second_run_says_so_and_ends_with_the_same_figures(built):
    again = built.do("python", "-m", "scripts.run").splitlines()
    assert "Nothing to be done: everything is up to date." in again
    first = built.read("logs/run.txt").splitlines()[-1]
    assert again[-1].split(" rows_in=")[1] == first.split(" rows_in=")[1]


def test_another_sft_learning_rate_plans_sft_and_what_follows_only(copy_of_built):
    recipe = copy_of_built.read("params.yaml")
    (rate,) = re.findall(r"^sft:\n  learning_rate: (\S+)$", recipe, re.MULTILINE)
    copy_of_built.edit("params.yaml", f"sft:\n  learning_rate: {rate}", "sft:\n  learning_rate: 0.0015")
    plan = copy_of_built.do("snakemake", "-n")
    planned = set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE))
    assert planned == {
        "sft", "sft_curve", "pass_rates", "rl_set_1", "grpo_1", "rl_set_2", "grpo_2", "evaluate", "report", "all",
    }  # fmt: skip
    evaluated = re.findall(r"output: eval/(\w+)/generations", plan)
    assert sorted(evaluated) == ["rl1", "rl2", "sft"]


def test_every_stage_is_a_run_in_mlflow(built):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{built.path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("mini").experiment_id], max_results=1000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    stages = yaml.safe_load(built.read("dvc.yaml"))["stages"]
    assert sorted(run.info.run_name for run in runs) == sorted(stages)
    by_name = {run.info.run_name: run for run in runs}
    sft = by_name["sft"]
    assert "sft.learning_rate" in sft.data.params
    assert not any(key.startswith("curate.") for key in sft.data.params)
    assert len(client.get_metric_history(sft.info.run_id, "loss")) > 1
    lock = yaml.safe_load(built.read("dvc.lock"))["stages"]
    for name, run in by_name.items():
        recorded = {dep["path"]: dep["md5"] for dep in lock[name].get("deps", [])}
        (code,) = (path for path in recorded if path.startswith(".amt/code/"))
        assert run.data.tags["amt.code"] == recorded.pop(code), name
        assert {entry.dataset.name: entry.dataset.digest for entry in run.inputs.dataset_inputs} == recorded, name
    assert "index.html" in {item.path for item in client.list_artifacts(by_name["report"].info.run_id)}


def test_the_runs_behind_an_artifact_are_found(built):
    (line,) = (line for line in built.do("amt", "runs", "models/sft").splitlines() if not line.startswith("sft:"))
    assert line.startswith("= ")
    assert line.endswith("made this")
    for stage in ("unique", "raw-metamathqa", "report"):
        assert "made this" in built.do("amt", "runs", stage)


def test_a_spoilt_artifact_is_not_used_but_restored(copy_of_built):
    spoilt = copy_of_built.path / "data/queries/metamathqa/1/queries.parquet"
    content = spoilt.read_bytes()
    spoilt.unlink()
    spoilt.write_bytes(content[: len(content) // 2])
    copy_of_built.do("snakemake", "data/curated/unique/0/queries.parquet")
    assert spoilt.read_bytes() == content


def test_a_corrupt_file_of_rows_is_named_and_nothing_half_made_is_left(copy_of_built):
    rows = copy_of_built.path / "amt/sources/samples/metamathqa.jsonl"
    content = rows.read_bytes()
    rows.write_bytes(content[:2000])  # in the middle of a row
    target = "data/raw/metamathqa/rows.parquet"
    done = copy_of_built.call("snakemake", target)
    assert done.returncode != 0
    said = copy_of_built.read("logs/raw/metamathqa.log")
    assert re.search(r"^error: .*samples/metamathqa\.jsonl", said, re.MULTILINE), said
    assert "Traceback" not in said
    assert not (copy_of_built.path / target).exists()
    rows.write_bytes(content)
    copy_of_built.do("snakemake", target)
    assert (copy_of_built.path / target).exists()


def test_a_full_disk_is_named_and_nothing_half_made_is_left(copy_of_built):
    target = "data/curated/clean/openr1_math_220k/0/queries.parquet"
    (copy_of_built.path / target).unlink()
    # A disk of 20 kB in the place of data/curated, for this one command.
    small_disk = ("bwrap", "--dev-bind", "/", "/", "--size", "20000", "--tmpfs", f"{copy_of_built.path}/data/curated")
    done = copy_of_built.call(
        *small_disk, "sh", "-c", f"snakemake {target}; status=$?; find data/curated -type f; exit $status"
    )
    assert done.returncode != 0
    assert "data/curated/clean" not in done.stdout.splitlines()[-1]
    said = copy_of_built.read("logs/curate/clean.openr1_math_220k.0.log")
    assert re.search(r"^error: no space is left: .*\n.*/data/curated.*: 0\.\d MB free", said, re.MULTILINE), said
    assert "Traceback" not in said
    copy_of_built.do("snakemake", target)
    assert (copy_of_built.path / target).exists()


def test_an_endpoint_that_is_down_is_named_and_the_next_run_goes_on(copy_of_built):
    target = "data/responses/generated/0/responses.parquet"
    copy_of_built.edit("params.yaml", "model: standin/deepseek-r1", "model: acme/teacher")
    copy_of_built.write(
        "placement.yaml", "endpoint_attempts: 2\nendpoints: {teacher: 'http://127.0.0.1:9/v1'}\n"
    )  # port 9 is reserved for the discard service
    done = copy_of_built.call("snakemake", target, AMT_PLACEMENT="placement.yaml")
    assert done.returncode != 0
    said = copy_of_built.read("logs/curate/verify_math.0.log")
    assert re.search(
        r"^error: acme/teacher at http://127\.0\.0\.1:9/v1 did not answer .* in 2 attempts", said, re.MULTILINE
    )
    assert "endpoints.teacher" in said
    assert not (copy_of_built.path / "data/curated/verified/0/queries.parquet").exists()
    copy_of_built.edit("params.yaml", "model: acme/teacher", "model: standin/deepseek-r1")
    copy_of_built.do("snakemake", target)
    assert (copy_of_built.path / target).exists()


def test_a_killed_job_leaves_no_output_and_the_next_run_goes_on(copy_of_built):
    model = copy_of_built.path / "models/base"
    shutil.rmtree(model)
    (copy_of_built.path / "logs/models/base_model.log").unlink()
    process = subprocess.Popen(
        ["snakemake", "models/base"], cwd=copy_of_built.path, env=copy_of_built.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    log = copy_of_built.path / "logs/models/base_model.log"
    deadline = time.monotonic() + 300
    while not log.exists() or "step" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not model.exists() or not any(model.iterdir())
    plan = copy_of_built.do("snakemake", "-n", "models/base")
    assert set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE)) == {"base_model"}


def test_a_run_in_the_background_can_be_stopped_and_loses_nothing(copy_of_built):
    shutil.rmtree(copy_of_built.path / "models/base")
    log = copy_of_built.path / "logs/models/base_model.log"
    log.unlink()
    said = copy_of_built.path / "said.txt"
    with said.open("w") as output:
        # A shell starts a command behind which stands `&` with SIGINT ignored.
        run = subprocess.Popen(
            ["sh", "-c", "trap '' INT; exec python -m scripts.run"], cwd=copy_of_built.path,
            env=copy_of_built.environment(), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 300
    while not log.exists() or "step" not in log.read_text():
        assert run.poll() is None, said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    run.terminate()
    assert run.wait(120) == 130
    assert "`make run` goes on from here" in said.read_text()
    assert not list(copy_of_built.path.glob("models/base/*"))
    plan = copy_of_built.do("snakemake", "-n", "models/base")
    assert set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE)) == {"base_model"}


@pytest.mark.parametrize("wrong", ["parms=recipes/am-thinking-v1-32b.yaml", "params=", "params=recipes"])
def test_a_mistyped_recipe_is_not_taken_for_the_shipped_one(copy_of_built, wrong):
    done = copy_of_built.call("snakemake", "-n", "--config", wrong)
    assert done.returncode != 0
    assert wrong.partition("=")[0] in done.stdout
    assert "rule " not in done.stdout


def test_a_faulty_setting_fails_before_any_job_and_is_named(copy_of_built):
    copy_of_built.edit("params.yaml", "  warmup: ", "  epoch: 1\n  warmup: 1")
    done = copy_of_built.call("snakemake")
    assert done.returncode != 0
    assert "sft.epoch: unknown key" in done.stdout
    assert "sft.warmup: Input should be less than or equal to 1 (given: 10.05)" in done.stdout
    assert "rule " not in done.stdout
