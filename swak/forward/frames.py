"""Fluentd's forward protocol, version 1, as bytes: packed chunks to send, and every form that a receiver meets.

https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.event import Dicts, Rows
from swak.formats.plain import plain, readable, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.event import Batch, Record

CHUNK_BYTES = 2 * 1024 * 1024
"""Entries in one chunk: above its limit a receiver drops a chunk without an ack (Fluent Bit: 6 MB by default)."""
INFLATED_BYTES = 256 * 1024 * 1024
"""The largest compressed chunk that is taken in: a few bytes of gzip can stand for gigabytes."""
NS = 1_000_000_000

_ENCODER = msgspec.msgpack.Encoder()
_EVENT_TIME = 0
_SECONDS = struct.Struct(">II")
_Ext = msgspec.msgpack.Ext


class ProtocolError(ValueError):
    """What came is not the forward protocol."""


class Frame(NamedTuple):
    """A chunk to be sent: entries of one tag, one after the other."""

    tag: str
    entries: bytes
    size: int
    """Number of entries."""

    def packed(self, chunk_id: str) -> bytes:
        """Return `[tag, entries, {"chunk": id, "size": size}]`: the receiver acks the id when it has the chunk."""
        return _ENCODER.encode((self.tag, self.entries, {"chunk": chunk_id, "size": self.size}))


def frames(batch: Batch) -> list[Frame]:
    """Encode a whole batch: a frame for each run of equal tags, and for each CHUNK_BYTES of it.

    One entry that is larger has a frame of its own. TypeError, OverflowError: a record holds what msgpack cannot
    carry (an object, a whole number beyond 64 bits). Bytes stay bytes; times become ISO text, keys text, and lone
    surrogates U+FFFD.
    """
    body = batch.body
    records = body.rows if isinstance(body, Rows) else readable(body)
    if isinstance(body, Dicts) and not all(type(key) is str for key in set().union(*records)):
        records = plain(records)
    times = body.times()
    made: list[Frame] = []
    start = 0
    for tag, run in [(batch.tags, batch.count)] if isinstance(batch.tags, str) else _runs(batch.tags):
        stop = start + run
        packed = _packed(times[start:stop], records[start:stop]) if run else []
        made += [Frame(whole(tag), entries, count) for entries, count in packed]
        start = stop
    return made


def event_time(time_ns: int) -> msgspec.msgpack.Ext | int:
    """Return the protocol's time: nanoseconds as far as it can (1970 to 2106), else whole seconds."""
    second, rest_ns = divmod(time_ns, NS)
    return _Ext(_EVENT_TIME, _SECONDS.pack(second, rest_ns)) if 0 <= second < 2**32 else second


def event_times(times: Sequence[int]) -> list[msgspec.msgpack.Ext | int]:
    """Return the protocol's time for each of `times`."""
    unique = set(times)
    if len(unique) * 4 < len(times):
        made = {time_ns: event_time(time_ns) for time_ns in unique}
        return [made[time_ns] for time_ns in times]
    pack = _SECONDS.pack
    try:
        return [_Ext(_EVENT_TIME, pack(*divmod(time_ns, NS))) for time_ns in times]
    except struct.error:  # before 1970 or after 2106
        return [event_time(time_ns) for time_ns in times]


def _runs(tags: list[str]) -> list[tuple[str, int]]:
    return [(tag, len(list(run))) for tag, run in groupby(tags)]


def _packed(times: Sequence[int], records: Sequence[Any]) -> list[tuple[bytes, int]]:
    return list(_chunks(list(zip(event_times(times), records, strict=True))))


