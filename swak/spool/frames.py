"""Frames: how a batch lies in a segment, and how reading finds its feet again behind bytes that are no frame."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARK = b"\xabswakF1\n"
"""What every frame begins with. Not text in any encoding; the 1 is the version of the format."""

_HEAD = struct.Struct("<QIIQI")
HEAD_BYTES = len(MARK) + _HEAD.size + 4
SEARCH_BYTES = 1 << 20
"""How much is read at once while the next mark is searched for."""


class Frame(NamedTuple):
    """Where a batch lies, and what its header says of it."""

    number: int
    """Counts up by one a frame, over all segments."""
    events: int
    size_bytes: int
    """Bytes of the body."""
    time_ns: int
    """When it was appended."""
    crc: int
    """CRC-32 of the body."""
    start: int
    """Offset of the mark in the segment."""

    @property
    def body_at(self) -> int:
        """Offset of the body."""
        return self.start + HEAD_BYTES

    @property
    def end(self) -> int:
        """Offset behind the body."""
        return self.start + HEAD_BYTES + self.size_bytes


class Bad(NamedTuple):
    """Bytes that are no whole frame."""

    start: int
    end: int
    events: int | None
    """How many events the frame had, where its header is whole."""
    why: str


def pack(number: int, events: int, time_ns: int, body: bytes, salt: int) -> bytes:
    """Return the bytes of a frame.

    The header has a CRC of its own, so that a wrong length is never believed. `salt` begins it: a frame that stands
    inside another one's body, because somebody logs spools, is no frame of this segment.
    """
    head = MARK + _HEAD.pack(number, events, len(body), time_ns, zlib.crc32(body))
    return head + zlib.crc32(head, salt).to_bytes(4, "little") + body


def unpack(head: bytes, start: int, salt: int) -> Frame | None:
    """Read the header of the frame at `start`; None when these bytes are none."""
    if len(head) < HEAD_BYTES or not head.startswith(MARK):
        return None
    sealed = head[: HEAD_BYTES - 4]
    if zlib.crc32(sealed, salt) != int.from_bytes(head[HEAD_BYTES - 4 : HEAD_BYTES], "little"):
        return None
    number, events, size_bytes, time_ns, crc = _HEAD.unpack_from(sealed, len(MARK))
    return Frame(number, events, size_bytes, time_ns, crc, start)


def find_frames(read: Callable[[int, int], bytes], size: int, salt: int, start: int = 0) -> Iterator[Frame | Bad]:
    """Go through a segment of `size` bytes; `read(size, offset)` returns bytes of it. Bodies are not looked at.

    What comes is in order and without gaps: each byte from `start` on belongs to a Frame or to a Bad.
    """
    while start < size:
        frame = unpack(read(HEAD_BYTES, start), start, salt)
        if frame is not None and frame.end <= size:
            yield frame
            start = frame.end
        elif frame is not None:
            yield Bad(start, size, frame.events, "the file ends within a frame")
            return
        else:
            end = _next_frame(read, size, salt, start + 1)
            yield Bad(start, end, None, "no frame begins here")
            start = end


def _next_frame(read: Callable[[int, int], bytes], size: int, salt: int, start: int) -> int:
    """Return the offset of the next whole header, or the end."""
    while start < size:
        window = read(SEARCH_BYTES, start)
        at = window.find(MARK)
        while at >= 0:
            if unpack(read(HEAD_BYTES, start + at), start + at, salt) is not None:
                return start + at
            at = window.find(MARK, at + 1)
        if len(window) < SEARCH_BYTES:
            return size
        start += len(window) - len(MARK) + 1
    return size
