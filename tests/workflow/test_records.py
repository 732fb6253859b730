"""What is recorded, and where: partial targets, recipes, experiments, and the command `amt`."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.workflow.asking import CLEAN, TOOLS, assert_nothing_to_do, built, files, planned, ran, recorded, running

# --- what is recorded, and where -----------------------------------------------------------------------


def test_a_partial_target_is_recorded_as_no_more_than_it_is(toy):
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake", "data/a.txt", "models/m")
    status = toy.do("dvc", "status")
    assert "model:" not in status
    assert "sum:" in status
    toy.do("snakemake")
    assert_nothing_to_do(toy)


def test_a_dry_run_changes_no_file(toy):
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    (toy.path / "data/a.txt").unlink()
    toy.edit("Snakefile", '    params:\n        **reads("scale")', '    params:\n        **reads("scale", "rate")')
    before = files(toy)
    toy.do("snakemake", "-n")
    assert files(toy) == before


def test_artifacts_are_stored_once(toy):
    toy.do("snakemake")
    outputs = [path for folder in ("data", "models") for path in (toy.path / folder).rglob("*.*")]
    kept = [path for path in outputs if path.name != ".snakemake_timestamp" and not path.is_dir()]
    assert len(kept) == 3  # two words and the weights
    assert all(path.is_symlink() for path in kept)


def test_what_is_not_as_its_job_left_it_is_not_recorded(toy):
    with running(toy, "snakemake", stage="sum") as process:
        os.killpg(process.pid, signal.SIGKILL)
    (toy.path / "models/m/weights.json").write_text("{}")
    done = toy.call("amt", "commit")
    assert done.returncode == 1
    assert "not recorded: model: models/m is not what it left there" in done.stdout
    assert recorded(toy) == ["word-a", "word-b"]


def test_a_build_of_another_recipe_says_that_dvc_does_not_know_it(toy):
    toy.do("cp", "params.yaml", "other.yaml")
    said = toy.do("snakemake", "--config", "params=other.yaml")
    assert "kept in the cache: 4 stage(s). dvc.lock is of params.yaml, and this built other.yaml" in said
    assert not (toy.path / "dvc.lock").exists()
    ran(toy)
    assert "Nothing to be done" in toy.do("snakemake", "--config", "params=other.yaml")
    assert ran(toy) == []


def test_two_recipes_take_turns_without_taking_each_other_s_outputs_for_theirs(toy):
    toy.write("other.yaml", toy.read("params.yaml").replace("rate: 2", "rate: 3"))
    built(toy)
    toy.do("snakemake", "--config", "params=other.yaml")
    assert ran(toy) == ["model", "sum"]
    assert toy.read("reports/sum.json") == '{"sum": 270}'
    assert "rate: 2 -> 3" not in toy.do("snakemake", "-n", "--config", "params=other.yaml")
    for tool in TOOLS.values():
        toy.do(*tool)
        assert toy.read("reports/sum.json") == '{"sum": 180}'
        toy.do("snakemake", "--config", "params=other.yaml")
        assert toy.read("reports/sum.json") == '{"sum": 270}'
    toy.do("amt", "gc", "--yes")
    toy.do("snakemake", "--config", "params=other.yaml")
    toy.do("snakemake")
    assert ran(toy) == []
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_build_waits_for_a_command_of_dvc(toy, tool):
    """`dvc repro` has DVC's own patience, three seconds; a build by Snakemake has a minute."""
    built(toy)
    (toy.path / "models/m/weights.json").unlink()
    hold = "import zc.lockfile as z; lock = z.LockFile('.dvc/tmp/lock'); print('held', flush=True); input()"
    pipes = {"cwd": toy.path, "env": toy.environment(), "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["python", "-c", hold], stdin=subprocess.PIPE, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        said = []
        with subprocess.Popen(TOOLS[tool], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, **pipes) as build:
            for line in build.stdout:
                said.append(line)
                if "waiting for another command of DVC" in line:
                    holder.communicate("\n")
        said = "".join(said)
        if holder.poll() is None:
            holder.communicate("\n")
    assert "Traceback" not in said
    if tool == "snakemake":
        assert "waiting for another command of DVC" in said
        assert build.returncode == 0
    else:
        assert "Unable to acquire lock" in said
    toy.do(*TOOLS[tool])
    assert ran(toy) == []
    assert_nothing_to_do(toy)


def test_the_cache_may_lie_wherever_dvc_s_settings_say(toy, tmp_path):
    """At any level of them."""
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "settings"), "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "settings")}
    toy.do("dvc", "config", "--global", "cache.dir", str(tmp_path / "cache"), **settings)
    toy.do("snakemake", **settings)
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake", **settings)
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    ran(toy)
    toy.do("snakemake", **settings)
    assert ran(toy) == []
    assert not (toy.path / ".dvc/cache").exists()
    refused = toy.call("amt", "gc", "--yes", **settings)
    assert refused.returncode == 1
    assert "lies outside this project: other projects may use it" in refused.stdout
    assert "removed" in toy.do("amt", "gc", "--yes", "--projects", ".", **settings)


