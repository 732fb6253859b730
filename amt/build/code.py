"""The code that a stage is made of: a digest for each definition that can have a say in its outputs.

Invariant: two programs with equal `Code` compute the same from equal inputs and settings. Comments, docstrings, layout,
names of local variables, the places of functions, the order of imports and definitions that the stage does not use are
no part of it; whatever is in doubt is.

A definition counts if counted code names it: in its own module by its name, in another through an import (`from m
import f`, `m.f`) or in a string ("m.f"). A module counts if counted code or a counted module imports it or names it,
and then so does what it executes when it is imported: its body, and what it registers. A module that is handed on as a
value (`getattr(m, name)`, `run(m)`) counts whole. Two things are given up on purpose:

- amt.tracking, amt.placement and amt.build do not count: they watch a run, or say where and how fast it runs. An
  artifact is the same without them.
- The schema of the settings counts without its fields and checks: the values that a stage reads are recorded apart.

Code that looks for what it loads (amt.build.loads) has what it may find: of files, all below the folder that its path
leads to as far as it stands in the code; of modules, those of the package that the name begins with, else all.

Not seen: files that neither lie in the packages nor are inputs, classes that a library registers when they are derived,
installed plugins (entry points), source that is read and executed, what an assignment does besides giving a value that
nobody uses, and the order in which assignments draw from the hidden state of another module.
"""

import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from amt.build.modules import MAIN
from amt.build.stages import BuildError
from amt.build.syntax import DOTTED, digest
from amt.build.tree import Linked, Tree, is_excluded, prefixes

INTERPRETER = re.compile(r"(?:.*/)?(?:python[\d.]*|bash|sh|dash|zsh|-[a-zA-Z]+)")


@dataclass(frozen=True)
class Code:
    """What a stage is made of besides its inputs and settings."""

    definitions: dict[str, str]
    """{"amt.curate.unique.cluster": 12 hex digits}; a file of data by its path: "amt/evaluation/report.html.j2"."""
    libraries: dict[str, str]
    """{name as imported: version}, and {"python": "3.11"}."""
    is_live: bool = field(default=False, compare=False)
    """Whether files of it are found from the working folder when the stage runs, not through an import."""

    def text(self) -> str:
        """A line for each definition and library, sorted."""
        lines = [f"definition {name} {digest}" for name, digest in self.definitions.items()]
        lines += [f"library {name} {version}" for name, version in self.libraries.items()]
        return "".join(f"{line}\n" for line in sorted(lines))

    @classmethod
    def parse(cls, text: str) -> "Code":
        """The code of which `text` is the `text()`."""
        found: dict[str, dict[str, str]] = {"definition": {}, "library": {}}
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            name, _, value = rest.rpartition(" ")  # a file's name may hold blanks
            found[kind][name] = value
        return cls(found["definition"], found["library"])


class SourceTree(Tree):
    """A tree of modules that is asked for the code of stages."""

    @cached_property
    def _codes(self) -> dict[tuple[str, ...], Code]:
        return {}

    def code_of(self, words: Sequence[str]) -> Code:
        """The code of a stage.

        Args:
            words: of its command, e.g. ["python", "-m", "scripts.queries", "--source", "numinamath"].

        Raises:
            BuildError: there is no such module, or one that counts is not Python.
        """
        key = tuple(words)
        if key not in self._codes:
            self._codes[key] = _Reach(self, key).code()
        return self._codes[key]


