"""Builds that fail, are killed, or see their inputs edited: nothing is lost, nothing wrong is recorded."""

import contextlib
import os
import re
import shutil
import signal
from pathlib import Path

import psutil
import pytest
import yaml

from tests.workflow.asking import STAGES, TOOLS, assert_nothing_to_do, built, planned, ran, recorded, running

# --- failed and killed ---------------------------------------------------------------------------------


def test_a_failed_build_records_what_finished_and_nothing_else(toy):
    toy.write("fail-model", "")
    failed = toy.call("snakemake")
    assert failed.returncode != 0
    assert "Error in rule model" in failed.stdout
    assert recorded(toy) == ["word-a", "word-b"]
    (toy.path / "fail-model").unlink()
    ran(toy)
    toy.do("snakemake")
    assert ran(toy) == ["model", "sum"]
    assert_nothing_to_do(toy)


def test_a_failed_rebuild_is_not_forgotten(toy):
    """Snakemake by itself would find the old end product, forgive the missing model and do nothing."""
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    toy.write("fail-model", "")
    assert toy.call("snakemake").returncode != 0
    (toy.path / "fail-model").unlink()
    ran(toy)
    assert planned(toy) == ["model", "sum"]
    toy.do("snakemake")
    assert ran(toy) == ["model", "sum"]
    assert toy.read("reports/sum.json") == '{"sum": 270}'
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("then", TOOLS)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("tool", TOOLS)
def test_after_a_kill_either_tool_goes_on_from_what_finished(toy, tool, how, then):
    with running(toy, *TOOLS[tool], stage="sum") as process:
        if how is signal.SIGKILL:
            os.killpg(process.pid, how)
        else:  # Snakemake waits for its jobs, which are held up until we leave
            process.send_signal(how)
    assert {"model", "word-a", "word-b"} <= set(ran(toy))
    toy.do(*TOOLS[then])
    assert set(ran(toy)) <= {"sum"}
    assert recorded(toy) == STAGES
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


def jobs(toy, module: str) -> list[list[str]]:
    """Commands of this toy that run a module just now; other tests run toys of their own beside it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:3] == ["python", "-m", module] and Path(process.cwd()).is_relative_to(toy.path):
                found.append(process.cmdline())
    return found


@pytest.mark.parametrize("then", TOOLS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_job_that_outlives_its_killed_build_is_ended_before_another_runs(toy, tool, then):
    """Two would write one output, or one of them through a link into the cache."""
    with running(toy, *TOOLS[tool], stage="model") as process:
        process.kill()  # it alone; its job is held up
        process.wait()
        ran(toy)
        with running(toy, *TOOLS[then], stage="model"):
            assert "of a build that was killed" in toy.read("said")
            assert len(jobs(toy, "scripts.model")) == 1
        toy.write("wait-model", "")  # for the outer one to take away
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("ask", [("dvc", "status"), ("amt", "commit")])
def test_what_a_killed_build_finished_is_recorded_by_the_next_command(toy, ask):
    with running(toy, "snakemake", stage="sum") as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert recorded(toy) == []
    toy.do(*ask)
    assert recorded(toy) == ["model", "word-a", "word-b"]


def test_without_any_record_nothing_is_taken_for_built(toy):
    built(toy)
    for path in (".snakemake", ".amt", ".dvc/cache/runs"):
        shutil.rmtree(toy.path / path)
    (toy.path / "dvc.lock").unlink()
    assert planned(toy) == ["model", "sum", "word", "word"]
    assert "it was never built here" in toy.do("snakemake", "-n")


def test_a_lost_lock_is_written_again_from_the_run_cache(toy):
    built(toy)
    before = yaml.safe_load(toy.read("dvc.lock"))
    (toy.path / "dvc.lock").unlink()
    toy.do("snakemake")
    assert ran(toy) == []
    assert yaml.safe_load(toy.read("dvc.lock")) == before


@pytest.mark.parametrize("tool", TOOLS)
def test_a_copy_of_the_code_that_a_power_cut_emptied_is_laid_down_again(toy, tool):
    built(toy)
    copied = [path for path in (toy.path / ".amt/pins").rglob("*.py") if path.stat().st_size]
    assert any(path.name == "measure.py" for path in copied)
    for path in copied:
        path.write_text("")
    shutil.rmtree(toy.path / ".dvc/cache")
    toy.do(*TOOLS[tool])
    assert ran(toy) == STAGES
    assert toy.read("reports/sum.json") == '{"sum": 180}'


# --- while a build runs --------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_settings_and_code_edited_while_a_build_runs_change_nothing_of_it(toy, tool):
    with running(toy, *TOOLS[tool], stage="word-a"):
        toy.edit("params.yaml", "rate: 2", "rate: 3")
        toy.edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths) + 1")
        assert "judged as they were when it started" in toy.call("dvc", "status").stdout
        toy.call("amt", "why", "--all")
    assert ran(toy) == STAGES
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    lock = yaml.safe_load(toy.read("dvc.lock"))["stages"]
    assert lock["model"]["params"] == {"params.yaml": {"rate": 2}}
    assert planned(toy) == ["model", "sum"]
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    toy.edit("scripts/measure.py", "return sum(lengths) + 1", "return sum(lengths)")
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("other", TOOLS)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_second_build_is_refused_while_one_runs(toy, tool, other):
    with running(toy, *TOOLS[tool], stage="model"):
        done = toy.call(*TOOLS[other])
        assert done.returncode != 0
        assert "a build runs here already" in done.stdout or "cannot be locked" in done.stdout, done.stdout
    assert ran(toy) == STAGES
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_an_input_that_changes_while_its_stage_runs_is_not_recorded(toy, tool):
    with running(toy, *TOOLS[tool], stage="model"):
        (toy.path / "data/a.txt").unlink()  # a link into the cache under DVC
        (toy.path / "data/a.txt").write_text("changed")
    assert re.search("an input of model changed while it ran|data/a.txt changed while model ran", toy.read("said"))
    assert "model" not in recorded(toy)
    toy.do(*TOOLS[tool])
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_program_that_is_edited_while_its_stage_runs_is_not_recorded(toy, tool):
    """It is run by its path, so the copy of the build's start does not help."""
    toy.write("scripts/model.sh", 'python -m scripts.model "$@"\n')
    toy.edit("Snakefile", "python -m scripts.model", "bash scripts/model.sh")
    with running(toy, *TOOLS[tool], stage="model"):
        toy.write("scripts/model.sh", 'python -m scripts.model "$@"\ntrue\n')
    assert re.search("model changed while it ran|.amt/code/models/m.txt changed while model ran", toy.read("said"))
    assert "model" not in recorded(toy)
    toy.do(*TOOLS[tool])
    ran(toy)
    assert_nothing_to_do(toy)


def test_what_a_killed_build_finished_is_kept_though_its_rule_was_changed_meanwhile(toy):
    with running(toy, "snakemake", stage="sum") as process:
        os.killpg(process.pid, signal.SIGKILL)
    toy.edit("Snakefile", "python -m scripts.model", "python -u -m scripts.model")
    assert "model did not run as dvc.yaml describes it now: what it made is kept in the cache" in toy.do(
        "dvc", "status"
    )
    toy.edit("Snakefile", "python -u -m scripts.model", "python -m scripts.model")
    ran(toy)
    toy.do("snakemake")
    assert ran(toy) == ["sum"]
    assert_nothing_to_do(toy)
