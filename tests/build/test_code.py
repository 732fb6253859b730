"""What is part of a stage's code and what is not: on small trees, on generated functions, on this project itself."""

import json
import os
import re
import subprocess
import symtable
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt.build.code import Code, SourceTree
from amt.build.libraries import installed_version
from amt.build.stages import BuildError, described
from amt.build.tree import SETTLED_NS
from amt.rows import QUERY, write_rows
from tests.build.conftest import MODEL, Tree

PROJECT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_lists_what_the_stage_uses(tree):
    assert tree.counted() == {
        "scripts.fit.<main>", "scripts.fit.main", "scripts.fit.train",
        "amt.model.train", "amt.model.shift", "amt.model.RATE", "amt.model.LIMITS", "amt.model.math",
    }  # fmt: skip
    assert tree.code().libraries == {"python": PYTHON}


def test_is_read_back_from_its_text(tree):
    code = tree.code()
    assert Code.parse(code.text()) == code
    lines = code.text().splitlines()
    assert lines == sorted(lines)
    assert f"definition amt.model.train {code.definitions['amt.model.train']}" in lines
    assert f"library python {PYTHON}" in lines
    assert code.text().endswith("\n")
    named = Code({"amt/my file.txt": "0123"}, {})
    assert Code.parse(named.text()) == named


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # Sums first.\n", ""),
        ('    """Train."""\n', '    """Train, at length."""\n'),
        ('"""A model."""\n', ""),
        ("\n\n\ndef shift", "\n\n\n\n# ---\n\n\n\ndef shift"),
        ("1_000", "1000"),
        ("RATE = 1_000", "RATE: int = 1_000"),
        ("RATE = 1_000", 'RATE = 1_000\n"""Per second."""'),
        ('LIMITS["low"]', "(LIMITS['low'])"),
        ("total += math.sqrt(row) * rate", "total += (\n            math.sqrt(row)\n            * rate\n        )"),
        ("total = 0.0", "total: float = 0.0"),
        ("    total = 0.0", "    total: float\n    total = 0.0"),
        ("total", "the_sum"),
        ("for row in rows:\n        total += math.sqrt(row)", "for x in rows:\n        total += math.sqrt(x)"),
        ("rows: list, rate: float = RATE) -> float", "rows, rate=RATE)"),
        ("import math\nimport os\n", "import os\nimport math\n"),
        ("import math\nimport os\n", "import math\n"),
        ("import math\nimport os\n", "import os, math\n"),
        ("    import torch\n", "    import numpy\n"),
        ("return value - 1", "return value - 2"),
        ("def unused", "def another(value):\n    return value\n\n\ndef unused"),
    ],
)
def test_costs_nothing(tree, old, new):
    before = tree.code()
    tree.edit(old, new)
    assert tree.code() == before


def test_moving_functions_costs_nothing(tree):
    before = tree.code()
    head, train, shift, unused = MODEL.split("\ndef ")
    tree.write(**{"amt/model.py": "\ndef ".join([head, shift + "\n", unused + "\n", train])})
    assert tree.code() == before


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("1_000", "1_001", "RATE"),
        ("RATE = 1_000", "RATE = 1_000.0", "RATE"),
        ('"low": 1', '"low": 2', "LIMITS"),
        ("math.sqrt(row)", "math.cbrt(row)", "train"),
        ("rate: float = RATE", "rate: float = 2", "train"),
        ("rows: list, rate: float", "rows: list, pace: float", "train"),
        ("shift(total)", "shift(rows)", "train"),
        ("return value + LIMITS", "return value - LIMITS", "shift"),
        ("import math", "import cmath as math", "math"),
    ],
)
def test_counts(tree, old, new, changed):
    before = tree.code().definitions
    tree.edit(old, new)
    after = tree.code().definitions
    differing = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert f"amt.model.{changed}" in differing
    assert all(name.startswith("amt.model.") for name in differing)


def test_another_binding_of_a_name_is_another_definition(tree):
    once = tree.counts_in("def f():\n    return A\n\nA = 1\n")
    before = tree.code("python", "-m", "scripts.s")
    assert tree.counts_in("def f():\n    return A\n\nA = 1\nA = 2\n") == once
    assert tree.code("python", "-m", "scripts.s") != before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # The body acts between definitions.
        ("X = []\nX.append(1)\nY = len(X)\n", "X = []\nY = len(X)\nX.append(1)\n"),
        ("A = 1\nY = A\nA = 2\n", "A = 1\nA = 2\nY = A\n"),
        ("X = [1, 2]\nY = X.pop()\nZ = X.pop()\n", "X = [1, 2]\nZ = X.pop()\nY = X.pop()\n"),
        ("from amt.one import Y\nfrom amt.two import Y\n", "from amt.two import Y\nfrom amt.one import Y\n"),
        # A default is computed when the module is imported.
        ("N = 1\ndef Y(x=N): return x\nN = 2\n", "N = 1\nN = 2\ndef Y(x=N): return x\n"),
    ],
)
def test_order_on_import_counts_where_it_matters(tree, first, second):
    use = "\ndef f():\n    return Y, Z\n"
    tree.write(**{"amt/one.py": "Y = 1", "amt/two.py": "Y = 2"})
    tree.counts_in(first + use)
    before = tree.code("python", "-m", "scripts.s")
    tree.counts_in(second + use)
    assert tree.code("python", "-m", "scripts.s") != before