def _chunks(entries: list[tuple[Any, Any]]) -> Iterator[tuple[bytes, int]]:
    """Encode the list at once (a quarter of the cost of one by one), cut its header off, and halve it if too long."""
    count = len(entries)
    data = _encoded(entries)[1 if count < 16 else 3 if count < 2**16 else 5 :]
    if len(data) <= CHUNK_BYTES or count == 1:
        yield data, count
        return
    yield from _chunks(entries[: count // 2])
    yield from _chunks(entries[count // 2 :])


def _encoded(entries: list[tuple[Any, Any]]) -> bytes:
    with suppress(UnicodeEncodeError):  # a lone surrogate
        data = _ENCODER.encode(entries)
        if not _has_timestamp(data):
            return data
        # An EventTime may look like one by chance: look again, without them.
        if not _has_timestamp(_ENCODER.encode([record for _, record in entries])):
            return data
    return _ENCODER.encode([(stamp, plain(record)) for stamp, record in entries])


def _has_timestamp(data: bytes) -> bool:
    """Tell whether msgpack's own time (ext type -1) may be inside: Fluentd's receivers stumble over it.

    It begins with d6 ff, d7 ff or c7 0c ff, and ff is rare: no text has it.
    """
    at = data.find(b"\xff", 1)
    while at >= 0:
        if data[at - 1] in (0xD6, 0xD7) or data[at - 2 : at] == b"\xc7\x0c":
            return True
        at = data.find(b"\xff", at + 1)
    return False


class Incoming(NamedTuple):
    """What one frame brought."""

    tag: str
    times: list[int]
    records: list[Record]
    chunk_id: str | None
    """To be acked once the events are safe; None when the sender does not ask."""


class Decoder:
    """Makes events of the bytes of one connection: message, forward, packed and compressed frames."""

    def __init__(self, frame_bytes_max: int = 64 * 1024 * 1024) -> None:
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

        self._unpacker = msgpack.Unpacker(max_buffer_size=frame_bytes_max, **_READING)
        # TypeError: a map whose key is a map or a list
        self._refused = (ValueError, TypeError, msgpack.exceptions.UnpackException)

    def feed(self, data: bytes) -> Iterator[Incoming]:
        """Take bytes in and give the frames that are complete. ProtocolError when they make no sense."""
        try:
            self._unpacker.feed(data)
            for frame in self._unpacker:
                if frame is not None:  # nil: a heartbeat
                    yield _incoming(frame)
        except ProtocolError:
            raise
        except self._refused as error:
            raise ProtocolError(f"no forward protocol: {error or type(error).__name__}") from error


def ack(chunk_id: str) -> bytes:
    """Return what tells a sender that its chunk is safe."""
    return _ENCODER.encode({"ack": chunk_id})


def _incoming(frame: Any) -> Incoming:
    if not isinstance(frame, list) or not 2 <= len(frame) <= 4 or not isinstance(frame[0], str):
        raise ProtocolError(f"no forward protocol: {str(frame)[:80]!r} is no frame")
    tag, body = frame[0], frame[1]
    if isinstance(body, list | bytes | str) and not _is_time(body):
        option = frame[2] if len(frame) > 2 else None
        entries = body if isinstance(body, list) else _unpacked(body, option)
    else:
        if len(frame) < 3:
            raise ProtocolError("no forward protocol: a message without a record")
        option = frame[3] if len(frame) > 3 else None
        entries = [[body, frame[2]]]
    times, records = [], []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
            raise ProtocolError(f"no forward protocol: {str(entry)[:80]!r} is no entry")
        times.append(_time_ns(entry[0]))
        records.append(entry[1])
    chunk_id = option.get("chunk") if isinstance(option, dict) else None
    return Incoming(tag, times, records, chunk_id if isinstance(chunk_id, str) else None)


def _is_time(value: Any) -> bool:
    """Tell a message's `[time, {metadata}]`, which Fluent Bit 5 sends, from a list of entries."""
    return isinstance(value, list) and len(value) == 2 and not isinstance(value[0], list) and isinstance(value[1], dict)


def _unpacked(data: bytes | str, option: Any) -> list[Any]:
    import msgpack  # noqa: PLC0415 - see Decoder

    data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    if isinstance(option, dict) and option.get("compressed") == "gzip":
        data = _inflated(data)
    unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(data)), **_READING)
    unpacker.feed(data)
    entries, end = [], 0
    for entry in unpacker:
        entries.append(entry)
        end = unpacker.tell()
    if end != len(data):
        raise ProtocolError("no forward protocol: the entries of a chunk end in the middle of one")
    return entries


def _inflated(data: bytes) -> bytes:
    """Decompress one or more gzip members."""
    parts = []
    room = INFLATED_BYTES
    while data:
        inflater = zlib.decompressobj(wbits=31)
        try:
            parts.append(inflater.decompress(data, room))
        except zlib.error as error:
            raise ProtocolError(f"a compressed chunk cannot be read: {error}") from error
        room -= len(parts[-1])
        if not inflater.eof:
            why = "is too large" if room <= 0 else "ends too early"
            raise ProtocolError(f"a compressed chunk {why}")
        data = inflater.unused_data
        room = max(room, 1)
    return b"".join(parts)


def _time_ns(value: Any) -> int:
    """Read a time: whole or broken seconds, EventTime, or Fluent Bit's `[time, {metadata}]`."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, EventTime):
        return value.time_ns
    if isinstance(value, int) and not isinstance(value, bool):
        return value * NS
    if isinstance(value, float) and abs(value) < 2**63 / NS:
        return round(value * NS)
    raise ProtocolError(f"no forward protocol: {str(value)[:80]!r} is no time")


class EventTime(NamedTuple):
    """The protocol's time, as it was received."""

    time_ns: int


def _ext(code: int, data: bytes) -> Any:
    """Read an extension: EventTime; of others the bytes are kept, as text of hexadecimal digits."""
    if code == _EVENT_TIME and len(data) == 8:
        second, rest_ns = _SECONDS.unpack(data)
        return EventTime(second * NS + rest_ns)
    return data.hex()


_READING: dict[str, Any] = {
    "strict_map_key": False,
    "unicode_errors": "surrogateescape",
    "ext_hook": _ext,
    "timestamp": 2,  # msgpack's own time as whole nanoseconds: a datetime would not hold every one
}
