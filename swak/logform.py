"""How the agent's log looks on the command line: structlog's renderers behind one logging handler."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from swak.log import WHERE, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

PLACES = ("flow", "stage", "plugin")
"""Fields that make lines of one event different for the limit: where it happened."""

CHARS_MAX = 4_096
TRACE_CHARS_MAX = 64 * 1024
"""Of one field; of a traceback."""
LONG = ("exception", "stack")
"""Fields of several lines, which stand below the line of text."""

BURST, SITE_BURST, WINDOW_S = 10, 100, 60.0
"""So many equal lines pass in a window, and so many from one line of code."""
OTHERS = ("swak.log", "WARNING", "lines of many kinds")


def later(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    """Do something later, from a thread that holds no process up. Returns what calls that off."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer.cancel


class Limit:
    """Lets `burst` equal lines pass in `window_s` and counts the rest. Not locked: a handler holds its lock."""

    def __init__(self, burst: int = BURST, window_s: float = WINDOW_S, keys_max: int = 1_000) -> None:
        self._burst = burst
        self._window_s = window_s
        self._keys_max = keys_max
        self._seen: OrderedDict[Hashable, tuple[float, int, int]] = OrderedDict()
        """Per line: start of its window, lines that passed in it, lines that were suppressed since one passed."""
        self._forgotten = 0
        """Suppressed lines of kinds that there was no room for any more."""

    def admit(self, line: Hashable, now_s: float) -> tuple[bool, int]:
        """Return whether the line passes, and how many of its kind were suppressed before it."""
        start_s, passed, held = self._seen.pop(line, (now_s, 0, 0))
        if now_s - start_s >= self._window_s:
            start_s, passed = now_s, 0
        admitted = passed < self._burst
        self._seen[line] = (start_s, passed + 1, 0) if admitted else (start_s, passed, held + 1)
        while len(self._seen) > self._keys_max:
            self._forgotten += self._seen.popitem(last=False)[1][2]
        return admitted, held if admitted else 0

    def due_s(self, now_s: float) -> float | None:
        """Return in how many seconds the first window ends in which a line was suppressed; None: in none."""
        starts = [start_s for start_s, _, held in self._seen.values() if held]
        return max(0.0, min(starts) + self._window_s - now_s) if starts else None

    def take(self, now_s: float = math.inf) -> list[tuple[Any, int]]:
        """Return the lines that were suppressed in windows that have ended by then, with their numbers."""
        ended = [
            (line, held)
            for line, (start_s, _, held) in self._seen.items()
            if now_s - start_s >= self._window_s and held
        ]
        for line, _ in ended:
            del self._seen[line]
        forgotten, self._forgotten = self._forgotten, 0
        return ended + ([(OTHERS, forgotten)] if forgotten else [])


class Handler(logging.Handler):
    """Writes each record as one line of text or JSON. An unwritable stream never raises into the caller.

    What repeats is suppressed and counted: an event at one stage beyond `BURST` in a minute, whatever its fields are,
    and what one line of code tells, though its text should vary, beyond `SITE_BURST`.
    """

    def __init__(
        self,
        form: Literal["text", "json"],
        stream: TextIO | None,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], Callable[[], None]] = later,
    ) -> None:
        super().__init__()
        self._form = form
        self._stream = stream
        self._limits = (Limit(), Limit(SITE_BURST))
        self._clock = clock
        self._later = later
        self._cancel: Callable[[], None] | None = None
        """Ends the wait for the end of a window, while there is one."""
        self._render: Callable[[dict[str, Any]], str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            held = 0 if getattr(record, "swak_always", False) else self._admit(record)
            if held is not None:
                self._tell(fields_of(record) | ({"suppressed": held} if held else {}))
        except Exception:  # noqa: BLE001 - logging's own way: told on stderr where that is possible
            self.handleError(record)

    def _admit(self, record: logging.LogRecord) -> int | None:
        """Return how many lines of its kind were suppressed before this one; None when it is to be suppressed, too."""
        now_s, fields = self._clock(), _own_fields(record)
        kind = (record.name, record.levelname, _event(record), *(fields.get(place) for place in PLACES))
        site = (record.name, record.levelname, f"anything from {record.filename}:{record.lineno}", *kind[3:])
        admitted, held = self._limits[0].admit(kind, now_s)
        if admitted and record.lineno:  # what a worker tells has no place of its own
            admitted, more = self._limits[1].admit(site, now_s)
            held += more
        if not admitted and self._cancel is None:
            self._await_end(now_s)
        return held if admitted else None

    def _await_end(self, now_s: float) -> None:
        due_s = [left_s for limit in self._limits if (left_s := limit.due_s(now_s)) is not None]
        self._cancel = self._later(min(due_s), self._tell_ended) if due_s else None

    def _tell_ended(self) -> None:
        with self.lock:  # type: ignore[union-attr]  # a handler has one from its making on
            self._cancel = None
            now_s = self._clock()
            self._tell_suppressed(now_s)
            self._await_end(now_s)

    def tell_held(self) -> None:
        """Tell how often each line was suppressed since it last passed, though its window has not ended."""
        with self.lock:  # type: ignore[union-attr]  # as above
            self._tell_suppressed(math.inf)

    def _tell_suppressed(self, now_s: float) -> None:
        for limit in self._limits:
            for (name, level, event, *places), held in limit.take(now_s):
                told = {"timestamp": _at(time.time()), "level": level.lower(), "logger": name, "event": event}
                told |= {place: value for place, value in zip(PLACES, places, strict=False) if value is not None}
                self._tell({**told, "suppressed": held})

    def close(self) -> None:
        if self._cancel is not None:
            self._cancel()
        super().close()

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
    fields = _own_fields(record)
    told = {"timestamp": _at(record.created), "level": record.levelname.lower(), "logger": record.name}
    told["event"] = _cut(getattr(record, "swak_event", None) or record.getMessage())
    told.update({f"{name}_" if name in told else name: _cut(value, name) for name, value in fields.items()})
    if record.exc_info and record.exc_info[0] is not None:
        told["exception"] = _cut(logging.Formatter().formatException(record.exc_info), "exception")
    return told


def _own_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return the fields of one of our lines; of other libraries' lines, where they were written."""
    return getattr(record, "swak_fields", None) or WHERE.get()


def _cut(value: Any, name: str = "") -> Any:
    """Keep a text within bounds: a line that quotes a line that quotes a line is longer each time."""
    if not isinstance(value, str) or len(value) <= CHARS_MAX:
        return value
    if name in (*LONG, "trace"):  # its end says most
        return value[-TRACE_CHARS_MAX:]
    return f"{value[:CHARS_MAX]}... ({len(value)} characters)"


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
    return plain(value) if isinstance(value, str) else str(_cut(plain(value)))
