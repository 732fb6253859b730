"""dvc.yaml says what the rules say."""

import ast
import itertools
import re
import shlex
import sys

import yaml

from tests.workflow.conftest import PROJECT, Workplace


def test_dvc_yaml_of_this_project_is_fresh():
    done = Workplace(PROJECT).call(sys.executable, "-m", "amt.build", "export", "--check")
    assert done.returncode == 0, done.stdout


def test_a_changed_rule_makes_it_stale(toy):
    toy.edit("Snakefile", '"data/a.txt",', '"data/b.txt",')
    stale = toy.call("python", "-m", "amt.build", "export", "--check")
    assert stale.returncode == 1
    assert "Run `make dvc.yaml`" in stale.stdout
    toy.do("python", "-m", "amt.build", "export")
    toy.do("python", "-m", "amt.build", "export", "--check")


def test_it_does_not_depend_on_the_place_nor_on_what_is_built(toy, tmp_path):
    before = toy.read("dvc.yaml")
    toy.do("snakemake")
    toy.do("python", "-m", "amt.build", "export")
    assert toy.read("dvc.yaml") == before
    other = toy.clone(tmp_path / "elsewhere")
    other.do("python", "-m", "amt.build", "export")
    assert other.read("dvc.yaml") == before
    assert str(tmp_path) not in before


def test_an_export_runs_no_job(toy):
    toy.do("python", "-m", "amt.build", "export")
    assert not (toy.path / "ran").exists()
    assert not (toy.path / "data").exists()


def test_commands_hold_neither_values_of_settings_nor_threads():
    """They would make the machine, or a parameter, part of the command (facts: pitfall 15)."""
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        words = shlex.split(stage["cmd"])
        assert words[:2] == ["python", "-m"], name
        numbers = [
            (option, word)
            for option, word in itertools.pairwise(words)
            if re.fullmatch(r"[\d.+eE-]*\d[\d.+eE-]*", word)
        ]
        assert [option for option, _ in numbers] in ([], ["--stage"], ["--shard"]), name


def test_every_setting_that_a_script_reads_is_declared_by_its_rule():
    """Otherwise a change of it would rebuild nothing."""
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    scripts = {stage["cmd"].split()[2] for stage in stages.values()}
    assert len(scripts) > 20
    for script in sorted(scripts):
        declared = {
            key for stage in stages.values() if stage["cmd"].split()[2] == script for key in stage.get("params", [])
        }
        source = (PROJECT / f"{script.replace('.', '/')}.py").read_text()
        for read in settings_read(source):
            # A script may read a whole section of which its rule declares the parts it uses.
            assert any(is_within(read, key) or is_within(key, read) for key in declared), f"{script}: {read}"


def settings_read(source: str) -> set[str]:
    """Dotted names behind `recipe.` in a script, as far as they are attributes."""
    tree = ast.parse(source)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            name = ast.unparse(node)
            if re.fullmatch(r"recipe(\.\w+)+", name):
                found.add(
                    name.removeprefix("recipe.").removesuffix(".values").removesuffix(".stage1").removesuffix(".stage2")
                )
    return found


def is_within(key: str, section: str) -> bool:
    return key == section or key.startswith(section + ".")
