"""What counts without being mentioned: modules that act when they are imported, files, programs, order."""

import pytest

from amt.build.stages import BuildError

FIT = ("python", "-m", "scripts.fit")
MODEL, ENVIRON = "import amt.model\namt.model", "import os\nos.environ['A']"
RUN = "from amt.model import train\ntrain([1])\n"


@pytest.mark.parametrize(
    ("script", "file", "before", "after"),
    [
        # A registry: the module fills it when it is imported, and nobody mentions what is in it.
        (
            "from amt.kinds import plain\nfrom amt.registry import KINDS\nprint(KINDS)\n",
            "amt/kinds/plain.py",
            "from amt.registry import register\n@register\ndef plain(): return 1\n",
            "from amt.registry import register\n@register\ndef plain(): return 2\n",
        ),
        ("import amt.patch\n" + RUN, "amt/patch.py", f"{MODEL}.RATE = 1\n", f"{MODEL}.RATE = 2\n"),
        ("from amt import patch\n" + RUN, "amt/patch.py", f"{ENVIRON} = '1'\n", f"{ENVIRON} = '2'\n"),
        # Imported by what is imported.
        ("from amt import first\n" + RUN, "amt/patch.py", f"{ENVIRON} = '1'\n", f"{ENVIRON} = '2'\n"),
    ],
)  # fmt: skip
def test_a_module_that_acts_when_it_is_imported_counts(tree, script, file, before, after):
    tree.write(**{
        "scripts/fit.py": script,
        "amt/registry.py": "KINDS = []\ndef register(f):\n    KINDS.append(f)\n    return f\n",
        "amt/kinds/__init__.py": "",
        "amt/first.py": "from amt import patch\n",
        "amt/patch.py": "",
        file: before,
    })  # fmt: skip
    code = tree.code(*FIT)
    tree.write(**{file: after})
    assert tree.code(*FIT) != code


def test_what_an_imported_module_only_defines_does_not_count(tree):
    tree.write(**{"scripts/fit.py": "from amt import other\n" + RUN, "amt/other.py": "def other(): return 1\nX = 1\n"})
    code = tree.code(*FIT)
    tree.write(**{"amt/other.py": "def other(): return 2\nX = 2\nY = 3\n"})
    assert tree.code(*FIT) == code


@pytest.mark.parametrize(
    "opened",
    [
        'Path("scripts", "texts", "a b.txt")', 'Path("scripts") / "texts" / "a b.txt"', 'Path("scripts") / name',
        'os.path.join("scripts", "texts", "a b.txt")', 'os.path.join("scripts", name)', 'Path.cwd() / "scripts" / name',
        'os.getcwd() + "/scripts/texts/a b.txt"', '"scripts/texts/a b.txt"',
        '"scripts/" + name', 'f"scripts/texts/{name}"',
        'Path("scripts").joinpath(name)', '__file__.replace("fit.py", name)', 'os.path.dirname(sys.argv[0]) + name',
        'find_spec("scripts").origin + name', 'Path(__file__).parent / "texts" / "a b.txt"',
    ],
)  # fmt: skip
def test_a_file_of_the_project_counts_however_its_path_is_written(tree, opened):
    imports = "import os\nimport sys\nfrom importlib.util import find_spec\nfrom pathlib import Path\n"
    tree.write(**{
        "scripts/fit.py": f"{imports}def main(name):\n    return open({opened})\nmain('x')\n",
        "scripts/texts/a b.txt": "1",
    })  # fmt: skip
    code = tree.code(*FIT)
    tree.write(**{"scripts/texts/a b.txt": "2"})
    assert tree.code(*FIT) != code


def test_files_that_are_found_from_the_working_folder_are_live(tree):
    tree.write(**{"scripts/texts/a.txt": "1", "scripts/run.sh": "echo\n"})
    assert not tree.code(*FIT).is_live
    tree.write(**{"scripts/fit.py": "from pathlib import Path\nopen(Path(__file__).parent / 'texts' / 'a.txt')\n"})
    assert not tree.code(*FIT).is_live
    tree.write(**{"scripts/fit.py": "open('scripts/texts/a.txt')\n"})
    assert tree.code(*FIT).is_live
    assert tree.code("bash", "scripts/run.sh").is_live
    assert tree.code("python", "scripts/fit.py").is_live


@pytest.mark.parametrize("name", ["texts/.hidden", "texts/.config/a.txt"])
def test_hidden_files_count(tree, name):
    tree.write(**{
        "scripts/fit.py": "from pathlib import Path\nprint(list((Path(__file__).parent / 'texts').rglob('*')))\n",
        f"scripts/{name}": "1",
        "scripts/texts/.git/x": "",
        "scripts/texts/.a.txt.swp": "",
    })  # fmt: skip
    assert {one for one in tree.counted(*FIT) if "/" in one} == {f"scripts/{name}"}


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("python -m amt.model\n", {"amt.model.train"}),
        (". ./lib.sh\n", {"scripts/lib.sh"}),
        ('source "$(dirname "$0")/lib.sh"\n', {"scripts/lib.sh", "scripts/more.sh"}),
        ("bash scripts/more.sh\n", {"scripts/more.sh"}),
        ("python scripts/fit.py\n", {"scripts.fit.main", "amt.model.train"}),
    ],
)
def test_what_a_program_runs_in_turn_counts(tree, text, counted):
    tree.write(**{
        "scripts/run.sh": text,
        "scripts/lib.sh": "scripts/more.sh\n",
        "scripts/more.sh": "true\n",
        "scripts/unused.sh": "true\n",
        "amt/model.py": "def train(x): return x\nif __name__ == '__main__':\n    train(1)\n",
    })  # fmt: skip
    found = tree.counted("bash", "scripts/run.sh")
    assert counted | {"scripts/run.sh"} <= found
    assert "scripts/unused.sh" not in found


