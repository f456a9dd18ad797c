"""swak: the log agent that you write in Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swak.actors.running import running
    from swak.errors import ConfigError, EndOfInput, Refused, Retry, SwakError
    from swak.event import Batch, Event
    from swak.options import Duration, Size, option
    from swak.plugin import Buffer, Filter, Input, Output, Pending
    from swak.recipe import failover, main, task
    from swak.reference import in_, out

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Buffer",
    "ConfigError",
    "Duration",
    "EndOfInput",
    "Event",
    "Filter",
    "Input",
    "Output",
    "Pending",
    "Refused",
    "Retry",
    "Size",
    "SwakError",
    "failover",
    "in_",
    "main",
    "option",
    "out",
    "running",
    "task",
]

_HOMES = {
    "swak.actors.running": ("running",),
    "swak.errors": ("ConfigError", "EndOfInput", "Refused", "Retry", "SwakError"),
    "swak.event": ("Batch", "Event"),
    "swak.options": ("Duration", "Size", "option"),
    "swak.plugin": ("Buffer", "Filter", "Input", "Output", "Pending"),
    "swak.recipe": ("failover", "main", "task"),
    "swak.reference": ("in_", "out"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