# --- names and scopes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "def f(g=0):\n    a = 1\n    return [a for a in g if a]",
            "def f(g=0):\n    b = 1\n    return [z for z in g if z]",
        ),
        ("def f():\n    with g() as a:\n        return a", "def f():\n    with g() as b:\n        return b"),
        (
            "def f():\n    try:\n        g()\n    except E as a:\n        raise a",
            "def f():\n    try:\n        g()\n    except E as error:\n        raise error",
        ),
        ("def f(x):\n    if (a := g(x)): return a", "def f(x):\n    if (b := g(x)): return b"),
        (
            "def f(x):\n    any((a := y) for y in x)\n    return a",
            "def f(x):\n    any((b := z) for z in x)\n    return b",
        ),
        (
            "def f(x):\n    match x:\n        case [a, *b]: return a, b\n        case {'k': c, **d}: return c, d",
            "def f(x):\n    match x:\n        case [p, *q]: return p, q\n        case {'k': r, **s}: return r, s",
        ),
        (
            "def f():\n    a = 0\n    def g():\n        nonlocal a\n        a += 1\n    g()\n    return a",
            "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    g()\n    return n",
        ),
        (
            "def f():\n    import a\n    import b\n    return a, b",
            "def f():\n    import b\n    import a\n    return a, b",
        ),
        (
            "def f():\n    from a import c, b\n    return b, c",
            "def f():\n    from a import b\n    from a import c\n    return b, c",
        ),
    ],
)
def test_names_of_local_variables_do_not_count(tree, first, second):
    assert tree.digest_of(first) == tree.digest_of(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Local in one, global in the other.
        ("def f():\n    A = 1\n    return A", "def f():\n    B = 1\n    return A"),
        (
            "def f():\n    A = 1\n    def g(): return A\n    return g",
            "def f():\n    B = 1\n    def g(): return A\n    return g",
        ),
        ("def f():\n    def g():\n        A = 1\n    return A", "def f():\n    def g():\n        A = 1\n    return B"),
        ("def f(x):\n    return [A for A in x], A", "def f(x):\n    return [A for A in x], B"),
        ("def f():\n    A: int\n    return A", "def f():\n    return A"),
        ("def f():\n    global A\n    A = 1", "def f():\n    A = 1"),
        ("def f():\n    global A\n    A = 1", "def f():\n    global B\n    B = 1"),
        (
            "def f():\n    A = 1\n    def g():\n        global A\n        return A\n    return g",
            "def f():\n    A = 1\n    def g():\n        return A\n    return g",
        ),
        # A method does not see the names of its class; the class body itself falls back on the module.
        (
            "def f():\n    class C:\n        A = 1\n        def g(self): return A\n    return C",
            "def f():\n    class C:\n        A = 1\n        def g(self): return B\n    return C",
        ),
        (
            "def f():\n    A = 1\n    class C:\n        A = A\n    return C",
            "def f():\n    B = 1\n    class C:\n        A = A\n    return A, C",
        ),
        # The first iterable belongs to the scope around a comprehension, the others to its own.
        ("def f(x):\n    return [a for a in x for b in a]", "def f(x):\n    return [a for a in x for b in x]"),
        # Two locals are not one.
        ("def f(x):\n    a, b = x\n    return a", "def f(x):\n    a, b = x\n    return b"),
        # Seen from outside: attributes of a class, parameters, what is imported, keywords, text.
        ("def f():\n    class C:\n        a = 1\n    return C", "def f():\n    class C:\n        b = 1\n    return C"),
        ("def f(a): return a", "def f(b): return b"),
        ("def f():\n    import a\n    return a", "def f():\n    import b\n    return b"),
        ("def f(x):\n    return g(a=x)", "def f(x):\n    return g(b=x)"),
        ("def f():\n    a = 1\n    return f'{a=}'", "def f():\n    b = 1\n    return f'{b=}'"),
        ("def f():\n    a = 1\n    return locals()", "def f():\n    b = 1\n    return locals()"),
        ("def f():\n    a = 1\n    return eval('a')", "def f():\n    b = 1\n    return eval('a')"),
        (
            "def f(x):\n    low, high = 1, 2\n    return x.query('n > @low')",
            "def f(x):\n    high, low = 1, 2\n    return x.query('n > @low')",
        ),
        (
            "def f(x):\n    a, b = x\n    return sql(QUERY)",
            "def f(x):\n    b, a = x\n    return sql(QUERY)",
        ),
        (
            "def f():\n    from a import x\n    from b import x\n    return x",
            "def f():\n    from b import x\n    from a import x\n    return x",
        ),
        ("def f(x): return True", "def f(x): return 1"),
        ("def f(x): return 'a' 'b'", "def f(x): return b'ab'"),
        ("@g\ndef f(x: int): return x", "@g\ndef f(x: str): return x"),
    ],
)  # fmt: skip
def test_other_meanings_never_look_equal(tree, first, second):
    assert tree.digest_of(first) != tree.digest_of(second)


NAMES = ["a", "b", "c", "d"]
SIMPLE = [
    "{0} = {1}", "print({0}, {1})", "[{0} for {0} in {1}]", "[{0} for {1} in {2} for {0} in {1}]",
    "for {0} in {1}: {2}", "del {0}", "{0} += 1", "x = lambda {0}: {1}",
    "any(({0} := {1}) for x in {2})", "with {0} as {1}: {2}",
    "{{{0}: {1} for {0}, {2} in {1}}}", "import {0}", "lambda x={0}: ({1} := x)", "{0}: int",
    "try: {0}\nexcept Exception as {1}: {2}", "match {0}:\n    case [{1}, *x]: {2}\n    case _: {1}",
]  # fmt: skip
BLOCKS = [
    "def {0}({1}={2}):\n{block}", "class {0}:\n{block}", "if {0}:\n{block}", "def {0}():\n    global {1}\n{block}",
    "async def {0}(*{1}):\n{block}",
]  # fmt: skip


@st.composite
def functions(draw) -> str:
    """Source of a function f whose four names may be anything: local, free, global, of a class, a parameter."""

    def block(depth: int) -> str:
        lines = []
        for _ in range(draw(st.integers(1, 3))):
            nested = depth < 3 and draw(st.booleans())
            form = draw(st.sampled_from(BLOCKS if nested else SIMPLE))
            names = [draw(st.sampled_from(NAMES)) for _ in range(3)]
            lines.append(form.format(*names, block=textwrap.indent(block(depth + 1), "    ") if nested else ""))
        return "\n".join(lines)

    return f"def f():\n{textwrap.indent(block(0), '    ')}\n"