class _Reach:
    """What counts for one command, found by following what counted code mentions."""

    def __init__(self, tree: Tree, words: Sequence[str]) -> None:
        self._tree = tree
        self._words = words
        self._arguments = {part for word in words for part in [word, *re.split("[=,]", word)]}
        self._modules: set[str] = set()
        self._units: dict[tuple[str, str], Linked] = {}
        self._parts: dict[tuple[str, str], list[Linked]] = {}
        self._named: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Keys of a table that stand in the code that uses it."""
        self._todo: list[tuple[str, str]] = []
        self._whole: set[str] = set()
        self._run_files: set[str] = set()
        self._files: set[str] = set()
        """Paths of files of data."""
        self._libraries: set[str] = set()
        self._derived_count = False
        self._is_live = False

    def code(self) -> Code:
        self._run_roots()
        while self._todo:
            self._follow(*self._todo.pop())
        definitions = self._digests() | {path: self._tree.digest(path) for path in self._files}
        libraries = {name: self._tree.version(name) for name in sorted(self._libraries)}
        for name in [name for name, version in libraries.items() if version == "absent"]:
            self._refuse_if_ours(name)
        libraries["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        return Code(definitions, libraries, self._is_live)

    def _refuse_if_ours(self, library: str) -> None:
        """Modules of the project that are neither pinned nor looked into."""
        path = self._tree.path_of_stranger(library)
        if path and not any(library in name.split(".") for name in self._run_files):
            raise BuildError(
                f"{path} is imported by the code of `{' '.join(self._words)}`, and only modules in "
                f"{' and '.join(f'{package}/' for package in self._tree.packages)} count and are pinned. Move it there."
            )

    def _run_roots(self) -> None:
        found = False
        for before, word in zip(("", *self._words), self._words):
            # `-m X`, `-um X`, `-mX`, `-umX`: a single hyphen, and m is the last of the options.
            module = word if re.fullmatch("-[a-zA-Z]*m|--module", before) else ""
            attached = re.fullmatch(r"-[a-zA-Z]*?m([a-zA-Z_][\w.]*)", word)
            if attached and attached[1].split(".")[0] in self._tree.packages:
                module = attached[1]
            path = word.partition("=")[2] if word.startswith("-") else word
            if re.fullmatch("-[a-zA-Z]*c", word) and INTERPRETER.fullmatch(before):
                raise self._unknown()
            elif module.split(".")[0] in self._tree.packages:
                self._run_root(self._root(module))
            elif DOTTED.fullmatch(module) and self._tree.is_library(module):
                self._libraries.add(module.split(".")[0])
            elif path.endswith(".py") and (name := self._tree.module_at(path)):
                self._is_live = True
                self._run_as_file(name)
            elif self._tree.is_program(path):
                self._is_live = True
                self._take_program(os.path.normpath(path))
            else:
                continue
            found = True
        if not found:
            raise self._unknown()

    def _unknown(self) -> BuildError:
        return BuildError(
            f"`{' '.join(self._words)}` is a stage's command, and what it runs is not known. Let the rule run "
            "`python -m scripts.NAME`, or a file of the project, whose content then counts."
        )

    def _root(self, name: str) -> str:
        if f"{name}.__main__" in self._tree:
            name = f"{name}.__main__"
        if name not in self._tree:
            raise BuildError(
                f"`python -m {name}` is in a stage's command, but there is no {name.replace('.', '/')}.py. "
                "Mend the rule's shell command, or write the module."
            )
        if is_excluded(name):
            raise BuildError(
                f"`python -m {name}` is in a stage's command, but {name} never counts as the code of an artifact "
                "(EXCLUDED in amt/build/tree.py). Move what makes the artifact into another module."
            )
        return name

    # --- what counts

    def _run_root(self, name: str) -> None:
        """The script: what it does when it is run."""
        self._take_module(name)
        if MAIN in self._tree.module(name).units:
            self._take(name, MAIN)

    def _run(self, name: str) -> None:
        """A module that is named by a string, and perhaps run, perhaps imported: all of it."""
        self._take_whole(name)
        if MAIN in self._tree.module(name).units:
            self._take(name, MAIN)

    def _take_whole(self, name: str) -> None:
        if name in self._whole:
            return
        self._whole.add(name)
        self._take_module(name)
        for definition in self._tree.module(name).units:
            if definition != MAIN:
                self._take(name, definition)

    def _take_module(self, name: str) -> None:
        """A module that is imported, and the packages that it lies in."""
        for prefix in prefixes(name):
            if prefix in self._tree and prefix not in self._modules and not is_excluded(prefix):
                self._modules.add(prefix)
                module = self._tree.module(prefix)
                for definition, unit in module.units.items():
                    if unit.is_eager or (unit.is_derived and self._derived_count):
                        self._take(prefix, definition)
                for target, inner in module.imported:
                    self._take_module(target)
                    self._take_module(f"{target}.{inner}")

    def _take(self, module: str, definition: str, by: Linked | None = None) -> None:
        """
        Args:
            by: what mentions it: of a table, the entries count whose keys this names, too.
        """
        key = module, definition
        if key not in self._units:
            self._units[key] = self._tree.linked(module, definition)
            self._todo.append(key)
        if by and (entries := self._units[key].entries):
            named = {name for name, _ in entries} & {*by.unit.mentions, *by.unit.strings}
            if not named <= self._named[key]:
                self._named[key] |= named
                self._todo.append(key)
        elif by:
            for target, name in self._units[key].imports:
                self._take_if_defined(target, name, by)

    # --- what it leads to

    def _follow(self, module: str, definition: str) -> None:
        linked = self._units[module, definition]
        self._parts[module, definition] = parts = [linked, *self._entries(linked, self._named[module, definition])]
        for part in parts:
            for name in part.names:
                self._take(module, name, part)
            for target, name in part.imports:
                self._import(target, name)
            for target, name in part.references:
                self._take_module(target)
                self._take_if_defined(target, name, part)
            for target in part.run:
                self._run(target)
            for target in part.values:
                self._take_value(target)
            for path in part.files:
                self._take_file(path)
            self._is_live |= bool(part.live_files)
            self._libraries.update(part.libraries)
            if part.unit.is_opaque:
                self._take_whole(module)
            if part.finds_classes and not self._derived_count:
                self._take_derived()

    def _entries(self, linked: Linked, named: set[str]) -> list[Linked]:
        """Entries of a table that are asked for by an argument, all if none is; and those that code names."""
        by_argument = [key for key, _ in linked.entries if key in self._arguments]
        asked = {*by_argument, *named} if by_argument else {key for key, _ in linked.entries}
        return [entry for key, entry in linked.entries if key in asked]

    def _import(self, target: str, name: str) -> None:
        if is_excluded(target):
            return
        self._take_module(target)
        if name == "*" and target in self._tree:
            self._take_whole(target)
            for inner in self._tree.module(target).exported:
                self._take_module(f"{target}.{inner}")
        elif name:
            self._take_module(f"{target}.{name}")
            self._take_if_defined(target, name)

    def _take_if_defined(self, module: str, definition: str, by: Linked | None = None) -> None:
        if module in self._tree and not is_excluded(module) and definition in self._tree.module(module).units:
            self._take(module, definition, by)

    def _take_value(self, name: str) -> None:
        if not is_excluded(name):
            self._take_whole(name.removesuffix(".__dict__"))

    def _take_file(self, path: str) -> None:
        name = self._tree.module_at(path) if path.endswith(".py") else None
        if name is None and self._tree.is_program(path):
            self._take_program(path)
        elif name is None:
            self._files.add(path)
        elif not is_excluded(name):
            self._run_as_file(name)

    def _take_program(self, path: str) -> None:
        """A file that is run by something else than Python, and what it seems to run in turn."""
        if path in self._files:
            return
        self._files.add(path)
        modules, paths = self._tree.named_in(path)
        for name in modules:
            if not is_excluded(name):
                self._run(f"{name}.__main__" if f"{name}.__main__" in self._tree else name)
        for other in paths:
            self._is_live = True
            self._take_file(other)

    def _run_as_file(self, name: str) -> None:
        """What is run by its path finds the modules of its folder by their bare names."""
        if name in self._run_files:
            return
        self._run_files.add(name)
        self._run(name)
        folder = name.rpartition(".")[0]
        for unit in self._tree.module(name).units.values():
            for target, what in unit.imports:
                for neighbour in (f"{folder}.{target}".lstrip("."), f"{folder}.{target}.{what}".lstrip(".")):
                    if neighbour in self._tree and not is_excluded(neighbour):
                        self._run_as_file(neighbour)

    def _take_derived(self) -> None:
        self._derived_count = True
        for module in list(self._modules):
            for definition, unit in self._tree.module(module).units.items():
                if unit.is_derived:
                    self._take(module, definition)

    # --- digests

    def _digests(self) -> dict[str, str]:
        parts = [part for found in self._parts.values() for part in found]
        is_exact = any(part.unit.introspects for part in parts)
        digests = {
            f"{module}.{definition}": _joined([part.unit.exact if is_exact else part.unit.digest for part in found])
            for (module, definition), found in self._parts.items()
        }
        digests |= self._orders()
        reading = {module for (module, _), found in self._parts.items() if any(part.unit.reads_doc for part in found)}
        return digests | {
            f"{module}.__doc__": self._tree.module(module).doc for module in (self._modules if is_exact else reading)
        }

    def _orders(self) -> dict[str, str]:
        """Of definitions that code goes through one by one, as they follow each other."""
        listing = [
            (module, part) for (module, _), found in self._parts.items() for part in found if part.unit.lists_names
        ]
        listed = {name.removesuffix(".__dict__") for _, part in listing for name in part.values}
        listed |= {module for module, part in listing if part.unit.is_opaque}
        orders = {}
        for module in sorted(self._modules):
            units = self._tree.module(module).units
            if module in listed:
                orders[f"{module}.<order>"] = [name for name, unit in units.items() if not unit.imports]
            elif self._derived_count:
                orders[f"{module}.<order>"] = [name for name, unit in units.items() if unit.is_derived]
        return {name: digest(" ".join(order)) for name, order in orders.items() if len(order) > 1}


def _joined(digests: list[str]) -> str:
    return digests[0] if len(digests) == 1 else digest(" ".join(digests))
