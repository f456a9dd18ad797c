"""Where the last whole msgpack object of a file ends."""

from __future__ import annotations

import os

_BLOCK_BYTES = 256 * 1024


def whole_end(fd: int, size_bytes: int) -> int:
    """Return the offset behind the last whole object; the size itself when the file holds no msgpack at some place.

    Objects have no mark at their end, so the file is walked through from its start (some 0.1 s for 100 MB). Where
    bytes cannot be msgpack, nobody knows what was meant: then nothing is to be cut.
    """
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

    unpacker = msgpack.Unpacker(max_buffer_size=0, max_str_len=2**31 - 1, max_bin_len=2**31 - 1)
    os.lseek(fd, 0, os.SEEK_SET)
    whole = read = 0
    while read < size_bytes and (block := os.read(fd, min(_BLOCK_BYTES, size_bytes - read))):
        read += len(block)
        unpacker.feed(block)
        try:
            while True:
                unpacker.skip()
                whole = unpacker.tell()
        except msgpack.exceptions.OutOfData:
            continue
        except (ValueError, msgpack.exceptions.UnpackException):
            return size_bytes
    return whole
