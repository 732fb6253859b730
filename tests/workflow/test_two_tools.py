"""Snakemake and DVC agree on what is built and what is not. With real runs of both, on the four stages of the toy."""

import os
import re
import shutil

import pytest
import yaml

from tests.workflow.asking import STAGES, TOOLS, assert_nothing_to_do, built, planned, ran, recorded

# --- one builds, the other is asked --------------------------------------------------------------------


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


@pytest.mark.parametrize("tool", TOOLS)
def test_a_damaged_object_of_the_cache_is_not_restored(toy, tool):
    """As root one can write through the link, past the write protection."""
    (built(toy).path / "data/a.txt").resolve().chmod(0o644)
    (toy.path / "data/a.txt").write_text("evil")
    (toy.path / "data/a.txt").resolve().chmod(0o444)
    assert planned(toy) == ["model", "sum", "word"]
    toy.do(*TOOLS[tool])
    assert ran(toy) == ["word-a"]
    assert toy.read("data/a.txt") == "alpha"
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_damaged_object_is_not_restored_of_an_earlier_run_either(toy, tool):
    weights = (built(toy).path / "models/m/weights.json").resolve()
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    toy.do("snakemake")
    toy.edit("params.yaml", "rate: 3", "rate: 2")
    weights.chmod(0o644)
    weights.write_text("evil")
    weights.chmod(0o444)
    ran(toy)
    toy.do(*TOOLS[tool])
    assert ran(toy) == ["model"]
    assert toy.read("reports/sum.json") == '{"sum": 180}'
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_link_that_leads_nowhere_is_a_missing_output(toy, tool):
    (built(toy).path / "models/m/weights.json").resolve().unlink()
    assert planned(toy) == ["model", "sum"]
    toy.do(*TOOLS[tool])
    assert ran(toy) == ["model"]
    assert_nothing_to_do(toy)


def test_a_cache_that_is_gone_is_made_again(toy):
    shutil.rmtree(built(toy).path / ".dvc/cache")
    assert "deleted" in toy.do("dvc", "status")
    toy.do("dvc", "repro")
    assert ran(toy) == STAGES
    assert_nothing_to_do(toy)


def test_touched_files_are_no_reason_to_run(toy):
    built(toy)
    for path in ("params.yaml", "Snakefile", "scripts/model.py", "data/a.txt", "models/m/weights.json"):
        os.utime(toy.path / path)
        os.utime(toy.path / path, follow_symlinks=False)
    assert_nothing_to_do(toy)


# --- code ----------------------------------------------------------------------------------------------


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
    assert re.search(
        r"^model:\s+changed deps:\s+modified:\s+\.amt/code/models/m\.txt$", toy.do("dvc", "status"), re.MULTILINE
    )
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
    fault = "scripts/measure.py:7: this is not Python"
    for command in (("snakemake",), ("dvc", "repro"), ("amt", "why", "--all")):
        done = toy.call(*command)
        assert done.returncode != 0
        assert fault in done.stdout
        assert "Traceback" not in done.stdout
        assert ran(toy) == []
    told = toy.do("dvc", "status")  # as other commands that run nothing, it does its work
    assert fault in told
    assert re.findall(r"^(\S+):$", told, re.MULTILINE) == ["model"]
    toy.edit("scripts/measure.py", "return sum(lengths", "return sum(lengths)")
    assert_nothing_to_do(toy)


def test_a_faulty_rule_is_told_in_a_line(toy):
    built(toy).edit("Snakefile", "rule model:", "rule model:\n    inputs: 3")
    for command, status in ((("dvc", "status"), 0), (("dvc", "repro"), 255), (("amt", "why", "--all"), 1)):
        done = toy.call(*command)
        assert done.returncode == status
        assert re.search(r"the rules do not make a plan: SyntaxError: .*inputs.*Snakefile:\d+", done.stdout)
        assert "Traceback" not in done.stdout
    assert ran(toy) == []


@pytest.mark.parametrize("tool", TOOLS)
def test_a_log_that_moves_is_no_reason_to_run(toy, tool):
    built(toy).edit("Snakefile", '"logs/sum.log"', '"logs/elsewhere/sum.log"')
    toy.do(*TOOLS[tool])
    assert_nothing_to_do(toy)


