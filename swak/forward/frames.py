"""The sending side of Fluentd's forward protocol, version 1, as bytes: packed chunks, and what acks one.

https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
"""

from __future__ import annotations

import base64
import os
import struct
import zlib
from contextlib import suppress
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.event import Block, Dicts, Rows
from swak.formats.plain import is_utf8, plain, whole
from swak.formats.undecoded import read_once
from swak.forward.entries import EVENT_TIME, NS, SECONDS, Ext, Packed, has_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from swak.event import Batch

CHUNK_BYTES = 2 * 1024 * 1024
"""Entries in one chunk: above its limit a receiver drops a chunk without an ack (Fluent Bit: 6 MB by default)."""
GZIP_LEVEL = 3
"""Of access logs it makes an eighth more than level 6, in half of the time."""

_ENCODER = msgspec.msgpack.Encoder()
_MESSAGE = b"\x81" + _ENCODER.encode("message")
"""What a record with nothing but a `message` begins with."""


class Frame(NamedTuple):
    """A chunk to be sent: entries of one tag, one after the other."""

    tag: str
    entries: bytes
    size: int
    """Number of entries."""
    chunk_id: str
    """The same whenever it is sent."""

    def packed(self, *, gzip: bool = False) -> bytes:
        """Return `[tag, entries, {"chunk": id, "size": size}]`: the receiver acks the id when it has the chunk."""
        option: dict[str, Any] = {"chunk": self.chunk_id, "size": self.size}
        if not gzip:
            return _ENCODER.encode((self.tag, self.entries, option))
        deflater = zlib.compressobj(GZIP_LEVEL, wbits=31)
        entries = deflater.compress(self.entries) + deflater.flush()
        return _ENCODER.encode((self.tag, entries, {**option, "compressed": "gzip"}))


def frames(batch: Batch, place: str = "") -> list[Frame]:
    """Encode a whole batch: a frame for each run of equal tags, and for each CHUNK_BYTES of it.

    `place` names the batch whenever it comes, after a restart, too; then each frame has an id that does so, else a
    random one. Such an id is a hash of the entries, too: if filters or the bounds of frames are others after the
    restart, a frame with other events has another id.
    One entry that is larger has a frame of its own. TypeError, OverflowError: a record holds what msgpack cannot
    carry (an object, a whole number beyond 64 bits). Bytes stay bytes; times become ISO text, keys text, and lone
    surrogates U+FFFD.
    """
    made: list[Frame] = []
    at = 0
    for tag, run in _packed(batch):
        for entries, count in run:
            name = os.urandom(16) if not place else _hash(f"{place} {at} {tag}", entries)
            made.append(Frame(whole(tag), entries, count, base64.b64encode(name).decode()))
            at += count
    return made


def _packed(batch: Batch) -> Iterator[tuple[str, Iterable[tuple[bytes, int]]]]:
    """Give each run of equal tags as entries in pieces of at most CHUNK_BYTES, and how many there are in each."""
    body, tags = batch.body, batch.tags
    if isinstance(body, Block) and isinstance(tags, str) and _is_plain(body):
        yield tags, _of_lines(body)
        return
    if isinstance(body, Packed) and isinstance(tags, str) and len(body.data) <= CHUNK_BYTES:
        yield tags, [(body.entries, body.count)]
        return
    records = body.rows if isinstance(body, Rows) else read_once(body)
    if isinstance(body, Dicts) and not all(type(key) is str for key in set().union(*records)):
        records = plain(records)
    times = body.times()
    start = 0
    for tag, run in [(tags, batch.count)] if isinstance(tags, str) else _runs(tags):
        stop = start + run
        entries = list(zip(event_times(times[start:stop]), records[start:stop], strict=True))
        yield tag, list(_chunks(entries)) if run else []
        start = stop


def _hash(place: str, entries: bytes) -> bytes:
    made = blake2b(blake2b(place.encode("utf-8", "surrogatepass")).digest(), digest_size=16)
    made.update(entries)
    return made.digest()


def event_time(time_ns: int) -> msgspec.msgpack.Ext | int:
    """Return the protocol's time: nanoseconds as far as it can (1970 to 2106), else whole seconds."""
    second, rest_ns = divmod(time_ns, NS)
    return Ext(EVENT_TIME, SECONDS.pack(second, rest_ns)) if 0 <= second < 2**32 else second


