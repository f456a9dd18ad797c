"""Reading values of MessagePack that stand one after the other, without making more objects than there is room for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from swak.forward.entries import OTHERWISE, READING, has_timestamp, listed, read_extension
from swak.forward.faults import ProtocolError

SMALL_BYTES = 64 * 1024
"""A frame up to this size is decoded at once: a byte of msgpack makes at most 72 bytes of objects (an empty dict)."""
PART_BYTES = 1024 * 1024
VALUES_MAX = 1_000_000
"""Values in one record, where the record is larger than PART_BYTES."""

UNPACKER_BYTES = 4 * 1024
"""What an Unpacker takes at first; msgpack's own choice is a MiB, and there is one for each connection."""


def read_values(data: memoryview, count: int) -> list[Any]:
    """Decode `count` values that stand one after the other."""
    if len(data) <= PART_BYTES + SMALL_BYTES:
        whole = listed(data, count)
        if not has_timestamp(whole):
            with suppress(*OTHERWISE):
                return _ANY.decode(whole)
    walker = walker_of(data, careful=True)
    try:
        return [walker.unpack() for _ in range(count)]
    except (ValueError, TypeError) as error:  # TypeError: a map whose key is a map or a list
        raise unreadable(error) from error


def walker_of(data: memoryview, *, careful: bool = False) -> Any:
    """Return an Unpacker of the data. A careful one raises ValueError for far too many values."""
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

    limits: dict[str, Any] = {}
    if careful and len(data) > PART_BYTES:
        tally = _Values()
        limits = {"max_array_len": VALUES_MAX, "max_map_len": VALUES_MAX, "list_hook": tally, "object_hook": tally}
    size = max(1, len(data))
    walker = msgpack.Unpacker(read_size=min(size, UNPACKER_BYTES), max_buffer_size=size, **READING, **limits)
    walker.feed(data)
    return walker


class _Values:
    """Counts the values of lists and maps as they are made, and stops when there are too many."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, made: Any) -> Any:
        self._count += len(made)
        if self._count > VALUES_MAX:
            raise ValueError(f"more than {VALUES_MAX} values in one record")
        return made


def unreadable(error: Exception) -> ProtocolError:
    """Return what to say of values that cannot be read."""
    return ProtocolError(f"no forward protocol: {error or type(error).__name__}")


_ANY = msgspec.msgpack.Decoder(list[Any], ext_hook=read_extension)
