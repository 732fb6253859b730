"""The code that a stage is made of: a digest for each definition that can have a say in its outputs.

Invariant: two programs with equal `Code` compute the same from equal inputs and settings. Comments, docstrings, layout,
names of local variables, the places of functions, the order of imports and definitions that the stage does not use are
no part of it; whatever is in doubt is.

A definition counts if counted code names it: in its own module by its name, in another through an import (`from m
import f`, `m.f`) or in a string ("m.f"). A module counts if counted code imports it or names it, and then so does what
it executes when it is imported: its body. A module that is handed on as a value (`getattr(m, name)`, `run(m)`) counts
whole. Three things are given up on purpose:

- What an import does by itself counts only if the name that it binds is mentioned.
- amt.tracking, amt.placement and amt.build do not count: they watch a run, or say where and how fast it runs. An
  artifact is the same without them.
- The schema of the settings counts without its fields and checks: the values that a stage reads are recorded apart.

Code that looks for what it loads (amt.build.loads) has what it may find: of files, all below the folder that its path
leads to as far as it stands in the code; of modules, those of the package that the name begins with, else all.

Not seen: files that neither lie in the packages nor are inputs, classes that a library registers when they are derived,
installed plugins (entry points), source that is read and executed, what an assignment does besides giving a value that
nobody uses, and the order in which assignments draw from the hidden state of another module.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amt.build.libraries import NOT_DECIDING, installed_version
from amt.build.loads import ITSELF, LISTING, PACKAGES, PROJECT, UNKNOWN
from amt.build.modules import MAIN, Module, Unit, analyse, as_row, of_row
from amt.build.stages import BuildError
from amt.build.syntax import AFTER_M, DOTTED, REGISTRIES, digest
from amt.publish import publish_file

_ANALYSIS = ("code.py", "loads.py", "modules.py", "order.py", "syntax.py")
FORMAT = hashlib.md5(
    b"".join(Path(__file__).with_name(name).read_bytes() for name in _ANALYSIS) + sys.version.encode()
).hexdigest()
"""Of the cache: what is analysed otherwise is analysed again. Syntax trees differ between versions of Python."""
SETTLED_NS = 100_000_000
"""A file changed less than this ago may change again within the resolution of its time stamp: it is not cached."""
INTERPRETER = re.compile(r"(?:.*/)?(?:python[\d.]*|bash|sh|dash|zsh|-[a-zA-Z]+)")
PROGRAMS = {".R", ".awk", ".bash", ".jl", ".jq", ".pl", ".rb", ".sed", ".sh", ".sql"}
"""Endings of files that a command may run; a file that is executable counts whatever its name."""
LEFT_BEHIND = re.compile(
    r"__pycache__|.*\.pyc|.*~|\.#.*|\..*\.sw[a-p]|\.DS_Store|\..*\.partial-.*"
    r"|\.(?:git|hg|dvc|amt|snakemake|venv|idea|vscode|\w+_cache|ipynb_checkpoints)"
)
"""Names of what tools and editors leave in a folder."""
EXCLUDED = ("amt.tracking", "amt.placement", "amt.build")


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


# --- all modules -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Linked:
    """A unit in its tree: what it mentions, as far as there is such a thing."""

    unit: Unit
    names: list[str]
    imports: list[tuple[str, str]]
    """Of modules of the tree."""
    references: list[tuple[str, str]]
    """(module, name) of strings such as "amt.rollout.worker.LiveWeights", and of `module.name` in code."""
    run: list[str]
    """Modules that are named by a string, perhaps to be run."""
    values: list[str]
    """Modules that are handed on as values."""
    files: list[str]
    """Paths relative to the root."""
    live_files: list[str]
    """Of these, those that it finds from the working folder."""
    libraries: list[str]
    finds_classes: bool
    """See REGISTRIES."""
    entries: list[tuple[str, "Linked"]]


@dataclass(frozen=True)
class File:
    path: str
    """Relative to the root."""
    mark: list[int]
    """Size in bytes, time of change in ns by the file itself and by its file system (which no `touch` sets back)."""
    is_package: bool


class SourceTree:
    """The modules below a folder, as they are when they are first asked for.

    Args:
        root: folder in which the commands of the stages run.
        packages: folders of `root` whose modules count; every other import is a library.
        cache: JSON file with the analyses of unchanged modules. If it is missing or spoilt it costs time, nothing else.
        version_of: version of the library that is imported by a name, None if it is not installed.
    """

    def __init__(
        self,
        root: Path,
        packages: tuple[str, ...] = PACKAGES,
        cache: Path | None = None,
        version_of: Callable[[str], str | None] = installed_version,
    ) -> None:
        self._root = Path(root).absolute()
        self._packages = packages
        self._cache = cache.absolute() if cache else None
        self._version_of = version_of
        self._files: dict[str, File] = {}
        self._folders: dict[str, set[str]] = {}
        """{path relative to the root: names of the files in it}"""
        for package in packages:
            self._walk(package)
        self._known = self._read_cache()
        self._new = False
        self._modules: dict[str, Module | BuildError] = {}
        self._linked: dict[tuple[str, str], Linked] = {}
        self._digests: dict[str, str] = {}
        self._codes: dict[tuple[str, ...], Code] = {}

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

    def save(self) -> None:
        """Write what was analysed anew."""
        if not self._cache or not self._new:
            return
        settled = time.time_ns() - SETTLED_NS
        modules = {
            self._files[name].path: [*self._files[name].mark, as_row(module)]
            for name, module in self._modules.items()
            if isinstance(module, Module) and max(self._files[name].mark[1:]) < settled
        }
        with contextlib.suppress(OSError), publish_file(self._cache) as temporary:  # it saves time, nothing else
            temporary.write_text(json.dumps({"format": FORMAT, "modules": modules}, separators=(",", ":")))
        self._new = False

    def file_of(self, definition: str) -> tuple[str, int] | None:
        """Path relative to the root, and line, of a definition; None if there is no such definition now."""
        if "/" in definition:
            return (definition, 1) if (self._root / definition).is_file() else None
        for name in _prefixes(definition)[::-1]:
            module = self._modules_of_tree().get(name)
            if isinstance(module, Module):
                unit = module.units.get(definition[len(name) + 1 :])
                return (self._files[name].path, unit.line) if unit else None
        return None

    # --- for _Reach

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def below(self, package: str) -> list[str]:
        return [name for name in self._files if name.startswith(f"{package}.") and not _is_excluded(name)]

    def module(self, name: str) -> Module:
        module = self._modules_of_tree()[name]
        if isinstance(module, BuildError):
            raise module
        return module

    def linked(self, name: str, definition: str) -> Linked:
        key = name, definition
        if key not in self._linked:
            self._linked[key] = self._link(name, self.module(name).units[definition])
        return self._linked[key]

    def module_at(self, path: str) -> str | None:
        """Name of the module that is a file below the root; None if there is no such file."""
        full = os.path.normpath(self._root / path)
        if not full.startswith(f"{self._root}{os.sep}") or not os.path.isfile(full):
            return None
        path = os.path.relpath(full, self._root)
        for name, file in self._files.items():
            if file.path == path:
                return name
        # A script outside the packages finds the modules beside it.
        self._modules_of_tree()
        self._list(os.path.dirname(path))
        for name in [name for name in self._files if name not in self._modules]:
            self._modules[name] = self._analysis(name)
        return path.removesuffix(".py").replace("/", ".")

    def named_in(self, path: str) -> tuple[set[str], set[str]]:
        """Modules behind `-m`, and files beside it or named from the root, in the text of a program."""
        text = (self._root / path).read_text(errors="replace")
        modules = {name for name in AFTER_M.findall(text) if name in self._files or f"{name}.__main__" in self._files}
        folder = os.path.dirname(path)
        words = {word.strip("/").removeprefix("./") for word in re.findall(r"[\w./-]+", text)}
        beside = {os.path.normpath(f"{folder}/{word}") for word in words}
        named = {word for word in words if "/" in word and word.split("/")[0] in self._packages}
        return modules, {
            place
            for place in beside | named
            if os.path.basename(place) in self._folders.get(os.path.dirname(place), ())
        } - {path}

    def is_program(self, path: str) -> bool:
        """Whether it is a file of the project that is written to be run."""
        full = self._root / path
        inside = os.path.normpath(full).startswith(f"{self._root}{os.sep}")
        return inside and full.is_file() and (full.suffix in PROGRAMS or os.access(full, os.X_OK))

    def path_of_stranger(self, name: str) -> str | None:
        """Of a module in the root, outside the packages."""
        for path in (f"{name}.py", name):
            if (self._root / path).is_file() or any((self._root / path).glob("*.py")):
                return path
        return None

    def path(self, name: str) -> str:
        return self._files[name].path

    def digest(self, path: str) -> str:
        """Of a file of data."""
        if path not in self._digests:
            self._digests[path] = hashlib.sha256((self._root / path).read_bytes()).hexdigest()[:12]
        return self._digests[path]

    def version(self, library: str) -> str:
        return self._version_of(library) or "absent"

    def is_library(self, name: str) -> bool:
        top = name.split(".")[0]
        return (
            bool(top) and top not in self._packages and top not in sys.stdlib_module_names and top not in NOT_DECIDING
        )

    @property
    def packages(self) -> tuple[str, ...]:
        return self._packages

    # --- files

    def _walk(self, folder: str) -> None:
        for inner in self._list(folder):
            self._walk(inner)

    def _list(self, folder: str) -> list[str]:
        """Take in the files of a folder; returns the folders in it."""
        self._folders[folder] = set()
        folders = []
        with contextlib.suppress(OSError), os.scandir(self._root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if LEFT_BEHIND.fullmatch(entry.name):
                    continue
                if entry.is_dir():
                    folders.append(path)
                elif entry.is_file():
                    self._folders[folder].add(entry.name)
                    if path.endswith(".py"):
                        self._add(path, entry.stat())
        return folders

    def _add(self, path: str, stat: os.stat_result) -> None:
        name = path.removesuffix(".py").replace("/", ".")
        is_package = name.endswith(".__init__")
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        self._files[name.removesuffix(".__init__")] = File(path, mark, is_package)

    def _read_cache(self) -> dict[str, list]:
        if self._cache:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                content = json.loads(self._cache.read_text())
                if content["format"] == FORMAT:
                    return dict(content["modules"])
        return {}

    # --- analyses

    def _modules_of_tree(self) -> dict[str, Module | BuildError]:
        """All of them at once: what a name may mean depends on all."""
        if not self._modules:
            self._modules = {name: self._analysis(name) for name in self._files if not _is_excluded(name)}
        return self._modules

    def _analysis(self, name: str) -> Module | BuildError:
        file = self._files[name]
        with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, AttributeError):
            *mark, row = self._known.get(file.path)
            if mark == file.mark:
                return of_row(row)
        self._new = True
        try:
            source = (self._root / file.path).read_text(encoding="utf-8-sig")
            return analyse(source, name, is_package=file.is_package)
        except SyntaxError as error:
            return BuildError(f"{file.path}:{error.lineno}: this is not Python: {error.msg}. Mend it.")
        except (ValueError, RecursionError) as error:
            return BuildError(f"{file.path}:1: this cannot be read as Python: {error}. Mend it.")

    def _link(self, name: str, unit: Unit) -> Linked:
        strings = set(unit.strings)
        live_files = self._live_files_of(unit)
        modules = {text for text in {*strings, *unit.mentions} if text in self._files and not _is_excluded(text)}
        packages = {text[:-1] for text in strings if text.endswith(".") and text.split(".")[0] in self._packages}
        return Linked(
            unit=unit,
            names=unit.names,
            imports=[(module, what) for module, what in unit.imports if self._is_ours(module)],
            references=[
                found
                for text in {*strings, *unit.modules}
                if text not in modules and text not in self._files and (found := self._reference(text))
            ],
            run=sorted({*modules, *self._below_all(packages), *self._sought(name, unit)}),
            values=[text for text in unit.modules if text.removesuffix(".__dict__") in self._files],
            files=sorted(self._files_of(name, unit) | live_files),
            live_files=sorted(live_files),
            libraries=sorted({module.split(".")[0] for module, _ in unit.imports if self.is_library(module)}),
            finds_classes=bool(REGISTRIES.intersection(unit.mentions)),
            entries=[(key, self._link(name, entry)) for key, entry in unit.entries],
        )

    def _sought(self, name: str, unit: Unit) -> list[str]:
        """Modules that a unit may load by names that do not stand in the code."""
        if unit.sought == "any":
            return [module for module in self._files if not _is_excluded(module)]
        paths = [text.removesuffix(".__path__") for text in unit.modules if text.endswith(".__path__")]
        if unit.sought == "package" and not paths:
            paths = [name if self._files[name].is_package else name.rpartition(".")[0]]
        return self._below_all(paths) if unit.sought else []

    def _below_all(self, packages: Iterable[str]) -> list[str]:
        return [module for package in packages for module in self.below(package)]

    def _files_of(self, name: str, unit: Unit) -> set[str]:
        """Files that a unit may read: those beside its module that it names, those at the places where it looks, of a
        folder all below it, and compiled modules."""
        folder, file = os.path.split(self._files[name].path)
        said = {*unit.strings, *unit.mentions}
        said |= {file.removesuffix(".py") + text for text in unit.strings if text.startswith(".")}
        files = {f"{folder}/{text}" if folder else text for text in said & self._folders[folder]}
        places = set()
        for module, path in unit.places:
            at = self._files[module or name].path if (module or name) in self._files else ""
            if module == PROJECT:
                continue
            if module == UNKNOWN:
                places.add(folder.partition("/")[0])
            elif at and path == ITSELF:
                places |= {os.path.dirname(at), at}
            elif at:
                places.add(os.path.normpath(os.path.join(os.path.dirname(at), path)))
            elif module.split(".")[0] in self._packages:  # a folder without an __init__.py
                places.add(os.path.normpath(os.path.join(module.replace(".", "/"), path)))
        compiled = {found for module, what in unit.imports for found in self._compiled(module, what)}
        return files | compiled | self._at_all(places, unit)

    def _live_files_of(self, unit: Unit) -> set[str]:
        """Those that it looks for from the folder that commands run in."""
        places = {text for text in unit.strings if "/" in text}
        return self._at_all(places | {path for module, path in unit.places if module == PROJECT}, unit)

    def _compiled(self, module: str, what: str) -> Iterator[str]:
        """Of a module that is imported, the file if it is not Python."""
        for name in (module, f"{module}.{what}"):
            folder, _, stem = name.replace(".", "/").rpartition("/")
            for file in self._folders.get(folder, ()):
                if file.startswith(f"{stem}.") and file.endswith((".so", ".pyd")):
                    yield f"{folder}/{file}"

    def _at_all(self, places: Iterable[str], unit: Unit) -> set[str]:
        lists = bool(LISTING.intersection(unit.mentions))
        return set().union(*(self._at(place, lists) for place in places))

    def _at(self, place: str, with_modules: bool) -> set[str]:
        folder, file = os.path.split(place)
        if file in self._folders.get(folder, ()):
            return {place}
        if place.split("/")[0] not in self._packages:
            return set()
        return {
            f"{other}/{file}"
            for other, files in self._folders.items()
            if other == place or other.startswith(f"{place}/")
            for file in files
            if with_modules or not file.endswith(".py")
        }

    def _is_ours(self, module: str) -> bool:
        return module.split(".")[0] in self._packages

    def _reference(self, text: str) -> tuple[str, str] | None:
        """ "amt.rollout.worker.LiveWeights" is LiveWeights of amt.rollout.worker."""
        for name in _prefixes(text)[::-1]:
            if name in self._files and not _is_excluded(name):
                return name, text[len(name) + 1 :].split(".")[0]
        return None


def _is_excluded(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in EXCLUDED)


def _prefixes(name: str) -> list[str]:
    """a, a.b, a.b.c of a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