def compiles(source: str) -> bool:
    try:
        compile(source, "m.py", "exec")
    except SyntaxError:
        return False
    return True


def globals_of(table: symtable.SymbolTable, *, stored_in_class: bool = False) -> set[str]:
    """The names that a scope and those within it look up in the module, as Python's own compiler sees it.

    Args:
        stored_in_class: also those that a class body only binds. One that it also reads may be the module's.
    """
    found = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_global()
        or (table.get_type() == "class" and symbol.is_local() and (stored_in_class or symbol.is_referenced()))
    }
    return found.union(*(globals_of(child, stored_in_class=stored_in_class) for child in table.get_children()))


GENERATED = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@GENERATED
@given(source=functions())
def test_global_names_are_those_of_pythons_compiler(tmp_path_factory, source):
    if not compiles(source):
        return
    tree = Tree(tmp_path_factory.mktemp("tree"))
    definitions = "".join(f"{name} = 1\n" for name in NAMES)
    table = symtable.symtable(source, "m.py", "exec").get_children()[0]
    counted = tree.counts_in(definitions + source)
    assert globals_of(table) & set(NAMES) <= counted <= {"f"} | globals_of(table, stored_in_class=True)


@GENERATED
@given(source=functions(), data=st.data())
def test_renamed_locals_keep_the_digest_and_exchanged_globals_change_it(tmp_path_factory, source, data):
    """A name that is local wherever it occurs in f, and never seen from outside, may have any name."""
    if not compiles(source):
        return
    tree = Tree(tmp_path_factory.mktemp("tree"))
    digest = tree.digest_of(source)
    table = symtable.symtable(source, "m.py", "exec").get_children()[0]
    for name in NAMES:
        if is_free_to_rename(table, name):
            assert tree.digest_of(renamed(source, {name: "other"})) == digest
    read = sorted(globals_of(table) & set(NAMES))
    if len(read) > 1:
        one, two = data.draw(st.permutations(read))[:2]
        exchanged = renamed(source, {one: two, two: one})
        if exchanged != source and all(is_global_everywhere(table, name) for name in (one, two)):
            assert tree.digest_of(exchanged) != digest


def renamed(source: str, names: dict[str, str]) -> str:
    return re.sub(r"\b[abcd]\b", lambda found: names.get(found[0], found[0]), source)


def symbols_of(table: symtable.SymbolTable, name: str) -> list[tuple[str, symtable.Symbol]]:
    own = [(table.get_type(), symbol) for symbol in table.get_symbols() if symbol.get_name() == name]
    return own + [symbol for child in table.get_children() for symbol in symbols_of(child, name)]


def is_free_to_rename(table: symtable.SymbolTable, name: str) -> bool:
    return all(
        kind == "function"
        and not (symbol.is_global() or symbol.is_parameter() or symbol.is_imported() or symbol.is_namespace())
        for kind, symbol in symbols_of(table, name)
    )


def is_global_everywhere(table: symtable.SymbolTable, name: str) -> bool:
    return all(symbol.is_global() for _, symbol in symbols_of(table, name))


# --- what is reached -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        # Of an object: its class counts whole where it is made. A module that is handed on counts whole as well.
        ("def f(x): return x.g()\ndef g(): ...", {"f"}),
        ("def f(x): return x(g=1)\ndef g(): ...", {"f"}),
        ("from amt import m\ndef f(x): return m.g()\ndef g(): ...\ndef h(): ...", {"f", "g", "m"}),
        ("from amt import m\ndef f(x): return x(m)\ndef g(): ...", {"f", "g", "m"}),
        ("import amt.m\ndef f(x): return amt.m.g\ndef g(): ...\ndef h(): ...", {"f", "g", "amt"}),
        ("def f(x): return 'amt.m.g'\ndef g(): ...\ndef h(): ...", {"f", "g"}),
        ("def f(g): return g\ndef g(): ...", {"f"}),
        ("def f(x): return globals()[x]\ndef g(): ...", {"f", "g"}),
        ("def f(x): return vars()[x]\ndef g(): ...", {"f", "g"}),
        ("def f(x): return eval(x)\ndef g(): ...", {"f", "g"}),
        ("import importlib\ndef f(x): return importlib.import_module(x)\ndef g(): ...", {"f", "g", "importlib"}),
        ("import sys\ndef f(x): return getattr(sys.modules[__name__], x)\ndef g(): ...", {"f", "g", "sys"}),
        ("from amt import m\ndef f(x): return getattr(m, x)\ndef g(): ...", {"f", "g", "m"}),
        ("from amt import m\ndef f(x): return vars(m)[x]\ndef g(): ...", {"f", "g", "m"}),
        ("import amt.m\ndef f(x): return amt.m.__dict__[x]\ndef g(): ...", {"f", "g", "amt"}),
        ("def f(): ...\nL = []\n@L.append\ndef g(): ...", {"f", "g", "L"}),
        ("import functools\ndef f(): ...\n@functools.cache\ndef g(): ...", {"f"}),
        ("def f(): return B.__subclasses__()\nclass B: ...\nclass C(B): ...\nclass D: ...", {"f", "B", "C"}),
        ("def f(): ...\nfor i in range(3):\n    print(g)\ng = 1", {"f", "g", "<body>"}),
        ("def f(): ...\n__all__ = ['g']\ndef g(): ...", {"f"}),
        ("def f(): ...\nif __name__ == '__main__':\n    g()\ndef g(): ...", {"f"}),
        ("def f(): ...\nd = {}\nd['g'] = g = 1\n", {"f", "d", "<body>"}),
        ("def f(): return a, c\n[a, (b, *c)] = 1, (2, 3)\ne = 1", {"f", "a", "b", "c"}),
        ("def f(): return __x\n__x = 1\ny = 1", {"f", "__x"}),
        # In a class it is _f__x of the module.
        ("class f:\n    def g(self): return __x\n_f__x = 1", {"f", "_f__x"}),
    ],
)  # fmt: skip
def test_a_mentioned_definition_counts(tree, source, counted):
    assert tree.counts_in(source) == counted


