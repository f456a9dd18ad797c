"""Plugin classes that a recipe brings along: in its own file, in files beside it and in `plugins/`."""

from __future__ import annotations

import ast
import re
import sys
from contextvars import ContextVar, copy_context
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak import errors, recipe
from swak.errors import ConfigError, Problem
from swak.options import suggest
from swak.plugin import Plugin

if TYPE_CHECKING:
    from types import ModuleType

KINDS = ("input", "filter", "buffer", "output")

SOURCE_BYTES_MAX = 1_000_000
"""Larger files beside a recipe are no plugins written by hand: they are not looked into."""


class Defined(NamedTuple):
    """A plugin class as its source text shows it; nothing was run."""

    name: str
    kind: str
    file: str
    line: int
    doc: str = ""


class Beside:
    """What one recipe brings along. `module` is the recipe's own, while it is loaded."""

    def __init__(
        self, folder: Path, module: ModuleType | None = None, tree: ast.Module | None = None, file: str = ""
    ) -> None:
        """`file` is the name of the recipe in what is told about it."""
        self.folder = folder
        self.module = module
        self._file = file
        self._lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef)} if tree else {}
        self._loaded: dict[Path, ModuleType] = {}

    def find(self, name: str) -> type[Plugin] | None:
        """Return the class, running the one file that has it. ConfigError when that fails or several files have it."""
        if here := _class_of(self.module, name):
            return here
        if name in self._lines:
            mend = f"the class stands further down, in line {self._lines[name]}: move it up"
            raise ConfigError([Problem(f"{name} is used before it is defined", mend)])
        homes = [path for path in self._others() if any(node.name == name for node in _classes(path, name))]
        conventional = [path for path in homes if squashed(path.stem) == squashed(name)]
        if len(conventional) != 1 and len(homes) > 1:
            files = ", ".join(path.name for path in homes)
            raise ConfigError(
                [Problem(f"several files beside the recipe define {name}: {files}", "import one of them")]
            )
        return next((cls for path in conventional or homes if (cls := _class_of(self._load(path), name))), None)

    def defined(self) -> list[Defined]:
        """Return the classes that are plugins by the look of it, those in the recipe's own file by what they are."""
        own = [
            Defined(name, cls.kind, self._file, self._lines.get(name, 0))
            for name in (vars(self.module) if self.module else ())
            if (cls := _class_of(self.module, name)) and self.module and cls.__module__ == self.module.__name__
        ]
        return own + [
            Defined(node.name, kind, str(path), node.lineno, (ast.get_docstring(node) or "").partition("\n")[0])
            for path in self._others()
            for node in _classes(path)
            for kind in _named_bases(node)
        ]

    def _others(self) -> list[Path]:
        if self.folder.is_relative_to(Path(__file__).parent):
            return []  # whoever works on swak itself stands between the built-in plugins
        own = getattr(self.module, "__file__", None)
        paths = sorted(self.folder.glob("*.py")) + sorted(self.folder.glob("plugins/*.py"))
        return [path for path in paths if str(path) != own]

    def _load(self, path: Path) -> ModuleType:
        """Run a file beside the recipe."""
        imported = sys.modules.get(path.stem)  # the recipe may have said `import my_parsers`
        if imported is not None and vars(imported).get("__file__") == str(path):
            return imported
        if path not in self._loaded:
            spec = util.spec_from_file_location(
                f"{self.module.__name__ if self.module else 'beside'}_{path.stem}", path
            )
            assert spec is not None, path
            self._loaded[path] = sys.modules[spec.name] = util.module_from_spec(spec)
            copy_context().run(_execute, self._loaded[path], str(path))
        return self._loaded[path]


BESIDE: ContextVar[Beside | None] = ContextVar("swak_beside", default=None)
"""What the recipe that is being loaded brings along."""


def raised(error: BaseException, file: str) -> Problem:
    """Tell an exception by the deepest line of `file` that it passed."""
    line = (error.lineno or 0) if isinstance(error, SyntaxError) and error.filename == file else 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    told = error.msg if isinstance(error, SyntaxError) else error
    what, mend = f"{type(error).__name__}: {told}".removesuffix(": "), ""
    if isinstance(error, SystemExit):
        what, mend = "it ends the process", "a recipe only declares flows: leave sys.exit() out"
    elif isinstance(error, TypeError) and re.search(r"object is not (subscriptable|callable)", str(error)):
        mend = "is a comma missing in front of the bracket?"
    elif isinstance(error, NameError) and (near := suggest(str(error.name), recipe_names())).startswith("did"):
        mend = near
    return Problem(what, mend, file, line)


def recipe_names() -> list[str]:
    """Return the names that every recipe knows without an import: what `swak` itself offers, but for running it."""
    return [name for name in import_module("swak").__all__ if name != "running"]


def squashed(name: str) -> str:
    """Return what the name of a class and of its module have in common: FileTailing, file_tailing."""
    return name.replace("_", "").lower()


def _execute(module: ModuleType, path: str) -> None:
    """Run the file. Whatever it declares as flows is its own affair: it may be a recipe as well."""
    recipe.COLLECTED.set([])
    errors.COLLECTED.set([])
    assert module.__spec__ is not None
    assert module.__spec__.loader is not None
    try:
        module.__spec__.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError([raised(error, path)]) from error


def _class_of(module: ModuleType | None, name: str) -> type[Plugin] | None:
    cls = vars(module).get(name) if module else None
    return cls if isinstance(cls, type) and issubclass(cls, Plugin) else None


def _classes(path: Path, name: str = r"\w+") -> list[ast.ClassDef]:
    """Return the classes of a file, as far as it can be read: what lies beside a recipe may be no affair of ours."""
    try:
        if path.stat().st_size > SOURCE_BYTES_MAX:
            return []
        text = path.read_text(encoding="utf-8")
        found = re.search(rf"(?m)^class\s+{name}\b", text)
        return [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)] if found else []
    except (OSError, ValueError, SyntaxError):
        return []


def _named_bases(node: ast.ClassDef) -> list[str]:
    """Return the kinds whose base class the definition names."""
    bases = {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}
    return [kind for kind in KINDS if kind.capitalize() in bases]