# --- one stage -------------------------------------------------------------------------------------------


class _Reach:
    """What counts for one command, found by following what counted code mentions."""

    def __init__(self, tree: SourceTree, words: Sequence[str]) -> None:
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
        if _is_excluded(name):
            raise BuildError(
                f"`python -m {name}` is in a stage's command, but {name} never counts as the code of an artifact "
                "(EXCLUDED in amt/build/code.py). Move what makes the artifact into another module."
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
        for prefix in _prefixes(name):
            if prefix in self._tree and prefix not in self._modules and not _is_excluded(prefix):
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
        if _is_excluded(target):
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
        if module in self._tree and not _is_excluded(module) and definition in self._tree.module(module).units:
            self._take(module, definition, by)

    def _take_value(self, name: str) -> None:
        if not _is_excluded(name):
            self._take_whole(name.removesuffix(".__dict__"))

    def _take_file(self, path: str) -> None:
        name = self._tree.module_at(path) if path.endswith(".py") else None
        if name is None and self._tree.is_program(path):
            self._take_program(path)
        elif name is None:
            self._files.add(path)
        elif not _is_excluded(name):
            self._run_as_file(name)

    def _take_program(self, path: str) -> None:
        """A file that is run by something else than Python, and what it seems to run in turn."""
        if path in self._files:
            return
        self._files.add(path)
        modules, paths = self._tree.named_in(path)
        for name in modules:
            if not _is_excluded(name):
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
                    if neighbour in self._tree and not _is_excluded(neighbour):
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
