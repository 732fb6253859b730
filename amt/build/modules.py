"""One module, taken apart: each definition by a digest of its normal form, and what it mentions.

Depends on nothing but the text and the name of the module.
"""

import ast
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from amt.build.loads import MAY_LOAD, MAY_READ, PROJECT, UNKNOWN, Places, is_literal, modules_sought
from amt.build.order import positions
from amt.build.syntax import (
    INTROSPECTION,
    PEEKS,
    PLAIN_DECORATORS,
    SCHEMA,
    Bindings,
    Facts,
    Normaliser,
    binds_package,
    bound_by,
    deciding,
    digest,
    last_name,
    peeks,
    root_name,
    single_imports,
    with_sorted_imports,
)

TABLE = "ByArgument"
"""Annotation of a table of which a stage uses the entries whose keys are arguments of its command."""
BODY, MAIN = "<body>", "<main>"
"""Statements of a module that define no name, and those below `if __name__ == "__main__"`."""
LISTS_NAMES = re.compile(r"(?:\b(?:globals|vars)\([^()]*\)|__dict__)(?!\s*(?:\[|\.(?:get|setdefault|update)\())")
"""Names of a module that are gone through, not one that is looked up."""


@dataclass(frozen=True)
class Unit:
    """A definition, body or table entry: its digest, and what it mentions."""

    line: int
    digest: str
    exact: str
    """Digest of the source lines as they stand, see INTROSPECTION."""
    names: list[str]
    """Definitions of the same module that it reads or writes."""
    mentions: list[str]
    """Attributes, keywords and strings that may name a definition of any module."""
    imports: list[list[str]]
    """[module, name] of each import; the name is "" of a plain import, "*" of all."""
    strings: list[str]
    """Strings that may name a module, a definition in it, or a file."""
    modules: list[str]
    """Dotted names that may be modules and are handed on as values: anything in them may be used."""
    is_eager: bool = False
    """Counts as soon as its module does."""
    is_derived: bool = False
    """A class with bases or keywords, see REGISTRIES."""
    is_opaque: bool = False
    """May use any definition of its module without naming it."""
    introspects: bool = False
    lists_names: bool = False
    """Goes through the names of a module, it may be in the order of their definition."""
    sought: str = ""
    """Modules that it may load by a name that does not stand in the code (loads.modules_sought)."""
    places: list[list] = field(default_factory=list)
    """[module, or "" for this one, loads.PROJECT, loads.UNKNOWN; path from its folder] where it looks for files
    (loads.Places)."""
    reads_doc: bool = False
    """Uses the docstring of its module for more than a description of arguments."""
    entries: list[list] = field(default_factory=list)
    """[key, Unit] of each entry of a table; the unit itself is then the table without them."""


@dataclass(frozen=True)
class Module:
    """The analysis of one file. Depends on nothing but its text and name."""

    units: dict[str, Unit]
    """By name of the definition, and BODY and MAIN where there are such statements."""
    exported: list[str]
    """Strings in `__all__`."""
    imported: list[list[str]]
    """[module, name], as of Unit.imports, of its own imports: what it loads when it is imported itself."""
    doc: str
    """Digest of its docstring."""


@dataclass(frozen=True)
class Piece:
    """A statement, normalised."""

    dump: str
    line: int
    source: str
    facts: Facts


def analyse(source: str, name: str, *, is_package: bool) -> Module:
    """
    Args:
        name: dotted.

    Raises:
        SyntaxError, ValueError: the source is not Python.
    """
    return _Analysis(source, name, is_package=is_package).module()


def as_row(module: Module) -> list:
    """The analysis as JSON has it."""
    return [
        {name: _unit_row(unit) for name, unit in module.units.items()},
        *(getattr(module, one.name) for one in fields(Module)[1:]),
    ]


def _unit_row(unit: Unit) -> list:
    *values, entries = (getattr(unit, one.name) for one in fields(Unit))
    return [*values, [[key, _unit_row(entry)] for key, entry in entries]]


def of_row(row: list) -> Module:
    """The analysis of which `row` is the `as_row`."""
    units, *values = row
    return Module({name: _unit_of_row(unit) for name, unit in units.items()}, *values)


def _unit_of_row(row: list) -> Unit:
    *values, entries = row
    return Unit(*values, [[key, _unit_of_row(entry)] for key, entry in entries])