@pytest.mark.parametrize(
    "use",
    [
        "import amt.parts.wheel\n\ndef main(): return amt.parts.wheel.turn()\nmain()\n",
        "def main():\n    from amt.parts.wheel import turn\n    turn()\nmain()\n",
        "from amt.parts import wheel\n\nprint(wheel.turn)\n",
        "from amt import parts\nfrom .run import go\ngo(parts)\n",
        "print('amt.parts.wheel.turn')\n",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'amt.parts.wheel'])\n",
        "import os\nos.system('python -m amt.parts.wheel --fast')\n",
        "import importlib\n\ndef load(name): return importlib.import_module(f'amt.parts.{name}')\n\nload('one')\n",
        "from amt.parts.wheel import *\n",
        "from amt.parts import *\n",
    ],
)
def test_a_module_counts_however_it_is_reached(tree, use):
    tree.write(
        **{
            "amt/parts/__init__.py": "import sys\n__all__ = ['wheel']\nsys.setrecursionlimit(9)\nturn = 1\n",
            "amt/parts/wheel.py": "import os\nos.nice(1)\ndef turn(): ...\n",
            "scripts/run.py": "import amt.parts.wheel\ndef go(x): return x.turn(amt.parts)\n",
            "scripts/fit.py": use,
        }
    )
    counted = tree.counted()
    assert "amt.parts.<body>" in counted, "what a package executes counts with its modules"
    assert "amt.parts.wheel.<body>" in counted
    assert {"amt.parts.wheel.turn", "amt.parts.turn"} & counted


def test_only_what_is_run_counts_its_main(tree):
    tree.write(**{"amt/serve.py": "def a(): ...\nif __name__ == '__main__':\n    a()\n"})
    tree.edit("print(train([1, 2]))", "import amt.serve", "scripts/fit.py")
    assert not [name for name in tree.counted() if name.startswith("amt.serve")]
    tree.edit("import amt.serve", "print('amt.serve')", "scripts/fit.py")
    assert {"amt.serve.a", "amt.serve.<main>"} <= tree.counted()


def test_what_watches_or_places_does_not_count(tree):
    tree.write(
        **{
            "amt/tracking.py": "def track(): ...\n",
            "amt/placement.py": "import amt.model\ndef placement(): return amt.model.unused\n",
        }
    )
    tree.edit(
        "from amt.model",
        "from amt.placement import placement\nfrom amt import tracking\nfrom amt.model",
        "scripts/fit.py",
    )
    tree.edit("print(", "print(tracking.track(), placement(), ", "scripts/fit.py")
    assert "scripts.fit.placement" in tree.counted()
    assert not [
        name for name in tree.counted() if name.startswith(("amt.tracking", "amt.placement", "amt.model.unused"))
    ]


SCHEMA = """
from pydantic import BaseModel, model_validator

Rate = float


class Section(BaseModel):
    model_config = {"extra": "forbid"}

    @model_validator(mode="after")
    def _keys_agree(self):
        return self

    def faults(self):
        yield from ()


class Fit(Section):
    rate: Rate
    steps: int = 3

    def faults(self):
        yield complaint(self)

    @property
    def pace(self):
        return self.rate / self.steps


def complaint(fit):
    return fit


def load():
    return Section
"""


@pytest.mark.parametrize(
    ("old", "new", "is_free"),
    [
        ("    rate: Rate\n", "    rate: int\n    other: int\n", True),
        ('"forbid"', '"ignore"', True),
        ('"forbid"', '"forbid", "str_to_lower": True', False),
        ("return self\n", "self.steps.sort()\n        return self\n", False),
        ("yield complaint(self)", "yield complaint(self), 1", True),
        ('"after"', '"before"', True),
        ("return fit", "return fit, 1", True),
        ("self.rate / self.steps", "self.rate * self.steps", False),
        ("steps: int = 3", "steps: int = 4", False),
        ("return Section", "return Section()", False),
    ],
)
def test_of_the_schema_only_what_computes_counts(tree, old, new, is_free):
    tree.write(**{"amt/params.py": SCHEMA, "scripts/fit.py": "from amt.params import load\nprint(load().pace)\n"})
    before = tree.code()
    tree.edit(old, new, "amt/params.py")
    assert (tree.code() == before) is is_free


def test_of_a_table_only_the_entries_count_that_are_arguments(tree):
    tree.write(
        **{
            "amt/catalogue.py": '''
                from amt.chat import CHAT
                from amt.maths import MATHS

                DATASETS: ByArgument[str] = {"chat": CHAT, "maths": MATHS}
                ''',
            "amt/chat.py": "import numpy\nCHAT = numpy.array(1)\n",
            "amt/maths.py": "MATHS = 2\n",
            "scripts/fit.py": "from amt.catalogue import DATASETS\nprint(DATASETS)\n",
        }
    )  # fmt: skip
    run = ("python", "-m", "scripts.fit", "--source")
    chat, maths = "amt.chat.CHAT", "amt.maths.MATHS"
    assert {chat, maths} & tree.counted(*run, "maths") == {maths}
    assert {chat, maths} & tree.counted(*run, "chat") == {chat}
    assert {chat, maths} & tree.counted("python", "-m", "scripts.fit", "--source=chat,maths") == {chat, maths}
    assert {chat, maths} & tree.counted(*run, "all") == {chat, maths}
    assert tree.code(*run, "chat").libraries == {"numpy": "2.3.5", "python": PYTHON}
    assert tree.code(*run, "maths").libraries == {"python": PYTHON}
    before = tree.code(*run, "maths")
    tree.edit('"chat": CHAT', '"chat": CHAT + 1, "third": 3', "amt/catalogue.py")
    assert tree.code(*run, "maths") == before
    tree.edit('"maths": MATHS', '"maths": MATHS + 1', "amt/catalogue.py")
    assert tree.code(*run, "maths") != before


