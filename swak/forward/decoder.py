"""The receiving side of the forward protocol as bytes: whole frames, and their events in parts of bounded size."""

from __future__ import annotations

import reprlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.event import DICT_BYTES, EVENTS_MAX, Dicts
from swak.forward.entries import (
    DECODER,
    NS,
    OTHERWISE,
    SECONDS,
    EventTime,
    Ext,
    Packed,
    event_times_in,
    has_timestamp,
    listed,
    packed,
    read_extension,
)
from swak.forward.faults import ProtocolError
from swak.forward.inflating import inflated
from swak.forward.values import PART_BYTES, SMALL_BYTES, UNPACKER_BYTES, read_values, unreadable, walker_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.event import Record

FRAME_BYTES = 64 * 1024 * 1024
INFLATED_TIMES = 4
"""How much larger than a frame may be what a compressed one unpacks to: a few bytes of gzip can stand for gigabytes."""
CHUNK_ID_CHARS = 1024
"""Length of a chunk's id: it is sent back. Known senders use 16 bytes in base64."""

_RESCANNED_BYTES = 16 * 1024
"""A frame that began with less is looked through anew: an Unpacker weighs 42 KB, and a connection need not have one."""
_ARRAYS = {0xDC: 3, 0xDD: 5}
_HEADS = {0xC4: 2, 0xC5: 3, 0xC6: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5}
"""Bytes before the content of `array`, and of `bin` and `str`, by their first byte; short ones have one."""
_TLS_HELLO = 0x16
_SECONDS_MAX = 2**63 // NS
"""From 1970 to what 64 bits of nanoseconds hold: the year 2262."""


class Incoming(NamedTuple):  # noqa: PLW1641 - records have no hash
    """Events of one frame: all of them, or a part."""

    tag: str
    stamps: Sequence[int]
    decoded: list[Record]
    chunk_id: str | None
    """To be acked once all events of the frame are safe; None when the sender does not ask."""
    last: bool = True
    """Whether these are the last ones of their frame."""
    size_bytes: int | None = None
    """Their resident size, where it was estimated."""
    packed: Packed | None = None
    """The events as they came, where nothing was decoded."""

    @property
    def times(self) -> Sequence[int]:
        """The time of each event, in nanoseconds."""
        return self.body.times()

    @property
    def records(self) -> list[Record]:
        """The records, to read and never to change."""
        return self.decoded if self.packed is None else self.packed.shared

    @property
    def body(self) -> Dicts:
        """The events as a body."""
        return Dicts(self.decoded, self.stamps, self.size_bytes) if self.packed is None else self.packed

    def __eq__(self, other: object) -> bool:
        """Tell whether these are the same events, decoded or not."""
        return isinstance(other, Incoming) and self._events() == other._events()

    def _events(self) -> tuple[Any, ...]:
        return self.tag, self.times, self.records, self.chunk_id, self.last, self.size_bytes


