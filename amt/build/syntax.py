"""One module, taken apart: each definition in its normal form, by a digest, and what it mentions.

The normal form leaves out comments, docstrings, layout, annotations of plain functions and the order of imports, and
names local variables by scope and first occurrence. Depends on nothing but the text and the name of the module.
"""

import ast
import contextlib
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

SCHEMA = "amt.params"
TABLE = "ByArgument"
"""Annotation of a table of which a stage uses the entries whose keys are arguments of its command."""
BODY, MAIN = "<body>", "<main>"
"""Statements of a module that define no name, and those below `if __name__ == "__main__"`."""
PLAIN_DECORATORS = {
    "abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "computed_field",
    "contextmanager", "dataclass", "field_serializer", "field_validator", "final", "lru_cache", "model_serializer",
    "model_validator", "overload", "override", "property", "staticmethod", "total_ordering", "validate_call", "wraps",
}  # fmt: skip
"""Decorators that register nothing; what has another one may be reached without being mentioned."""
INTROSPECTION = {
    "__annotations__", "__code__", "__doc__", "_getframe", "annotation", "currentframe", "f_locals",
    "get_annotations", "get_type_hints", "getdoc", "getfullargspec", "getsource", "getsourcelines",
}  # fmt: skip
"""Who mentions one of these may read what a digest otherwise leaves out. Then the source text as it stands counts."""
REGISTRIES = {"__init_subclass__", "__subclasses__", "metaclass"}
"""Who mentions one of these may find a class that nobody names. Then every derived class of a counted module counts."""
NAME = re.compile(r"[^\W\d]\w*")
DOTTED = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)*[.]?")
AFTER_M = re.compile(r"-m\s+([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?![\w.])")
FILE_NAME = re.compile(r"[^\s/]*\.[^\s/]+")
PEEKS = re.compile(r"\b(?:locals|vars|eval|exec|dir)\b")


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
    doc: str
    """Digest of its docstring."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Facts:
    """What a piece of code mentions, while it is collected."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.mentions: set[str] = set()
        self.imports: set[tuple[str, str]] = set()
        self.aliases: set[tuple[str, str]] = set()
        """(name, what it is bound to) of imports."""
        self.strings: set[str] = set()
        self.chains: set[tuple[str, str]] = set()
        """(name, ".attributes" behind it) where the whole is a value."""
        self.is_opaque = False
        self.reads_doc = False

    def add(self, other: "Facts") -> None:
        for name, value in vars(other).items():
            vars(self)[name] = vars(self)[name] | value


@dataclass(frozen=True)
class Piece:
    """A statement, normalised."""

    dump: str
    line: int
    source: str
    facts: Facts