def test_a_file_beside_the_module_that_names_it_counts(tree):
    tree.write(**{"amt/page.j2": "one", "scripts/page.j2": "elsewhere", "amt/model.json": "{}"})
    tree.edit("return value + LIMITS", 'return open("page.j2"), Path(__file__).with_suffix(".json"), value + LIMITS')
    before = tree.code()
    assert {name for name in before.definitions if "/" in name} == {"amt/page.j2", "amt/model.json"}
    tree.write(**{"scripts/page.j2": "changed"})
    assert tree.code() == before
    tree.write(**{"amt/page.j2": "two"})
    assert tree.code() != before


ONE = {"texts/one.txt"}
TEXTS = {"texts/one.txt", "texts/two.txt", "texts/in-side/three.txt"}
ALL = {*TEXTS, "other.csv", "parts/deep.json"}


@pytest.mark.parametrize(
    ("use", "files"),
    [
        ("Path(__file__).parent / 'other.csv'", {"other.csv"}),
        ("Path(__file__).parent / 'texts' / 'one.txt'", ONE),
        ("Path(__file__).resolve().parent.joinpath('texts/one.txt')", ONE),
        ("os.path.join(os.path.dirname(os.path.abspath(__file__)), 'texts/one.txt')", ONE),
        ("open('amt/texts/one.txt')", ONE),
        ("os.listdir('amt/texts')", TEXTS),
        ("(HERE / 'texts').glob('*.txt')", ALL),  # for what is done with HERE alone, and elsewhere
        ("[open(p) for p in (Path(__file__).parent / 'texts').iterdir()]", TEXTS),
        ("Path(__file__).parent / 'texts' / f'{value}.txt'", TEXTS),
        ("Path(__file__).parent / f'texts/{value}.txt'", ALL),
        ("Path(__file__).parent / 'texts' / 'in-side' / value", {"texts/in-side/three.txt"}),
        ("Path(__file__).parent / '..' / 'amt' / 'texts' / value", TEXTS),
        ("ROOT / 'amt' / 'texts' / value", TEXTS),
        ("HERE.parent / 'amt' / 'texts' / 'one.txt'", ALL),  # HERE by itself
        ("(Path(__file__).parent / 'other.csv', Path(__file__).parent / 'texts' / value)", {*TEXTS, "other.csv"}),
        ("os.path.split(__file__)[0] + value", ALL),
        ("value.__file__", ALL),
        ("getattr(amt.parts, '__file__')", ALL),
        ("os.__file__", set()),
        ("Path(__file__).stem", set()),
        ("amt.parts.__path__[0] + value", {"parts/deep.json"}),
        ("jinja2.PackageLoader('amt.parts')", {"parts/deep.json"}),
        ("HERE / value", ALL),
        ("Path(__file__).parents[0] / value", ALL),
        ("Path(__file__).parents[value]", ALL),
        ("open(amt.model.__file__)", ALL),
        ("importlib.resources.files('amt').joinpath(value)", ALL),
        ("importlib.resources.files('amt') / 'other.csv'", {"other.csv"}),
        ("importlib.resources.files('amt.parts').joinpath(value)", {"parts/deep.json"}),
        ("resources.read_text(amt.parts, value)", {"parts/deep.json"}),
        ("pkgutil.get_data(__package__, value)", ALL),
        ("Path(__file__).parent.parent", set()),
        ("Path(__file__).parents[1] / value", set()),
        ("os.path.dirname(os.path.dirname(__file__))", set()),
        ("Path(amt.parts.__file__).parent / value", {"parts/deep.json"}),
    ],
)
def test_files_of_data_below_the_module_count_as_far_as_it_tells_them_apart(tree, use, files):
    tree.write(
        **{f"amt/{name}": name for name in ALL},
        **{"amt/parts/__init__.py": "", "scripts/elsewhere.csv": "", "data.csv": ""},
        **{"amt/texts/__pycache__/x.txt": "", "amt/texts/.two.txt.swp": ""},
    )
    imports = "import importlib.resources\nimport math\nimport pkgutil\nfrom importlib import resources\n"
    imports += "from pathlib import Path\nimport amt.model\nimport amt.parts\nHERE = Path(__file__).parent\n"
    imports += "ROOT = Path(__file__).parent.parent\nimport os\nimport jinja2\n"
    tree.edit("import math\n", imports)
    tree.edit('return value + LIMITS["low"]', f"return {use}")
    assert {name.removeprefix("amt/") for name in tree.counted() if "/" in name} == files


def test_code_that_lists_its_folder_has_all_modules_of_it(tree):
    tree.write(**{"amt/parts/__init__.py": "", "amt/parts/wheel.py": "turn = 1\n"})
    tree.edit("return value + LIMITS", 'return [open(p) for p in Path(__file__).parent.glob("parts/*.py")], LIMITS')
    assert "amt.parts.wheel.turn" in tree.counted()