def event_times(times: Sequence[int]) -> list[msgspec.msgpack.Ext | int]:
    """Return the protocol's time for each of `times`."""
    unique = set(times)
    if len(unique) * 4 < len(times):
        made = {time_ns: event_time(time_ns) for time_ns in unique}
        return [made[time_ns] for time_ns in times]
    pack = SECONDS.pack
    try:
        return [Ext(EVENT_TIME, pack(*divmod(time_ns, NS))) for time_ns in times]
    except struct.error:  # before 1970 or after 2106
        return [event_time(time_ns) for time_ns in times]


def _runs(tags: list[str]) -> list[tuple[str, int]]:
    return [(tag, len(list(run))) for tag, run in groupby(tags)]


def _chunks(entries: list[tuple[Any, Any]]) -> Iterator[tuple[bytes, int]]:
    """Encode the list at once (a quarter of the cost of one by one), cut its header off, and halve it if too long."""
    count = len(entries)
    data = _encoded(entries)[1 if count < 16 else 3 if count < 2**16 else 5 :]
    if len(data) <= CHUNK_BYTES or count == 1:
        yield data, count
        return
    yield from _chunks(entries[: count // 2])
    yield from _chunks(entries[count // 2 :])


def _is_plain(block: Block) -> bool:
    """Tell whether lines can be sent as they are: whole, in good UTF-8, and without the CR of another line end."""
    data = block.data
    return block.encoding == "utf-8" and data.endswith(b"\n") and b"\r" not in data and is_utf8(data)


def _of_lines(block: Block) -> Iterator[tuple[bytes, int]]:
    """Give lines as entries `[time, {"message": line}]`, which differ in nothing but what stands before each line.

    So no record is made: half of the cost of what an encoder makes of them, which is the same.
    """
    lines = block.data.split(b"\n")
    lines.pop()
    sizes, times = list(map(len, lines)), block.times()
    heads = {size: _text_head(size) for size in set(sizes)}
    fronts = {time_ns: b"\x92" + _ENCODER.encode(event_time(time_ns)) + _MESSAGE for time_ns in set(times)}
    parts = [b""] * (2 * len(lines))
    parts[1::2] = lines
    if len(fronts) == 1:
        ready = {size: fronts[times[0]] + head for size, head in heads.items()}
        parts[::2] = map(ready.__getitem__, sizes)
    else:
        parts[::2] = [fronts[time_ns] + heads[size] for time_ns, size in zip(times, sizes, strict=True)]
    data = b"".join(parts)
    if len(data) <= CHUNK_BYTES or block.count <= 1:
        yield data, block.count
        return
    half = block.count // 2
    yield from _of_lines(block.cut(0, half))
    yield from _of_lines(block.cut(half, block.count))


def _text_head(size_bytes: int) -> bytes:
    """Return what msgpack writes before a text of that size."""
    if size_bytes < 32:
        return bytes((0xA0 | size_bytes,))
    if size_bytes < 2**8:
        return struct.pack(">BB", 0xD9, size_bytes)
    return struct.pack(">BH", 0xDA, size_bytes) if size_bytes < 2**16 else struct.pack(">BI", 0xDB, size_bytes)


def _encoded(entries: list[tuple[Any, Any]]) -> bytes:
    with suppress(UnicodeEncodeError):  # a lone surrogate
        data = _ENCODER.encode(entries)
        if not has_timestamp(data):
            return data
        # An EventTime may look like one by chance: look again, without them.
        if not has_timestamp(_ENCODER.encode([record for _, record in entries])):
            return data
    return _ENCODER.encode([(stamp, plain(record)) for stamp, record in entries])


def ack(chunk_id: str) -> bytes:
    """Return what tells a sender that its chunk is safe. The id is at most 64 KiB."""
    try:
        return _ENCODER.encode({"ack": chunk_id})
    except UnicodeEncodeError:  # bytes that are no text go back as they came
        octets = chunk_id.encode("utf-8", "surrogateescape")
        return b"".join((b"\x81\xa3ack\xda", struct.pack(">H", len(octets)), octets))