class Bindings(ast.NodeVisitor):
    """The names that a scope binds by itself, not in the scopes within it."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self.variables: set[str] = set()
        self.fixed: set[str] = set()
        """Imports, functions and classes: their names may be seen from outside, so they are never renamed."""
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self._comprehensions = 0
        for node in nodes:
            self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load) and not self._comprehensions:
            self.variables.add(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.variables.add(node.target.id)  # in a comprehension, too, it binds in the scope around it
        self.visit(node.value)

    def visit_comprehension_scope(self, node: ast.AST) -> None:
        self._comprehensions += 1
        self.generic_visit(node)
        self._comprehensions -= 1

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_scope

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.fixed.add(node.name)
        for outside in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.fixed.add(node.name)
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.variables |= {node.name} - {None}
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.variables |= {node.name} - {None}
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.variables |= {node.rest} - {None}
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.fixed |= {alias.asname or alias.name.split(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global) -> None:
        self.globals |= set(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals |= set(node.names)


class Scope:
    def __init__(self, bindings: Bindings, number: int, *, is_class: bool = False, parameters: set[str]) -> None:
        self.is_class = is_class
        self.globals = bindings.globals
        self.nonlocals = bindings.nonlocals
        self.fixed = (bindings.fixed | parameters) - self.globals
        self.variables = bindings.variables - self.globals - self.nonlocals - self.fixed
        self.number = number
        self._canonical: dict[str, str] = {}

    def canonical(self, name: str) -> str:
        """Not an identifier, so that it is never the name of anything else."""
        return self._canonical.setdefault(name, f"{self.number}:{len(self._canonical)}")


class Normaliser(ast.NodeTransformer):
    """Rewrites a statement of a module so that what decides nothing is gone, and collects what it mentions.

    Must see every statement once only: a second time it would take the new names of local variables for globals.

    Args:
        package: what relative imports start from.
        skips_type_checking: whether TYPE_CHECKING is the one of typing.
        is_schema: whether it is a statement of the module SCHEMA.
        keeps_names: see `peeks`.
    """

    def __init__(self, package: str, *, skips_type_checking: bool, is_schema: bool, keeps_names: bool) -> None:
        self.facts = Facts()
        self._package = package
        self._skips_type_checking = skips_type_checking
        self._is_schema = is_schema
        self._keeps_names = keeps_names
        self._scopes: list[Scope] = []
        self._count = 0
        self._describes = False

    # --- scopes

    @contextlib.contextmanager
    def _scope(
        self, nodes: Iterable[ast.AST], *, is_class: bool = False, parameters: set[str] = frozenset()
    ) -> Iterator:
        bindings = Bindings(nodes)
        self._count += 1
        self._scopes.append(Scope(bindings, self._count, is_class=is_class, parameters=parameters))
        yield
        self._scopes.pop()

    def _resolve(self, name: str) -> tuple[str, bool]:
        """The name to write, and whether it keeps its meaning in the module (global, or bound by an import)."""
        for position, scope in enumerate(reversed(self._scopes)):
            if scope.is_class and position:
                continue  # methods do not see the names of their class
            if name in scope.globals:
                break
            if scope.is_class and name in scope.variables | scope.fixed:
                break  # where it is not yet bound, the global of that name is read
            if name in scope.variables:
                return (name if self._keeps_names else scope.canonical(name)), False
            if name in scope.fixed:
                return name, False
        self.facts.names.add(name)
        return name, True

    def _read(self, name: str, attributes: str = "") -> str:
        new, is_global = self._resolve(name)
        if new == name:
            self.facts.chains.add((name, attributes))
        if is_global:
            mangled = (
                any(scope.is_class for scope in self._scopes) and name.startswith("__") and not name.endswith("__")
            )
            self.facts.is_opaque |= mangled or name in ("globals", "eval", "exec", "__import__")
            self.facts.reads_doc |= name == "__doc__" and not self._describes
        return new

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._read(node.id)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        self.facts.names |= set(node.names)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self._resolve(name)[0] for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self._resolve(node.name)[0]
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> ast.AST:
        node.name = node.name and self._resolve(node.name)[0]
        return self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        node.rest = node.rest and self._resolve(node.rest)[0]
        return self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        self.facts.mentions |= set(node.kwd_attrs)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.name in REGISTRIES:
            self.facts.mentions.add(node.name)
        node.decorator_list = self._all(node.decorator_list)
        parameters = self._parameters(node.args, keeps_annotations=bool(node.decorator_list))
        # Who decorates a function may read its annotations.
        node.returns = self.visit(node.returns) if node.returns and node.decorator_list else None
        with self._scope(node.body, parameters=parameters):
            node.body = self._block(node.body)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        parameters = self._parameters(node.args, keeps_annotations=False)
        with self._scope([node.body], parameters=parameters):
            node.body = self.visit(node.body)
        return node

    def _parameters(self, arguments: ast.arguments, *, keeps_annotations: bool) -> set[str]:
        """Defaults and annotations, which belong to the scope around the function; returns the names."""
        arguments.defaults = self._all(arguments.defaults)
        arguments.kw_defaults = [default and self.visit(default) for default in arguments.kw_defaults]
        own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        own += filter(None, [arguments.vararg, arguments.kwarg])
        for argument in own:
            argument.annotation = self.visit(argument.annotation) if keeps_annotations and argument.annotation else None
        return {argument.arg for argument in own}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = self._all(node.decorator_list)
        node.bases = self._all(node.bases)
        node.keywords = self._all(node.keywords)
        body = node.body
        if self._is_schema and not self._scopes:
            body = [statement for statement in body if not _only_checks(statement)]
        with self._scope(node.body, is_class=True):
            node.body = self._block(body)
        return node

    def visit_comprehension_scope(self, node: ast.AST) -> ast.AST:
        first = node.generators[0]
        first.iter = self.visit(first.iter)  # in the scope around it
        with self._scope(generator.target for generator in node.generators):
            for generator in node.generators:
                generator.target = self.visit(generator.target)
                if generator is not first:
                    generator.iter = self.visit(generator.iter)
                generator.ifs = self._all(generator.ifs)
            for part in ("elt", "key", "value"):
                if hasattr(node, part):
                    setattr(node, part, self.visit(getattr(node, part)))
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_scope

    def _all(self, nodes: list) -> list:
        return [self.visit(node) for node in nodes]

    # --- statements

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    setattr(node, name, self._block(value))
                else:
                    setattr(node, name, [self.visit(one) if isinstance(one, ast.AST) else one for one in value])
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        kept = [
            self.visit(statement)
            for statement in with_sorted_imports(deciding(statements, self._skips_type_checking))
            if not self._is_bare_declaration(statement)
        ]
        return kept or [ast.Pass()]

    def _is_bare_declaration(self, statement: ast.stmt) -> bool:
        """`x: int` in a function."""
        return isinstance(statement, ast.AnnAssign) and not statement.value and not self._in_class()

    def _in_class(self) -> bool:
        return bool(self._scopes) and self._scopes[-1].is_class

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self._in_class():  # dataclasses and pydantic read it
            return self.generic_visit(node)
        return self.visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            self.facts.imports.add((alias.name, ""))
            top = alias.name.split(".")[0]
            self.facts.aliases.add((alias.asname, alias.name) if alias.asname else (top, top))
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        module = node.module or ""
        if node.level:
            base = self._package.split(".")
            base = base[: len(base) - node.level + 1]
            module = ".".join([*base, *filter(None, [module])])
        for alias in node.names:
            self.facts.imports.add((module, alias.name))
            self.facts.aliases.add((alias.asname or alias.name, f"{module}.{alias.name}"))
            if alias.name in INTROSPECTION:
                self.facts.mentions.add(alias.name)
        return node

    # --- what is mentioned

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        attributes, base = [], node
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        self.facts.mentions |= set(attributes)
        if isinstance(base, ast.Name):
            base.id = self._read(base.id, "".join(f".{name}" for name in reversed(attributes)))
            return node
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg:
            self.facts.mentions.add(node.arg)
        before, self._describes = self._describes, self._describes or node.arg == "description"
        self.generic_visit(node)
        self._describes = before
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if function == "vars" and not (node.args or node.keywords):
            self.facts.is_opaque = True
        if function == "import_module" and not (node.args and isinstance(node.args[0], ast.Constant)):
            self.facts.is_opaque = True
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None  # u"text" is "text"
        if isinstance(node.value, str):
            self._string(node.value)
        return node

    def _string(self, text: str) -> None:
        if NAME.fullmatch(text):
            self.facts.mentions.add(text)
        elif DOTTED.fullmatch(text):
            self.facts.mentions |= set(re.split("[.:]", text)) - {""}
            self.facts.strings.add(text.replace(":", "."))
        elif len(text) < 256 and FILE_NAME.fullmatch(text):
            self.facts.strings.add(text)
        self.facts.strings |= set(AFTER_M.findall(text))


def deciding(statements: Iterable[ast.stmt], skips_type_checking: bool) -> Iterator[ast.stmt]:
    """Statements without those that do nothing: docstrings, `pass`, and what only type checkers execute."""
    for statement in statements:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if skips_type_checking and isinstance(statement, ast.If) and _last_name(statement.test) == "TYPE_CHECKING":
            yield from deciding(statement.orelse, skips_type_checking)
        else:
            yield statement


def with_sorted_imports(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports one name at a time, those that follow each other sorted; unless a name is bound twice, by the last."""
    run: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            run += _single_imports(statement)
        else:
            yield from _sorted_imports(run)
            run = []
            yield statement
    yield from _sorted_imports(run)


