"""Snakemake and DVC agree on what is built and what is not: after whole, failed, killed, partial and restored builds.

All with real runs of both tools, on the four stages of the toy.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
import yaml

CLEAN = "Data and pipelines are up to date."
STAGES = ["model", "sum", "word-a", "word-b"]
TOOLS = {"snakemake": ("snakemake",), "dvc": ("dvc", "repro")}


def recorded(toy) -> list[str]:
    path = toy.path / "dvc.lock"
    return sorted(yaml.safe_load(path.read_text())["stages"]) if path.exists() else []


def ran(toy) -> list[str]:
    path = toy.path / "ran"
    lines = sorted(path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def planned(toy) -> list[str]:
    """Rules that Snakemake would run."""
    found = re.findall(r"^(?:local)?rule (\w+):", toy.do("snakemake", "-n"), re.MULTILINE)
    return sorted(rule for rule in found if rule != "all")


def assert_nothing_to_do(toy) -> None:
    assert planned(toy) == []
    assert CLEAN in toy.do("dvc", "status")
    ran(toy)
    assert "Nothing to be done" in toy.do("snakemake")
    assert CLEAN in toy.do("dvc", "repro")
    assert ran(toy) == []


def built(toy) -> "object":
    toy.do("snakemake")
    assert ran(toy) == STAGES
    return toy


@contextmanager
def running(toy, *command: str, stage: str):
    """A build that is held up in the middle of a stage; what is done inside happens meanwhile."""
    toy.write(f"wait-{stage}", "")
    with open(toy.path / "said", "w") as said:
        process = subprocess.Popen(
            command, cwd=toy.path, env=toy.environment(), stdout=said, stderr=said, start_new_session=True
        )
    deadline = time.monotonic() + 90
    while not (toy.path / "ran").exists() or stage not in toy.read("ran").split():
        assert process.poll() is None, toy.read("said")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        yield process
    finally:
        (toy.path / f"wait-{stage}").unlink()
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


# --- one builds, the other is asked -----------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_what_one_tool_builds_leaves_nothing_to_do_in_either(toy, tool):
    toy.do(*TOOLS[tool])
    assert ran(toy) == STAGES
    assert recorded(toy) == STAGES
    assert_nothing_to_do(toy)


def test_both_tools_make_and_record_the_same(toy, tmp_path):
    toy.do("snakemake")
    other = toy.clone(tmp_path / "clone")
    other.do("dvc", "repro")
    assert other.read("reports/sum.json") == toy.read("reports/sum.json") == '{"sum": 180}'
    assert yaml.safe_load(other.read("dvc.lock")) == yaml.safe_load(toy.read("dvc.lock"))


@pytest.mark.parametrize("first", TOOLS)
def test_a_changed_setting_reruns_its_readers_and_what_follows_only(toy, first):
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    assert planned(toy) == ["model", "sum"]
    assert re.search(r"^model:\s+changed deps:\s+params.yaml:\s+modified:\s+rate$", toy.do("dvc", "status"), re.M)
    toy.do(*TOOLS[first])
    assert ran(toy) == ["model", "sum"]
    assert toy.read("reports/sum.json") == '{"sum": 270}'
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_setting_changed_and_changed_back_is_restored_without_a_run(toy, tool):
    built(toy).edit("params.yaml", "rate: 2", "rate: 3")
    toy.do(*TOOLS[tool])
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    ran(toy)
    assert "Nothing to be done" in toy.do("snakemake", "-n")  # nothing is run
    toy.do(*TOOLS[tool])
    assert ran(toy) == []
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_stage_whose_inputs_come_out_as_they_were_does_not_run(toy, tool):
    built(toy).edit("params.yaml", "a: alpha", "a: 'alpha '")  # the stage strips it
    toy.do(*TOOLS[tool])
    assert ran(toy) == ["word-a", "word-b"]  # both read `words`
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("deleted", ["data/a.txt", "models/m", "reports/sum.json"])
def test_a_deleted_output_comes_back_without_a_run(toy, tool, deleted):
    path = built(toy).path / deleted
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    toy.do(*TOOLS[tool])
    assert ran(toy) == []
    assert path.exists()
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_an_artifact_changed_by_hand_is_made_again_not_believed(toy, tool):
    path = built(toy).path / "data/b.txt"
    path.unlink()
    path.write_text("spoilt")
    assert "data/b.txt is changed" in toy.call("amt", "why", "data/b.txt").stdout
    toy.do(*TOOLS[tool])
    assert path.read_text() == "beta"
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


def test_a_damaged_object_of_the_cache_is_not_restored(toy):
    """As root one can write through the link, past the write protection."""
    (built(toy).path / "data/a.txt").resolve().chmod(0o644)
    (toy.path / "data/a.txt").write_text("evil")
    (toy.path / "data/a.txt").resolve().chmod(0o444)
    assert planned(toy) == ["model", "sum", "word"]
    toy.do("snakemake")
    assert ran(toy) == ["word-a"]
    assert toy.read("data/a.txt") == "alpha"
    assert_nothing_to_do(toy)


def test_a_link_that_leads_nowhere_is_a_missing_output(toy):
    (built(toy).path / "models/m/weights.json").resolve().unlink()
    toy.do("snakemake")
    assert ran(toy) == ["model"]
    assert_nothing_to_do(toy)


def test_touched_files_are_no_reason_to_run(toy):
    built(toy)
    for path in ("params.yaml", "Snakefile", "scripts/model.py", "data/a.txt", "models/m/weights.json"):
        os.utime(toy.path / path)
        os.utime(toy.path / path, follow_symlinks=False)
    assert_nothing_to_do(toy)


# --- code -------------------------------------------------------------------------------------------------

COSTS_NOTHING = {
    "a comment": ("scripts/measure.py", "    lengths =", "    # Letters.\n    lengths ="),
    "a docstring": ("scripts/measure.py", "Letters of all words.", "Letters of every word."),
    "a local name": ("scripts/measure.py",
                     "    lengths = [len(text.read_text()) for text in texts]\n    return sum(lengths)",
                     "    sizes = [len(one.read_text()) for one in texts]\n    return sum(sizes)"),
    "formatting": ("scripts/measure.py", "sum(lengths)", "sum(\n        lengths,\n    )"),
    "a function that it does not use": ("scripts/measure.py", "return list(texts)", "return set(texts)"),
    "order of imports": ("scripts/model.py", "import argparse\nimport json\n", "import json\nimport argparse\n"),
}  # fmt: skip


@pytest.mark.parametrize("edit", COSTS_NOTHING)
def test_an_edit_that_changes_no_result_costs_nothing(toy, edit):
    built(toy).edit(*COSTS_NOTHING[edit])
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_changed_code_reruns_what_it_makes_and_is_named(toy, tool):
    built(toy).edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths) + 1")
    assert planned(toy) == ["model", "sum"]
    assert re.search(r"^model:\s+changed deps:\s+modified:\s+\.amt/code/model$", toy.do("dvc", "status"), re.MULTILINE)
    why = toy.call("amt", "why", "--all")
    assert why.returncode == 3
    assert "code scripts.measure.total_length changed (scripts/measure.py:4)" in why.stdout
    assert "input models/m may change: model must run" in why.stdout
    assert "2 of 4 stages are up to date." in why.stdout
    toy.do(*TOOLS[tool])
    assert ran(toy) == ["model", "sum"]
    assert toy.read("reports/sum.json") == '{"sum": 200}'
    assert_nothing_to_do(toy)


def test_a_changed_rule_is_known_to_dvc_at_once(toy):
    built(toy).edit("Snakefile", 'text="data/a.txt",\n    output', 'text="data/b.txt",\n    output')
    assert planned(toy) == ["sum"]
    assert re.findall(r"^(\S+):$", toy.do("dvc", "status"), re.MULTILINE) == ["sum"]
    toy.do("dvc", "repro")
    assert ran(toy) == ["sum"]
    assert_nothing_to_do(toy)


def test_a_syntax_error_is_told_before_any_job_by_both_tools(toy):
    built(toy).edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths")
    for command in (("snakemake",), ("dvc", "status"), ("amt", "why", "--all")):
        done = toy.call(*command)
        assert done.returncode != 0
        assert re.search(r"^(ERROR: |error: )?scripts/measure\.py:7: this is not Python", done.stdout, re.M), (
            done.stdout
        )
        assert "Traceback" not in done.stdout
        assert ran(toy) == []


# --- a fresh clone ----------------------------------------------------------------------------------------


def test_a_fresh_clone_after_dvc_pull_has_nothing_to_do(toy, tmp_path):
    built(toy).do("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    toy.commit()
    toy.do("dvc", "push")
    clone = toy.clone(tmp_path / "clone")
    clone.do("dvc", "pull")
    assert_nothing_to_do(clone)


def test_a_fresh_clone_explains_code_by_the_commit_of_the_lock(toy, tmp_path):
    built(toy).commit()
    clone = toy.clone(tmp_path / "clone")
    clone.edit("scripts/measure.py", "return sum(lengths)", "return max(lengths)")
    assert "code scripts.measure.total_length changed" in clone.call("amt", "why", "model").stdout


def test_a_remembered_run_whose_outputs_are_not_here_runs_again(toy, tmp_path):
    """`dvc push --run-cache` takes along what ran, but only what the present lock names of what came out."""
    toy.do("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake")
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    toy.do("snakemake")
    toy.commit()
    toy.do("dvc", "push", "--run-cache")
    clone = toy.clone(tmp_path / "clone")
    clone.do("dvc", "pull", "--run-cache")
    clone.edit("params.yaml", "rate: 2", "rate: 3")
    assert planned(clone) == ["model", "sum"]
    clone.do("snakemake")
    assert clone.read("reports/sum.json") == '{"sum": 270}'
    assert_nothing_to_do(clone)


# --- failed and killed ------------------------------------------------------------------------------------


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


# --- while a build runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_settings_and_code_edited_while_a_build_runs_change_nothing_of_it(toy, tool):
    with running(toy, *TOOLS[tool], stage="word-a"):
        toy.edit("params.yaml", "rate: 2", "rate: 3")
        toy.edit("scripts/measure.py", "return sum(lengths)", "return sum(lengths) + 1")
        toy.call("dvc", "status")
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


def test_an_input_that_changes_while_its_stage_runs_is_not_recorded(toy):
    with running(toy, "snakemake", stage="model"):
        (toy.path / "data/a.txt").write_text("changed")
    assert "an input of model changed while it ran" in toy.read("said")
    assert "model" not in recorded(toy)
    toy.do("snakemake")
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


# --- what is recorded, and where --------------------------------------------------------------------------


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


def files(toy) -> dict[str, tuple[int, int]]:
    """Size and time of everything but Snakemake's own folder and compiled modules."""
    found = {}
    for folder, folders, names in os.walk(toy.path):
        folders[:] = [name for name in folders if name not in (".snakemake", "__pycache__", ".git")]
        for name in names:
            stat = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (stat.st_size, stat.st_mtime_ns)
    return found


