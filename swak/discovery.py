"""Finding plugin classes: built in, beside a recipe, or offered by other packages."""

from __future__ import annotations

import pkgutil
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from swak import errors
from swak.beside import BESIDE, KINDS, Beside, squashed
from swak.errors import ConfigError, Problem
from swak.options import suggest
from swak.plugin import Plugin
from swak.recipe import Pipeable, calling_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SIDES: Mapping[str, tuple[str, ...]] = {"in_": ("input",), "out": ("filter", "buffer", "output")}
"""Where each kind of plugin is addressed from."""

ALIASES: Mapping[str, str] = {"Filter": "Grep", "W3c": "W3C"}
"""Other names of built-in plugins."""


class Found(NamedTuple):
    """One plugin, or the reason why it cannot be had."""

    name: str
    kind: str
    origin: str
    """"swak", the package that offers it, or the file that it stands in."""
    doc: str = ""
    plugin: type[Plugin] | None = None
    trouble: str = ""

    @property
    def spelled(self) -> str:
        """The name as recipes write it."""
        return f"{_side(self.kind)}.{self.name}"


class StandIn(Pipeable):
    """Takes the place of a plugin that is not known, so that loading goes on and all problems come together."""

    def __init__(self, *_values: Any, **_named: Any) -> None:
        """Take whatever the missing plugin would have been given."""


class UnknownPluginError(ConfigError, AttributeError):
    """No plugin has that name. An AttributeError, too, so that `hasattr(out, "X")` answers."""


def standard() -> list[Found]:
    """Return every built-in plugin by kind and name. Imports their modules; one that fails is told, not raised."""
    return [
        _checked(kind, module, "swak", lambda home=home: _class_in(home))  # type: ignore[misc]
        for kind in KINDS
        for module, home in sorted(_modules(kind).items())
    ]


def external() -> list[Found]:
    """Return what other packages offer (entry points `swak.inputs`, `.filters`, `.buffers`, `.outputs`)."""
    found = [_checked(kind, point.name, _package(point), point.load) for kind in KINDS for point in _points(kind)]
    taken = "has the name of a built-in plugin, which is used instead"
    return [one._replace(trouble=taken) if builtin(_side(one.kind), one.name) else one for one in found]


def local(folder: Path) -> list[Found]:
    """Return the plugins in the Python files of `folder` and of its `plugins`. Reads their text and runs nothing."""
    return [Found(one.name, one.kind, one.file, one.doc) for one in Beside(folder).defined()]


def builtin(side: str, name: str) -> type[Plugin] | None:
    """Return the built-in plugin of that name; imports its module only."""
    name = ALIASES.get(name, name)
    for kind in SIDES[side]:
        home = _modules(kind).get(squashed(name))
        cls = getattr(import_module(home), name, None) if home else None
        if isinstance(cls, type) and issubclass(cls, Plugin):
            return cls
    return None


def find(side: str, name: str) -> Any:
    """Return the plugin class that recipes know as `side`.`name`.

    An unknown name raises UnknownPluginError, or, while a recipe is loaded, is reported and gets a stand-in.
    """
    try:
        return lookup(side, name, BESIDE.get())
    except ConfigError as error:
        place = calling_place()
        problems = [one if one.file else one._replace(file=place.file, line=place.line) for one in error.problems]
        collected = errors.COLLECTED.get()
        if collected is None:
            raise UnknownPluginError(problems) from error
        collected.extend(problems)
        return StandIn


def lookup(side: str, name: str, beside: Beside | None = None) -> type[Plugin]:
    """Return the class. UnknownPluginError says what there is instead, ConfigError why it cannot be had; no place."""
    found = builtin(side, name) or (beside and beside.find(name)) or _offered(side, name)
    if found is None:
        known = names(side) + [one.name for one in (beside.defined() if beside else ()) if one.kind in SIDES[side]]
        other = "out" if side == "in_" else "in_"
        mend = f"write {other}.{name}" if name in names(other) else suggest(name, known)
        raise UnknownPluginError([Problem(f"{side}.{name}: there is no such plugin", mend)])
    if found.kind not in SIDES[side]:
        what = f"{side}.{name}: it is a plugin of kind {found.kind or 'none'}"
        mend = f"write {_side(found.kind)}.{name}" if found.kind else "derive it from Input, Filter, Buffer or Output"
        raise UnknownPluginError([Problem(what, mend)])
    return found


def names(side: str) -> list[str]:
    """Return the names of all built-in and external plugins on that side."""
    offered = [point.name for kind in SIDES[side] for point in _points(kind)]
    return [one.name for one in standard() if one.kind in SIDES[side] and not one.trouble] + offered


def clashes(beside: Beside) -> list[Problem]:
    """Name the classes of a recipe, and beside it, that have the name of a built-in plugin."""
    return [
        Problem(f"class {one.name} has the name of a built-in plugin", "give it another name", one.file, one.line)
        for one in beside.defined()
        if builtin(_side(one.kind), one.name)
    ]


def _side(kind: str) -> str:
    return "in_" if kind == "input" else "out"


def _checked(kind: str, name: str, origin: str, load: Callable[[], Any]) -> Found:
    try:
        cls = load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one that cannot be imported is told, the others work on
        return Found(name, kind, origin, trouble=f"cannot be loaded: {type(error).__name__}: {error}")
    if not (isinstance(cls, type) and issubclass(cls, Plugin) and cls.kind == kind):
        return Found(name, kind, origin, trouble=f"is no {kind} plugin")
    shown = cls.__name__ if origin == "swak" else name
    return Found(shown, kind, origin, (cls.__doc__ or "").strip().partition("\n")[0], cls)


def _class_in(home: str) -> Any:
    """Return the class that is named like its module: FileTailing in file_tailing."""
    wanted = squashed(home.rpartition(".")[2])
    values = (value for name, value in vars(import_module(home)).items() if squashed(name) == wanted)
    return next((value for value in values if isinstance(value, type)), None)


def _modules(kind: str) -> dict[str, str]:
    """Return the modules with built-in plugins of that kind by squashed name; none without swak's plugin package."""
    try:
        package = import_module(f"swak.plugins.{kind}s")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("swak.plugins"):
            raise
        return {}
    modules = [one.name for one in pkgutil.iter_modules(package.__path__) if not one.name.startswith("_")]
    return {squashed(name): f"{package.__name__}.{name}" for name in modules}


def _points(kind: str) -> list[metadata.EntryPoint]:
    return sorted(metadata.entry_points(group=f"swak.{kind}s"), key=lambda point: point.name)


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _offered(side: str, name: str) -> type[Plugin] | None:
    found = [
        _checked(kind, name, _package(point), point.load)
        for kind in SIDES[side]
        for point in _points(kind)
        if point.name == name
    ]
    if len(found) > 1:
        packages = ", ".join(one.origin for one in found)
        raise ConfigError([Problem(f"{side}.{name} is offered by several packages: {packages}", "keep one of them")])
    if found and found[0].trouble:
        raise ConfigError([Problem(f"{side}.{name} of package {found[0].origin} {found[0].trouble}")])
    return found[0].plugin if found else None
