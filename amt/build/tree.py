"""The modules and files of the packages, and what each definition in them mentions, as far as there is such a thing.

A file is analysed by itself (amt.build.modules), and the analysis kept; what its names mean depends on the others.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from amt.build.libraries import NOT_DECIDING, installed_version
from amt.build.loads import ITSELF, LISTING, PACKAGES, PROJECT, UNKNOWN
from amt.build.modules import Module, Unit, analyse, as_row, of_row
from amt.build.stages import BuildError
from amt.build.syntax import AFTER_M, REGISTRIES
from amt.publish import publish_file

_ANALYSIS = ("loads.py", "modules.py", "order.py", "syntax.py")
FORMAT = hashlib.md5(
    b"".join(Path(__file__).with_name(name).read_bytes() for name in _ANALYSIS) + sys.version.encode()
).hexdigest()
"""Of the cache: what is analysed otherwise is analysed again. Syntax trees differ between versions of Python."""
SETTLED_NS = 100_000_000
"""A file changed less than this ago may change again within the resolution of its time stamp: it is not cached."""
PROGRAMS = {".R", ".awk", ".bash", ".jl", ".jq", ".pl", ".rb", ".sed", ".sh", ".sql"}
"""Endings of files that a command may run; a file that is executable counts whatever its name."""
LEFT_BEHIND = re.compile(
    r"__pycache__|.*\.pyc|.*~|\.#.*|\..*\.sw[a-p]|\.DS_Store|\..*\.partial-.*"
    r"|\.(?:git|hg|dvc|amt|snakemake|venv|idea|vscode|\w+_cache|ipynb_checkpoints)"
)
"""Names of what tools and editors leave in a folder."""
EXCLUDED = (
    "amt.tracking", "amt.placement", "amt.build", "amt.endpoints.progress", "amt.endpoints.spending",
    "amt.sandbox.client",
)  # fmt: skip


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


class Tree:
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
        with contextlib.suppress(OSError), publish_file(self._cache, is_cache=True) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "modules": modules}, separators=(",", ":")))
        self._new = False

    def file_of(self, definition: str) -> tuple[str, int] | None:
        """Path relative to the root, and line, of a definition; None if there is no such definition now."""
        if "/" in definition:
            return (definition, 1) if (self._root / definition).is_file() else None
        for name in prefixes(definition)[::-1]:
            module = self._modules_of_tree().get(name)
            if isinstance(module, Module):
                unit = module.units.get(definition[len(name) + 1 :])
                return (self._files[name].path, unit.line) if unit else None
        return None

    # --- what is asked of it

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def below(self, package: str) -> list[str]:
        return [name for name in self._files if name.startswith(f"{package}.") and not is_excluded(name)]

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
            self._modules = {name: self._analysis(name) for name in self._files if not is_excluded(name)}
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
        modules = {text for text in {*strings, *unit.mentions} if text in self._files and not is_excluded(text)}
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
            return [module for module in self._files if not is_excluded(module)]
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
        for name in prefixes(text)[::-1]:
            if name in self._files and not is_excluded(name):
                return name, text[len(name) + 1 :].split(".")[0]
        return None


def is_excluded(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in EXCLUDED)


def prefixes(name: str) -> list[str]:
    """a, a.b, a.b.c of a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
