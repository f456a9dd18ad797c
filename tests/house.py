"""What the house tests look at: the project's files, their syntax trees, and how long they are."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    """Return the Python files below these folders of the project that can be parsed, sorted."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [path for path in paths if path not in SPELLED_IN]


SPELLED_IN = {ROOT / "recipes" / "failover_fluentd.py"}
"""Recipes that spell `in.` as users may: only swak's own loader reads them."""


def text_files() -> list[Path]:
    """Return every file that people read: sources, documents, and what builds and checks them."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in ("swak", "tests", "recipes", "benchmarks", "docs", ".ci"):
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    unread = {"__pycache__", "node_modules", "venv", "npm", "data"}
    return sorted(path for path in found if not unread & set(path.relative_to(ROOT).parts) and _is_text(path))


def _is_text(path: Path) -> bool:
    known = {".py", ".pyi", ".md", ".toml", ".yml", ".yaml", ".cfg", ".ini", ".js", ".sh", ".txt"}
    return path.suffix in known or path.name in {"Makefile", "run", ".importlinter", "LICENSE"}


def shown(path: Path, line: int = 0) -> str:
    """Return the file's name from the project's root, with the line."""
    name = path.relative_to(ROOT).as_posix()
    return f"{name}:{line}" if line else name


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def code_lines(path: Path) -> int:
    """Count lines that hold code: no blank lines, no comments, no docstrings."""
    return len(_code(path))


def lines_of(path: Path, node: Function) -> int:
    """Count the lines of code of one function from its `def`: the tables that decorate tests are none of it."""
    return len([line for line in _code(path) if node.lineno <= line <= (node.end_lineno or 0)])


@cache
def _code(path: Path) -> frozenset[int]:
    text = path.read_text(encoding="utf-8")
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            used.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree_of(path)):
        for one in _statements(node):
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
                used.difference_update(range(one.lineno, (one.end_lineno or one.lineno) + 1))
    return frozenset(used)


def _statements(node: ast.AST) -> list[ast.stmt]:
    body = getattr(node, "body", None)
    return body if isinstance(body, list) else []


def functions(path: Path) -> Iterator[Function]:
    """Yield every function of a file, methods and inner ones included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def definitions(path: Path) -> Iterator[ast.ClassDef | Function]:
    """Yield every class and function of a file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, _DEFINITIONS):
            yield node


def last_name(node: ast.expr) -> str:
    """Return `C` of `a.b.C` and of `C[int]`."""
    return ast.unparse(node).partition("[")[0].rpartition(".")[2]


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each comment with its line."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def imported(node: ast.AST) -> list[str]:
    """Return the full names that one import statement brings in: `a.b.c` of `from a.b import c`."""
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{one.name}" for one in node.names]
    return []


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield everything that a file imports anywhere, with the line."""
    for node in ast.walk(tree_of(path)):
        for name in imported(node):
            yield node.lineno, name  # type: ignore[attr-defined]  # only import statements have names


def imports_on_import(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what is imported on every platform as soon as the file is: not in functions, nor behind a condition."""
    waiting: list[ast.stmt] = list(tree_of(path).body)
    while waiting:
        node = waiting.pop()
        for name in imported(node):
            yield node.lineno, name
        if isinstance(node, ast.ClassDef | ast.Try | ast.With):
            waiting += node.body
