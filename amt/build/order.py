"""Where the order of a module's statements matters, although each is hashed by itself."""

import ast
from functools import cached_property

from amt.build.syntax import PLAIN_DECORATORS, binds_package, last_name, root_name


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
    """What of a module may hold state: using it may not come out the same a second time."""

    def __init__(self, definitions: dict[str, list[ast.stmt]]) -> None:
        self._definitions = definitions
        self._nodes: dict[int, list[ast.AST]] = {}
        """All within a node, by its id, as far as that was asked for."""
        self._above: dict[int, ast.AST] = {}
        """{id of a node: the one that it belongs to}"""
        self._variables = {
            name: statements[0].value
            for name, statements in definitions.items()
            if isinstance(statements[0], ast.Assign | ast.AnnAssign)
        }

    def may_change(self, statement: ast.stmt) -> bool:
        """Whether a definition, when it is executed, may change an object of its module: it calls a method of one,
        hands one on, goes through one that can be gone through once, or uses a function that holds state."""
        if any(last_name(one) not in PLAIN_DECORATORS for one in getattr(statement, "decorator_list", [])):
            return True
        return any(self._changes(part) for part in _executed(statement))

    def _changes(self, part: ast.AST) -> bool:
        for node in self._within(part):
            if isinstance(node, ast.Call) and last_name(node.func) == "next":
                return True
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self._definitions:
                is_used = isinstance(self._above.get(id(node)), ast.Call | ast.keyword | ast.Attribute)
                if is_used and node.id in self._stateful:
                    return True
                if node.id in self._variables and not self._only_reads(node):
                    return True
        return False

    def _within(self, part: ast.AST) -> list[ast.AST]:
        if id(part) not in self._nodes:
            nodes = self._nodes[id(part)] = [part]
            for node in nodes:
                for child in ast.iter_child_nodes(node):
                    self._above[id(child)] = node
                    nodes.append(child)
        return self._nodes[id(part)]

    # --- what holds state

    @cached_property
    def _stateful(self) -> set[str]:
        """Names of what holds state by itself, or uses what does."""
        uses = {
            name: {node.id for one in statements for node in self._within(one) if isinstance(node, ast.Name)}
            for name, statements in self._definitions.items()
            if name not in self._variables or _is_lambda(self._variables[name])
        }
        stateful = {name for name, statements in self._definitions.items() if any(map(self._is_stateful, statements))}
        while more := {name for name, used in uses.items() if used & stateful} - stateful:
            stateful |= more
        return stateful

    def _is_stateful(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return False  # what another module holds is not seen
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not _is_lambda(statement.value):
            return False  # its uses are looked at one by one
        if any(last_name(decorator) not in PLAIN_DECORATORS for decorator in getattr(statement, "decorator_list", [])):
            return True
        return any(map(self._keeps, self._within(statement)))

    def _keeps(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Global | ast.Nonlocal):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            return not all(
                _is_constant(default) or isinstance(default, ast.Attribute | ast.Name) for default in defaults
            )
        if isinstance(node, ast.ClassDef):
            values = [one.value for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign) and one.value]
            return not all(_is_constant(value) or isinstance(value, ast.Attribute | ast.Name) for value in values)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            return root_name(node) in {*self._definitions, "cls", "type"} or "__class__" in ast.unparse(node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self._variables:
            return not self._only_reads(node)
        return False

    def _only_reads(self, name: ast.Name) -> bool:
        """Whether the use of a variable of the module leaves what it holds as it is."""
        value = self._variables[name.id]
        if _is_constant(value) or _is_lambda(value):
            return True
        if isinstance(value, ast.GeneratorExp) or (isinstance(value, ast.Call) and self._gives_state(value)):
            return False
        above = self._above.get(id(name))
        if isinstance(above, ast.Call) and above.func is name:
            return False
        if isinstance(above, ast.Attribute):
            return above.attr in READS or not isinstance(self._above.get(id(above)), ast.Call)
        if isinstance(above, ast.Subscript) and name is above.value:
            return isinstance(above.ctx, ast.Load)
        if isinstance(value, DISPLAYS) and isinstance(above, ast.Call | ast.keyword):
            return isinstance(above, ast.Call) and last_name(above.func) in READERS
        return True

    def _gives_state(self, call: ast.Call) -> bool:
        name = last_name(call.func)
        keepers = ast.Yield | ast.YieldFrom | ast.Nonlocal | ast.Global
        made_by = [node for statement in self._definitions.get(name, []) for node in self._within(statement)]
        return name in ONCE or any(isinstance(node, keepers) for node in made_by)


DISPLAYS = ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp
ONCE = {
    "Counter", "Generator", "Random", "chain", "count", "cycle", "default_rng", "defaultdict", "deque", "enumerate",
    "filter", "islice", "iter", "map", "open", "reversed", "zip",
}  # fmt: skip
"""Functions whose result is another each time that it is used."""
READS = {"copy", "count", "get", "index", "items", "keys", "values"}
"""Methods that change no list and no dict."""
READERS = {
    "all", "any", "dict", "enumerate", "frozenset", "isinstance", "join", "len", "list", "max", "min", "reversed",
    "set",    "sorted", "str", "sum", "tuple", "zip",
}  # fmt: skip
"""Functions that change no list and no dict that they are given."""
FRESH = {
    "ConfigDict", "Field", "NamedTuple", "NewType", "Path", "PurePath", "TypeVar", "compile", "field", "frozenset",
    "getLogger", "namedtuple",
}  # fmt: skip
"""Functions whose result nobody can change, or that is made anew for each object of a class."""


def _is_lambda(value: ast.AST | None) -> bool:
    return isinstance(value, ast.Lambda)


def _is_constant(value: ast.AST | None) -> bool:
    """Whether it is what nobody can change."""
    if isinstance(value, ast.Call):
        return last_name(value.func) in FRESH
    if isinstance(value, ast.Tuple):
        return all(map(_is_constant, value.elts))
    if isinstance(value, ast.BinOp):
        return _is_constant(value.left) and _is_constant(value.right)
    if isinstance(value, ast.UnaryOp):
        return _is_constant(value.operand)
    return value is None or isinstance(value, ast.Constant | ast.JoinedStr)
