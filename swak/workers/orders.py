"""How another process makes the same plugins again: their classes by name and source, their options as they were given.

A class is found by its module's name. A module that cannot be imported by its name, such as that of a recipe, travels
as the text that it was made of.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from swak.plugin import Filter, Plugin
    from swak.recipe import Place

TEXT, FILE = "__swak_text__", "__swak_file__"
"""Names under which a recipe's module holds its own text, and what it is told by."""

MAKING = threading.Event()
"""Set in a worker process while it runs modules: whatever starts a flow there would start workers without end."""

MOVE = "put it into a file of its own and import it from there"


class CannotTravelError(Exception):
    """A plugin that no other process can make: what is wrong, and how to mend it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


class Source(NamedTuple):
    """A module, and what it is made of where its name does not lead to it."""

    name: str
    file: str
    text: str
    is_recipe: bool


class Order(NamedTuple):
    """One plugin to be made: its stage, its class, its options, and where the recipe has it."""

    stage: str
    module: str
    qualname: str
    options: bytes
    place: Place


class Orders(NamedTuple):
    """All that a worker makes."""

    sources: tuple[Source, ...]
    orders: tuple[Order, ...]


RunAgain = "Callable[[str, str, str], ModuleType]"
"""Runs a recipe's text again for its classes: text, file, the module's name."""


def written(named: Iterable[tuple[str, Plugin]]) -> Orders:
    """Return the orders for plugins, by stage. CannotTravelError says which of them cannot be made elsewhere."""
    sources: dict[str, Source] = {}
    orders = tuple(_order(stage, plugin, sources) for stage, plugin in named)
    return Orders(tuple(sources.values()), orders)


def _order(stage: str, plugin: Plugin, sources: dict[str, Source]) -> Order:
    cls = type(plugin)
    for one in cls.__mro__[:-1]:
        _note_source(one.__module__, sources)
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is not cls:
        what = f"its class is not to be found as {cls.__qualname__} in {cls.__module__}, where another process looks"
        raise CannotTravelError(what, "define it at the left margin of its file, under its own name")
    return Order(stage, cls.__module__, cls.__qualname__, _pickled(plugin, sources), plugin.place)


def _pickled(plugin: Plugin, sources: dict[str, Source]) -> bytes:
    """Return the options; note where the classes and functions among their values are from."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> None:
            if isinstance(value, type | FunctionType):
                _note_source(value.__module__, sources)

    into = io.BytesIO()
    for name, value in plugin.options_given.items():
        try:
            Pickler(io.BytesIO(), protocol=5).dump(value)
        except CannotTravelError:
            raise
        except Exception as error:
            what = f"the option {name} cannot be taken to another process: {error}"
            raise CannotTravelError(what, "give a plain value: text, numbers, lists, dicts") from error
    Pickler(into, protocol=5).dump(plugin.options_given)
    return into.getvalue()


def _note_source(name: str, sources: dict[str, Source]) -> None:
    """Note the text of a module that another process cannot import by its name."""
    module = sys.modules.get(name)
    if name == "__main__":
        raise CannotTravelError("it is of the program itself, which other processes do not run", MOVE)
    if module is None or name in sources or name.partition(".")[0] == "swak":
        return
    text = vars(module).get(TEXT)
    if text is not None:
        sources[name] = Source(name, str(vars(module)[FILE]), text, is_recipe=True)
        return
    file = getattr(module, "__file__", None)
    if _is_importable(name, file):
        return
    try:
        sources[name] = Source(name, str(file), Path(str(file)).read_text(encoding="utf-8"), is_recipe=False)
    except (OSError, ValueError) as error:
        raise CannotTravelError(f"its module {name} has no file that can be read: {error}", MOVE) from error


def _is_importable(name: str, file: str | None) -> bool:
    """Tell whether a process with the same path finds the same module. Looks, and imports nothing."""
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return True
    path: Any = None
    spec = None
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        if length > 1 and ".".join(parts[: length - 1]) not in sys.modules:
            return False
        spec = PathFinder.find_spec(".".join(parts[:length]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec is not None and (file is None or spec.origin == file)


def made(orders: Orders, run_again: Callable[[str, str, str], ModuleType]) -> list[tuple[str, Filter]]:
    """In the other process: make the modules, then the plugins, by stage. Whatever their code raises comes through."""
    MAKING.set()
    try:
        _load(orders, run_again)
        return [(order.stage, _made(order)) for order in orders.orders]
    finally:
        MAKING.clear()


def _load(orders: Orders, run_again: Callable[[str, str, str], ModuleType]) -> None:
    for source in orders.sources:
        if source.is_recipe:
            run_again(source.text, source.file, source.name)
        elif source.name not in sys.modules:
            module = ModuleType(source.name)
            module.__file__ = source.file
            sys.modules[source.name] = module
            exec(compile(source.text, source.file, "exec", dont_inherit=True), vars(module))  # noqa: S102 - as an import


def _made(order: Order) -> Filter:
    found: Any = import_module(order.module)
    for name in order.qualname.split("."):
        found = getattr(found, name)
    plugin: Filter = found(**pickle.loads(order.options))  # noqa: S301 - of our own parent
    plugin.place = order.place
    return plugin