def test_amt_gc_keeps_what_other_projects_of_a_shared_cache_need(toy, tmp_path):
    toy.do("dvc", "config", "cache.dir", str(tmp_path / "cache"))
    toy.commit()
    other = toy.clone(tmp_path / "other")
    other.edit("params.yaml", "rate: 2", "rate: 3")
    for project in (toy, other):
        project.do("snakemake")
    assert "removed" not in toy.do("amt", "gc", "--yes", "--projects", str(other.path))
    ran(other)
    assert_nothing_to_do(other)
    assert "removed" in toy.do("amt", "gc", "--yes", "--projects", ".")
    assert "is no project of DVC" in toy.call("amt", "gc", "--projects", str(tmp_path)).stdout


def test_a_project_that_cannot_be_written_is_named(toy):
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    if shutil.which("bwrap") is None:
        pytest.skip("needs bubblewrap: apt-get install bubblewrap")
    read_only = ("bwrap", "--dev-bind", "/", "/", "--ro-bind", str(toy.path), str(toy.path))
    for command in (("dvc", "repro"), ("dvc", "status"), ("amt", "commit")):
        done = toy.call(*read_only, *command)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        assert re.search("ead-only", done.stdout), done.stdout
    assert ran(toy) == []


def test_an_ordinary_user_builds_as_root_does(toy):
    """In a namespace in which nobody is root: write-protected files of the cache are so for its owner too."""
    if shutil.which("bwrap") is None:
        pytest.skip("needs bubblewrap: apt-get install bubblewrap")
    as_user = ("bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL")
    assert toy.do(*as_user, "id", "-u").strip() == "1000"
    toy.do(*as_user, "snakemake")
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do(*as_user, "dvc", "repro")
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    ran(toy)
    toy.do(*as_user, "snakemake")
    assert ran(toy) == []
    assert CLEAN in toy.do(*as_user, "dvc", "status")


# --- experiments ---------------------------------------------------------------------------------------


@pytest.fixture
def committed(toy):
    built(toy).commit()
    return toy


def test_an_experiment_in_the_workspace(committed):
    committed.do("dvc", "exp", "run", "--name", "faster", "-S", "rate=5")
    assert ran(committed) == ["model", "sum"]
    assert planned(committed) == []
    assert re.search(r"params.yaml\s+rate\s+2\s+5", committed.do("dvc", "params", "diff"))
    assert re.search(r"reports/sum.json\s+sum\s+180\s+450\s+270", committed.do("dvc", "metrics", "diff"))
    assert "faster" in committed.do("dvc", "exp", "show", "--csv")
    page = committed.do("dvc", "plots", "diff", "--out", "plots").strip().removeprefix("file://")
    with open(page) as file:
        drawn = file.read()
    # Of both states, the points at step 2.
    for rate in (2, 5):
        assert re.search(rf'"mean_tokens": ?"?{2 * rate}"?', drawn) or f'"{2 * rate}"' in drawn, page


@pytest.mark.parametrize("way", ["temp", "queue"])
def test_an_experiment_in_a_folder_of_its_own(committed, way):
    if way == "temp":
        committed.do("dvc", "exp", "run", "--temp", "--name", "aside", "-S", "rate=6")
    else:
        committed.do("dvc", "exp", "run", "--queue", "--name", "aside", "-S", "rate=6")
        committed.do("dvc", "queue", "start")
        while "Success" not in (status := committed.do("dvc", "queue", "status")):
            assert "Failed" not in status
            time.sleep(0.5)
        committed.do("dvc", "queue", "stop", "--kill")
    assert committed.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(committed)
    table = committed.do("dvc", "exp", "show", "--csv").splitlines()
    names = table[0].split(",")
    (row,) = (line.split(",") for line in table if line.startswith("aside,"))
    assert (row[names.index("sum")], row[names.index("rate")]) == ("540", "6")
    committed.do("dvc", "exp", "apply", "aside")
    assert committed.read("reports/sum.json") == '{"sum": 540}'
    ran(committed)
    assert_nothing_to_do(committed)