@pytest.mark.parametrize(
    ("use", "wheels"),
    [
        ("[import_module(f'{__name__}.{one.name}') for one in pkgutil.iter_modules(__path__)]", {"parts"}),
        ("[import_module(__name__ + '.' + one) for one in os.listdir()]", {"parts"}),
        ("list(pkgutil.walk_packages(amt.others.__path__))", {"others"}),
        ("import_module(f'amt.parts.{os.environ[0]}')", {"parts"}),
        ("import_module(os.environ['PLUGIN'])", {"parts", "others"}),
        ("__import__(os.environ['PLUGIN'])", {"parts", "others"}),
        ("runpy.run_module(os.environ['PLUGIN'])", {"parts", "others"}),
        ("[import_module(one) for one in ('json', 'math')]", set()),
        ("[import_module(one) for one in NAMES]", {"others"}),
        ("import_module('.wheel', __package__)", {"parts"}),
        ("import_module('.' + os.environ[0], __package__)", {"parts"}),
        ("import_module('amt.%s.wheel' % os.environ[0])", {"parts", "others"}),
        ("import_module(f'amt.parts.{os.environ[0]}'), import_module(os.environ[1])", {"parts", "others"}),
        ("list(map(import_module, os.environ))", {"parts", "others"}),
        ("load(os.environ[0])", {"parts", "others"}),
        ("[os.execl('python', [os.sys.executable, '-m', one]) for one in os.environ]", {"parts", "others"}),
        ("spec_from_file_location('x', os.environ[0])", {"parts", "others"}),
    ],
)
def test_modules_that_are_looked_for_count(tree, use, wheels):
    begin = "import pkgutil, os, runpy\nimport amt.others\nfrom importlib import import_module\n"
    begin += "from importlib import import_module as load\n" if use.startswith("load") else ""
    names = "NAMES = ('amt.others.wheel',)\n"
    tree.write(
        **{"amt/parts/__init__.py": f"{begin}{names}def find(): return {use}\n", "amt/parts/wheel.py": "turn = 1\n"},
        **{"amt/others/__init__.py": "", "amt/others/wheel.py": "turn = 1\n"},
    )
    tree.edit("return value + LIMITS", "import amt.parts\n    return amt.parts.find, LIMITS")
    assert {name.split(".")[1] for name in tree.counted() if name.endswith(".wheel.turn")} == wheels


def test_a_script_beside_the_module_that_names_it_counts_as_a_whole(tree):
    tree.write(
        **{
            "amt/worker.py": "import neighbour\ndef a(): ...\nif __name__ == '__main__':\n    print(1)\n",
            "amt/neighbour.py": "def b(): ...\n",
        }
    )
    tree.edit("return value + LIMITS", 'return Path(__file__).with_name("worker.py"), LIMITS')
    assert {"amt.worker.a", "amt.worker.<main>", "amt.neighbour.b"} <= tree.counted()


def test_a_script_may_be_run_by_its_path(tree):
    tree.write(
        **{"tools/run.py": "import beside\nfrom amt.model import shift\nshift(1)\n", "tools/beside.py": "x = 1\n"}
    )
    counted = tree.counted("python", "tools/run.py", "--fast")
    assert {"tools.run.<body>", "tools.beside.x", "amt.model.shift", "amt.model.LIMITS"} <= counted
    assert "amt.model.train" not in counted
    tree.write(**{"my-tools/run.py": "from amt.model import shift\nshift(1)\n"})
    assert "my-tools.run.<body>" in tree.counted("python", "my-tools/run.py")


def test_libraries_count_if_the_code_that_imports_them_does(tree):
    tree.edit("import math\n", "import math\nimport numpy as np\nimport httpx\nimport torch\nimport nowhere\n")
    assert tree.code().libraries == {"python": PYTHON}
    tree.edit("return value + LIMITS", "import yaml\n    httpx.get(nowhere)\n    return np.float64(value) + LIMITS")
    assert tree.code().libraries == {"numpy": "2.3.5", "nowhere": "absent", "python": PYTHON}
    tree.edit("return value - 1", "from torch import nn\n    return nn")
    assert "torch" not in tree.code().libraries


def test_versions_are_those_installed_without_local_labels():
    from importlib.metadata import version

    assert installed_version("yaml") == version("PyYAML")
    assert installed_version("numpy") == version("numpy").split("+")[0]
    assert installed_version("no_such_library") is None


@pytest.mark.parametrize("use", ["utils.get_json_schema(f)", "g.apply_chat_template([], tools=[f])"])
def test_docstrings_count_that_describe_tools_to_a_model(tree, use):
    tree.write(**{"scripts/fit.py": f'def f():\n    """Looks up."""\nprint({use})\n'})
    before = tree.code()
    tree.edit("Looks up.", "Looks a word up.", "scripts/fit.py")
    assert tree.code() != before


def test_docstrings_count_for_code_that_reads_them(tree):
    tree.edit("return shift(total)", "return shift(total), train.__doc__")
    before = tree.code()
    tree.edit('"""Train."""', '"""Train hard."""')
    assert tree.code() != before


def test_the_docstring_of_a_module_counts_unless_it_is_help(tree):
    tree.edit("print(train([1, 2]))", "print(train([1, 2]), parser(description=__doc__))", "scripts/fit.py")
    before = tree.code()
    tree.edit("Train a model", "Train", "scripts/fit.py")
    assert tree.code() == before
    tree.edit("description=__doc__", "__doc__", "scripts/fit.py")
    assert "scripts.fit.__doc__" in tree.counted()


# --- errors, cache, places -------------------------------------------------------------------------------


def test_a_faulty_module_is_named_only_where_it_counts(tree):
    tree.write(**{"amt/broken.py": "x = 1\ndef (:\n"})
    tree.code()
    tree.edit("from amt.model", "import amt.broken\nprint(amt)\nfrom amt.model", "scripts/fit.py")
    with pytest.raises(BuildError, match=r"amt/broken\.py:2: this is not Python"):
        tree.code()


def test_a_missing_script_is_named(tree):
    with pytest.raises(BuildError, match=r"there is no scripts/fitt\.py"):
        tree.code("python", "-m", "scripts.fitt")


def test_says_where_a_definition_stands(tree):
    sources = SourceTree(tree.path)
    assert sources.file_of("amt.model.shift") == (
        "amt/model.py",
        MODEL.lstrip().split("\n").index("def shift(value):") + 1,
    )
    assert sources.file_of("scripts.fit.<main>") == ("scripts/fit.py", 11)
    assert sources.file_of("amt.model.gone") is None
    assert sources.file_of("gone.module.x") is None


def aged(path: Path) -> None:
    """Wait until the files can be cached: what has just been written may change again within one tick of the clock."""
    for file in path.rglob("*.py"):
        os.utime(file, (time.time() - 3600,) * 2)
    time.sleep(1.2 * SETTLED_NS / 1e9)


