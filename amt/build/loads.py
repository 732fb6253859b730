"""What code loads otherwise than by an import: files that it finds by where it lies, modules that it looks for."""

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile

PACKAGES = ("amt", "scripts")
"""Folders of the project whose modules count as the code of artifacts, and are pinned while a build runs."""
PROJECT = "/"
"""In place of a module: the folder that commands run in."""
UNKNOWN = "?"
"""In place of a module: one that is only known at run time."""
ITSELF = ""
"""In place of a path from the module's folder: the module's own file."""
TRANSPARENT = {
    "Path", "PurePath", "abspath", "absolute", "as_posix", "expanduser", "fsencode", "fspath", "normpath", "realpath",
    "resolve", "str",
}  # fmt: skip
"""Functions and methods that lead from a path to the same place."""
NAMES_ONLY = {"name", "stem", "suffix", "suffixes"}
"""Attributes of a path that lead to no file."""
OF_PACKAGES = {"files", "get_data", "open_binary", "open_text", "PackageLoader", "path", "read_binary", "read_text"}
"""Functions of importlib.resources, pkgutil and jinja2 whose first argument is a package."""
MAY_READ = re.compile(
    r"__file__|__path__|__spec__|\b(?:getsourcefile|getfile|resources|get_data|PackageLoader|find_spec)\b"
    rf"|\b(?:argv|path)\[0\]|['\"](?:{'|'.join(PACKAGES)})\b"
)
LISTING = {"glob", "iterdir", "listdir", "rglob", "scandir", "walk"}
"""Who mentions one of these may use a file that nobody names."""

FINDERS = {"iter_modules", "walk_packages"}
LOADERS = {
    "SourceFileLoader", "__import__", "exec_module", "import_module", "load_module", "module_from_spec", "run_module",
    "run_path", "spec_from_file_location",
}  # fmt: skip
BY_NAME = {"__import__", "import_module", "run_module"}
"""Of these, those whose first argument is the name of a module."""
MAY_LOAD = re.compile("|".join([*FINDERS, *LOADERS, r"['\"]-m['\"]"]))


# --- files ------------------------------------------------------------------------------------------------


