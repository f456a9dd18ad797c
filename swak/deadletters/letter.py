"""A dead letter, as a line of JSON that is sealed with its sum, and back again."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.ack import Origin
from swak.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPTH_MAX = 64
"""Containers inside containers that are written as such; what lies deeper is written as its repr."""

_SEAL = re.compile(rb', "crc": "([0-9a-f]{8})"\}')
_SEAL_BYTES = len(', "crc": "01234567"}')
_NUMBER = re.compile(rb'\{"id": (\d{1,18}), ')
_FIRST = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on both sides; the Z is written by hand


class DeadLetter(NamedTuple):
    """One event that a stage could not take."""

    event: Event
    origin: Origin
    flow: str
    stage: str
    reason: str
    trace: str = ""
    died_at_ns: int = 0
    """When it was refused, in nanoseconds since 1970; 0: when it is written."""


def to_line(number: int, letter: DeadLetter) -> bytes:
    """Return the letter as one line with its line feed.

    The line is an object of id, died_at, time, time_ns, tag, flow, stage, reason, trace (if there is one), source,
    position and record; its last field is the CRC-32 of all bytes before that field. JSON has no word for some values;
    they are marked: `{"$bytes": base64}`, `{"$float": "nan"}`, `{"$hex": "0x…"}` for a number of thousands of digits,
    `{"$dict": [[key, value], …]}` for keys that are no text (or look like these marks), `{"$repr": "…"}` for the rest.
    """
    event = letter.event
    told = {
        "id": number,
        "died_at": iso(letter.died_at_ns),
        "time": iso(event.time_ns),
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
        return sealed(json.dumps(shown, ensure_ascii=False).encode())
    except UnicodeEncodeError:  # half a surrogate pair: only an escape can write it
        return sealed(json.dumps(shown).encode())


def from_line(line: bytes) -> tuple[int, DeadLetter]:
    """Return number and letter of a whole line, with or without its line feed. ValueError when it holds none.

    Bytes, numbers and keys come back as they were; tuples as lists, and what was written as its repr as that text.
    """
    try:
        told = json.loads(line)
        fields = {name: _read(told[name]) for name in ("tag", "time_ns", "record", "source", "position")}
        texts = [told[name] for name in ("flow", "stage", "reason")] + [told.get("trace", "")]
        number, died_at_ns = int(told["id"]), nanoseconds(told["died_at"])
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"this line is no dead letter: {error!r}") from error
    flow, stage, reason, trace = (text if isinstance(text, str) else json.dumps(text) for text in texts)
    event = Event(fields["tag"], fields["time_ns"], fields["record"])
    return number, DeadLetter(
        event, Origin(fields["source"], fields["position"]), flow, stage, reason, trace, died_at_ns
    )


def number_of(line: bytes) -> int:
    """Return the number of a whole line; 0 when it has none."""
    found = _NUMBER.match(line)
    return int(found[1]) if found else 0


def sealed(line: bytes) -> bytes:
    """Add the sum to a JSON object, as its last field, and a line feed."""
    body = line[:-1]
    return b'%s, "crc": "%08x"}\n' % (body, zlib.crc32(body))


def parts_of(line: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what of a line (without its line feed) was wholly written, with True, and the rest, with False.

    Two lines whose line feed was lost come as two.
    """
    if line[-_SEAL_BYTES:-10] == b', "crc": "' and _fits(line):
        yield line, True
        return
    start = summed = crc = 0
    for seal in _SEAL.finditer(line):
        crc = zlib.crc32(memoryview(line)[summed : seal.start()], crc)
        summed = seal.start()
        if b"%08x" % crc == seal[1]:
            yield line[start : seal.end()], True
            begins = line.find(b"{", seal.end())
            start = summed = len(line) if begins < 0 else begins
            if start > seal.end():
                yield line[seal.end() : start], False
            crc = 0
    if start < len(line):
        yield line[start:], False


def _fits(line: bytes) -> bool:
    return line[-10:] == b'%08x"}' % zlib.crc32(memoryview(line)[:-_SEAL_BYTES])


def iso(time_ns: object) -> str | None:
    """Return the time with all its nanoseconds; None for a year that no calendar here knows."""
    if not isinstance(time_ns, int):
        return None
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    try:
        whole = _FIRST + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return f"{whole.isoformat()}.{rest_ns:09d}Z"


def nanoseconds(text: str | None) -> int:
    """Return what `iso` was given; 0 for None. ValueError for what it never writes."""
    if text is None:
        return 0
    whole = datetime.fromisoformat(text[:-11]).replace(tzinfo=UTC) - _FIRST.replace(tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int(text[-10:-1])


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


def _read(shown: Any) -> Any:
    """Return the value that `_shown` was given, as far as it could be told."""
    if isinstance(shown, list):
        return [_read(one) for one in shown]
    if not isinstance(shown, dict):
        return shown
    if len(shown) == 1:
        ((name, value),) = shown.items()
        if name in _MARKS:
            return _MARKS[name](value)
    return {key: _read(one) for key, one in shown.items()}


def _key(value: Any) -> Any:
    """Return what can be a key: a tuple was written as a list."""
    return tuple(map(_key, value)) if isinstance(value, list) else value


_MARKS: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$float": float,
    "$hex": lambda text: int(text, 16),
    "$dict": lambda pairs: {_key(_read(key)): _read(value) for key, value in pairs},
    "$repr": str,
}