class _Analysis:
    """Sorts the statements of a module into definitions and body."""

    def __init__(self, source: str, name: str, *, is_package: bool) -> None:
        self._tree = ast.parse(source)
        self._lines = source.split("\n")  # as the parser counts them
        self._name = name
        self._package = name if is_package else name.rpartition(".")[0]
        self._skips_type_checking = not re.search(r"\bTYPE_CHECKING\b\s*=[^=]", source)
        self._definitions: dict[str, list[ast.stmt]] = {}
        self._body: list[ast.stmt] = []
        self._main: list[ast.stmt] = []
        self._entries: dict[str, list[tuple[str, ast.expr]]] = {}
        """Of the tables, cut out of their statements."""
        self._exported: list[str] = []
        self._sort()
        values = {
            name: statements[0].value
            for name, statements in self._definitions.items()
            if len(statements) == 1 and isinstance(statements[0], ast.Assign | ast.AnnAssign)
        }
        self._literals = {name for name, value in values.items() if is_literal(value)}
        self._reads_files = bool(MAY_READ.search(source))
        self._loads = bool(MAY_LOAD.search(source))
        self._peeks = bool(PEEKS.search(source))
        self._lists = bool(LISTS_NAMES.search(source))
        self._places = Places(
            "__init__" if is_package else name.rpartition(".")[2],
            values,
            finds_packages=bool(re.search(r"\bresources\b|\bpkgutil\b|\bget_data\b|\bPackageLoader\b", source)),
        )
        self._position = positions(self._statements, self._definitions, self._body)
        """{id of a statement: events before it}."""
        self._pieces: dict[int, Piece] = {}

    def module(self) -> Module:
        statements = self._definitions | {key: part for key, part in ((BODY, self._body), (MAIN, self._main)) if part}
        pieces = {name: [self._piece(statement) for statement in part] for name, part in statements.items()}
        entries = {
            name: [(key, self._normalised(value)) for key, value in table] for name, table in self._entries.items()
        }
        targets: dict[str, set[str]] = {}
        everything = [*pieces.values(), *([piece for _, piece in table] for table in entries.values())]
        for alias, target in (alias for parts in everything for part in parts for alias in part.facts.aliases):
            targets.setdefault(alias, set()).add(target)
        units = {}
        for name, parts in pieces.items():
            table = [[key, self._unit("", [piece], targets)] for key, piece in entries.get(name, [])]
            units[name] = self._unit(name, parts, targets, table)
        imported = {
            one
            for statement in self._statements
            if isinstance(statement, ast.Import | ast.ImportFrom)
            for one in self._piece(statement).facts.imports
        }
        doc = digest(ast.get_docstring(self._tree, clean=False) or "")
        return Module(units, self._exported, sorted(map(list, imported)), doc)

    # --- sorting

    def _sort(self) -> None:
        self._statements = []
        for statement in deciding(self._tree.body, self._skips_type_checking):
            is_import = isinstance(statement, ast.Import | ast.ImportFrom)
            for part in single_imports(statement) if is_import else [statement]:
                self._statements.append(part)
                self._place(part)
        for name, statements in self._definitions.items():
            if all(map(binds_package, statements)):
                self._definitions[name] = sorted(statements, key=ast.dump)
            if len(statements) == 1 and _is_table(statements[0]):
                table = statements[0].value
                self._entries[name] = [(key.value, value) for key, value in zip(table.keys, table.values)]
                table.keys, table.values = [], []

    def _place(self, statement: ast.stmt) -> None:
        if _is_main(statement):
            self._main += with_sorted_imports(deciding(statement.body, self._skips_type_checking))
        elif names := _defined(statement):
            if names == ["__all__"]:
                self._exported += [
                    node.value
                    for node in ast.walk(statement)
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                ]
                return
            for name in dict.fromkeys(names):
                self._definitions.setdefault(name, []).append(statement)
        elif not (isinstance(statement, ast.AnnAssign) and statement.value is None):
            self._body.append(statement)

    # --- normalising

    def _piece(self, statement: ast.stmt) -> Piece:
        """Once for each statement, which may define several names."""
        if id(statement) not in self._pieces:
            self._pieces[id(statement)] = self._normalised(statement, self._position.get(id(statement), 0))
        return self._pieces[id(statement)]

    def _normalised(self, node: ast.AST, position: int = 0) -> Piece:
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        source = "\n".join(self._lines[first - 1 : node.end_lineno])
        normaliser = Normaliser(
            self._package,
            skips_type_checking=self._skips_type_checking,
            is_schema=self._name == SCHEMA,
            keeps_names=self._peeks and bool(PEEKS.search(source)) and peeks(ast.walk(node)),
        )
        if self._reads_files:
            normaliser.facts.places |= set(self._places.of(node))
        if self._loads and MAY_LOAD.search(source):
            normaliser.facts.sought.add(modules_sought(node, self._literals))
        dump = ast.dump(normaliser.visit(node))
        return Piece(f"{position} {dump}" if position else dump, node.lineno, source, normaliser.facts)

    def _unit(self, name: str, pieces: list[Piece], targets: dict[str, set[str]], entries: Sequence[list] = ()) -> Unit:
        """
        Args:
            targets: {name: what imports of this module bind it to}.
        """
        statements = self._definitions.get(name, [])
        facts = Facts()
        for piece in pieces:
            facts.add(piece.facts)
        normal = digest("\n".join(piece.dump for piece in pieces))
        return Unit(
            line=pieces[0].line,
            digest=normal,
            # The lines of a table hold its entries, of which only some may count.
            exact=normal if entries else digest("\n".join(piece.source for piece in pieces)),
            names=sorted(facts.names & self._definitions.keys()),
            mentions=sorted(facts.mentions),
            imports=sorted(map(list, facts.imports)),
            strings=sorted(facts.strings),
            modules=sorted(
                target + attributes
                for root, attributes in facts.chains
                for target in targets.get(root, ())
                if target.split(".")[0] not in sys.stdlib_module_names
            ),
            is_eager=name in (BODY, "__getattr__", "__dir__") or any(map(self._is_eager, statements)),
            is_derived=any(isinstance(one, ast.ClassDef) and (one.bases or one.keywords) for one in statements),
            is_opaque=facts.is_opaque or ("modules" in facts.mentions and "__name__" in facts.names),
            introspects=bool(INTROSPECTION & facts.mentions),
            lists_names=self._lists and any(LISTS_NAMES.search(piece.source) for piece in pieces),
            sought=min(facts.sought - {""}, default=""),
            places=sorted(self._places_of(facts, targets)),
            reads_doc=facts.reads_doc and name != MAIN,  # there it is the help of the command
            entries=list(entries),
        )

    def _places_of(self, facts: Facts, targets: dict[str, set[str]]) -> list[list]:
        """Places, with modules by their full names. One that is none of the imports is known at run time only."""
        found = []
        for module, path in facts.places:
            root, dot, rest = module.partition(".")
            if module in ("", PROJECT, UNKNOWN) or module.startswith("="):
                found.append([module.removeprefix("="), path])
            else:
                found += [[target + dot + rest, path] for target in targets.get(root, ())] or [[UNKNOWN, path]]
        return found

    def _is_eager(self, statement: ast.stmt) -> bool:
        """What may be used without being mentioned: a registered definition; a class of settings with methods, which is
        the type of a field, and fields do not count."""
        has_methods = (
            self._name == SCHEMA
            and isinstance(statement, ast.ClassDef)
            and not all(isinstance(part, ast.Pass) for part in statement.body)
        )
        return has_methods or _may_register(statement)


