"""Conditions: a small language of comparisons over fields, such as `status >= 500 and method != "GET"`.

It is read by Python's own parser, but nothing is run: only what stands in this file has a meaning.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from swak.formats.template import text_of

NESTING_MAX = 50
"""Levels of `and`, `or`, `not` and brackets."""
SHORT_MAX = 30
"""Characters of the longest text whose number is remembered."""

_TEXT = frozenset({str, type(None)})
TOLD_APART = frozenset({str, int, type(None)})
"""Types of which equal values are the same in every condition; 5, 5.0 and True are equal, too, and are not."""

Values = Sequence[Any]
"""The values of a condition's fields in one event, in the order of their names; None for what is missing."""
Asked = Callable[[Values], Any]

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LITERAL = re.compile(r"""([a-zA-Z]{0,2})("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = "\n\\'\"abfnrtvxuUN01234567"
"""What may follow a backslash in Python's text."""
_MEND = 'write for example: status >= 500 and method != "GET", path in ("/a", "/b"), not user, matches(path, "^/a")'


class Condition:
    """A condition: `holds` tells for the values of its `names` in one event."""

    def __init__(self, when: str | Mapping[str, Any]) -> None:
        """Read an expression, or a mapping of fields to the values (or lists of them) that all must have.

        ValueError says what cannot be read.
        """
        self.names: list[str] = []
        self.searches = False
        """Whether it holds a pattern, which may take very long."""
        self.holds: Asked
        if isinstance(when, str):
            try:
                self.holds = self._read(_parsed(when), 0)
            except RecursionError:
                raise ValueError("it is nested too deep") from None
        else:
            wanted = [
                (self._index(name), value if isinstance(value, list) else [value]) for name, value in when.items()
            ]
            if not wanted:
                raise ValueError("it names no field")
            self.holds = lambda values: all(_within(values[index], among) for index, among in wanted)

    def answers(self, columns: Sequence[Sequence[Any]], *, holding: bool = True) -> list[bool]:
        """Tell for each event whether the condition holds, or with `holding=False` whether it does not.

        `columns` are the values of each name, at least one name. Values that come again and again, a status or a
        method, are judged once.
        """
        holds = self.holds
        cells = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        different = _told_apart(columns, cells)
        if different is not None and len(different) <= len(cells) // 2:
            known = {one: bool(holds((one,) if cells is columns[0] else one)) is holding for one in different}
            return list(map(known.__getitem__, cells))
        return [bool(holds(values)) is holding for values in zip(*columns, strict=True)]

    def _index(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def _field(self, name: str) -> Asked:
        return operator.itemgetter(self._index(name))

    def _read(self, node: ast.expr, depth: int) -> Asked:
        if depth > NESTING_MAX:
            raise ValueError(f"it is nested deeper than {NESTING_MAX} levels")
        if isinstance(node, ast.BoolOp):
            parts = [self._read(one, depth + 1) for one in node.values]
            if isinstance(node.op, ast.And):
                return lambda values: all(part(values) for part in parts)
            return lambda values: any(part(values) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self._read(node.operand, depth + 1)
            return lambda values: not inner(values)
        if isinstance(node, ast.Compare):
            return self._compare(node, depth + 1)
        if isinstance(node, ast.Call):
            return self._call(node, depth + 1)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._field(_path(node))
        constant = _constant(node)
        return lambda _: constant

    def _compare(self, node: ast.Compare, depth: int) -> Asked:
        sides = [self._read(one, depth) for one in (node.left, *node.comparators)]
        tests = [_test(one) for one in node.ops]
        if len(tests) == 1:
            test, left, right = tests[0], sides[0], sides[1]
            return lambda values: test(left(values), right(values))
        steps = list(zip(tests, sides[:-1], sides[1:], strict=True))
        return lambda values: all(test(left(values), right(values)) for test, left, right in steps)

    def _call(self, node: ast.Call, depth: int) -> Asked:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name == "field" and len(node.args) == len(texts) == 1 and not node.keywords:
            return self._field(texts[0])
        if name == "matches" and len(node.args) == 2 and len(texts) >= 1 and not node.keywords:
            self.searches = True
            found = _search(texts[-1])
            asked = self._read(node.args[0], depth)
            return lambda values: found(asked(values))
        raise ValueError(f'only field("name") and matches(name, "pattern") can be called, not {ast.unparse(node)}')


def _told_apart(columns: Sequence[Sequence[Any]], cells: Sequence[Any]) -> set[Any] | None:
    """Return the different ones among `cells`; None where some that are equal may not mean the same.

    Text equals nothing but the same text, and None nothing else: where only those are left, only those were there.
    """
    try:
        different = set(cells)
    except TypeError:  # lists and the like
        return None
    if len(columns) == 1 and _TEXT.issuperset(map(type, different)):
        return different
    return different if all(TOLD_APART.issuperset(map(type, column)) for column in columns) else None


def _parsed(text: str) -> ast.expr:
    for prefix, literal in _LITERAL.findall(text):
        unknown = [] if "r" in prefix.lower() else [one for one in _ESCAPED.findall(literal) if one not in _ESCAPES]
        if unknown:
            raise ValueError(f"\\{unknown[0]} means nothing in {literal}; write r{literal}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # deep brackets: either of the last two
        why = str(error) or "nested too deep"
        if isinstance(error, SyntaxError):
            at = text.strip()[max(0, (error.offset or 1) - 1) :]
            why = error.msg + (f" at {at!r:.30}" if at else "")
        raise ValueError(f"it cannot be read ({why}); {_MEND}") from None


def _path(node: ast.Name | ast.Attribute) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node.value, ast.Name | ast.Attribute):
        return f"{_path(node.value)}.{node.attr}"
    raise ValueError(f"{ast.unparse(node)} is no field")


def _constant(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | int | float)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [_constant(one) for one in node.elts]
    raise ValueError(f"{ast.unparse(node)} means nothing here; {_MEND}")


def _test(kind: ast.cmpop) -> Callable[[Any, Any], bool]:
    if isinstance(kind, ast.Eq | ast.Is):
        return _equal
    if isinstance(kind, ast.NotEq | ast.IsNot):
        return lambda left, right: not _equal(left, right)
    if isinstance(kind, ast.In):
        return _within
    if isinstance(kind, ast.NotIn):
        return lambda left, right: not _within(left, right)
    order = _ORDERS[type(kind)]

    def ordered(left: Any, right: Any) -> bool:
        left, right = _paired(left, right)
        if left is None or right is None:
            return False
        try:
            return bool(order(left, right))
        except TypeError:  # text and a list, say, have no order
            return False

    return ordered


def _equal(left: Any, right: Any) -> bool:
    left, right = _paired(left, right)
    return bool(left == right)


def _within(value: Any, among: Any) -> bool:
    if isinstance(among, str):
        return isinstance(value, str) and value in among
    if isinstance(among, list | tuple | dict):
        return any(_equal(value, one) for one in among)
    return False


def _paired(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both sides as numbers where one is a number and the other is text; None for text that is none."""
    if type(left) is type(right):
        return left, right
    if isinstance(left, str) and _is_number(right):
        return _number(left), right
    if isinstance(right, str) and _is_number(left):
        return left, _number(right)
    return left, right


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    return _short_number(text) if len(text) <= SHORT_MAX else _read_number(text)


def _read_number(text: str) -> float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return int(text) if len(text) < 20 and text.lstrip("+-").isdigit() else float(text)


_short_number = lru_cache(maxsize=10_000)(_read_number)


def _search(pattern: str) -> Callable[[Any], bool]:
    search = expression(pattern).search
    return lambda value: (text := shown(value)) is not None and search(text) is not None


def expression(pattern: str) -> re.Pattern[str]:
    """Compile a pattern. ValueError when it is no regular expression, or holds a backspace: the r was forgotten."""
    if "\b" in pattern:
        raise ValueError(f"pattern {pattern!r} holds a backspace; write r in front of its quotes")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from None


def shown(value: Any) -> str | None:
    """Return a value as the text that patterns are tried on; None for what is missing."""
    if value is None or isinstance(value, str):
        return value
    for text in (text_of, repr):
        try:
            return text(value)
        except (TypeError, ValueError, RecursionError):  # what no format can carry, numbers of 5,000 digits among it
            continue
    return f"<{type(value).__name__}>"