def test_a_rule_file_anywhere_is_known_to_dvc_at_once(toy):
    start, rule = toy.read("Snakefile").split("rule sum:")
    toy.write("more/sum.smk", "rule sum:" + rule)
    toy.write("Snakefile", start + 'include: "more/sum.smk"\n')
    built(toy).edit("more/sum.smk", 'text="data/a.txt",\n    output', 'text="data/b.txt",\n    output')
    assert re.findall(r"^(\S+):$", toy.do("dvc", "status"), re.MULTILINE) == ["sum"]


def test_a_dvc_yaml_that_is_edited_or_lost_is_written_anew_and_the_edit_is_kept(toy):
    built(toy).edit("dvc.yaml", "- rate", "- rate\n    - scale")
    edited = toy.read("dvc.yaml")
    assert "dvc.yaml was edited" in toy.do("dvc", "status")
    assert toy.read(".amt/dvc.yaml.edited") == edited
    assert_nothing_to_do(toy)
    (toy.path / "dvc.yaml").unlink()
    assert_nothing_to_do(toy)


def test_what_dvcignore_names_is_no_part_of_an_artifact(toy):
    toy.write(".dvcignore", toy.read(".dvcignore") + "*.bak\n!kept.bak\nnotes/\n")
    built(toy).write("models/m/old.bak", "old")
    toy.write("models/m/notes/today", "nothing")
    assert_nothing_to_do(toy)
    toy.write("models/m/kept.bak", "kept")
    assert planned(toy) == []  # in the cache
    assert "models/m" in toy.do("dvc", "status")


@pytest.mark.parametrize("tool", TOOLS)
def test_a_page_is_a_file_for_the_browser_and_kept_in_the_cache(toy, tmp_path, tool):
    toy.do("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    toy.do(*TOOLS[tool])
    page = toy.path / "reports/index.html"
    content = page.read_bytes()
    assert not page.is_symlink()
    toy.do("dvc", "push")
    ran(toy)
    for command in (TOOLS[tool], ("dvc", "checkout"), ("dvc", "pull")):
        page.unlink()
        toy.do(*command)
        assert ran(toy) == []
        assert page.read_bytes() == content
        assert not page.is_symlink()
    assert_nothing_to_do(toy)


def test_a_repository_within_an_input_is_no_part_of_it(toy):
    built(toy).write("models/m/.git/HEAD", "ref")
    assert_nothing_to_do(toy)
    toy.write("models/m/.dvcignore", "*")
    done = toy.call("snakemake", "-n")
    assert "models/m/.dvcignore: patterns within an artifact have no place" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("output", ["data/a.txt", "models/m"])
def test_an_output_that_git_has_is_told_and_recorded_when_git_has_it_no_more(toy, tool, output):
    path = toy.path / output
    path.mkdir(parents=True) if output == "models/m" else path.parent.mkdir()
    (path / "kept" if path.is_dir() else path).write_text("of old")
    toy.do("git", "add", "--force", output)
    said = toy.call(*TOOLS[tool]).stdout
    assert re.search(rf"output '{output}' is already tracked by SCM", said), said
    assert ("word-a" if output == "data/a.txt" else "model") not in recorded(toy)
    toy.do("git", "rm", "--cached", "-r", "--force", "--quiet", output)
    toy.do(*TOOLS[tool])
    assert recorded(toy) == STAGES
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("pattern", ["/models/m", "models/", "m/"])
def test_an_output_that_dvcignore_names_is_told(toy, pattern):
    toy.write(".dvcignore", toy.read(".dvcignore") + pattern + "\n")
    for command in (("snakemake",), ("amt", "export")):
        done = toy.call(*command)
        assert done.returncode == 1
        assert ".dvcignore names models/m, which model makes" in done.stdout
        assert "Traceback" not in done.stdout
    assert ran(toy) == []


def test_a_cache_that_is_elsewhere_now_is_filled_again(toy, tmp_path):
    built(toy).do("dvc", "config", "cache.dir", str(tmp_path / "cache"))
    assert_nothing_to_do(toy)
    shutil.rmtree(toy.path / ".dvc/cache")
    assert_nothing_to_do(toy)


def test_a_cache_that_is_away_for_a_while_loses_nothing(toy, tmp_path):
    toy.do("dvc", "config", "cache.dir", str(tmp_path / "cache"))
    built(toy)
    (tmp_path / "cache").rename(tmp_path / "away")
    for command in (("dvc", "status"), ("dvc", "repro")):
        assert re.search(r"the DVC cache \S+ is not there, and \d+ outputs are links", toy.call(*command).stdout)
    (tmp_path / "away").rename(tmp_path / "cache")
    assert_nothing_to_do(toy)


# --- a fresh clone -------------------------------------------------------------------------------------


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
