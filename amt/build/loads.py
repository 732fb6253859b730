"""What code loads otherwise than by an import: files that it finds by where it lies, modules that it looks for."""

import ast
import re
from collections.abc import Iterator

TRANSPARENT = {
    "Path",
    "PurePath",
    "abspath",
    "absolute",
    "expanduser",
    "fspath",
    "normpath",
    "realpath",
    "resolve",
    "str",
}
"""Functions and methods that lead from a path to the same place."""
UNKNOWN = -1
"""Levels up, where they are worked out at run time."""
FINDERS = {"iter_modules", "walk_packages"}
"""Who mentions one of these may use a module that nobody names."""
LOADERS = {"__import__", "import_module", "run_module", "run_path"}
MAY_LOAD = re.compile("|".join([*FINDERS, *LOADERS]))
LISTING = {"glob", "iterdir", "listdir", "rglob", "scandir", "walk"}
"""Who mentions one of these may use a file that nobody names."""


def folders(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Where code looks for files: for each `__file__`, the dotted name before it, and levels up from that file.

    `Path(__file__).parent` is ("", 1), `dirname(dirname(amt.rows.__file__))` is ("amt.rows", 2); a file as it stands is
    at level 0.
    """
    parents = {id(child): parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
    for found in ast.walk(node):
        if isinstance(found, ast.Name) and found.id == "__file__":
            yield "", _levels(found, parents)
        elif isinstance(found, ast.Attribute) and found.attr == "__file__":
            yield ast.unparse(found.value), _levels(found, parents)


def _levels(node: ast.AST, parents: dict[int, ast.AST]) -> int:
    levels = 0
    while above := parents.get(id(node)):
        if isinstance(above, ast.Attribute):
            if above.attr == "parents":
                index = getattr(parents.get(id(above)), "slice", None)
                if not (isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value >= 0):
                    return UNKNOWN
                levels += index.value + 1
                above = parents[id(above)]
            elif above.attr in ("parent", "with_name", "with_stem", "with_suffix"):
                levels += 1
            elif above.attr not in TRANSPARENT:
                return levels
        elif isinstance(above, ast.Call) and node is not above.func:
            name = above.func.attr if isinstance(above.func, ast.Attribute) else getattr(above.func, "id", "")
            if name == "dirname":
                levels += 1
            elif name not in TRANSPARENT:
                return levels
        elif not isinstance(above, ast.Call):
            return levels
        node = above
    return levels


def modules_sought(node: ast.AST, own: set[str]) -> str:
    """What it may load by a name that does not stand in the code: nothing, "package" (modules of its own), or "any".

    Args:
        own: names that the module defines: what they hold stands in the code.
    """
    named = {
        loop.target.id
        for loop in ast.walk(node)
        if isinstance(loop, ast.For | ast.comprehension)
        and isinstance(loop.target, ast.Name)
        and _stands(loop.iter, own)
    }
    sought = set()
    for found in ast.walk(node):
        if isinstance(found, ast.Call):
            name = found.func.attr if isinstance(found.func, ast.Attribute) else getattr(found.func, "id", "")
            if name in FINDERS:
                sought.add("package")
            elif name in LOADERS:
                sought.add(_sought(found.args[0], named) if found.args else "any")
    return min(sought, default="")  # "any" comes first


def _stands(node: ast.AST, own: set[str]) -> bool:
    """Whether a loop goes over names that stand in the code."""
    if isinstance(node, ast.Name):
        return node.id in own
    return isinstance(node, ast.Tuple | ast.List | ast.Set) and all(isinstance(one, ast.Constant) for one in node.elts)


def _sought(argument: ast.AST, named: set[str]) -> str:
    if isinstance(argument, ast.JoinedStr) and len(argument.values) > 1:
        argument = argument.values[0]
        argument = argument.value if isinstance(argument, ast.FormattedValue) else argument
        if isinstance(argument, ast.Constant) and not str(argument.value).endswith("."):
            return "any"
    while isinstance(argument, ast.BinOp):
        argument = argument.left
    if isinstance(argument, ast.Name) and argument.id in ("__name__", "__package__"):
        return "package"
    stands = isinstance(argument, ast.Constant) or (isinstance(argument, ast.Name) and argument.id in named)
    return "" if stands else "any"
