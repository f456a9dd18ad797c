"""Whether two plugins do the same: by class, by code where a recipe brings it along, and by options."""

from __future__ import annotations

import re
import sys
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.plugin import Plugin
    from swak.topology.graph import Stage

_LOADED = re.compile(r"\bswak_recipe_\d+_")
"""What the name of a recipe's module begins with: a number of its own each time it is loaded."""
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))
_BY_MACHINERY = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
VALUES_MAX = 5_000
"""Values that one plugin is made of: beyond them, two count as different."""

Print = tuple[Any, ...]
"""What is equal for what does the same. Compared, never read."""


def print_of(stage: Stage, local: frozenset[str] = frozenset()) -> Print:
    """Return what a stage is, without its name, its place and its neighbours.

    `local`: absolute paths of the files that are loaded anew with the recipe. Of classes and functions in them the
    code counts, with everything there that it refers to; of all others the name does.
    """
    kind = (stage.kind, stage.router is not None)
    plugin = stage.spool or stage.plugin
    if plugin is None:
        return kind
    look = _Look(local)
    try:
        if stage.kind == "workers":
            workers: Any = plugin
            parts = [look.plugin(one) for one in workers.filters]
            return (*kind, workers.count, stage.as_json, tuple(workers.names), tuple(parts))
        return (*kind, look.plugin(plugin))
    except RecursionError:
        return (*kind, "too deep", id(plugin))


def class_of(stage: Stage) -> tuple[str, str, str, str]:
    """Return what a changed stage has to have in common with its predecessor: kind, class, and an input's identity."""
    plugin = stage.spool or stage.plugin
    named = (stage.kind, _name(type(plugin).__module__), type(plugin).__qualname__)
    return (*named, str(getattr(stage.plugin, "identity", "")) if stage.kind == "input" and not stage.spool else "")


def _name(module: str) -> str:
    return _LOADED.sub("swak_recipe_", module)


class _Look:
    """One comparison's view of values. What refers to itself is told by where it was met first."""

    def __init__(self, local: frozenset[str]) -> None:
        self._local = local
        self._met: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no other value gets the same id

    def plugin(self, plugin: Plugin) -> Print:
        options = tuple((name, self.value(getattr(plugin, name, None))) for name in sorted(plugin.options))
        return (self.value(type(plugin)), options)

    def value(self, value: Any) -> Print:
        """Return the print of any value. What is not known to be the same counts as different."""
        if isinstance(value, _PLAIN):
            return (type(value).__name__, repr(value))
        if id(value) in self._met:
            return ("again", self._met[id(value)])
        if len(self._met) >= VALUES_MAX:
            return ("more", id(value))
        self._met[id(value)] = len(self._met)
        self._kept.append(value)
        return self._compound(value)

    def _compound(self, value: Any) -> Print:
        if isinstance(value, list | tuple):
            return (type(value).__name__, *(self.value(one) for one in value))
        if isinstance(value, dict):
            return ("dict", *((self.value(key), self.value(one)) for key, one in value.items()))
        if isinstance(value, set | frozenset):
            return ("set", *sorted((self.value(one) for one in value), key=repr))
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return ("method", self.value(value.__func__), self.value(value.__self__))
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, ModuleType | BuiltinFunctionType):
            return ("named", _name(value.__name__), str(getattr(value, "__self__", "") and ""))
        if isinstance(value, staticmethod | classmethod):
            return (type(value).__name__, self.value(value.__func__))
        if isinstance(value, property):
            return ("property", *(self.value(one) for one in (value.fget, value.fset, value.fdel)))
        if isinstance(value, partial):
            return ("partial", self.value(value.func), self.value(value.args), self.value(value.keywords))
        if isinstance(value, re.Pattern):
            return ("pattern", repr(value.pattern), value.flags)
        return self._object(value)

    def _object(self, value: Any) -> Print:
        """An object of any class: by what it keeps, or, where it does not show that, by what it says of itself."""
        cls = self.value(type(value))
        state = getattr(value, "__dict__", None)
        slots = [name for one in type(value).__mro__ for name in _names_of(getattr(one, "__slots__", ()))]
        if state is None and not slots:
            return ("object", cls, re.sub(r"0x[0-9a-f]+", f"id {id(value)}", repr(value)))
        shown = dict(state or {}) | {name: getattr(value, name, None) for name in slots if not name.startswith("__")}
        return ("object", cls, *((name, self.value(one)) for name, one in sorted(shown.items())))

    def _is_local(self, module: str) -> bool:
        if _LOADED.match(module):
            return True
        return getattr(sys.modules.get(module), "__file__", None) in self._local

    def _class(self, cls: type) -> Print:
        named = ("class", _name(cls.__module__), cls.__qualname__)
        if not self._is_local(cls.__module__):
            return named
        own = {name: one for name, one in vars(cls).items() if name not in _BY_MACHINERY}
        bases = tuple(self.value(one) for one in cls.__bases__)
        return (*named, bases, *((name, self.value(one)) for name, one in sorted(own.items())))

    def _function(self, function: FunctionType) -> Print:
        named = ("function", _name(function.__module__ or ""), function.__qualname__)
        if not self._is_local(function.__module__ or ""):
            return named
        cells = tuple(self.value(_inside(cell)) for cell in function.__closure__ or ())
        known = function.__globals__
        used = tuple((name, self.value(known[name])) for name in sorted(_names(function.__code__)) if name in known)
        given = (self.value(function.__defaults__), self.value(function.__kwdefaults__))
        return ("function", function.__qualname__, self.value(function.__code__), cells, given, used)

    def _code(self, code: CodeType) -> Print:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, code.co_flags)
        return ("code", code.co_code, names, *(self.value(one) for one in code.co_consts))


def _names(code: CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _names_of(slots: str | Iterable[str]) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _inside(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not filled yet
