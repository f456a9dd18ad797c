"""Read lines from the standard input."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, ClassVar

from swak.errors import EndOfInput
from swak.event import BLOCK_BYTES, Block, Chunk
from swak.formats.feed import ByteFeed
from swak.options import Size, option
from swak.plugin import Input

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.ack import Position

SOURCE = "stdin"


class Stdin(Input):
    """Read lines from the standard input, until it ends.

    Each line becomes {"message": line}; a last line without a line end counts, too. What is longer than `max_line`
    is cut there, with a warning in the log. A line that is not finished waits for its end.

    After a failure the lines that were not passed on are read again, as long as the process lives. A new process
    cannot: lines that were not delivered when it ended are lost, and the receipt of the run names their number.
    On Windows a thread waits for the input, and after a stop it may take in what is typed next.

    Example:
        `swak up -e 'in_.Stdin() | out.Stdout()'`
    """

    uses_terminal = True
    bytes_fed: ClassVar[ByteFeed] = ByteFeed(0)
    """The standard input outlives a plugin, and so does what was read from it."""
    _waking: ClassVar[threading.Lock] = threading.Lock()

    tag: str = option("Tag of the events.", default="stdin")
    encoding: str = option("Encoding of the lines; it must write a line feed as one byte.", default="utf-8")
    max_line: Size = option("Bytes that a line may have.", default="1MiB", above=0)

    _wake: tuple[int, int] | None = None
    _offset: int | None = None

    def check(self) -> list[tuple[str, str]]:
        try:
            fits = "\n".encode(self.encoding) == b"\n" and codecs.lookup(self.encoding)
        except (LookupError, UnicodeError):
            fits = None
        return [] if fits else [(f'encoding "{self.encoding}" has no lines', 'give one such as "utf-8" or "cp949"')]

    def seek(self, positions: Mapping[str, Position]) -> None:
        self._offset = positions.get(SOURCE)

    def open(self) -> None:
        self._from = self._offset = self.bytes_fed.nearest(self._offset)
        self._ended = self.bytes_fed.fd == 0 and sys.stdin is None  # closed before Python started
        self._wake = os.pipe()
        os.set_blocking(self._wake[1], False)

    def read(self) -> Chunk | None:
        assert self._wake is not None
        assert self._offset is not None
        fed = self.bytes_fed
        fed.forget(self._from)  # read is called again: all before the last chunk was accepted
        part = fed.lines_from(self._offset, BLOCK_BYTES, ended=self._ended)
        if not part and not self._ended:
            self._ended = not fed.fill(self.wait_s, self._wake[0], self.max_line)
            part = fed.lines_from(self._offset, BLOCK_BYTES, ended=self._ended)
        if not part:
            if self._ended:
                fed.forget(self._offset)
                raise EndOfInput
            return None
        self._from = self._offset
        self._offset += len(part)
        body = Block(part if part.endswith(b"\n") else part + b"\n", self.clock.time_ns(), self.encoding)
        return Chunk(body, self.tag, SOURCE, self._offset)

    def interrupt(self) -> None:
        with self._waking:
            if self._wake is not None:
                with contextlib.suppress(BlockingIOError):  # full: it will wake up anyway
                    os.write(self._wake[1], b"\0")

    def close(self) -> None:
        with self._waking:
            ends, self._wake = self._wake, None
        for fd in ends or ():
            os.close(fd)