class Decoder:
    """Makes events of the bytes of one connection: message, forward, packed and compressed frames.

    A frame is looked through without making objects before any of it is decoded: what is broken gives nothing, and
    what is large is decoded in parts of at most EVENTS_MAX events and about PART_BYTES.
    """

    def __init__(self, frame_bytes_max: int = FRAME_BYTES) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._data = bytearray()
        self._scanner: Any = None
        self._base = 0
        """Offset of `_data` in what the scanner has seen."""

    @property
    def held_bytes(self) -> int:
        """Size of the frame that has begun and is not complete."""
        return len(self._data)

    @property
    def held(self) -> bytes:
        """What has come of that frame."""
        return bytes(self._data)

    def feed(self, data: bytes) -> Iterator[Incoming]:
        """Take bytes in and give the events of frames that are complete. ProtocolError when they make no sense.

        Everything is taken in when the first event is asked for. The next bytes are fed after the last one was given.
        """
        ends, trouble = self._scan(data)
        start, frames = 0, self._data
        self._data = frames[ends[-1] :] if ends else frames
        self._base += ends[-1] if ends else 0
        if len(self._data) <= _RESCANNED_BYTES:
            self._scanner = None
        small = [0]
        for end in ends:
            if end - start > SMALL_BYTES or end - small[0] > PART_BYTES:
                yield from self._small(frames, small)
                small = [start]
            if end - start > SMALL_BYTES:
                yield from _large(memoryview(frames)[start:end], self._frame_bytes_max * INFLATED_TIMES)
                small = [end]
            else:
                small.append(end)
            start = end
        yield from self._small(frames, small)
        if trouble is not None:
            raise trouble

    def _scan(self, data: bytes) -> tuple[list[int], ProtocolError | None]:
        """Return where frames end in `_data`, and what is wrong after that."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

        self._data += data
        if self._scanner is None:
            data = bytes(self._data)
            bound = self._frame_bytes_max + max(len(data), PART_BYTES)
            limits = dict.fromkeys(("max_str_len", "max_bin_len", "max_ext_len"), self._frame_bytes_max)
            self._scanner = msgpack.Unpacker(read_size=min(UNPACKER_BYTES, bound), max_buffer_size=bound, **limits)
            self._base = 0
        ends: list[int] = []
        try:
            self._scanner.feed(data)
            while True:
                self._scanner.skip()
                ends.append(self._scanner.tell() - self._base)
        except msgpack.OutOfData:
            rest = len(self._data) - (ends[-1] if ends else 0)
            trouble = _too_large(self._frame_bytes_max) if rest > self._frame_bytes_max else None
        except (ValueError, msgpack.exceptions.UnpackException) as error:
            trouble = unreadable(error)
            if isinstance(error, msgpack.exceptions.BufferFull):
                trouble = _too_large(self._frame_bytes_max)
        return ends, trouble

    def _small(self, frames: bytearray, ends: list[int]) -> Iterator[Incoming]:
        """Read frames that stand between `ends`."""
        view = memoryview(frames)
        try:
            found = read_values(view[ends[0] : ends[-1]], len(ends) - 1)
        except ProtocolError:
            if len(ends) == 2:
                raise
            for pair in pairwise(ends):  # those before the one that cannot be read are events all the same
                yield from self._small(frames, list(pair))
            return
        for frame in found:
            if frame is not None:  # nil: a heartbeat
                yield from _incoming(frame, self._frame_bytes_max * INFLATED_TIMES)


def _too_large(size_bytes: int) -> ProtocolError:
    return ProtocolError(f"a chunk is larger than {size_bytes} bytes")


def _incoming(frame: Any, inflated_max: int) -> Iterator[Incoming]:
    """Read a frame that was decoded whole."""
    if not isinstance(frame, list) or not 2 <= len(frame) <= 4:
        hint = ": it speaks TLS, which is not switched on here" if frame == _TLS_HELLO else ""
        raise ProtocolError(f"no forward protocol: {_shown(frame)} is no frame{hint}")
    tag, body = _tag(frame[0]), frame[1]
    if isinstance(body, list | bytes | str) and not _is_time(body):
        option = _option(frame[2] if len(frame) > 2 else None)
        if isinstance(body, list):
            yield Incoming(tag, *_split(body), _chunk_id(option))
            return
        content = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
        yield from _entries(tag, memoryview(content), option, inflated_max)
        return
    if len(frame) < 3:
        raise ProtocolError("no forward protocol: a message without a record")
    yield Incoming(tag, *_split([[body, frame[2]]]), _chunk_id(_option(frame[3] if len(frame) > 3 else None)))


def _large(frame: memoryview, inflated_max: int) -> Iterator[Incoming]:
    """Read a frame in parts, so that few objects exist at a time."""
    ends = _texts_ends(frame)
    walker = walker_of(frame[ends[-1] :]) if ends else walker_of(frame)
    try:
        fields = frame[0] & 0x0F if ends else walker.read_array_header()
        base = ends[-1] if ends else 0
        ends = ends or [walker.tell()]
        while len(ends) <= fields:
            walker.skip()
            ends.append(base + walker.tell())
    except ValueError as error:
        raise ProtocolError("no forward protocol: something large is no frame") from error
    del walker
    parts = [frame[start:end] for start, end in pairwise(ends)]
    if not 2 <= fields <= 4:
        raise ProtocolError("no forward protocol: something large is no frame")
    tag = _tag(_object(parts[0]))
    kind = parts[1][0]
    if kind in _HEADS:
        content = parts[1][_HEADS[kind] :]
    elif 0xA0 <= kind <= 0xBF:
        content = parts[1][1:]
    elif (0x90 <= kind <= 0x9F or kind in _ARRAYS) and not (
        len(parts[1]) <= SMALL_BYTES and _is_time(_object(parts[1]))
    ):
        content = parts[1][_ARRAYS.get(kind, 1) :]
    elif fields < 3:
        raise ProtocolError("no forward protocol: a message without a record")
    else:
        content = memoryview(b"".join((b"\x92", parts[1], parts[2])))
        del parts[1]
    yield from _entries(tag, content, _option(_object(parts[2]) if len(parts) > 2 else None), inflated_max)


def _texts_ends(frame: memoryview) -> list[int]:
    """Return where the first field of a frame begins, and where it ends and the second, if both are text or bytes.

    So what is large need not be copied to be looked through.
    """
    if not 0x92 <= frame[0] <= 0x94:
        return []
    ends = [1]
    for _ in range(2):
        at = ends[-1]
        kind = frame[at]
        head = _HEADS.get(kind, 1)
        if head == 1 and not 0xA0 <= kind <= 0xBF:
            return []
        ends.append(at + head + (int.from_bytes(frame[at + 1 : at + head]) if head > 1 else kind & 0x1F))
    return ends


def _entries(tag: str, content: memoryview, option: dict[Any, Any], inflated_max: int) -> Iterator[Incoming]:
    """Give entries that stand one after the other. ProtocolError before the first one if not all of them are whole."""
    compressed = _text(option.get("compressed"))
    if compressed == "gzip":
        content = memoryview(inflated(content, inflated_max))
    elif compressed not in (None, "", "text"):  # "text" is Fluentd's word for none
        raise ProtocolError(f"a chunk is compressed by {_shown(compressed)}: have the sender use gzip, or nothing")
    chunk_id = _chunk_id(option)
    size = option.get("size")
    if isinstance(size, int) and 0 < size <= EVENTS_MAX and len(content) <= PART_BYTES:
        whole = _quickly(tag, content, size, chunk_id, last=True)
        if whole is not None:
            yield whole
            return
    cuts = _cuts(content)
    if not cuts:
        yield Incoming(tag, [], [], chunk_id)
    start = 0
    for end, count in cuts:
        part, last = content[start:end], end == len(content)
        quick = _quickly(tag, part, count, chunk_id, last=last)
        size_bytes = count * DICT_BYTES + end - start
        yield quick or Incoming(tag, *_split(read_values(part, count)), chunk_id, last, size_bytes)
        start = end


def _cuts(packed: memoryview) -> list[tuple[int, int]]:
    """Return where to cut the entries into parts, and how many there are in each."""
    import msgpack  # noqa: PLC0415 - see Decoder

    walker = walker_of(packed)
    cuts: list[tuple[int, int]] = []
    start = end = count = 0
    try:
        while True:
            walker.skip()
            after = walker.tell()
            if count == EVENTS_MAX or (count and after - start > PART_BYTES):
                cuts.append((end, count))
                start, count = end, 0
            end, count = after, count + 1
    except msgpack.OutOfData:
        if end != len(packed):
            raise ProtocolError("no forward protocol: the entries of a chunk end in the middle of one") from None
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise unreadable(error) from error
    return [*cuts, (end, count)] if count else cuts


def _quickly(tag: str, part: memoryview, count: int, chunk_id: str | None, *, last: bool) -> Incoming | None:
    """Take exactly `count` entries as they are, or decode them by msgspec, in a third of the time that msgpack takes.

    None when it does not take them, or they are not that many.
    """
    data = listed(part, count)
    if len(data) > PART_BYTES + SMALL_BYTES:
        return None
    size_bytes = count * DICT_BYTES + len(part)
    body = packed(data, size_bytes)
    if body is not None:
        return Incoming(tag, [], [], chunk_id, last, size_bytes, body)
    if has_timestamp(data):
        return None
    try:
        entries = DECODER.decode(data)
    except OTHERWISE:  # other times, text that is no UTF-8, or no entries at all
        return None
    times = _times([stamp for stamp, _ in entries])
    return Incoming(tag, times, [record for _, record in entries], chunk_id, last, size_bytes)


def _times(stamps: list[Any]) -> list[int]:
    """Read times as msgspec gives them."""
    quick = event_times_in(stamps) if all(isinstance(stamp, Ext) for stamp in stamps) else None
    if quick is not None:
        return [second * NS + rest_ns for second, rest_ns in SECONDS.iter_unpack(quick)]
    return [_time_ns(read_extension(one.code, bytes(one.data)) if isinstance(one, Ext) else one) for one in stamps]


def _object(data: memoryview) -> Any:
    if len(data) > SMALL_BYTES:
        raise ProtocolError("no forward protocol: a tag or an option is too large")
    return read_values(data, 1)[0]


def _split(entries: list[Any]) -> tuple[list[int], list[Record]]:
    times, records = [], []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
            raise ProtocolError(f"no forward protocol: {_shown(entry)} is no entry")
        times.append(_time_ns(entry[0]))
        records.append(entry[1])
    return times, records


def _tag(tag: Any) -> str:
    if not isinstance(tag, str | bytes):
        raise ProtocolError(f"no forward protocol: {_shown(tag)} is no tag")
    return str(_text(tag))


def _option(option: Any) -> dict[Any, Any]:
    """Return a frame's options, empty without any. Like the values of some of them, keys may be bytes."""
    return {_text(name): value for name, value in option.items()} if isinstance(option, dict) else {}


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _shown(value: Any) -> str:
    return reprlib.repr(value)[:80]  # what is nested a thousand times deep breaks str()


def _chunk_id(option: dict[Any, Any]) -> str | None:
    chunk_id = _text(option.get("chunk"))
    if not isinstance(chunk_id, str):
        return None
    if len(chunk_id) > CHUNK_ID_CHARS:
        raise ProtocolError(f"no forward protocol: a chunk's id has {len(chunk_id)} characters")
    return chunk_id


def _is_time(value: Any) -> bool:
    """Tell a message's `[time, {metadata}]`, which Fluent Bit 5 sends, from a list of entries."""
    return isinstance(value, list) and len(value) == 2 and not isinstance(value[0], list) and isinstance(value[1], dict)


def _time_ns(value: Any) -> int:
    """Read a time: whole or broken seconds, EventTime, or Fluent Bit's `[time, {metadata}]`."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, EventTime):
        return value.time_ns
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SECONDS_MAX:
        return value * NS
    if isinstance(value, float) and abs(value) < _SECONDS_MAX:
        return round(value * NS)
    raise ProtocolError(f"no forward protocol: {_shown(value)} is no time")
