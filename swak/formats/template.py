"""Text with `{time}`, `{tag}` and `{field}` in it, filled in for each event."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.formats.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.event import Record

NS = 1_000_000_000
CACHED_MAX = 10_000
"""Seconds whose text is remembered before a cache starts anew."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"[+-]([01][0-9]|2[0-3]):?([0-5][0-9])")
_EPOCH_SECONDS = re.compile(r"%([%s])")
_ENCODER = msgspec.json.Encoder()


class Part(NamedTuple):
    """Literal text, and the placeholder behind it: `name` is None after the last one."""

    literal: str
    name: str | None
    spec: str


def parts_of(text: str) -> list[Part]:
    """Cut a template up. `{{` and `}}` stand for braces. ValueError says what cannot be read."""
    parts = []
    for literal, name, spec, conversion in Formatter().parse(text):
        if conversion:
            raise ValueError(f'"!{conversion}" in "{{{name}!{conversion}}}" means nothing here')
        if name is not None and not name.strip():
            raise ValueError('"{}" names no field')
        if spec and name != "time":
            raise ValueError(f'only {{time:...}} takes a format, not "{{{name}:{spec}}}"')
        parts.append(Part(literal, name, spec or ""))
    return parts


def zone_of(name: str) -> tzinfo | None:
    """Return a time zone: "UTC", "local" (None, the machine's own), "+09:00", or a name such as "Asia/Seoul".

    ValueError when there is no such zone.
    """
    if name in {"", "UTC"}:
        return UTC
    if name == "local":
        return None
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        ahead = timedelta(hours=int(offset[1]), minutes=int(offset[2]))
        return timezone(-ahead if name[0] == "-" else ahead)
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only those who ask for a zone pay for it

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, absolute, a folder of zones
        raise ValueError(f'there is no time zone "{name}"') from None


def wall_time(time_ns: int, zone: tzinfo | None) -> datetime:
    """Return the time as clocks in that zone show it, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1_000)).astimezone(zone)


def look_up(record: Mapping[str, Any], name: str) -> Any:
    """Return the field of that name, or else what the path `outer.inner` leads to; None when there is nothing."""
    if name in record:
        return record[name]
    value: Any = record
    for step in name.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def text_of(value: Any, missing: str = "") -> str:
    """Return a value as text: text as it is, bytes as UTF-8, what is nested as JSON, None as `missing`.

    TypeError for what no format can carry.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return missing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return json_text(value)


def json_text(value: Any) -> str:
    """Return a value as JSON. TypeError for what JSON cannot carry."""
    try:
        encoded = _ENCODER.encode(value)
    except UnicodeEncodeError:
        encoded = _ENCODER.encode(plain(value))
    return encoded.decode().removeprefix('"').removesuffix('"') if encoded[:1] == b'"' else encoded.decode()


class Times(dict[int, str]):
    """Text of times in one zone by their second. Without a pattern: ISO 8601 with milliseconds and the zone."""

    def __init__(self, pattern: str, zone: tzinfo | None) -> None:
        super().__init__()
        self._zone = zone
        self._pattern = pattern
        self._fractions = not pattern or "%f" in pattern

    def text(self, time_ns: int) -> str:
        """Return the text of one time."""
        return self._made(time_ns) if self._fractions else self[time_ns // NS]

    def __missing__(self, second: int) -> str:
        if len(self) >= CACHED_MAX:
            self.clear()
        made = self[second] = self._made(second * NS)
        return made

    def _made(self, time_ns: int) -> str:
        moment = wall_time(time_ns, self._zone)
        if self._pattern:
            return moment.strftime(self._plain_seconds(time_ns))
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _plain_seconds(self, time_ns: int) -> str:
        """Fill in `%s`: the C library takes the wall time of any zone for the machine's own."""
        if "%s" not in self._pattern:
            return self._pattern
        return _EPOCH_SECONDS.sub(lambda found: str(time_ns // NS) if found[1] == "s" else "%%", self._pattern)


class Template:
    """A line to be filled in: `{time}`, `{time:%H:%M}`, `{tag}`, `{host}`, `{record}` (JSON), or a field's name."""

    def __init__(self, text: str, *, zone: str = "UTC", host: str = "") -> None:
        """Read the template. ValueError says what is wrong with it."""
        where = zone_of(zone)
        self._parts = parts_of(text)
        self._times = {part.spec: Times(part.spec, where) for part in self._parts if part.name == "time"}
        self._host = host

    def fill(self, tag: str, time_ns: int, record: Record) -> str:
        """Return the text for one event; a field that is not there shows as "-"."""
        made = []
        for literal, name, spec in self._parts:
            made.append(literal)
            if name is not None:
                made.append(self._value(name, spec, tag, time_ns, record))
        return "".join(made)

    def _value(self, name: str, spec: str, tag: str, time_ns: int, record: Record) -> str:
        if name == "time":
            return self._times[spec].text(time_ns)
        if name == "tag":
            return tag
        if name == "record":
            return json_text(record)
        if name == "host" and "host" not in record:
            return self._host
        return text_of(look_up(record, name), "-")