class Places:
    """Where the code of a module looks for files, as far as that stands in the code.

    A place is (module, path): the dotted name of the module whose folder it starts from as the code writes it, "" for
    its own, PROJECT for the folder that commands run in; and a path from there. `Path(__file__).parent / "texts"` is
    ("", "texts"), `dirname(amt.rows.__file__)` is ("amt.rows", "."). Of a path that goes on at run time it is the part
    that stands in the code.

    Args:
        file: name of the module's own file, without its ending.
        variables: what names of the module are bound to, if once only.
        finds_packages: whether OF_PACKAGES are what they seem.
    """

    def __init__(self, file: str, variables: Mapping[str, ast.expr], *, finds_packages: bool) -> None:
        self._file = file
        self._variables = variables
        self._finds_packages = finds_packages

    def of(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        place = self._value(node)
        if place and not self._is_text(node):
            if _may_count(place):
                yield place
            return
        if (place := self._beginning(node)) and _may_count(place):
            yield place
        if isinstance(node, ast.Attribute) and node.attr in NAMES_ONLY and self._value(node.value):
            return
        if isinstance(node, ast.Constant) and node.value in ("__file__", "__path__"):
            yield UNKNOWN, ITSELF
        if isinstance(node, ast.Name | ast.Attribute | ast.alias):
            name = getattr(node, "id", "") or getattr(node, "attr", "") or getattr(node, "name", "")
            if name in ("find_spec", "getfile", "getsourcefile") and not isinstance(node, ast.alias):
                yield UNKNOWN, ITSELF
        if isinstance(node, ast.Subscript) and ast.unparse(node) in ("sys.argv[0]", "argv[0]", "sys.path[0]"):
            yield UNKNOWN, ITSELF
        if self._is_of_package(node):  # of one that is worked out at run time
            yield UNKNOWN, ITSELF
        for child in ast.iter_child_nodes(node):
            yield from self.of(child)

    def _is_text(self, node: ast.AST) -> bool:
        """Whether it may be a word as well as a path."""
        value = self._variables.get(node.id) if isinstance(node, ast.Name) else node
        return isinstance(value, ast.Constant)

    def _beginning(self, node: ast.AST) -> tuple[str, str] | None:
        """Of a path whose end is worked out at run time: the folder that it begins with, past what stands before it."""
        if isinstance(node, ast.BinOp | ast.JoinedStr):  # "scripts/texts/" + name
            first = node.left if isinstance(node, ast.BinOp) else next(iter(node.values), None)
            text = _text(first) if first else None
            return _joined((PROJECT, "."), [posixpath.dirname(text)]) if text and "/" in text.lstrip("/") else None
        if not isinstance(node, ast.Call):
            return None
        of, parts = None, node.args
        if isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath":
            of = self._value(node.func.value)
        elif _name(node.func) in ("join", "Path", "PurePath") and node.args:
            of, parts = self._value(node.args[0]), node.args[1:]
        known = list(takewhile(lambda text: text is not None, map(_text, parts)))
        return _joined(of, known) if of and (known or of[0] == PROJECT) else None

    def _value(self, node: ast.AST, depth: int = 0) -> tuple[str, str] | None:
        """The place that an expression is, if all of it stands in the code."""
        if depth > 20:
            return None
        if (text := _text(node)) is not None and not text.startswith("/"):
            return _joined((PROJECT, "."), [text])
        if isinstance(node, ast.Name):
            if node.id in ("__file__", "__spec__"):
                return "", ITSELF
            if node.id == "__path__":
                return "", "."
            return self._value(self._variables[node.id], depth + 1) if node.id in self._variables else None
        if isinstance(node, ast.Attribute) and node.attr in ("__file__", "__path__"):
            module = ast.unparse(node.value) if _is_dotted(node.value) else UNKNOWN
            return module, ITSELF if node.attr == "__file__" else "."
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return _up(self._value(node.value, depth + 1), 1)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        if isinstance(node, ast.BinOp):
            return self._sum(node, depth)
        return self._call(node, depth) if isinstance(node, ast.Call) else None

    def _subscript(self, node: ast.Subscript, depth: int) -> tuple[str, str] | None:
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            above = self._value(node.value.value, depth + 1)
            return _up(above, index + 1) if isinstance(index, int) and index >= 0 else None
        return self._value(node.value, depth + 1) if _name(node.value) == "__path__" else None

    def _sum(self, node: ast.BinOp, depth: int) -> tuple[str, str] | None:
        left, right = self._value(node.left, depth + 1), _text(node.right)
        if left is None or right is None or left[1] == ITSELF:
            return None
        if isinstance(node.op, ast.Div):
            return _joined(left, [right])
        if isinstance(node.op, ast.Add) and right.startswith("/"):
            return _joined(left, [right.lstrip("/")])
        return None

    def _call(self, node: ast.Call, depth: int) -> tuple[str, str] | None:
        name = _name(node.func)
        if name in ("cwd", "getcwd") and not node.args:
            return PROJECT, "."
        if self._is_of_package(node):
            return self._package(node)
        if isinstance(node.func, ast.Attribute) and (of := self._value(node.func.value, depth + 1)):
            arguments = [_text(argument) for argument in node.args]
            if name in TRANSPARENT:
                return of
            if None in arguments or node.keywords:
                return None
            if name == "joinpath":
                return _joined(of, arguments)
            if name == "with_name":
                return _joined(_up(of, 1), arguments)
            if name == "with_suffix" and of == ("", ITSELF):
                return "", self._file + arguments[0]
            return None
        if not node.args or (of := self._value(node.args[0], depth + 1)) is None:
            return None
        rest = [_text(argument) for argument in node.args[1:]]
        if name in TRANSPARENT and not rest:
            return of
        if name == "dirname":
            return _up(of, 1)
        return _joined(of, rest) if name in ("join", "Path", "PurePath") and None not in rest else None

    def _is_of_package(self, node: ast.AST) -> bool:
        return self._finds_packages and isinstance(node, ast.Call) and _name(node.func) in OF_PACKAGES

    def _package(self, node: ast.Call) -> tuple[str, str] | None:
        rest = [_text(argument) for argument in node.args[1:]]
        rest = rest if None not in rest else []
        if not node.args:
            return "", "."
        anchor = node.args[0]
        if isinstance(anchor, ast.Name) and anchor.id in ("__name__", "__package__"):
            return _joined(("", "."), rest)
        if (text := _text(anchor)) is not None:
            return _joined((f"={text}", "."), rest)
        if isinstance(anchor, ast.Name | ast.Attribute):
            return _joined((ast.unparse(anchor), "."), rest)
        return None


def _may_count(place: tuple[str, str]) -> bool:
    """Of what lies in the folder that commands run in, inputs are known otherwise."""
    return place[0] != PROJECT or place[1].split("/")[0] in PACKAGES


def _up(place: tuple[str, str] | None, levels: int) -> tuple[str, str] | None:
    if place is None:
        return None
    module, path = place
    if path == ITSELF:
        path, levels = ".", levels - 1
    return module, posixpath.normpath(posixpath.join(path, *[".."] * levels))


def _joined(place: tuple[str, str] | None, parts: list[str]) -> tuple[str, str] | None:
    if place is None or (place[1] == ITSELF and parts):
        return place
    return place[0], posixpath.normpath(posixpath.join(place[1], *parts)) if parts else place[1]


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return "" if isinstance(node, ast.Attribute) and node.attr == "curdir" else None


def _is_dotted(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_dotted(node.value))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


# --- modules ----------------------------------------------------------------------------------------------


def modules_sought(node: ast.AST, literals: set[str]) -> str:
    """What it may load by a name that does not stand in the code: nothing, "package" (modules of its own), or "any".

    Args:
        literals: names of the module that are bound once, to nothing but constants.
    """
    named = _loop_variables(node, literals)
    calls = {id(found.func): found for found in ast.walk(node) if isinstance(found, ast.Call)}
    sought = set()
    for found in ast.walk(node):
        if isinstance(found, ast.ImportFrom):
            sought |= {"any" for one in found.names if one.name in LOADERS and one.asname not in (None, one.name)}
        elif isinstance(found, ast.Name | ast.Attribute) and _name(found) in FINDERS:
            sought.add("package")
        elif isinstance(found, ast.Name | ast.Attribute) and _name(found) in LOADERS:
            call = calls.get(id(found))
            by_name = call and call.args and _name(found) in BY_NAME
            sought.add(_sought(call.args[0], named) if by_name else "any")
        elif isinstance(found, ast.List | ast.Tuple):
            pairs = zip(found.elts, found.elts[1:])
            sought |= {_sought(then, named) for one, then in pairs if _text(one) == "-m"}
    return min(sought - {""}, default="")  # "any" comes first


def _loop_variables(node: ast.AST, literals: set[str]) -> set[str]:
    """Variables that only ever hold names that stand in the code, since a loop goes over these."""
    bound = [found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)]
    bound += [found.arg for found in ast.walk(node) if isinstance(found, ast.arg)]

    def stands(iterated: ast.AST) -> bool:
        if isinstance(iterated, ast.Name):
            return iterated.id in literals and iterated.id not in bound
        return is_literal(iterated)

    return {
        loop.target.id
        for loop in ast.walk(node)
        if isinstance(loop, ast.For | ast.comprehension)
        and isinstance(loop.target, ast.Name)
        and bound.count(loop.target.id) == 1
        and stands(loop.iter)
    }


