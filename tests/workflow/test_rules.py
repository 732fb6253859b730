"""What a rule may be, and that both tools take it for the same: commands, marks of outputs, names, what rules read."""

import re

import pytest

from tests.workflow.asking import CLEAN, TOOLS, assert_nothing_to_do, built, planned, ran, recorded

NOTE = """

rule note:
    output:
        "data/note.txt",
    log:
        "logs/note.log",
    params:
        **reads("rate"),
    shell:
        '''
        %s
        '''
"""
WRITES = '#!/bin/bash\nprintf \'%s\' "$2" > "$1"\n'


def with_note(toy, command: str):
    """The toy with a stage that writes a text into a file."""
    toy.write("scripts/write.sh", WRITES)
    rules = toy.read("Snakefile").partition("\n\nrule note:")[0]
    if "data/note.txt" not in rules:
        rules = rules.replace('"reports/sum.json",', '"reports/sum.json", "data/note.txt",', 1)
    toy.write("Snakefile", rules + NOTE % command)
    return toy


def build_note(toy, tool: str):
    return toy.call(*(("snakemake", "data/note.txt") if tool == "snakemake" else ("dvc", "repro", "note")))


@pytest.mark.parametrize("tool", TOOLS)
def test_blanks_within_quotes_are_part_of_a_command_and_layout_is_not(toy, tool):
    with_note(toy, "bash scripts/write.sh {output} 'a  b'")
    assert build_note(toy, tool).returncode == 0
    assert toy.read("data/note.txt") == "a  b"
    with_note(toy, "bash  scripts/write.sh \\\\\n            {output}   'a  b'  # a note")
    assert CLEAN not in toy.do("dvc", "status")  # the other stages were not built
    assert "note" not in toy.do("dvc", "status") + "".join(planned(toy))
    with_note(toy, "bash scripts/write.sh {output} 'a b'")
    assert "its rule's command changed" in toy.call("amt", "why", "note").stdout
    assert build_note(toy, tool).returncode == 0
    assert toy.read("data/note.txt") == "a b"


@pytest.mark.parametrize("tool", TOOLS)
def test_a_command_of_several_lines_is_one(toy, tool):
    with_note(toy, "for word in one two\n        do\n            text=$word\n        done\n"
                   "        bash scripts/write.sh {output} $text")  # fmt: skip
    assert build_note(toy, tool).returncode == 0
    assert toy.read("data/note.txt") == "two"
    assert recorded(toy) == ["note"]
    assert "note" not in planned(toy)
    assert "note" not in toy.do("dvc", "status")


@pytest.mark.parametrize("failing", ["false; ", "false\n        ", "false | ", "echo $UNSET; "])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_command_fails_under_both_tools_or_under_none(toy, tool, failing):
    with_note(toy, failing + "bash scripts/write.sh {output} x")
    assert build_note(toy, tool).returncode != 0
    assert recorded(toy) == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "into", ["> {log} 2>&1", "&> {log}", "2>> {log}", ">{log}", "2>&1 | tee {log}", "| tee -a {log:q}"]
)
def test_where_messages_go_is_no_part_of_a_command(toy, tool, into):
    with_note(toy, "bash scripts/write.sh {output} x")
    assert build_note(toy, tool).returncode == 0
    with_note(toy, f"bash scripts/write.sh {{output}} x {into}")
    assert "note" not in toy.do("dvc", "status") + "".join(planned(toy))


