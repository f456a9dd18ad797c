"""Dead letters: events that no stage could take, kept in a file with the reason and the way back to their source."""

from __future__ import annotations

import base64
import json
import math
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from swak.ack import Origin
    from swak.event import Event

DEPTH_MAX = 64
"""Containers inside containers that are written as such; what lies deeper is written as its repr."""


class DeadLetter(NamedTuple):
    """One event that a stage could not take."""

    event: Event
    origin: Origin
    flow: str
    stage: str
    reason: str
    trace: str = ""


class DeadLetters:
    """Appends dead letters to a file, one JSON object a line. Any thread may append.

    A line has time, time_ns, tag, flow, stage, reason, trace, source, position and record. JSON has no word for some
    values; they are marked: `{"$bytes": base64}`, `{"$float": "nan"}`, `{"$hex": "0x…"}` for a number of thousands of
    digits, `{"$dict": [[key, value], …]}` for keys that are no text (or look like these marks), `{"$repr": "…"}` for
    the rest. The file only ever grows; move it away (a new one is made then) or remove it when it was looked at.
    """

    def __init__(self, path: Path | Callable[[], Path], files: Files | None = None) -> None:
        self._files = Files("dead") if files is None else files
        self._wanted = path
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        self._written = False

    @property
    def path(self) -> str:
        """Where the dead letters are; empty while none was written."""
        return str(self._path) if self._written else ""

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Write the letters; they are on disk when this returns. OSError (disk full): none of them is, try again."""
        if not letters:
            return
        lines = b"".join(_line(letter) for letter in letters)
        with self._lock:
            descriptor = self._opened()
            size = self._files.size(descriptor)
            whole = (
                not size or self._files.read(descriptor, 1, size - 1) == b"\n"
            )  # a killed process leaves half a line
            try:
                self._files.append(descriptor, lines if whole else b"\n" + lines)
                self._files.sync(descriptor)
            except OSError:
                self._files.cut(descriptor, size)
                raise
            self._written = True

    def close(self) -> None:
        """Give the descriptor back. A later append opens the file again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._files.close(descriptor)

    def _opened(self) -> int:
        """Return a descriptor of the file that the path names now: somebody may have moved the last one away."""
        if self._path is None:
            self._path = self._wanted if not callable(self._wanted) else self._wanted()
        if self._descriptor is not None and not self._files.is_at(self._descriptor, self._path):
            self._close()
        if self._descriptor is None:
            self._files.make_folder(self._path.parent)
            self._descriptor = self._files.open(self._path, make=True)
            self._files.sync_folder(self._path.parent)
        return self._descriptor


def _line(letter: DeadLetter) -> bytes:
    event = letter.event
    told = {
        "time": _iso(event.time_ns),
        "time_ns": event.time_ns,
        "tag": event.tag,
        "flow": letter.flow,
        "stage": letter.stage,
        "reason": letter.reason,
        "trace": letter.trace,
        "source": letter.origin.source,
        "position": letter.origin.position,
        "record": event.record,
    }
    shown = {name: _shown(value, DEPTH_MAX) for name, value in told.items() if name != "trace" or value}
    try:
        return json.dumps(shown, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair: only an escape can write it
        return json.dumps(shown).encode() + b"\n"


def _iso(time_ns: object) -> str | None:
    """Return the time with all its nanoseconds; None for a year that no calendar here knows."""
    if not isinstance(time_ns, int):
        return None
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    try:
        whole = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - the Z is written by hand
    except OverflowError:
        return None
    return f"{whole.isoformat()}.{rest_ns:09d}Z"


def _shown(value: Any, depth: int) -> Any:
    """Return what JSON can say of any value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() < 10_000 else {"$hex": hex(value)}  # json stops at 4,300 digits
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(bytes(value)).decode()}
    if depth and isinstance(value, list | tuple):
        return [_shown(one, depth - 1) for one in value]
    if depth and isinstance(value, dict):
        return _shown_dict(value, depth - 1)
    return {"$repr": _repr(value)}


def _shown_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    pairs = list(value.items())
    plain = all(type(key) is str for key, _ in pairs)
    if plain and not (len(pairs) == 1 and pairs[0][0].startswith("$")):
        return {key: _shown(one, depth) for key, one in pairs}
    return {"$dict": [[_shown(key, depth), _shown(one, depth)] for key, one in pairs]}


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - told in the letter; the event's other fields must not be lost for it
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
