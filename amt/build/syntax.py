"""The normal form of a statement, and what it mentions.

It leaves out comments, docstrings, layout, annotations of plain functions and the order of imports, and names local
variables by scope and first occurrence.
"""

import ast
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator

from amt.build.loads import PACKAGES

SCHEMA = "amt.params"
INTROSPECTION = {
    "__annotations__", "__code__", "__doc__", "_getframe", "annotation", "currentframe", "f_locals",
    "get_annotations", "get_json_schema", "get_type_hints", "getdoc", "getfullargspec", "getsource", "getsourcelines",
}  # fmt: skip
"""Who mentions one of these may read what a digest otherwise leaves out. Then the source text as it stands counts."""
REGISTRIES = {"__init_subclass__", "__subclasses__", "metaclass"}
"""Who mentions one of these may find a class that nobody names. Then every derived class of a counted module counts."""
PLAIN_DECORATORS = {
    "abstractmethod", "asynccontextmanager", "autocast", "cache", "cached_property", "classmethod", "compile",
    "computed_field", "contextmanager", "dataclass", "enable_grad", "field_serializer", "field_validator", "final",
    "inference_mode", "jit", "lru_cache", "model_serializer", "model_validator", "njit", "no_grad", "overload",
    "override", "property", "staticmethod", "total_ordering", "validate_call", "wraps",
}  # fmt: skip
"""Decorators that register nothing and add no state on which a result depends; what has another one may be reached
without being mentioned."""
NAME = re.compile(r"[^\W\d]\w*")
DOTTED = re.compile(r"[^\W\d]\w*(?:[.:][^\W\d]\w*)*[.]?")
AFTER_M = re.compile(r"-m\s+([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?![\w.])")
IN_COMMAND = re.compile(
    rf"(?:^|[;&|]|\b(?:sh|bash|source|python[\d.]*)\b)\s*(?:\./)?((?:{'|'.join(PACKAGES)})/[\w./-]+\.\w+)(?=$|[\s;&|])"
)
"""A file of the project that a shell runs."""
FILE_NAME = re.compile(r"[^\s]*[./-][^\s]*|[^\n]*(?:/[^\n]*|\.\w{1,8})")
PEEKS = re.compile(r"\b(?:locals|vars|eval|exec|dir|query|sql|execute|evaluate)\b")
BY_NAME = {"eval", "evaluate", "execute", "query", "sql"}
"""Methods and functions that find local variables by names within a text: of pandas, numexpr and duckdb."""


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
        self.sought: set[str] = set()
        """See loads.modules_sought."""
        self.places: set[tuple[str, str]] = set()
        """See loads.Places."""
        self.is_opaque = False
        self.reads_doc = False

    def add(self, other: "Facts") -> None:
        for name, value in vars(other).items():
            vars(self)[name] = vars(self)[name] | value


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
            self.facts.is_opaque |= mangled or name in ("globals", "eval", "exec")
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
        if node.arg == "tools" and not isinstance(node.value, ast.Constant):
            self.facts.mentions.add(
                "get_json_schema"
            )  # transformers describes functions to a model by their docstrings
        before, self._describes = self._describes, self._describes or node.arg == "description"
        self.generic_visit(node)
        self._describes = before
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if function == "vars" and not (node.args or node.keywords):
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
            self.facts.strings.add(text.strip("/"))
        if "-m" in text:
            self.facts.strings |= set(AFTER_M.findall(text))
        if "/" in text:
            self.facts.strings |= set(IN_COMMAND.findall(text))


def deciding(statements: Iterable[ast.stmt], skips_type_checking: bool) -> Iterator[ast.stmt]:
    """Statements without those that do nothing: docstrings, `pass`, and what only type checkers execute."""
    for statement in statements:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if skips_type_checking and isinstance(statement, ast.If) and last_name(statement.test) == "TYPE_CHECKING":
            yield from deciding(statement.orelse, skips_type_checking)
        else:
            yield statement


