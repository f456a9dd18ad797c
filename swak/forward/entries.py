"""Entries of the forward protocol: sent on they stay the bytes they came as, read they are decoded."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.event import DICT_BYTES, Dicts
from swak.formats.undecoded import Undecoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record

NS = 1_000_000_000
EVENT_TIME = 0
SECONDS = struct.Struct(">II")
HEAD_BYTES = 5
"""What a list of up to 2**32 values begins with."""


class EventTime(NamedTuple):
    """The protocol's time, as it was received."""

    time_ns: int


class Packed(Undecoded):
    """Entries `[EventTime, record]` of MessagePack: `data` is the list of all of them, with HEAD_BYTES before.

    What nobody reads keeps its bytes: the order of keys, how long a number is written, bytes that are no text.
    """

    __slots__ = ("stamps",)

    def __init__(self, data: bytes, stamps: bytes, size_bytes: int | None = None) -> None:
        """`stamps`: seconds and nanoseconds of each entry, in 8 bytes."""
        self.stamps = stamps
        count = len(stamps) // SECONDS.size
        super().__init__(data, [], len(data) + DICT_BYTES * count if size_bytes is None else size_bytes)

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.stamps) // SECONDS.size

    def times(self) -> Sequence[int]:
        """Return the time of each event, in nanoseconds."""
        if not self._times:
            self._times = [second * NS + rest_ns for second, rest_ns in SECONDS.iter_unpack(self.stamps)]
        return self._times

    @property
    def entries(self) -> bytes:
        """The entries, one after the other."""
        return self.data[HEAD_BYTES:]

    def cut(self, start: int, stop: int) -> Dicts:
        """Return the records from `start` to `stop`."""
        return Dicts(self.shared, self.times(), self.size_bytes).cut(start, stop)

    @staticmethod
    def together(bodies: Sequence[Packed]) -> Packed:
        """Join entries, which stay as they are."""
        stamps = b"".join([body.stamps for body in bodies])
        data = [_head(len(stamps) // SECONDS.size), *[body.entries for body in bodies]]
        return Packed(b"".join(data), stamps, sum(body.size_bytes for body in bodies))

    @staticmethod
    def joined(bodies: Sequence[Any], times: Sequence[int], size_bytes: int) -> Packed:
        """Join entries, which stay as they are."""
        del times, size_bytes  # they have their own
        return Packed.together(bodies)

    def _decoded(self) -> list[Record]:
        try:
            return [entry.record for entry in _RECORDS.decode(self.data)]
        except OTHERWISE:  # text that is no UTF-8, for one
            return [record for _, record in _read_slowly(self.data)]


def listed(entries: memoryview, count: int) -> bytes:
    """Return the list of `count` entries that stand one after the other."""
    return b"".join((_head(count), entries))


def _head(count: int) -> bytes:
    return struct.pack(">BI", 0xDD, count)


def packed(data: bytes, size_bytes: int | None = None) -> Packed | None:
    """Return a list of entries as it is; None when it is none, or cannot be handed on unseen.

    Each entry must be an EventTime with a map whose keys are text; maps are passed over without making anything of
    what they hold, which costs a quarter of decoding them. Nowhere may there be a time of msgpack's own.
    """
    try:
        found = _STAMPS.decode(data)
    except OTHERWISE:
        return None
    stamps = event_times_in([stamp for stamp, _ in found])
    if not stamps or (has_timestamp(data) and any(has_timestamp(bytes(raw)) for _, raw in _RAWS.decode(data))):
        return None
    return Packed(data, stamps, size_bytes)


def event_times_in(stamps: Sequence[Any]) -> bytes | None:
    """Return seconds and nanoseconds of times that msgspec gave as extensions; None unless all are EventTimes."""
    parts = [stamp.data for stamp in stamps]
    if {stamp.code for stamp in stamps} != {EVENT_TIME} or set(map(len, parts)) != {SECONDS.size}:
        return None
    return b"".join(parts)


def read_extension(code: int, data: bytes | memoryview) -> Any:
    """Read an extension: EventTime; of others the bytes are kept, as text of hexadecimal digits."""
    if code == EVENT_TIME and len(data) == SECONDS.size:
        second, rest_ns = SECONDS.unpack(data)
        return EventTime(second * NS + rest_ns)
    return data.hex()


def has_timestamp(data: bytes) -> bool:
    """Tell whether msgpack's own time (ext type -1) may be inside: Fluentd's receivers stumble over it.

    It begins with d6 ff, d7 ff or c7 0c ff, and ff is rare: no text has it.
    """
    at = data.find(b"\xff", 1)
    while at >= 0:
        if data[at - 1] in (0xD6, 0xD7) or data[at - 2 : at] == b"\xc7\x0c":
            return True
        at = data.find(b"\xff", at + 1)
    return False


def _read_slowly(data: bytes) -> list[Any]:
    """Read a list of entries that are known to be whole, whatever they hold."""
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

    walker = msgpack.Unpacker(max_buffer_size=len(data), object_pairs_hook=_map, **READING)
    walker.feed(data)
    entries: list[Any] = walker.unpack()
    return entries


def _map(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Make a map; keys that Python cannot have (lists, maps) become text."""
    try:
        return dict(pairs)
    except TypeError:
        return {key if isinstance(key, str | bytes | int | float | None) else repr(key): one for key, one in pairs}


class _Unseen(msgspec.Struct, gc=False):
    """A map that is passed over."""


class _Entry(msgspec.Struct, array_like=True, gc=False):
    """An entry of which only the record matters."""

    time: msgspec.Raw
    record: dict[Any, Any]


OTHERWISE = (ValueError, TypeError, RecursionError)
"""What msgspec says of what it does not take."""
READING: dict[str, Any] = {
    "strict_map_key": False,
    "unicode_errors": "surrogateescape",
    "ext_hook": read_extension,
    "timestamp": 2,  # msgpack's own time as whole nanoseconds: a datetime would not hold every one
}
"""How msgpack's Unpacker is to read what comes."""
Ext = msgspec.msgpack.Ext
_RECORDS = msgspec.msgpack.Decoder(list[_Entry], ext_hook=read_extension)
DECODER = msgspec.msgpack.Decoder(list[tuple[Ext | int | float | list[Any], dict[Any, Any]]], ext_hook=read_extension)
_STAMPS = msgspec.msgpack.Decoder(list[tuple[Ext, _Unseen]])
_RAWS = msgspec.msgpack.Decoder(list[tuple[Ext, msgspec.Raw]])
