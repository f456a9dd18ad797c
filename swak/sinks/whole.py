"""Where the last whole event of a file ends: behind it is what a killed process left of a write."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Framing = Literal["lines", "csv", "rubydebug", "msgpack"]
"""How the events of a file can be told apart. A quoted value of csv may hold line ends; rubydebug has many lines."""

TORN_BYTES = 64 * 1024 * 1024
"""The longest torn event that is looked for: no single write of ours is larger."""
BLOCK_BYTES = 256 * 1024
SLICE_BYTES = 128 * 1024
"""About what one write appends of many lines. With longer ones the kernel takes larger pieces of memory for its cache,
which virtual machines often have to get from their host first: 300 MB took 0.08 to 0.51 CPU-s in writes of 330 KB, and
0.09 to 0.12 in such of 128 KiB. Below 64 KiB the calls themselves cost more."""

_BEGUN_ROW = re.compile(rb'(?:(?:"(?:[^"]|"")*+"|[^",\n]*+),)*+(?:"(?:[^"]|"")*+"?|[^",\n]*+)')
"""A row of csv as far as it was written."""


def framing_of(form: str) -> Framing:
    """Return how the events of an output format can be told apart."""
    framings: tuple[Framing, ...] = ("csv", "rubydebug", "msgpack")
    return next((one for one in framings if one == form), "lines")


def slices(data: bytes, framing: Framing) -> Iterator[memoryview]:
    """Cut what is to be written at the ends of lines, so that no write is much longer than SLICE_BYTES."""
    view, start = memoryview(data), 0
    while framing == "lines" and len(data) - start > SLICE_BYTES:
        end = data.rfind(b"\n", start, start + SLICE_BYTES) + 1 or data.find(b"\n", start + SLICE_BYTES) + 1
        if not end:
            break
        yield view[start:end]
        start = end
    yield view[start:]


def whole_end(fd: int, size_bytes: int, framing: Framing) -> int | None:
    """Return the offset behind the last whole event; the size itself when nothing is torn, or none of ours.

    None when there is no end of an event within TORN_BYTES.
    """
    if not size_bytes:
        return 0
    return _ENDS[framing](fd, size_bytes)


def lines_backwards(fd: int) -> Iterator[bytes]:
    """Yield the lines of a file without their ends, the last one first: as a rule what is behind the last line end.

    Reads no further than lines are asked for.
    """
    end = os.lseek(fd, 0, os.SEEK_END)
    rest: list[bytes] = []
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        first, *lines = read_at(fd, end - start, start).split(b"\n")
        if lines:
            rest.append(lines.pop())
            yield b"".join(reversed(rest))
            yield from reversed(lines)
            rest = []
        rest.append(first)
        end = start
    yield b"".join(reversed(rest))


def read_at(fd: int, size_bytes: int, offset: int) -> bytes:
    """Read like pread, which Windows lacks. Appending writes go to the end wherever this leaves the position."""
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, size_bytes)


def _line_end(fd: int, size_bytes: int) -> int | None:
    return _last(fd, size_bytes, b"\n")


def _last(fd: int, size_bytes: int, mark: bytes) -> int | None:
    """Return the offset behind the last `mark`, 0 without one, None when it is too far away."""
    end = size_bytes
    while end > 0:
        if size_bytes - end > TORN_BYTES:
            return None
        start = max(0, end - BLOCK_BYTES)
        found = read_at(fd, min(end - start + len(mark) - 1, size_bytes - start), start).rfind(mark)
        if found >= 0:
            return start + found + len(mark)
        end = start
    return 0


def _rubydebug_end(fd: int, size_bytes: int) -> int | None:
    """Find the last brace that closes an event: those inside of one are indented, and line ends in text escaped."""
    end = _last(fd, size_bytes, b"\n}\n")
    if end is None or end == size_bytes or read_at(fd, 1, end) == b"{":
        return end
    return _line_end(fd, size_bytes)  # lines of somebody else


def _csv_end(fd: int, size_bytes: int) -> int | None:
    """Find the last line end outside of quotes, from the start: nothing else tells inside from outside.

    What is behind it is torn only if it can be the beginning of a row; else the file is not what we write.
    """
    quoted, end, read = False, 0, 0
    while read < size_bytes and (block := read_at(fd, min(BLOCK_BYTES, size_bytes - read), read)):
        parts = block.split(b'"')
        at = read = read + len(block)
        for index in range(len(parts) - 1, -1, -1):
            at -= len(parts[index])
            if (index % 2 == 1) == quoted and (found := parts[index].rfind(b"\n")) >= 0:
                end = at + found + 1
                break
            at -= 1
        quoted ^= len(parts) % 2 == 0
    torn_bytes = size_bytes - end
    if torn_bytes <= TORN_BYTES and _BEGUN_ROW.fullmatch(_read_all(fd, end, torn_bytes)):
        return end
    return _line_end(fd, size_bytes)


def _read_all(fd: int, offset: int, size_bytes: int) -> bytes:
    blocks = []
    while size_bytes and (block := read_at(fd, min(BLOCK_BYTES, size_bytes), offset)):
        blocks.append(block)
        offset += len(block)
        size_bytes -= len(block)
    return b"".join(blocks)


def _msgpack_end(fd: int, size_bytes: int) -> int:
    """Walk through the file from its start (some 0.1 s for 100 MB): objects have no mark at their end.

    Where bytes cannot be msgpack, nobody knows what was meant: then nothing is to be cut.
    """
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

    unpacker = msgpack.Unpacker(max_buffer_size=0, max_str_len=2**31 - 1, max_bin_len=2**31 - 1)
    whole = read = 0
    while read < size_bytes and (block := read_at(fd, min(BLOCK_BYTES, size_bytes - read), read)):
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


_ENDS: dict[Framing, Callable[[int, int], int | None]] = {
    "lines": _line_end,
    "csv": _csv_end,
    "rubydebug": _rubydebug_end,
    "msgpack": _msgpack_end,
}