def test_the_cache_gives_the_same_and_sees_every_change(tree, tmp_path):
    words = ("python", "-m", "scripts.fit")
    aged(tree.path)
    cache = tmp_path / "sources.json"
    first = SourceTree(tree.path, cache=cache)
    code = first.code_of(words)
    assert not cache.exists(), "only save() writes"
    first.save()
    written = cache.stat()
    again = SourceTree(tree.path, cache=cache)
    assert again.code_of(words) == code
    again.save()
    assert cache.stat() == written, "nothing new, nothing written"
    tree.edit('"low": 1', '"low": 2')  # of the same size
    for file in tree.path.rglob("*.py"):
        os.utime(file, (time.time() - 3600,) * 2)  # and said to be old
    assert SourceTree(tree.path, cache=cache).code_of(words) == tree.code() != code


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "of another version", "modules": {}}',
        "MODULES []",
        "MODULES 7",
        "MODULES [0, 0, []]",
    ],
)
def test_a_spoilt_cache_is_made_anew(tree, tmp_path, content):
    aged(tree.path)
    cache = tmp_path / "sources.json"
    first = SourceTree(tree.path, cache=cache)
    code = first.code_of(("python", "-m", "scripts.fit"))
    first.save()
    if content.startswith("MODULES"):
        known = json.loads(cache.read_text())
        spoilt = json.loads(content.removeprefix("MODULES"))
        for path, row in known["modules"].items():
            known["modules"][path] = [*row[:2], "foreign"] if spoilt == 7 else spoilt
        content = json.dumps(known)
    cache.write_text(content)
    assert SourceTree(tree.path, cache=cache).code_of(("python", "-m", "scripts.fit")) == code


# --- this project ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> SourceTree:
    return SourceTree(PROJECT)


def modules_of(code: Code) -> set[str]:
    return {name.rpartition(".")[0] for name in code.definitions}


def test_every_stage_of_this_project_is_found(project):
    for stage in described(PROJECT / "dvc.yaml"):
        code = project.code_of(stage.words)
        assert f"{stage.words[2]}.<main>" in code.definitions
        assert "amt.params.load_for_stage" in code.definitions
        assert "absent" not in {code.libraries.get("pyarrow"), code.libraries.get("numpy")}
        assert not [
            name for name in code.definitions if name.startswith(("amt.build", "amt.tracking", "amt.placement"))
        ]


@pytest.mark.parametrize(
    ("script", "used", "unused"),
    [
        ("unique", {"amt.curate.unique", "amt.curate.clusters", "amt.rows"}, ("amt.grpo", "amt.standins")),
        ("clean", {"amt.curate.clean", "amt.curate.normal_form", "amt.ledger"}, ("amt.rollout", "amt.standins")),
        ("sft_set", {"amt.sft.build_sft_set", "amt.chat"}, ("amt.grpo", "amt.sandbox")),
        ("verify_math", {"amt.standins.endpoint", "amt.standins.roles", "amt.rewards.math_worker"}, ("amt.grpo",)),
        (
            "grpo",
            {"amt.rollout.serve", "amt.rollout.worker", "amt.rewards.math_worker", "amt.sandbox.zygote"},
            ("amt.curate", "amt.evaluation"),
        ),
    ],
)  # fmt: skip
def test_modules_of_some_stages(project, script, used, unused):
    code = project.code_of(["python", "-m", f"scripts.{script}"])
    assert used <= modules_of(code)
    assert not [name for name in modules_of(code) if name.startswith(unused)]
    assert ("torch" in code.libraries) == (script == "grpo")


TRACE = """
import json, runpy, sys

called, importing = set(), "_call_with_frames_removed"

def note(frame, event, argument):
    if event == "call":
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        above = frame
        while above and above.f_code.co_name != importing:
            above = above.f_back
        if above is None and "<" not in code.co_qualname.split(".")[0]:
            called.add(f"{module}.{code.co_qualname.split('.')[0]}")

sys.argv = sys.argv[2:]
sys.setprofile(note)
try:
    runpy.run_module("scripts." + sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    sys.setprofile(None)
    print("\\n".join(sorted(called)))
"""


