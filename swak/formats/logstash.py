"""What Logstash's codecs print: a plain line, a line of JSON, or the layout called rubydebug."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from swak.formats.json_text import encode_lines
from swak.formats.plain import plain, readable, utf8
from swak.formats.rubydebug import rubydebug
from swak.formats.times import iso_ms

if TYPE_CHECKING:
    from swak.event import Body, Record

_LINE_ENDS = re.compile(r"[\r\n]")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
"""What could move a terminal's cursor or change its title."""
_WORD = re.compile(r"\S+")
_FIRST = ("message", "@version", "@timestamp", "host")


def plain_lines(body: Body, host: str, *, terminal: bool = False) -> bytes:
    """Return `2014-10-31T15:02:10.201+0000 <host> <message>` for each event; without a message, its JSON.

    Line ends inside a message are shown escaped, so that an event stays one line; for a terminal all control
    characters are, so that an event cannot move its cursor or change its title.
    """
    pattern = CONTROLS if terminal else _LINE_ENDS
    lines = []
    for time_ns, record in zip(body.times(), readable(body), strict=True):
        text = record.get("message")
        if not isinstance(text, str):
            text = encode_lines([record if text is None else text]).decode().rstrip("\n")
        text = escaped(text, pattern)
        time = iso_ms(time_ns, "+0000")
        lines.append(f"{time} {_host(record, host)} {text}\n")
    return utf8("".join(lines))


def event_json(body: Body, host: str) -> bytes:
    """Return each event as a JSON line: the record, and "@version", "@timestamp" and "host" where it has none."""
    return encode_lines([_event(time_ns, record, host) for time_ns, record in _events(body)])


def event_rubydebug(body: Body, host: str) -> bytes:
    """Return each event in the layout rubydebug, well-known fields first."""
    texts = []
    for time_ns, record in _events(body):
        event = _event(time_ns, record, host)
        ordered = {name: event[name] for name in _FIRST if name in event} | event
        texts.append(rubydebug(plain(ordered)))
    return utf8("".join(f"{text}\n" for text in texts))


def _events(body: Body) -> zip[tuple[int, Record]]:
    return zip(body.times(), readable(body), strict=True)


def _event(time_ns: int, record: Record, host: str) -> dict[str, Any]:
    return {**record, **{name: value for name, value in _own(time_ns, host) if name not in record}}


def _own(time_ns: int, host: str) -> tuple[tuple[str, str], ...]:
    return (("@version", "1"), ("@timestamp", iso_ms(time_ns)), ("host", host))


def _host(record: Record, host: str) -> str:
    own = record.get("host")
    return own if isinstance(own, str) and _WORD.fullmatch(own) else host


def escaped(text: str, pattern: re.Pattern[str]) -> str:
    """Return `text` with what matches written as Python would, so that an event stays one line."""
    return text if text.isprintable() else pattern.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]