def with_sorted_imports(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports one name at a time, those that follow each other sorted; unless a name is bound twice, by the last."""
    run: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            run += single_imports(statement)
        else:
            yield from _sorted_imports(run)
            run = []
            yield statement
    yield from _sorted_imports(run)


def _sorted_imports(run: list[ast.stmt]) -> list[ast.stmt]:
    by_text = {ast.dump(statement): statement for statement in run}
    bound = [bound_by(statement) for statement in by_text.values() if not binds_package(statement)]
    packages = {bound_by(statement) for statement in by_text.values() if binds_package(statement)}
    if "*" in bound or len(set(bound)) < len(bound) or packages & set(bound):
        return run
    return [by_text[text] for text in sorted(by_text)]


def single_imports(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
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


def bound_by(statement: ast.stmt) -> str:
    alias = statement.names[0]
    return alias.asname or alias.name.split(".")[0]


def binds_package(statement: ast.stmt) -> bool:
    """`import a.b`: binds a, whatever else of a is imported."""
    return isinstance(statement, ast.Import) and not statement.names[0].asname


def _only_checks(statement: ast.stmt) -> bool:
    """Of a class of the schema: a field without a default, its configuration, or what looks for faults."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    if isinstance(statement, ast.Assign):
        return [last_name(one) for one in statement.targets] == ["model_config"] and _only_refuses(statement.value)
    if isinstance(statement, ast.FunctionDef):
        validators = {"model_validator", "field_validator"} & {last_name(one) for one in statement.decorator_list}
        return statement.name == "faults" or (bool(validators) and _gives_back(statement))
    return False


REFUSING = {
    "allow_inf_nan", "arbitrary_types_allowed", "extra", "frozen", "hide_input_in_errors", "revalidate_instances",
    "strict", "title", "validate_assignment", "validate_default",
}  # fmt: skip
"""Keys of pydantic's configuration that refuse values, and change none."""
CHANGING = {
    "add", "append", "clear", "discard", "extend", "insert", "move_to_end", "pop", "popitem", "remove", "reverse",
    "setdefault", "sort", "update",
}  # fmt: skip
"""Methods that change the object itself."""


def _only_refuses(configuration: ast.expr) -> bool:
    if isinstance(configuration, ast.Dict):
        return {getattr(key, "value", None) for key in configuration.keys} <= REFUSING
    return (
        isinstance(configuration, ast.Call)
        and not configuration.args
        and {keyword.arg for keyword in configuration.keywords} <= REFUSING
    )


def _gives_back(validator: ast.FunctionDef) -> bool:
    """Whether it returns the value that it checks, and leaves it as it is."""
    names = [argument.arg for argument in validator.args.args if argument.arg != "cls"]
    nodes = list(ast.walk(validator))
    returned = [node.value for node in nodes if isinstance(node, ast.Return)]
    changes = any(
        (isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Name) and node.id in names[:1] and not isinstance(node.ctx, ast.Load))
        or last_name(node) == "setattr"
        or (isinstance(node, ast.Attribute) and node.attr in CHANGING and root_name(node) in names)
        for node in nodes
    )
    return not changes and all(isinstance(value, ast.Name) and value.id in names[:1] for value in returned)


def last_name(node: ast.AST) -> str:
    """f of f, m.f, f(...) and f[...]."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def root_name(node: ast.AST) -> str:
    """m of m, m.f, m.f(...) and m[...].f."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, "id", "")


def peeks(nodes: Iterable[ast.AST]) -> bool:
    """Whether local variables may be read by their names."""
    nodes = list(nodes)
    if _asked_by_name(nodes):
        return True
    with_arguments = {id(node.func) for node in nodes if isinstance(node, ast.Call) and (node.args or node.keywords)}
    return any(
        isinstance(node, ast.Name)
        and (node.id in ("locals", "eval", "exec") or (node.id in ("vars", "dir") and id(node) not in with_arguments))
        for node in nodes
    )


def _asked_by_name(nodes: list[ast.AST]) -> bool:
    """`frame.query("n > @low")`: a text that names a local variable, or that is not known."""
    texts = [
        node.args[0] if node.args else None
        for node in nodes
        if isinstance(node, ast.Call) and last_name(node.func) in BY_NAME and (node.args or node.keywords)
    ]
    if not all(isinstance(text, ast.Constant) for text in texts):
        return True
    local = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return any(local.intersection(NAME.findall(str(text.value))) for text in texts)
