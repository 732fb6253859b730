"""Programs with one operator or constant changed."""

import ast
import random
from collections.abc import Iterator

BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
COMPARING = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def mutants(program: str, seed: int) -> Iterator[str]:
    """Every mutant of a program once, in an order drawn by the seed."""
    changes = [(node, change) for node in ast.walk(ast.parse(program)) for change in _changes(node)]
    order = list(range(len(changes)))
    random.Random(seed).shuffle(order)
    for number in order:
        tree = ast.parse(program)  # afresh: a change is made in place
        node, change = [(node, change) for node in ast.walk(tree) for change in _changes(node)][number]
        change(node)
        yield ast.unparse(tree)


def _changes(node: ast.AST) -> list:
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            return [_swap_operator]
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARING:
            return [_swap_comparison]
        case ast.BoolOp():
            return [_swap_logic]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return [_drop_sign]
        case ast.Constant(value=bool() | int() | float()):
            return [_change_constant]
    return []


def _swap_operator(node: ast.AST) -> None:
    node.op = BINARY[type(node.op)]()


def _swap_comparison(node: ast.AST) -> None:
    node.ops[0] = COMPARING[type(node.ops[0])]()


def _swap_logic(node: ast.AST) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _drop_sign(node: ast.AST) -> None:
    node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _change_constant(node: ast.AST) -> None:
    node.value = not node.value if isinstance(node.value, bool) else node.value + 1