@pytest.mark.parametrize("script", ["clean", "unique"])
def test_whatever_a_stage_calls_counts(tmp_path, project, script):
    """The stage is run on two rows; Python itself says which functions were called."""
    text = "Add 2 and 3, then look at https://example.com/figure.png"
    rows = [
        dict.fromkeys(QUERY.names)
        | {"row_id": f"s:{number}", "source": "s", "category": "math", "query": query}
        | {"messages": f'[{{"role":"user","content":"{query}"}}]'}
        for number, query in enumerate([text, "Add 2 and 3.", "Add 2 and 3."])
    ]
    write_rows(tmp_path / "queries.parquet", rows, QUERY)
    words = [
        "python",
        "-m",
        f"scripts.{script}",
        "--params",
        str(PROJECT / "params.yaml"),
        "--queries",
        "queries.parquet",
    ]
    for name in ("kept", "ledger", "report"):
        words += [f"--{name}", f"{name}.out"]
    done = subprocess.run(
        [sys.executable, "-c", TRACE, "", script, *words[3:]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "AMT_TRACKING": "off"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Not what validates settings (amt.params), watches or places; nor what dataclasses write.
    called = {
        name.replace("__main__", f"scripts.{script}")
        for name in done.stdout.split()
        if re.match(r"(amt|scripts|__main__)\.(?!params|tracking|placement|.*__)", name)
    }
    assert len(called) > 8, called
    assert called - set(project.code_of(words).definitions) == set()


def test_is_quick(project, tmp_path):
    """Both tools ask before everything they do."""
    cache = tmp_path / "sources.json"
    sources = SourceTree(PROJECT, cache=cache)
    stages = described(PROJECT / "dvc.yaml")
    for stage in stages:
        sources.code_of(stage.words)
    sources.save()
    started = time.process_time()
    warm = SourceTree(PROJECT, cache=cache)
    for stage in stages:
        warm.code_of(stage.words)
    assert time.process_time() - started < 1  # 0.1 s; a busy machine takes longer


# --- order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("os.environ['A'] = '1'\nimport amt.model as m", "import amt.model as m\nos.environ['A'] = '1'"),
        ("x = os.putenv('A', '1')\nfrom amt import model as m", "from amt import model as m\nx = os.putenv('A', '1')"),
        ("a = count()\nm = count()", "m = count()\na = count()"),
        ("a = Counter().next()\nm = Counter().next()", "m = Counter().next()\na = Counter().next()"),
        ("a = through()\nm = through()", "m = through()\na = through()"),
        ("a = made()\nm = made()", "m = made()\na = made()"),
        ("a = kept()\nm = kept()", "m = kept()\na = kept()"),
        ("a = Shared().count()\nm = Shared().count()", "m = Shared().count()\na = Shared().count()"),
        ("a = drawn()\nm = drawn()", "m = drawn()\na = drawn()"),
        ("a = list(map(str, _numbers))\nm = list(_numbers)", "m = list(_numbers)\na = list(map(str, _numbers))"),
        ("a = put(_seen)\nm = put(_seen)", "m = put(_seen)\na = put(_seen)"),
        ("@register\ndef a(): ...\nm = len(_seen)", "m = len(_seen)\n@register\ndef a(): ..."),
    ],
)  # fmt: skip
def test_the_order_of_statements_counts_where_it_can_matter(tree, one, other):
    begin = """
        import os
        from itertools import count as counting
        _n = 0
        _seen = []
        def count():
            global _n
            _n += 1
            return _n
        def through(): return count()
        def kept(into=[]):
            into.append(1)
            return len(into)
        class Counter:
            numbers = counting()
            def next(self): return next(self.numbers)
        made = counting().__next__
        _numbers = iter(range(9))
        drawn = lambda: next(_numbers)
        class Shared:
            n = 0
            def count(self):
                type(self).n += 1
                return self.n
        def put(into):
            into.append(1)
            return len(into)
        def register(function):
            _seen.append(function)
            return function
    """
    source = f"{textwrap.dedent(begin)}\n{{}}\ndef f(): return m\n"
    script = "from amt.m import f\nf()\n"
    codes = []
    for order in (one, other):
        tree.counts_in(source.format(order), script=script)
        codes.append(tree.code("python", "-m", "scripts.s"))
    assert codes[0] != codes[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("import os\nimport amt.model as m", "import amt.model as m\nimport os"),
        ("a = pure(1)\nm = pure(2)", "m = pure(2)\na = pure(1)"),
        ("m = pure(2)", "a = pure(1)\nm = pure(2)"),
        ("m = table(2)", "a = table(1)\nm = table(2)"),
        ("m = Pair(1, 2)", "a = Pair(3, 4)\nm = Pair(1, 2)"),
        ("def g(): return count()\nm = 1", "m = 1\ndef g(): return count()"),
        ("m = looked_up('a')", "a = looked_up('b')\nm = looked_up('a')"),
        ("m = Point(1, 2)", "a = Point(3, 4)\nm = Point(1, 2)"),
        ("m = Kind().names", "a = Kind()\nm = Kind().names"),
        ("m = sorted(TABLE)", "a = tuple(TABLE)\nm = sorted(TABLE)"),
    ],
)
def test_the_order_of_other_statements_costs_nothing(tree, one, other):
    begin = """
        from dataclasses import dataclass, field
        RATE, NAMES = 2, ("a", "b")
        _n = 0
        def count():
            global _n
            _n += 1
        def pure(x, y=1, z=(1, 2)): return x * RATE + y
        from collections import namedtuple
        Point = namedtuple("Point", "x y")
        TABLE = {"a": 1, "b": 2}
        def looked_up(x): return TABLE[x] + len(TABLE) + sum(TABLE.values())
        class Kind:
            names = ("a", "b")
        def table(x): return NAMES[x]
        @dataclass
        class Pair:
            x: int
            y: int = 0
            z: list = field(default_factory=list)
    """
    source = f"{textwrap.dedent(begin)}\nORDER\ndef f(): return m\n"
    digests = []
    for order in (one, other):
        tree.counts_in(source.replace("ORDER", order))
        digests.append(tree.code("python", "-m", "scripts.s"))
    assert digests[0] == digests[1]


# --- commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["python -mscripts.fit", "python -u -m scripts.fit", "python -um scripts.fit", "python -umscripts.fit --m 3",
     "torchrun --standalone --nproc-per-node 2 -m scripts.fit", "env A=1 python3.11 -Im scripts.fit",
     "torchrun --standalone --module scripts.fit"],
)  # fmt: skip
def test_the_module_of_a_command_is_found_however_it_is_written(tree, words):
    assert tree.counted(*words.split()) == tree.counted()


def test_a_program_of_the_project_counts_by_its_content(tree):
    tree.write(**{"tools/join.sh": "cat $@\n", "tools/sum": "#!/bin/sh\n", "data/rows.csv": "1\n"})
    (tree.path / "tools/sum").chmod(0o755)
    assert tree.counted("bash", "tools/join.sh", "data/rows.csv") == {"tools/join.sh"}
    before = tree.code("./tools/sum", "data/rows.csv")
    tree.write(**{"tools/sum": "#!/bin/sh\nexit 1\n"})
    assert tree.code("./tools/sum", "data/rows.csv") != before


@pytest.mark.parametrize(
    "words",
    [
        ["python", "-c", "print(1)"],
        ["cp", "a", "b"],
        ["python", "-m", "json.tool", "x"],
        ["grep", "-m", "5", "x"],
        ["python", "-m", "scripts.fit", "&&", "python", "-u", "-c", "import amt.model"],
    ],
)
def test_a_command_of_which_nothing_is_known_is_refused(tree, words):
    with pytest.raises(BuildError, match=f"`{' '.join(words)[:9]}.*` is a stage's command, and what it runs is not"):
        tree.code(*words)
