"""Where the order of a module's statements matters, although each is hashed by itself."""

import ast

from amt.build.syntax import binds_package, last_name, root_name

HARMLESS = {
    "abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "dataclass", "final", "lru_cache",
    "overload", "override", "property", "staticmethod", "total_ordering", "wraps",
}  # fmt: skip
"""Decorators that add no state on which a result depends."""


def positions(
    statements: list[ast.stmt], definitions: dict[str, list[ast.stmt]], body: list[ast.stmt]
) -> dict[int, int]:
    """How many events come before each statement that might notice, by id.

    An event is what may change what a statement after it does: a statement of the body, a name bound for the second
    time, a call that may change an object of this module. To an import, which executes another module, any call of an
    assignment is one: it may have set what that module reads (`os.environ`).

    Args:
        statements: of the module, as they follow each other.
        definitions: those that define names.
        body: those that do not.
    """
    state = _State(definitions)
    rebound = {
        id(statement)
        for of_name in definitions.values()
        if len(of_name) > 1 and not all(map(binds_package, of_name))
        for statement in of_name
    }
    in_body = {id(statement) for statement in body if not _is_import(statement)}
    found, events, calls = {}, 0, 0
    for statement in statements:
        if _is_import(statement):
            found[id(statement)] = events + calls
        else:
            found[id(statement)] = events if _acts_on_import(statement) else 0
        is_event = id(statement) in in_body or id(statement) in rebound or state.may_change(statement)
        events += is_event
        calls += not is_event and _calls(statement)
    return found


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _acts_on_import(statement: ast.stmt) -> bool:
    """Whether it reads names when the module is imported: not a function that has neither decorators nor defaults."""
    executed = _executed(statement) if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) else [statement]
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for part in executed for node in ast.walk(part)
    )


def _executed(statement: ast.stmt) -> list[ast.AST]:
    """What of a statement runs when the module is imported; of a class as far as it is not in its methods."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = statement.args
        return [*statement.decorator_list, *arguments.defaults, *filter(None, arguments.kw_defaults)]
    if isinstance(statement, ast.ClassDef):
        inner = [part for one in statement.body for part in _executed(one)]
        return [*statement.decorator_list, *statement.bases, *statement.keywords, *inner]
    return [statement]


def _calls(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Call) for part in _executed(statement) for node in ast.walk(part))


class _State:
    """What of a module may hold state: a call of it may not be the same a second time."""

    def __init__(self, definitions: dict[str, list[ast.stmt]]) -> None:
        self._definitions = definitions
        self._variables = {
            name for name, statements in definitions.items() if isinstance(statements[0], ast.Assign | ast.AnnAssign)
        }
        self._known: dict[str, bool] = {}

    def may_change(self, statement: ast.stmt) -> bool:
        """Whether a definition calls, when it is executed, what may change an object of its module: NAME.method(),
        next(NAME), or one of the module's own functions that holds state."""
        calls = [node for part in _executed(statement) for node in ast.walk(part) if isinstance(node, ast.Call)]
        return any(
            last_name(call.func) == "next"
            or (isinstance(call.func, ast.Attribute) and root_name(call.func) in self._variables)
            or (isinstance(call.func, ast.Name) and self._holds_state(call.func.id))
            for call in calls
        )

    def _holds_state(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = False  # while it is looked at, for those that call each other
            self._known[name] = any(map(self._is_stateful, self._definitions.get(name, [])))
        return self._known[name]

    def _is_stateful(self, statement: ast.stmt) -> bool:
        if _is_import(statement):
            return False  # what another module holds is not seen
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            return not isinstance(statement.value, ast.Lambda | ast.Constant)
        if any(last_name(decorator) not in HARMLESS for decorator in statement.decorator_list):
            return True
        return any(map(self._keeps, ast.walk(statement)))

    def _keeps(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Global | ast.Nonlocal):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            return any(not isinstance(one, ast.Constant | ast.Name | ast.Attribute | ast.UnaryOp) for one in defaults)
        if isinstance(node, ast.ClassDef):
            values = [one.value for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign) and one.value]
            fresh = {"field", "Field"}  # of dataclasses and pydantic: a default for each object
            return any(
                not isinstance(value, ast.Constant | ast.UnaryOp)
                and not (isinstance(value, ast.Call) and last_name(value.func) in fresh)
                for value in values
            )
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in self._variables:
                return not all(map(_is_constant, self._definitions[node.id]))
            return self._holds_state(node.id)
        return False


def _is_constant(statement: ast.stmt) -> bool:
    """Whether a variable is bound to what nobody can change."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    allowed = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.Name, ast.Load, ast.operator, ast.unaryop)
    if isinstance(value, ast.Call) and last_name(value.func) in ("compile", "frozenset"):
        return True
    return value is not None and all(isinstance(node, allowed) for node in ast.walk(value))