def is_literal(node: ast.AST) -> bool:
    """A tuple of constants, which nobody can change."""
    return isinstance(node, ast.Tuple) and all(isinstance(one, ast.Constant) for one in node.elts)


def _sought(argument: ast.AST, named: set[str]) -> str:
    """What a name that is given to a loader may be: "" if it stands in the code."""
    if isinstance(argument, ast.Constant):
        return "package" if str(argument.value).startswith(".") else ""
    if isinstance(argument, ast.Name):
        return "" if argument.id in named else "any"
    first, goes_on = argument, False
    if isinstance(argument, ast.JoinedStr) and len(argument.values) > 1:
        first, then = argument.values[:2]
        goes_on = True
        if isinstance(first, ast.FormattedValue):
            starts_with_dot = isinstance(then, ast.Constant) and str(then.value).startswith(".")
            return "package" if starts_with_dot and _name(first.value) in ("__name__", "__package__") else "any"
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
        first, goes_on = first.left, True
    if goes_on and isinstance(first, ast.Name) and first.id in ("__name__", "__package__"):
        return "package"
    if goes_on and (text := _text(first)) is not None:
        # "amt.parts." + name: the package is found as a string; a relative name is of its own.
        return "package" if text.startswith(".") else "" if text.endswith(".") and text != "." else "any"
    return "any"