FAULTS = {
    "temp": ('text="data/{name}.txt"', 'text=temp("data/{name}.txt")', r"temp\(\) of data/[ab].txt in rule word"),
    "run": (
        '    shell:\n        """\n        python -m scripts.word',
        '    run:\n        pass\n\nrule other:\n    output: "x"\n'
        '    shell:\n        """\n        python -m scripts.word',
        "rule word has no `shell:`",
    ),
    "ambiguous": (
        "rule model:",
        'rule word2:\n    output: "data/{name}.txt"\n    params: **reads("rate")\n    shell: "python -m scripts.word"\n'
        "rule model:",
        "ambiguous",
    ),
    "touch": ('text="data/{name}.txt"', 'text=touch("data/{name}.txt")', r"touch\(\) of data/[ab].txt in rule word"),
    "threads": ("--name {wildcards.name}", "--name {wildcards.name} -j {threads}", r"rule word has \{threads\} in its"),
    "memory": (
        "--model {output.model:q}",
        "--model {output.model:q} {resources.mem_mb}",
        r"has \{resources.mem_mb\} in",
    ),
    "log": ("--name {wildcards.name}", "--name {wildcards.name} --log {log}", r"has its log logs/[ab].log in its"),
    "environment": (
        '    log:\n        "logs/model.log",',
        '    conda: "env.yaml"',
        "rule model asks for an environment",
    ),
    "quote": ("--name {wildcards.name}", "--name {wildcards.name} 'open", "is not one: No closing quotation"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_that_the_tools_would_take_differently_is_refused_in_a_line(toy, fault):
    old, new, told = FAULTS[fault]
    toy.edit("Snakefile", old, new)
    for command, status in ((("snakemake", "-n"), 1), (("dvc", "status"), 0), (("amt", "why", "--all"), 1)):
        done = toy.call(*command)
        assert done.returncode == status, done.stdout
        assert re.search(told, done.stdout), done.stdout
        assert "Traceback" not in done.stdout
    assert toy.call("dvc", "repro").returncode != 0
    assert ran(toy) == []


@pytest.mark.parametrize("clone", [False, True], ids=["here", "in a clone"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_rule_that_is_renamed_does_not_run(toy, tmp_path, tool, clone):
    toy.do("snakemake")
    if clone:
        toy.do("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
        toy.commit()
        toy.do("dvc", "push")
        toy = toy.clone(tmp_path / "clone")
        toy.do("dvc", "pull")
    ran(toy)
    toy.edit("Snakefile", "rule model:", "rule train:")
    assert planned(toy) == []
    toy.do(*TOOLS[tool])
    assert ran(toy) == []
    assert recorded(toy) == ["model", "sum", "train", "word-a", "word-b"]
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_wildcard_may_hold_a_path(toy, tool):
    for name in ("Snakefile", "params.yaml"):
        text = toy.read(name)
        toy.write(name, text.replace('name=["a", "b"]', 'name=["a", "x/b"]').replace("b: ", "x/b: "))
    toy.do(*TOOLS[tool])
    assert len(ran(toy)) == 4
    assert_nothing_to_do(toy)


def test_two_jobs_of_one_name_are_refused(toy):
    toy.write(
        "Snakefile",
        toy.read("Snakefile").replace('"reports/sum.json",', '"reports/sum.json", "x/a-b/c", "x/a/b-c",', 1)
        + '\nrule p:\n    wildcard_constraints: x="[a-c-]+", y="[a-c-]+"\n    output: "x/{x}/{y}"\n'
        '    params: **reads("rate")\n    shell: "python -m scripts.word {output}"\n',
    )  # fmt: skip
    for command in (("snakemake", "-n"), ("amt", "why", "--all"), ("dvc", "repro")):
        done = toy.call(*command)
        assert done.returncode != 0
        assert re.search(r"two jobs have the name p-a-b-c: one makes x/a-b/c, one x/a/b-c", done.stdout), done.stdout


@pytest.mark.parametrize("how", ['open("names.txt").read().split()', 'sorted(os.listdir("names"))'])
def test_a_snakefile_that_reads_other_files_is_read_again_when_they_change(toy, how):
    toy.write("names.txt", "a")
    toy.write("names/a", "")
    toy.edit("Snakefile", 'expand("data/{name}.txt", name=["a", "b"])', f'expand("data/{{name}}.txt", name={how})')
    toy.do("snakemake")
    toy.write("names.txt", "a b")
    toy.write("names/b", "")
    assert planned(toy) == ["model", "sum", "word"]
    assert "word-b" in toy.do("dvc", "status")
    toy.do("dvc", "repro")
    assert_nothing_to_do(toy)


def test_a_recipe_is_the_same_however_its_path_is_written(toy):
    built(toy)
    for path in ("./params.yaml", str(toy.path / "params.yaml")):
        assert "Nothing to be done" in toy.do("snakemake", "--config", f"params={path}")
    toy.edit("params.yaml", "rate: 2", "rate: 3")
    assert "recorded in dvc.lock" in toy.do("snakemake", "--config", "params=./params.yaml")
    ran(toy)
    assert_nothing_to_do(toy)


@pytest.mark.parametrize("value", ["2026-01-01", ".nan"])
def test_a_setting_that_may_be_read_differently_is_refused_in_a_line(toy, value):
    toy.edit("params.yaml", "rate: 2", f"rate: {value}")
    for command in (("snakemake", "-n"), ("amt", "why", "--all")):
        done = toy.call(*command)
        assert done.returncode == 1
        assert "params.yaml: rate is or holds a date or .nan: write it as text" in done.stdout
        assert "Traceback" not in done.stdout


def test_the_jobs_of_a_group_do_not_run_if_their_inputs_come_out_as_they_were(toy):
    toy.write("Snakefile", toy.read("Snakefile").replace("rule model:\n", 'rule model:\n    group: "g"\n'))
    toy.write("Snakefile", toy.read("Snakefile").replace("rule sum:\n", 'rule sum:\n    group: "g"\n'))
    built(toy)
    toy.edit("scripts/word.py", "words[name].strip()", "words[name].strip() + ''")
    toy.do("snakemake")
    assert ran(toy) == ["word-a", "word-b"]
    assert_nothing_to_do(toy)


def test_a_module_that_lies_elsewhere_is_refused_before_any_job(toy):
    toy.write("tools.py", "")
    toy.write(
        "scripts/model.py", "import tools\n" + toy.read("scripts/model.py").replace("json.dumps(", "tools.dumps(")
    )
    for command in (("snakemake",), ("snakemake", "-n"), ("amt", "why", "--all"), ("dvc", "repro")):
        done = toy.call(*command)
        assert done.returncode != 0
        assert "tools.py is imported by the code of `python -m scripts.model" in done.stdout
        assert "Traceback" not in done.stdout
    assert ran(toy) == []
