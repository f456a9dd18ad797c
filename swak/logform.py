"""How the agent's log looks on the command line: structlog's renderers behind one logging handler."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from swak.log import WHERE, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

PLACES = ("flow", "stage", "plugin")
"""Fields that make lines of one event different for the limit: where it happened."""

LONG = ("exception", "stack")
"""Fields of several lines, which stand below the line of text."""


class Limit:
    """Lets `burst` equal lines pass in `window_s` and counts the rest. Not locked: a handler holds its lock."""

    def __init__(self, burst: int = 5, window_s: float = 60.0, keys_max: int = 1_000) -> None:
        self._burst = burst
        self._window_s = window_s
        self._keys_max = keys_max
        self._seen: OrderedDict[Hashable, tuple[float, int, int]] = OrderedDict()
        """Per line: start of its window, lines that passed in it, lines that were held back since one passed."""

    def admit(self, line: Hashable, now_s: float) -> tuple[bool, int]:
        """Return whether the line passes, and how many of its kind were held back before it."""
        start_s, passed, held = self._seen.pop(line, (now_s, 0, 0))
        if now_s - start_s >= self._window_s:
            start_s, passed = now_s, 0
        admitted = passed < self._burst
        self._seen[line] = (start_s, passed + 1, 0) if admitted else (start_s, passed, held + 1)
        while len(self._seen) > self._keys_max:
            self._seen.popitem(last=False)
        return admitted, held if admitted else 0

    def take(self) -> list[tuple[Any, int]]:
        """Return the lines that were held back, with their numbers, and begin anew."""
        taken = [(line, held) for line, (_, _, held) in self._seen.items() if held]
        self._seen.clear()
        return taken


class Handler(logging.Handler):
    """Writes each record as one line of text or JSON. An unwritable stream never raises into the caller."""

    def __init__(self, form: Literal["text", "json"], stream: TextIO | None, limit: Limit | None = None) -> None:
        super().__init__()
        self._form = form
        self._stream = stream
        self._limit = limit or Limit()
        self._render: Callable[[dict[str, Any]], str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = fields_of(record)
            held = 0
            if record.levelno >= logging.WARNING and not getattr(record, "swak_always", False):
                kind = (record.name, record.levelname, _event(record), *(told.get(place) for place in PLACES))
                admitted, held = self._limit.admit(kind, time.monotonic())
                if not admitted:
                    return
            self._tell(told | ({"held_back": held} if held else {}))
        except Exception:  # noqa: BLE001 - logging's own way: told on stderr where that is possible
            self.handleError(record)

    def tell_held(self) -> None:
        """Tell how often each line was held back since it last passed."""
        with self.lock:  # type: ignore[union-attr]  # a handler has one from its making on
            for (name, level, event, *places), held in self._limit.take():
                told = {"timestamp": _at(time.time()), "level": level.lower(), "logger": name, "event": event}
                told |= {place: value for place, value in zip(PLACES, places, strict=True) if value is not None}
                self._tell({**told, "held_back": held})

    def _tell(self, told: dict[str, Any]) -> None:
        stream = self._stream if self._stream is not None else sys.stderr
        if stream is None:  # a Windows service has none
            return
        if self._render is None:
            self._render = _renderer(self._form, stream)
        stream.write(self._render(told) + "\n")
        stream.flush()


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line tells: time, level, logger, event and fields; other libraries' records as well."""
    fields: dict[str, Any] = getattr(record, "swak_fields", None) or dict(WHERE.get())
    told = {"timestamp": _at(record.created), "level": record.levelname.lower(), "logger": record.name}
    told["event"] = getattr(record, "swak_event", None) or record.getMessage()
    told.update({f"{name}_" if name in told else name: value for name, value in fields.items()})
    if record.exc_info and record.exc_info[0] is not None:
        told["exception"] = logging.Formatter().formatException(record.exc_info)
    return told


def _event(record: logging.LogRecord) -> str:
    return str(getattr(record, "swak_event", None) or record.msg)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _renderer(form: Literal["text", "json"], stream: TextIO) -> Callable[[dict[str, Any]], str]:
    import structlog  # noqa: PLC0415 - 90 ms of CPU, paid with the first line only

    if form == "json":
        as_json = structlog.processors.JSONRenderer(default=plain)
        return lambda told: str(as_json(None, "", told))
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    trace = structlog.dev.plain_traceback
    as_text = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=trace, pad_event_to=0, pad_level=False, sort_keys=False
    )
    return lambda told: str(as_text(None, "", {name: _shown(name, value) for name, value in told.items()}))


def _shown(name: str, value: object) -> str:
    if name in LONG:
        return "\n".join(line.expandtabs() if line.isprintable() else ascii(line) for line in str(value).split("\n"))
    return plain(value)