def _is_main(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If)
        and not statement.orelse
        and ast.unparse(statement.test) in ("__name__ == '__main__'", "'__main__' == __name__")
    )


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module defines, if that is all it does; else none."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        is_named = bound_by(statement) != "*" and getattr(statement, "module", "") != "__future__"
        return [bound_by(statement)] if is_named else []
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = [statement.name]
    elif isinstance(statement, ast.Assign):
        names = [name for target in statement.targets for name in _targets(target)]
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        names = _targets(statement.target)
    else:
        return []
    bindings = Bindings([statement])
    is_all = bindings.variables | bindings.fixed == set(names)
    return names if is_all and "" not in names and "_" not in names else []


def _targets(node: ast.expr) -> list[str]:
    """Names in the target of an assignment; "" for what is not a name."""
    if isinstance(node, ast.Tuple | ast.List):
        return [name for part in node.elts for name in _targets(part)]
    if isinstance(node, ast.Starred):
        return _targets(node.value)
    return [node.id if isinstance(node, ast.Name) else ""]


def _is_table(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.AnnAssign)
        and last_name(statement.annotation) == TABLE
        and isinstance(statement.value, ast.Dict)
        and all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in statement.value.keys)
    )


def _may_register(statement: ast.stmt) -> bool:
    return any(
        last_name(decorator) not in PLAIN_DECORATORS and root_name(decorator) != "functools"
        for decorator in getattr(statement, "decorator_list", [])
    )
