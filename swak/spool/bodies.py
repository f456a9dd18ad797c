"""How the body of a batch lies in a frame: as the bytes that it is, if it is any; other records as MessagePack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from swak.event import Block, Dicts, Event, Rows
from swak.formats.json_text import JsonText, size_of
from swak.forward.entries import Packed

if TYPE_CHECKING:
    from swak.event import Batch, Body

_LINES, _RECORDS, _JSON, _ENTRIES = "lines", "records", "json", "entries"


class BodyError(Exception):
    """A body that passed its checksum and yet cannot be read: another version of swak wrote it."""


def to_bytes(batch: Batch) -> bytes:
    """Return what `from_bytes` makes the same events of.

    TypeError, ValueError (UnicodeEncodeError), OverflowError or RecursionError when a record holds what MessagePack
    has no word for: an object of Python's, a number of more than 64 bits, half a surrogate pair.
    """
    body = batch.body
    if isinstance(body, Block):
        times = body.times()
        varied = None if times.count(body.time_ns) == len(times) else list(times)
        return _encode(([_LINES, batch.tags, body.time_ns, varied, body.encoding, body.count], body.data))
    if isinstance(body, JsonText):
        return _encode(([_JSON, batch.tags, list(body.times())], body.data))
    if isinstance(body, Packed):
        return _encode(([_ENTRIES, batch.tags, body.stamps], body.data))
    records: Any = body.rows if isinstance(body, Rows) else body.shared
    return _encode(([_RECORDS, batch.tags, list(body.times())], records))


def from_bytes(data: bytes | memoryview) -> tuple[Body, str | list[str]]:
    """Return body and tags. Parsed rows come back as plain dicts."""
    try:
        (kind, tags, *rest), content = _decode(data)
        if kind == _LINES:
            time_ns, times, encoding, count = rest
            return Block(content, time_ns, encoding, count, times), tags
        if kind == _RECORDS:
            return Dicts(content, rest[0]), tags
        if kind == _JSON:
            return JsonText(content, rest[0], size_of(content, rest[0])), tags
        if kind == _ENTRIES:
            return Packed(content, rest[0]), tags
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise BodyError(str(error)) from error
    raise BodyError(f"unknown kind {kind!r:.20}")


def carries(event: Event) -> str | None:
    """Return why an event cannot be carried, None when it can."""
    try:
        _encode(event.record)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return str(error)
    return None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(strict=False).decode
