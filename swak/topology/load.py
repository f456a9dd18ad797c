"""From a recipe's file or text to a Recipe: everything that is wrong with it comes together."""

from __future__ import annotations

import ast
import io
import itertools
import linecache
import os
import re
import sys
import tokenize
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from swak import errors, recipe
from swak.beside import BESIDE, Beside, raised, recipe_names
from swak.discovery import clashes
from swak.errors import ConfigError, Problem
from swak.recipe import Chain, Flow, Pipeable, Recipe
from swak.syntax import parse
from swak.topology.compile import compile_recipe
from swak.workers.orders import FILE, TEXT

RECIPE_BYTES_MAX = 10_000_000
"""No recipe is larger: what is (a log, a device) was named by mistake."""

STDIN = "<stdin>"
_TELL = "__swak_told__"
_numbers = itertools.count(1)


def load_file(path: str | Path) -> Recipe:
    """Load the recipe in a file; `-` reads standard input. ConfigError names every problem."""
    file = str(path)
    if file == "-":
        return load_text(decoded(standard_input(), STDIN), STDIN)
    return load_text(decoded(content_of(file), file), file)


def content_of(file: str) -> bytes:
    """Read a recipe's file. ConfigError when it cannot be."""
    try:
        with Path(file).open("rb") as source:
            return source.read(RECIPE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem(f"cannot read the recipe: {reason}", "name a Python file", file)]) from error


def load_text(text: str, file: str = "<text>") -> Recipe:
    """Load a recipe's text, e.g. `in_.Counter(5) | out.Stdout()`. ConfigError names every problem."""
    stem = re.sub(r"\W", "_", "text" if file.startswith("<") else Path(file).stem)
    return _run(*_module(text, file, f"swak_recipe_{next(_numbers)}_{stem}"), file)


def run_again(text: str, file: str, name: str) -> ModuleType:
    """Run a recipe in a worker process, for its classes: under the name that its module has where it was loaded."""
    tree, module, beside = _module(text, file, name)
    _, problems, _ = _collect(tree, module, beside, file)
    if problems:
        raise ConfigError(problems)
    return module


def _module(text: str, file: str, name: str) -> tuple[ast.Module, ModuleType, Beside]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(text, file)
    path = None if file.startswith("<") else Path(file).absolute()
    folder = path.parent if path else Path(os.curdir).absolute()
    module = ModuleType(name, ast.get_docstring(tree))
    module.__dict__.update({TEXT: text, FILE: file})
    if path:
        module.__file__ = str(path)
    else:
        linecache.cache[file] = (len(text), None, [f"{line}\n" for line in text.split("\n")], file)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # at the end: a recipe called redis.py must not hide the package of that name
    return tree, module, Beside(folder, module, tree, file)


def _run(tree: ast.Module, module: ModuleType, beside: Beside, file: str) -> Recipe:
    flows, problems, causes = _collect(tree, module, beside, file)
    loaded = Recipe(tuple(flows), file)
    if problems or not flows:
        del sys.modules[module.__name__]
        if flows or not problems:
            try:
                compile_recipe(loaded)
            except ConfigError as error:
                problems += error.problems
        ordered = sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line))
        raise ConfigError(ordered) from next(iter(causes), None)
    return loaded


_Found = tuple[list[Flow], list[Problem], list[BaseException]]
"""What a recipe declares, what is wrong with it, and what it raised."""


def _collect(tree: ast.Module, module: ModuleType, beside: Beside, file: str) -> _Found:
    """Run the recipe."""
    found: _Found = [], [], []
    flows, problems, causes = found

    def execute() -> None:
        recipe.COLLECTED.set(flows)
        errors.COLLECTED.set(problems)
        BESIDE.set(beside)
        problems.extend(_execute(tree, module, file, causes))
        problems.extend(clashes(beside))

    module.__dict__.update({name: getattr(import_module("swak"), name) for name in recipe_names()})
    module.__dict__[_TELL] = _tell
    sys.modules[module.__name__] = module  # it stays: options are read there, and pickle finds the recipe's classes
    copy_context().run(execute)
    return found


def _execute(tree: ast.Module, module: ModuleType, file: str, causes: list[BaseException]) -> list[Problem]:
    """Run the recipe; what it raises goes to `causes`. SystemExit is its mistake, too, KeyboardInterrupt is not."""
    try:
        exec(compile(_telling(tree), file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - recipes are code
    except ConfigError as error:
        causes.append(error)
        line = raised(error, file).line
        return [one if one.file else one._replace(file=file, line=line) for one in error.problems]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a recipe raises is told with its line
        causes.append(error)
        return [raised(error, file)]
    return []


def _telling(tree: ast.Module) -> ast.Module:
    """Hand the value of each bare expression to `_tell`: `in_.Counter(5) | out.Stdout()` is a task."""
    for node in tree.body:
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            told = ast.Call(ast.copy_location(ast.Name(_TELL, ast.Load()), node), [node.value], [])
            node.value = ast.copy_location(told, node)
    return tree


def _tell(value: Any) -> None:
    """Take a bare chain (or a lone plugin, so that what it lacks is said) as a task."""
    if isinstance(value, Pipeable):
        recipe.task(value if isinstance(value, Chain) else Chain((value,)))


def standard_input() -> bytes:
    """Read a recipe from standard input."""
    binary = getattr(sys.stdin, "buffer", None)
    text = binary.read(RECIPE_BYTES_MAX + 1) if binary else sys.stdin.read(RECIPE_BYTES_MAX + 1).encode()
    return bytes(text)


def decoded(text: bytes, file: str) -> str:
    """Return a recipe's text. ConfigError when it is too large or no text."""
    if len(text) > RECIPE_BYTES_MAX:
        what = f"the recipe is larger than {RECIPE_BYTES_MAX:,} bytes"
        raise ConfigError([Problem(what, "name a Python file", file)])
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text).readline)
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        what = f"a byte here is no {error.encoding} text: {text[error.start : error.start + 1]!r}"
        raise ConfigError([Problem(what, "save the recipe as UTF-8", file, line)]) from error
    except SyntaxError as error:
        raise ConfigError([Problem(str(error), "save the recipe as UTF-8", file, 1)]) from error