@pytest.mark.parametrize("command", ["bash scripts/run.sh --x 1", "cd x; scripts/run.sh", "scripts/run.sh x | cat"])
def test_a_program_within_a_command_in_code_counts(tree, command):
    tree.write(**{"scripts/fit.py": f"import os\nos.system({command!r})\n", "scripts/run.sh": "true\n"})
    assert "scripts/run.sh" in tree.counted(*FIT)
    tree.write(**{"scripts/fit.py": "raise SystemExit('write it into scripts/run.sh, please')\n"})
    assert "scripts/run.sh" not in tree.counted(*FIT)


def test_a_decorator_that_registers_nothing_makes_nothing_count(tree):
    decorated = "import torch\n@torch.no_grad()\ndef other(): return {}\n"
    tree.write(**{"scripts/fit.py": "from amt import other\n" + RUN, "amt/other.py": decorated.format(1)})
    code = tree.code(*FIT)
    tree.write(**{"amt/other.py": decorated.format(2)})
    assert tree.code(*FIT) == code


def test_where_such_a_function_stands_does_not_count(tree):
    tree.write(**{"scripts/fit.py": "from amt.other import used\nused()\n"})
    one, other = "@torch.no_grad()\ndef used(): return 1\n", "@torch.inference_mode()\ndef other(): return 2\n"
    found = set()
    for text in (one + other, other + one, one):
        tree.write(**{"amt/other.py": "import torch\n" + text})
        found.add(tree.code(*FIT).text())
    assert len(found) == 1


def test_a_compiled_module_counts(tree):
    tree.write(**{"scripts/fit.py": "from amt.fast import f\nf()\n", "amt/fast.cpython-311-x86_64-linux-gnu.so": "1"})
    assert "amt/fast.cpython-311-x86_64-linux-gnu.so" in tree.counted(*FIT)


@pytest.mark.parametrize("name", ["tools.py", "tools/one.py"])
def test_a_module_of_the_project_that_lies_elsewhere_is_refused(tree, name):
    tree.write(**{"scripts/fit.py": "import tools\nprint(tools)\n"})
    assert tree.code(*FIT).libraries["tools"] == "absent"
    tree.write(**{name: ""})
    with pytest.raises(BuildError, match=r"tools(\.py)? is imported .* Move it there"):
        tree.code(*FIT)


def test_a_module_beside_a_script_that_is_run_by_its_path_is_not_refused(tree):
    tree.write(**{"run.py": "import tools\nprint(tools.f())\n", "tools.py": "def f(): return 1\n"})
    assert "tools.f" in tree.counted("python", "run.py")


def test_entries_of_a_table_that_code_names_count(tree):
    tree.write(**{
        "amt/table.py": "ByArgument = dict\nTABLE: ByArgument = {'a': one, 'b': two, 'c': three}\n"
        "def one(): return 1\ndef two(): return 2\ndef three(): return 3\n",
        "scripts/fit.py": "from amt.table import TABLE\ndef main(kind):\n    TABLE[kind]() or TABLE['b']()\nmain()\n",
    })  # fmt: skip
    counted = tree.counted(*FIT, "--kind", "a")
    assert {"amt.table.one", "amt.table.two"} <= counted
    assert "amt.table.three" not in counted


@pytest.mark.parametrize(
    ("source", "swapped"),
    [
        ("def f(): return list(globals())\n{}{}", True),
        ("def f(): return [v for v in vars(m).values()]\nfrom amt import m\n{}{}", True),
        ("def f(x): return globals()[x]\n{}{}", False),
        ("class Base: ...\ndef f(): return Base.__subclasses__()\n{}{}", True),
        ("def f(): return a() + b()\n{}{}", False),
    ],
)
def test_the_order_of_definitions_counts_where_code_goes_through_them(tree, source, swapped):
    is_class = "Base" in source
    one, two = ("class A(Base): ...\n", "class B(Base): ...\n") if is_class else ("def a(): ...\n", "def b(): ...\n")
    tree.counts_in(source.format(one, two))
    code = tree.code("python", "-m", "scripts.s")
    tree.counts_in(source.format(two, one))
    assert (tree.code("python", "-m", "scripts.s") != code) == swapped


@pytest.mark.parametrize(
    ("validator", "counts"),
    [
        ("    return value\n", False),
        ("    if value < 0:\n        raise ValueError(value)\n    return value\n", False),
        ("    return value * 2\n", True),
        ("    value = abs(value)\n    return value\n", True),
        ("    value.x = 1\n    return value\n", True),
    ],
)
def test_a_validator_of_settings_counts_if_it_changes_them(tree, validator, counts):
    schema = "from pydantic import BaseModel, field_validator\nclass S(BaseModel):\n  a: int\n"
    schema += "  def half(self): return self.a / 2\n"
    fit = "from amt.params import S\nprint(S(a=1).half())\n"
    tree.write(**{"amt/params.py": schema, "scripts/fit.py": fit})
    code = tree.code(*FIT)
    body = "".join(f"  {line}\n" for line in validator.splitlines())
    decorated = f"  @field_validator('a')\n  @classmethod\n  def check(cls, value):\n{body}"
    tree.write(**{"amt/params.py": schema + decorated})
    assert (tree.code(*FIT) != code) == counts
