"""What code may do that only looks: a check of its syntax tree, which keeps from slips, not from malice."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from swak.errors import SwakError

PLAIN = (
    *("abs", "all", "any", "bool", "dict", "dir", "divmod", "enumerate", "filter", "float", "frozenset"),
    *("int", "isinstance", "len", "list", "map", "max", "min", "repr", "reversed", "round", "set"),
    *("sorted", "str", "sum", "tuple", "zip"),
)
"""Built-in functions that change nothing and end soon."""
GIVEN = ("print", "range", "stacks")
"""Functions that are given to the code besides."""
METHODS = (
    *("count", "endswith", "find", "get", "index", "items", "join", "keys", "lower", "lstrip"),
    *("partition", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip"),
    *("title", "total", "upper", "values", "append", "extend", "add"),
)
"""Methods that may be called: of what they change, only the code itself has got hold."""
RANGE_MAX = 1_000_000
TIMES_MAX = 10_000
POWER_MAX = 64

_CALLS = {*PLAIN, *GIVEN}
_ALLOWED = (
    *(ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Pass),
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.Starred, ast.NamedExpr, ast.Delete),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.Lambda),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.arguments, ast.arg, ast.comprehension, ast.JoinedStr, ast.FormattedValue),
    *(ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)
_WORDS = {"FunctionDef": "def", "ClassDef": "class", "ImportFrom": "import", "AnnAssign": "a declared type"}
_LITERALS = (ast.JoinedStr, ast.List, ast.Tuple, ast.Set)


class Slip(SwakError):  # noqa: N818 - it is one
    """The code would do more than look."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}; without --write an attached prompt only looks")


def builtins_for_looking() -> dict[str, Any]:
    """Return the built-in functions that such code has."""
    return {**{name: getattr(builtins, name) for name in PLAIN}, "range": short_range}


def short_range(*given: int) -> range:
    """Return a range that ends soon: one that is summed up holds the interpreter for as long as that takes."""
    made = range(*given)
    if made and abs(made[-1] - made[0]) // abs(made.step) >= RANGE_MAX:
        raise ValueError(f"a range may have {RANGE_MAX:,} numbers here")
    return made


def check(tree: ast.Module) -> None:
    """Refuse code that would change something, or plainly hold the interpreter for long. Slip says what and where."""
    for node in ast.walk(tree):
        what = _wrong(node)
        if what:
            raise Slip(what, getattr(node, "lineno", 0))


def _wrong(node: ast.AST) -> str:
    if not isinstance(node, _ALLOWED):
        kind = type(node).__name__
        return f"no {_WORDS.get(kind, kind.lower())}"
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return f"{ast.unparse(node):.60} is not to be set or deleted"
    if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
        return f"{node.attr:.60} is none of what can be looked at"
    if isinstance(node, ast.Name) and node.id.startswith("__"):
        return f"{node.id:.60} is none of what can be looked at"
    if isinstance(node, ast.Call):
        return _wrong_call(node)
    return _too_much(node) if isinstance(node, ast.BinOp | ast.AugAssign) else ""


def _wrong_call(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        allowed = node.func.id in _CALLS
    else:
        allowed = isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
    return "" if allowed else f"{ast.unparse(node.func):.60} is not to be called"


def _too_much(node: ast.BinOp | ast.AugAssign) -> str:
    left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    if isinstance(node.op, ast.Pow | ast.LShift) and not _number(right, POWER_MAX):
        return f"{ast.unparse(node):.60} may be a very large number: at most {POWER_MAX}, as a number, stands there"
    if isinstance(node.op, ast.Mult) and any(map(_is_text, (left, right))):
        times = right if _is_text(left) else left
        if not _number(times, TIMES_MAX):
            return f"{ast.unparse(node):.60} may be very long: at most {TIMES_MAX} times, as a number"
    return ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, _LITERALS) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _number(node: ast.AST, most: int) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value <= most