def _sorted_imports(run: list[ast.stmt]) -> list[ast.stmt]:
    by_text = {ast.dump(statement): statement for statement in run}
    bound = [_bound_by(statement) for statement in by_text.values() if not _binds_package(statement)]
    packages = {_bound_by(statement) for statement in by_text.values() if _binds_package(statement)}
    if "*" in bound or len(set(bound)) < len(bound) or packages & set(bound):
        return run
    return [by_text[text] for text in sorted(by_text)]


def _single_imports(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    parts = []
    for alias in statement.names:
        if alias.asname == alias.name:
            alias.asname = None  # `from x import y as y`; of a plain import the same module is bound too
        if isinstance(statement, ast.Import):
            part = ast.Import(names=[alias])
        else:
            part = ast.ImportFrom(module=statement.module, names=[alias], level=statement.level)
        parts.append(ast.copy_location(part, statement))
    return parts


def _bound_by(statement: ast.stmt) -> str:
    alias = statement.names[0]
    return alias.asname or alias.name.split(".")[0]


def _binds_package(statement: ast.stmt) -> bool:
    """`import a.b`: binds a, whatever else of a is imported."""
    return isinstance(statement, ast.Import) and not statement.names[0].asname


def _only_checks(statement: ast.stmt) -> bool:
    """Of a class of the schema: a field without a default, its configuration, or what looks for faults."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    if isinstance(statement, ast.Assign):
        return [_last_name(target) for target in statement.targets] == ["model_config"]
    if isinstance(statement, ast.FunctionDef):
        validators = {"model_validator", "field_validator"}
        return statement.name in ("faults", "_keys_agree") or bool(
            validators & {_last_name(decorator) for decorator in statement.decorator_list}
        )
    return False


def _last_name(node: ast.AST) -> str:
    """f of f, m.f, f(...) and f[...]."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _root_name(node: ast.AST) -> str:
    """m of m, m.f, m.f(...) and m[...].f."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, "id", "")


def peeks(nodes: Iterable[ast.AST]) -> bool:
    """Whether local variables may be read by their names."""
    nodes = list(nodes)
    with_arguments = {id(node.func) for node in nodes if isinstance(node, ast.Call) and (node.args or node.keywords)}
    return any(
        isinstance(node, ast.Name)
        and (node.id in ("locals", "eval", "exec") or (node.id in ("vars", "dir") and id(node) not in with_arguments))
        for node in nodes
    )


# --- one module ------------------------------------------------------------------------------------------


def analyse(source: str, name: str, *, is_package: bool) -> Module:
    """
    Args:
        name: dotted.

    Raises:
        SyntaxError, ValueError: the source is not Python.
    """
    return _Analysis(source, name, is_package=is_package).module()


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
        self._position = self._positions()
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
        return Module(units, self._exported, digest(ast.get_docstring(self._tree, clean=False) or ""))

    # --- sorting

    def _sort(self) -> None:
        self._statements = []
        for statement in deciding(self._tree.body, self._skips_type_checking):
            is_import = isinstance(statement, ast.Import | ast.ImportFrom)
            for part in _single_imports(statement) if is_import else [statement]:
                self._statements.append(part)
                self._place(part)
        for name, statements in self._definitions.items():
            if all(map(_binds_package, statements)):
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

    def _positions(self) -> dict[int, int]:
        """How many events come before each statement that might notice.

        An event is what may change the meaning of a name: a statement of the body, a name bound for the second time, a
        method called of an object of this module. Only its order with what reads names on import matters.
        """
        own = {
            name
            for name, statements in self._definitions.items()
            if isinstance(statements[0], ast.Assign | ast.AnnAssign)
        }
        rebound = {
            id(statement)
            for statements in self._definitions.values()
            if len(statements) > 1 and not all(map(_binds_package, statements))
            for statement in statements
        }
        body = {id(statement) for statement in self._body if not _is_import(statement)}
        positions, events = {}, 0
        for statement in self._statements:
            positions[id(statement)] = events if events and _acts_on_import(statement) else 0
            events += id(statement) in body or id(statement) in rebound or _calls_on(statement, own)
        return positions

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
            keeps_names=bool(PEEKS.search(source)) and peeks(ast.walk(node)),
        )
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
            reads_doc=facts.reads_doc and name != MAIN,  # there it is the help of the command
            entries=list(entries),
        )

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
        is_named = _bound_by(statement) != "*" and getattr(statement, "module", "") != "__future__"
        return [_bound_by(statement)] if is_named else []
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
        and _last_name(statement.annotation) == TABLE
        and isinstance(statement.value, ast.Dict)
        and all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in statement.value.keys)
    )


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _acts_on_import(statement: ast.stmt) -> bool:
    """Whether it reads names when the module is imported: not a function that has neither decorators nor defaults."""
    if _is_import(statement):
        return False
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = statement.args
        executed = [*statement.decorator_list, *arguments.defaults, *filter(None, arguments.kw_defaults)]
    else:
        executed = [statement]
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for part in executed for node in ast.walk(part)
    )


def _calls_on(statement: ast.stmt, own: set[str]) -> bool:
    """Whether an assignment may change an object of its module: NAME.method() or next(NAME)."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return False
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(
        _last_name(call.func) == "next" or (isinstance(call.func, ast.Attribute) and _root_name(call.func) in own)
        for call in calls
    )


def _may_register(statement: ast.stmt) -> bool:
    return any(
        _last_name(decorator) not in PLAIN_DECORATORS and _root_name(decorator) != "functools"
        for decorator in getattr(statement, "decorator_list", [])
    )
