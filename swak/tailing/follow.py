"""Reading one generation of a file as blocks of whole lines, by byte positions that can be taken up again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from swak.event import BLOCK_BYTES
from swak.log import get
from swak.tailing.identity import HEAD_BYTES, Mark, head_hash, head_matches, path_text, pread

if TYPE_CHECKING:
    from collections.abc import Callable

log = get("swak.tailing")


class Limits(NamedTuple):
    """Bounds of one read: `block_bytes` in one block, `line_bytes` of a line (without its end) that are delivered."""

    line_bytes: int = 2**20
    block_bytes: int = BLOCK_BYTES


TELL_NS = 10_000_000_000
"""Lines that are cut are told at most that often, with their number so far: a line of log for each would cost more
than reading it."""


class Cuts:
    """What was left out of lines that were too long."""

    __slots__ = ("_tell_at_ns", "lines", "size_bytes")

    def __init__(self) -> None:
        self.lines = 0
        self.size_bytes = 0
        self._tell_at_ns = 0

    def note(self, size_bytes: int, path: str, limit_bytes: int, now_ns: int) -> None:
        """Count a line that was cut; tell of it unless one was told of a moment ago."""
        self.lines += 1
        self.size_bytes += size_bytes
        if now_ns >= self._tell_at_ns:
            self._tell_at_ns = now_ns + TELL_NS
            log.warning(
                "a line is too long and was cut",
                path=path_text(path),
                cut_bytes=size_bytes,
                limit_bytes=limit_bytes,
                lines_cut=self.lines,
                bytes_cut=self.size_bytes,
            )


class Follower:
    """Reads one file generation through its descriptor, whatever becomes of its name.

    Only positions decide what is read: a follower that takes up a position goes on exactly after it. A half line is
    not kept in memory, it is read again when its end is there.
    """

    def __init__(
        self, fd: int, source: str, path: str, *, limits: Limits, cuts: Cuts, now_ns: Callable[[], int]
    ) -> None:
        self.fd = fd
        self.source = source
        self.path = path
        self.offset = 0
        """Byte after the last whole line that was handed out."""
        self.behind = False
        """Whether the last `read` knew of more bytes: call it again at once."""
        self.drained = False
        """Whether the last `read` left nothing unread but a half line."""
        self.grew = False
        """Whether the last `read` found new bytes."""
        self._limits = limits
        self._cuts = cuts
        self._now_ns = now_ns
        self._scanned = 0
        """Never less than `offset`; there is no line end between the two."""
        self._head = b""
        self._head_hash = ""
        self._cycle = 0
        self._suspect = True
        """Whether even a file of unchanged size may hold something else."""
        self._ending = False
        self._owes_line_end = False
        """Whether the last line was handed out before its line end was written."""

    @property
    def reached(self) -> int:
        """How far the file was looked through."""
        return self._scanned

    @property
    def half_bytes(self) -> int:
        """Bytes of a line whose end is not there yet."""
        return self._scanned - self.offset

    def resume(self, mark: Mark) -> None:
        """Go on after a position, or begin anew when the file does not hold what was read up to there."""
        self._cycle = mark.cycle
        self.offset = self._scanned = mark.offset
        if self.size() < mark.offset or not head_matches(self.fd, mark):
            self._begin_anew(self.size())
            return
        self._head = pread(self.fd, mark.head_len, 0)
        self._head_hash = mark.head_hash
        self._owes_line_end = mark.offset > 0 and pread(self.fd, 1, mark.offset - 1) != b"\n"

    def skip_to_end(self) -> None:
        """Begin after the last line end that is there now.

        A last line longer than the limit is not looked through: what is added to it comes as a line of its own.
        """
        size = end = self.size()
        while end > max(0, size - self._limits.line_bytes - 1):
            start = max(0, end - self._limits.block_bytes)
            found = pread(self.fd, end - start, start).rfind(b"\n")
            if found >= 0:
                size = start + found + 1
                break
            end = start
        else:
            size = 0 if end == 0 else size
        self._owes_line_end = size > 0 and pread(self.fd, 1, size - 1) != b"\n"
        self._move_to(size)

    def size(self) -> int:
        """Return the file's size."""
        return os.lseek(self.fd, 0, os.SEEK_END)

    def stir(self) -> None:
        """Let the next `read` compare the head, even if the size is what it was."""
        self._suspect = True

    def changed(self, *, head: bool = True) -> bool:
        """Tell whether there is something that `read` has not seen."""
        return self.size() != self._scanned or (head and not self._head_holds())

    def end_line(self) -> None:
        """Nobody completes the half line at the end: let `read` hand it out as it is, once nothing else is left."""
        self._ending = True

    def read(self) -> bytes | None:
        """Return the next whole lines, or None when none is complete. One system read, or few; never waits.

        At most `block_bytes`, or one line that is longer. OSError leaves everything as it was.
        """
        size = self.size()
        if size < self.offset or ((size != self._scanned or self._suspect) and not self._head_holds()):
            self._begin_anew(size)
        self._suspect = False
        if size < self._scanned:
            self._scanned = self.offset  # the half line was taken back
        self.behind = False
        self.drained = size == self._scanned
        self.grew = not self.drained
        if self.drained:
            return self._take_rest() if self._ending and self.half_bytes else None
        before = self._scanned
        lines = self._scan(size)
        self.drained = self._scanned == size
        self.behind = before != self._scanned < size  # no step forward: cut off meanwhile, or a file system that lies
        return lines

    def mark(self) -> Mark:
        """Return the position after what was handed out last."""
        return Mark(self.offset, path_text(self.path), len(self._head), self._head_hash, self._now_ns(), self._cycle)

    def _scan(self, size: int) -> bytes | None:
        fresh = pread(self.fd, min(self._limits.block_bytes, size - self._scanned), self._scanned)
        if self._scanned == self.offset:
            return self._take_lines(self._without_late_end(fresh))
        found = fresh.find(b"\n")
        if found < 0:
            self._scanned += len(fresh)
            return None
        length = self._scanned + found + 1 - self.offset
        if length <= self._limits.block_bytes:
            block = pread(self.fd, min(self._limits.block_bytes, size - self.offset), self.offset)
            return self._take_lines(block)
        return self._take_long_line(length - 1, end=self._scanned + found + 1)

    def _without_late_end(self, fresh: bytes) -> bytes:
        """Cut off the line end of a line that was handed out before it had one."""
        if self._owes_line_end and fresh:
            self._owes_line_end = False
            late = 1 if fresh.startswith(b"\n") else 2 if fresh.startswith(b"\r\n") else 0
            self.offset += late
            self._scanned += late
            return fresh[late:]
        return fresh

    def _take_lines(self, block: bytes) -> bytes | None:
        end = block.rfind(b"\n") + 1
        if not end:
            self._scanned = self.offset + len(block)
            return None
        lines = block[:end]
        if end - 1 > self._limits.line_bytes:
            lines = self._shorten(lines)
        self._move_to(self.offset + end)
        return lines

    def _shorten(self, lines: bytes) -> bytes:
        """Cut lines that are too long. Looks at one line end in each `line_bytes`, not at each line."""
        limit = self._limits.line_bytes
        parts: list[bytes] = []
        kept = at = 0
        while len(lines) - at > limit + 1:
            end = lines.rfind(b"\n", at, at + limit + 1)
            if end < 0:
                end = lines.index(b"\n", at + limit)
                parts += (lines[kept : at + limit], b"\n")
                kept = end + 1
                self._note_cut(end - at - limit)
            at = end + 1
        return b"".join((*parts, lines[kept:])) if parts else lines

    def _take_long_line(self, length: int, end: int) -> bytes | None:
        """Hand out a line that is longer than a block, or its beginning: `length` without the line end."""
        wanted = min(length, self._limits.line_bytes)
        line = pread(self.fd, wanted, self.offset)
        if len(line) < wanted:
            return None  # cut off while we read: the next look begins anew
        if length > wanted:
            self._note_cut(length - wanted)
        self._move_to(end)
        return line + b"\n"

    def _take_rest(self) -> bytes | None:
        self._ending = False
        line = self._take_long_line(self.half_bytes, end=self._scanned)
        self._owes_line_end = line is not None
        return line

    def _move_to(self, offset: int) -> None:
        """Count everything before `offset` as handed out. Nothing after this may fail, or it is lost."""
        if len(self._head) < HEAD_BYTES:
            head = pread(self.fd, min(HEAD_BYTES, offset), 0)
            if head.startswith(self._head):  # if not, the next read finds out and begins anew
                self._head, self._head_hash = head, head_hash(head)
        self.offset = self._scanned = offset

    def _head_holds(self) -> bool:
        return not self._head or pread(self.fd, len(self._head), 0) == self._head

    def _begin_anew(self, size: int) -> None:
        log.bind(path=path_text(self.path)).warning(
            "file was truncated or rewritten; reading it from its start",
            source=self.source,
            read_to=self.offset,
            half_line_lost_bytes=self.half_bytes,
            size=size,
        )
        self._cycle += 1
        self.offset = self._scanned = 0
        self._head, self._head_hash = b"", ""
        self._owes_line_end = self._ending = False

    def _note_cut(self, size_bytes: int) -> None:
        self._cuts.note(size_bytes, self.path, self._limits.line_bytes, self._now_ns())