def test_an_experiment_with_changed_code_takes_it_along(committed):
    committed.edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths) + 1")
    committed.do("dvc", "exp", "run", "--temp", "--name", "longer")
    assert committed.read("reports/sum.json") == '{"sum": 180}'
    table = committed.do("dvc", "exp", "show", "--csv").splitlines()
    (row,) = (line.split(",") for line in table if line.startswith("longer,"))
    assert row[table[0].split(",").index("sum")] == "200"


def test_amt_gc_waits_for_an_experiment_in_a_folder_of_its_own(committed):
    hold = committed.path / "hold"
    waiting = f'while Path("{hold}").exists():\n        time.sleep(0.05)\n    if Path(f"fail-'
    committed.edit("scripts/stage.py", 'if Path(f"fail-', waiting)
    hold.write_text("")
    command = ["dvc", "exp", "run", "--temp", "--name", "aside", "-S", "rate=6"]
    with subprocess.Popen(
        command, cwd=committed.path, env=committed.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        while not list(committed.path.glob(".dvc/tmp/exps/**/ran")):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        done = committed.call("amt", "gc", "--yes")
        hold.unlink()
        said = process.stdout.read()
    assert done.returncode == 1
    assert "an experiment runs in" in done.stdout
    assert process.returncode == 0, said


# --- the command amt -----------------------------------------------------------------------------------


def test_amt_gc_removes_what_nothing_needs_and_asks_first(toy):
    built(toy).commit()
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake")
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    toy.do("snakemake")
    refused = toy.call("amt", "gc")
    assert refused.returncode == 1
    assert "add --yes" in refused.stdout
    assert "removed" in toy.do("amt", "gc", "--yes")
    assert "nothing to remove" in toy.do("amt", "gc", "--yes")
    assert_nothing_to_do(toy)
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake")
    assert ran(toy) == ["model", "sum"]


def test_spoilt_records_of_runs_are_passed_over(toy):
    built(toy)
    for run in (toy.path / ".dvc/cache/runs").glob("??/*/*"):
        run.chmod(0o644)
        run.write_text("")
    toy.write(".amt/exported.json", "[]")
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake")
    toy.do("amt", "gc", "--yes")
    ran(toy)
    assert_nothing_to_do(toy)


def test_amt_gc_tells_what_dvc_cannot_read(toy):
    built(toy).commit()
    for listing in (toy.path / ".dvc/cache/files").rglob("*.dir"):
        listing.unlink()
    done = toy.call("amt", "gc", "--yes")
    assert "Traceback" not in done.stdout


def test_who_only_records_is_not_taken_for_a_build(toy):
    built(toy)
    toy.edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths) + 1")
    with open(toy.path / ".amt/build.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = toy.do("dvc", "status")
    assert "a build runs here" not in said
    assert ".amt/code/models/m.txt" in said


def test_amt_works_from_within_the_project_and_says_so_where_there_is_none(toy, tmp_path):
    built(toy).do("mkdir", "sub")
    assert "4 up to date" in toy.do("sh", "-c", "cd sub && amt status")
    assert toy.call("sh", "-c", "amt why --full data | head -0").returncode == 0
    nowhere = toy.call("sh", "-c", f"cd {tmp_path} && amt status")
    assert nowhere.returncode == 1
    assert "call amt inside a project" in nowhere.stdout


def test_a_lock_with_the_marks_of_a_merge_is_named(toy):
    built(toy).write("dvc.lock", "<<<<<<< HEAD\n" + toy.read("dvc.lock"))
    for command in (("snakemake",), ("amt", "status")):
        done = toy.call(*command)
        assert done.returncode != 0
        assert "dvc.lock is not YAML" in done.stdout
        assert "Traceback" not in done.stdout
    assert ran(toy) == []


def test_amt_says_what_it_does_not_know(toy):
    built(toy)
    unknown = toy.call("amt", "why", "modls/m")
    assert unknown.returncode == 1
    assert "no stage makes modls/m" in unknown.stdout
    assert "models/m" in unknown.stdout
    assert "name an artifact" in toy.call("amt", "why").stdout
    assert "model: up to date" in toy.do("amt", "why", "models/m")
    assert "4 up to date" in toy.do("amt", "status")
