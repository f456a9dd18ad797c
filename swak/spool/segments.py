"""Segments: the files of a spool, each with the number of its first frame as its name."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from swak.spool.frames import HEAD_BYTES, Bad, Frame, find_frames, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.files import Files

_NAME = re.compile(r"(\d{20})\.spool")
WINDOW_BYTES = 64 * 1024
BAD_ENDING = ".bad"
"""What the name of a quarantined piece ends in."""


class Segment:
    """One file of frames. Numbers in it go up; the first one is in its name."""

    def __init__(self, folder: Path, first: int, files: Files) -> None:
        self.path = folder / f"{first:020d}.spool"
        self.first = first
        self.salt = zlib.crc32(self.path.name.encode())
        self._files = files
        self._descriptor: int | None = None
        self._window = (0, b"")

    @property
    def descriptor(self) -> int:
        """The open file; it is made where there is none."""
        if self._descriptor is None:
            self._descriptor = self._files.open(self.path, make=True)
        return self._descriptor

    @property
    def size_bytes(self) -> int:
        """Bytes that the file has."""
        return self._files.size(self.descriptor)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        self._window = (0, b"")
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._files.close(descriptor)

    def frames(self, start: int = 0) -> Iterator[Frame | Bad]:
        """Go through the headers of the frames from an offset on. Bodies are not looked at."""
        return find_frames(self.read, self.size_bytes, self.salt, start)

    def body(self, frame: Frame) -> bytes | None:
        """Return the body of a frame; None when it is not what was written."""
        body = self.read(frame.size_bytes, frame.body_at)
        return body if len(body) == frame.size_bytes and zlib.crc32(body) == frame.crc else None

    def set_aside(self, bad: Bad) -> Path:
        """Copy bytes that are no frame into a file beside the segment, for whoever wants to look at them."""
        aside = self.path.with_name(f"{self.path.name}.{bad.start}{BAD_ENDING}")
        self._files.write_whole(aside, self.read(bad.end - bad.start, bad.start))
        return aside

    def find_end(self) -> tuple[int, Bad | None]:
        """Return the last whole frame's number, and what stands behind that frame.

        What a crash leaves of a write, which nobody was told is safe, is Bad for no reason.
        """
        last, end, size_bytes = self.first - 1, 0, self.size_bytes
        for frame in self.frames():
            if isinstance(frame, Frame) and self.body(frame) is not None:
                last, end = frame.number, frame.end
        if end == size_bytes:
            return last, None
        head = unpack(self.read(HEAD_BYTES, end), end, self.salt)
        unfinished = size_bytes - end < HEAD_BYTES or (head is not None and head.end > size_bytes)
        return last, Bad(end, size_bytes, None, "" if unfinished else "its end is no frame")

    def sync(self) -> None:
        """Have the content on disk."""
        self._files.sync(self.descriptor)

    def cut(self, size_bytes: int) -> None:
        """Take away what stands beyond `size_bytes`."""
        self._window = (0, b"")
        self._files.cut(self.descriptor, size_bytes)

    def read(self, size: int, offset: int) -> bytes:
        """Return bytes of the file; small reads come out of a window, so that many small frames cost few calls."""
        at, window = self._window
        if not at <= offset <= offset + size <= at + len(window):
            self._window = at, window = offset, self._files.read(self.descriptor, max(size, WINDOW_BYTES), offset)
        return window[offset - at : offset - at + size]


def find_segments(folder: Path, files: Files) -> list[Segment]:
    """Return the segments that lie in a folder, oldest first."""
    found = [_NAME.fullmatch(name) for name in files.names(folder)]
    return [Segment(folder, int(name[1]), files) for name in found if name is not None]
