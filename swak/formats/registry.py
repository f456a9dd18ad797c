"""The formats that outputs write, by name: one table for files, sockets and HTTP."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import msgspec

from swak.event import Block, Rows
from swak.formats import columns, logstash
from swak.formats.lines import json_lines, raw_lines
from swak.formats.plain import plain, readable, utf8
from swak.formats.template import Template, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from swak.event import Batch, Body, Record

FormatName = Literal[
    "json", "json_spaced", "json_array", "raw", "csv", "tsv", "ltsv", "msgpack", "line", "rubydebug", "logstash"
]
"""Every format. `json` is one object a line, `json_array` all events of one write as one array."""
LineFormat = Literal["json", "json_spaced", "raw", "csv", "tsv", "ltsv", "msgpack", "line", "rubydebug", "logstash"]
"""Formats whose events stand on their own, so that they can be added one after the other."""

_LINE_ENDS = re.compile(r"[\r\n]")
_PACKER = msgspec.msgpack.Encoder()
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Shape(NamedTuple):
    """What an output's options say about the looks of its events."""

    name: str
    fields: Sequence[str] | None = None
    """Columns of csv, tsv and ltsv."""
    template: str = ""
    """Of `line`; without one it is time, host and message."""
    host: str = ""
    zone: str = "UTC"
    terminal: bool = False
    """Whether control characters inside a line must not reach a terminal."""

    def problems(self) -> list[tuple[str, str]]:
        """Name what does not fit together, as (what, mend)."""
        found = []
        if self.name in {"csv", "tsv"} and not self.fields:
            mend = f'give its columns, e.g. format="{self.name}", fields=["@timestamp", "host", "message"]'
            found.append((f'format="{self.name}" without fields', mend))
        if self.fields is not None and self.name not in {"csv", "tsv", "ltsv"}:
            found.append((f'format="{self.name}" has no columns', 'leave fields out, or choose "csv", "tsv" or "ltsv"'))
        if self.template and self.name != "line":
            found.append((f'format="{self.name}" has no template', 'leave it out, or choose "line"'))
        try:
            Template(self.template)
        except ValueError as error:
            found.append((f"template: {error}", 'write e.g. "{time} {tag} {message}", and {{ for a brace'))
        try:
            zone_of(self.zone)
        except ValueError as error:
            found.append((str(error), 'give "UTC", "local" or a name such as "Asia/Seoul"'))
        return found

    def made(self) -> Format:
        """Make the format."""
        return _FORMATS[self.name](self)


class Format:
    """How events look as bytes. TypeError or OverflowError: a record holds what the format cannot carry."""

    content_type: str = _TEXT
    framed: ClassVar[Literal["lines", "msgpack", "whole"]] = "lines"
    """What an event ends with: a line feed, its own length, or nothing (only a whole write can be told apart)."""
    head: bytes = b""
    """What a new file begins with."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.host = shape.host or platform.node() or "localhost"

    def encode(self, batch: Batch) -> bytes:
        """Return all events of a batch, one after the other."""
        return self.joined(self.pieces(batch))

    def joined(self, pieces: Sequence[bytes]) -> bytes:
        """Put the pieces of some events together."""
        return b"".join(pieces)

    def pieces(self, batch: Batch) -> list[bytes]:
        """Return the bytes of each event."""
        raise NotImplementedError


class _JsonLines(Format):
    content_type = "application/x-ndjson"

    def encode(self, batch: Batch) -> bytes:
        return json_lines(batch.body)

    def pieces(self, batch: Batch) -> list[bytes]:
        return json_lines(batch.body).splitlines(keepends=True)  # JSON has no line ends inside: they are escaped


class _JsonSpaced(Format):
    """A space after each comma and colon, as Python's `json` writes it: for those who compare bytes."""

    content_type = "application/x-ndjson"

    def pieces(self, batch: Batch) -> list[bytes]:
        return [msgspec.json.format(line, indent=0) + b"\n" for line in json_lines(batch.body).splitlines()]