def test_artifacts_are_stored_once(toy):
    toy.do("snakemake")
    outputs = [path for folder in ("data", "models") for path in (toy.path / folder).rglob("*.*")]
    kept = [path for path in outputs if path.name != ".snakemake_timestamp" and not path.is_dir()]
    assert len(kept) == 3  # two words and the weights
    assert all(path.is_symlink() for path in kept)


def test_a_build_of_another_recipe_says_that_dvc_does_not_know_it(toy):
    toy.do("cp", "params.yaml", "other.yaml")
    said = toy.do("snakemake", "--config", "params=other.yaml")
    assert "not recorded in dvc.lock: dvc.yaml describes params.yaml, and this built other.yaml" in said
    assert not (toy.path / "dvc.lock").exists()
    ran(toy)
    assert "Nothing to be done" in toy.do("snakemake", "--config", "params=other.yaml")
    assert ran(toy) == []


def test_two_recipes_take_turns_without_taking_each_other_s_outputs_for_theirs(toy):
    toy.write("other.yaml", toy.read("params.yaml").replace("rate: 2", "rate: 3"))
    built(toy)
    toy.do("snakemake", "--config", "params=other.yaml")
    assert toy.read("reports/sum.json") == '{"sum": 270}'
    toy.do("snakemake")
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


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


# --- experiments ------------------------------------------------------------------------------------------


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
        deadline = time.monotonic() + 90
        while "Success" not in committed.do("dvc", "queue", "status"):
            assert time.monotonic() < deadline, committed.do("dvc", "queue", "status")
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


# --- the command amt --------------------------------------------------------------------------------------


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