class _JsonArray(Format):
    content_type = _JSON
    framed = "whole"

    def joined(self, pieces: Sequence[bytes]) -> bytes:
        return b"[" + b",".join(pieces) + b"]"

    def pieces(self, batch: Batch) -> list[bytes]:
        return json_lines(batch.body).splitlines()


class _Raw(Format):
    def encode(self, batch: Batch) -> bytes:
        return raw_lines(batch.body)

    def pieces(self, batch: Batch) -> list[bytes]:
        if isinstance(batch.body, Block):
            return [line + b"\n" for line in raw_lines(batch.body).split(b"\n")[:-1]]
        return [raw_lines(batch.body.cut(at, at + 1)) for at in range(batch.count)]


class _Columns(Format):
    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._line: Callable[[Sequence[str]], str] = columns.csv_line if shape.name == "csv" else columns.tsv_line
        self._fields = list(shape.fields or ())
        self.head = utf8(self._line(self._fields))
        self.content_type = "text/csv" if shape.name == "csv" else "text/tab-separated-values"

    def pieces(self, batch: Batch) -> list[bytes]:
        return [utf8(self._line(columns.values_of(*event, self._fields))) for event in _events(batch)]


class _Ltsv(Format):
    def pieces(self, batch: Batch) -> list[bytes]:
        return [utf8(columns.ltsv_line(*event, self.shape.fields)) for event in _events(batch)]


class _Msgpack(Format):
    content_type = "application/msgpack"
    framed = "msgpack"

    def pieces(self, batch: Batch) -> list[bytes]:
        records = batch.body.rows if isinstance(batch.body, Rows) else readable(batch.body)
        return [_packed(record) for record in records]


class _Line(Format):
    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self._template = Template(shape.template, zone=shape.zone, host=self.host) if shape.template else None

    def encode(self, batch: Batch) -> bytes:
        if self._template is None:
            return logstash.plain_lines(batch.body, self.host, terminal=self.shape.terminal)
        return super().encode(batch)

    def pieces(self, batch: Batch) -> list[bytes]:
        if self._template is None:
            return _each(batch.body, lambda one: logstash.plain_lines(one, self.host, terminal=self.shape.terminal))
        pattern = logstash.CONTROLS if self.shape.terminal else _LINE_ENDS
        fill = self._template.fill
        return [utf8(logstash.escaped(fill(*event), pattern)) + b"\n" for event in _events(batch)]


class _Rubydebug(Format):
    def encode(self, batch: Batch) -> bytes:
        return logstash.event_rubydebug(batch.body, self.host)

    def pieces(self, batch: Batch) -> list[bytes]:
        return _each(batch.body, lambda one: logstash.event_rubydebug(one, self.host))


class _Logstash(Format):
    content_type = "application/x-ndjson"

    def encode(self, batch: Batch) -> bytes:
        return logstash.event_json(batch.body, self.host)

    def pieces(self, batch: Batch) -> list[bytes]:
        return logstash.event_json(batch.body, self.host).splitlines(keepends=True)


_FORMATS: dict[str, type[Format]] = {
    "json": _JsonLines,
    "json_spaced": _JsonSpaced,
    "json_array": _JsonArray,
    "raw": _Raw,
    "csv": _Columns,
    "tsv": _Columns,
    "ltsv": _Ltsv,
    "msgpack": _Msgpack,
    "line": _Line,
    "rubydebug": _Rubydebug,
    "logstash": _Logstash,
}


def _events(batch: Batch) -> Iterator[tuple[str, int, Record]]:
    return zip(batch.tag_list(), batch.body.times(), readable(batch.body), strict=True)


def _each(body: Body, encode: Callable[[Body], bytes]) -> list[bytes]:
    return [encode(body.cut(at, at + 1)) for at in range(body.count)]


def _packed(record: object) -> bytes:
    try:
        return _PACKER.encode(record)
    except UnicodeEncodeError:
        return _PACKER.encode(plain(record))
