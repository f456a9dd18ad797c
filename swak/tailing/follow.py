"""Reading one generation of a file as blocks of whole lines, by byte positions that can be taken up again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from swak.log import get
from swak.tailing.content import Plain, begins_with, copy_matches
from swak.tailing.fingerprint import Fingerprint
from swak.tailing.header import header_before
from swak.tailing.identity import TAIL_BYTES, Mark, Truncated, origin_text, path_text
from swak.tailing.shape import Piece

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Body
    from swak.tailing.content import Content
    from swak.tailing.encoding import Codec
    from swak.tailing.shape import Shape

log = get("swak.tailing")


GLANCE_BYTES = 4096
"""A file that grows by less is read with one call, which shows its size as well: at 20,000 lines a second in 64 files
calls are what noticing costs."""
HEAD_READS = 64
"""In so many reads of a file that grows its head is compared once. The bytes right before the position are always."""


_STATE = """
    _codec _cycle _ending _fingerprint _folder _glances _half _held _now_ns _owes_header _owes_line_end _reads
    _real _scanned _shape _size_bytes _suspect begin behind content drained grew offset origin path source
    truncated
"""
"""What a Follower has, as slots: there may be thousands of them."""


class Follower:
    """Reads one file generation, whatever becomes of its name.

    Only positions decide what is read: a follower that takes up a position goes on exactly after it. What is no whole
    line, or no whole event of several lines, is not kept in memory: it is read again when its end is there.
    """

    __slots__ = _STATE.split()

    def __init__(
        self,
        content: Content,
        source: str,
        path: str,
        *,
        shape: Shape,
        now_ns: Callable[[], int],
        real: str = "",
        folder: str = "",
    ) -> None:
        self.content = content
        self.source = source
        self.path = path
        self.offset = 0
        """Byte after the last whole event that was handed out."""
        self.behind = False
        """Whether the last `read` knew of more bytes: call it again at once."""
        self.drained = False
        """Whether the last `read` left nothing unread but what has no end yet."""
        self.grew = False
        """Whether the last `read` found new bytes."""
        self.truncated: Truncated | None = None
        """Set when the content began anew, until somebody takes note."""
        self.begin = 0
        """Where reading began, in a copy of what was read before."""
        self.origin = ""
        """Of a copy: of which content of which file."""
        self._glances = isinstance(content, Plain)
        self._shape = shape
        self._now_ns = now_ns
        self._real = real
        self._folder = folder
        self._codec: Codec | None = None
        self._scanned = 0
        """Never less than `offset`; there is no end of an event between the two."""
        self._half = b""
        """The last bytes before `_scanned`, at most TAIL_BYTES, where these were not handed out."""
        self._held = 0
        """Bytes of whole lines after `offset` whose event may go on."""
        self._size_bytes = 0
        self._fingerprint = Fingerprint()
        self._cycle = 0
        self._reads = 0
        self._suspect = True
        """Whether even a file of unchanged size may hold something else."""
        self._ending: Literal["", "event", "line"] = ""
        self._owes_line_end = self._owes_header = False
        """Whether the last line was handed out before its line end was written; whether the header before the position
        is to be handed out again before anything else."""

    @property
    def fd(self) -> int:
        """The descriptor."""
        return self.content.fd

    @property
    def reached(self) -> int:
        """How far the file was looked through."""
        return self._scanned

    @property
    def half_bytes(self) -> int:
        """Bytes of a line or an event whose end is not there yet."""
        return self._scanned - self.offset

    @property
    def holds_lines(self) -> bool:
        """Whether there are whole lines whose event may go on."""
        return self._held > 0

    def resume(self, mark: Mark) -> None:
        """Go on after a position, or begin anew when the file does not hold what was read up to there."""
        self._cycle = mark.cycle
        self.begin = min(self.begin or mark.begin, mark.begin)
        self.origin = mark.origin
        self.offset = self._scanned = mark.offset
        self._size_bytes = mark.size_bytes
        if not copy_matches(self.content, mark.head_len, mark.head_hash, mark.tail_len, mark.tail_hash, mark.offset):
            self._begin_anew(mark)
            return
        self._fingerprint.take_up(self.content, mark)
        self._size_bytes = max(self.size(), mark.size_bytes)
        self._owes_line_end = self._line_is_open(mark.offset)
        self._owes_header = bool(self._shape.header)

    def skip_to_end(self) -> None:
        """Begin after the last line end that is there now.

        A last line longer than the limit is not looked through: what is added to it comes as a line of its own.
        """
        self.content.reaches(sys.maxsize)
        size = end = self._size_bytes = self.size()
        codec = self._find_codec(size)
        while end > max(0, size - self._shape.limits.line_bytes - 1):
            start = max(0, end - self._shape.limits.block_bytes)
            start -= start % codec.width
            found = codec.last_end(self.content.pread(end - start, start))
            if found:
                size = start + found
                break
            end = start
        else:
            size = 0 if end == 0 else size - size % codec.width
        self._owes_line_end = self._line_is_open(size)
        self._owes_header = bool(self._shape.header)
        self._move_to(size)

    def size(self) -> int:
        """Return the content's size."""
        return self.content.size()

    def stir(self) -> None:
        """Let the next `read` compare what was read, even if the size is what it was."""
        self._suspect = True

    def changed(self, *, content: bool = True) -> bool:
        """Tell whether there is something that `read` has not seen. Without `content` the size alone tells."""
        return self.size() != self._scanned or (content and not (self._holds() and self._holds_half()))

    def end_line(self) -> None:
        """Nobody completes what is at the end: let `read` hand it out as it is, once nothing else is left."""
        self._ending = "line"

    def end_event(self) -> None:
        """No more lines come for now: let `read` hand out the event that may go on, but no half line."""
        self._ending = self._ending or "event"

    def read(self) -> Body | None:
        """Return the next whole events, or None when none is complete. One system read, or few; never waits.

        At most `block_bytes`, or one line that is longer. OSError leaves everything as it was.
        """
        if self._owes_header and self.size() > self.offset:
            codec = self._find_codec(self.offset)
            header = header_before(self.content, codec, self.offset, self._shape.header)
            self._owes_header = False
            if header and (taken := self._shape.take(codec, self._piece(header)._replace(origin=""), whole=True)):
                self.behind = True
                return taken[1]
        if self._glances and self._scanned == self.offset and not self._suspect and not self._ending:
            tail = self._fingerprint.tail
            wanted = self._shape.limits.block_bytes if self.behind else GLANCE_BYTES
            glance = self.content.pread(len(tail) + wanted, self.offset - len(tail))
            more = len(glance) == len(tail) + wanted
            if tail and glance.startswith(tail) and (self.behind or not more):
                return self._read_fresh(glance[len(tail) :], more=more)
        size = self.size()
        looks = self._suspect or size != self._scanned
        taken_back = size < self._scanned or (looks and not self._holds_half())
        if (
            size < self.offset
            or (taken_back and not self._fingerprint.head_len)
            or (looks and not self._holds(head=self._suspect))
        ):
            self._begin_anew(self.mark())
            self.behind, self.drained, self.grew = size > 0, size == 0, True
            return None
        self._reads += 1
        self._suspect = self._reads % HEAD_READS == 0
        self._size_bytes = size
        if taken_back:
            self._scanned, self._held = self.offset, 0
        self.behind = False
        self.drained = size == self._scanned
        self.grew = not self.drained
        if self.drained:
            return self._take_rest() if self._ending and self.half_bytes else None
        if self._ending == "event":
            self._ending = ""  # more lines came after all
        before = self._scanned
        body = self._scan(size)
        self.drained = self._scanned == size
        self.behind = before != self._scanned < size  # no step forward: cut off meanwhile, or a file system that lies
        return body

    def _read_fresh(self, fresh: bytes, *, more: bool) -> Body | None:
        """Take what one look has shown of what is after the position: all there is, unless there may be `more`."""
        self._reads += 1
        self._suspect = self._reads % HEAD_READS == 0
        size = self.offset + len(fresh)
        self._size_bytes = max(size, self._size_bytes) if more else size
        self.behind, self.grew, self.drained = False, bool(fresh), not fresh
        if not fresh:
            return None
        codec, before = self._find_codec(size), self._scanned
        body = self._take(codec, self._without_late_end(codec, fresh))
        self.drained = self._scanned == size and not more
        self.behind = before != self._scanned and not self.drained
        return body

    def mark(self) -> Mark:
        """Return the position after what was handed out last."""
        return Mark(
            self.offset,
            path_text(self.path),
            self._fingerprint.head_len,
            self._fingerprint.head_hash,
            self._now_ns(),
            self._cycle,
            len(self._fingerprint.tail),
            self._fingerprint.tail_hash,
            self._size_bytes,
            self._real,
            self._folder,
            self._fingerprint.shown,
            self.begin,
            self.origin,
        )

    def may_have_made(self, copy: Content) -> bool:
        """Tell whether `copy` holds the beginning of what this file holds: it is a copy of it, perhaps in the making.

        So it is, too, of what this file held, while it is truncated or rewritten and nobody has seen that yet.
        """
        if begins_with(self.content, copy):
            return True
        if self.size() >= self.offset and self._holds():
            return False
        return self._fingerprint.is_begun_by(copy)

    def _find_codec(self, size: int) -> Codec:
        """Return the codec, which is certain as soon as the file has the bytes of a byte order mark."""
        if (codec := self._codec) is None:
            head = self.content.pread(min(size, 4), 0)
            codec = self._shape.codec(head)
            if codec.certain:
                self._codec = codec
        return codec

    def _scan(self, size: int) -> Body | None:
        codec = self._find_codec(size)
        if self.offset < codec.bom_bytes <= size:
            self.offset = self._scanned = codec.bom_bytes
        torn = -self.offset % codec.width
        if torn and self._scanned == self.offset <= size - torn:
            self._move_to(self.offset + torn)  # the rest of a character that was handed out broken
        block_bytes = self._shape.limits.block_bytes
        if self._scanned == self.offset:
            block = self.content.pread(min(block_bytes, size - self.offset), self.offset)
            return self._take(codec, self._without_late_end(codec, block))
        start = self._scanned - self.half_bytes % codec.width
        fresh = self.content.pread(min(block_bytes, size - start), start)
        found = codec.first_end(fresh)
        if not found:
            self._scanned, self._half = start + len(fresh), fresh[-TAIL_BYTES:]
            return None
        length = start + found - self.offset
        if length <= block_bytes or self._held:
            block = self.content.pread(min(block_bytes, size - self.offset), self.offset)
            return self._take(codec, self._without_late_end(codec, block), whole=length > block_bytes)
        return self._take_long_line(codec, length - codec.width, end=start + found)

    def _without_late_end(self, codec: Codec, fresh: bytes) -> bytes:
        """Cut off the line end of a line that was handed out before it had one."""
        if self._owes_line_end and fresh:
            late = codec.late_end(fresh)
            if not late and codec.late_end(fresh + codec.line_end):
                return fresh  # a CR whose LF is still to come
            self._owes_line_end = False
            if late:
                self._move_to(self.offset + late, fresh[:late])
            return fresh[late:]
        return fresh

    def _take(self, codec: Codec, block: bytes, *, whole: bool = False) -> Body | None:
        taken = self._shape.take(codec, self._piece(block), whole=whole)
        if taken is None:
            self._scanned, self._half = self.offset + len(block), block[-TAIL_BYTES:]
            self._held = codec.last_end(block) if self._shape.multiline is not None else 0
            return None
        end, body = taken
        self._move_to(self.offset + end, block[max(0, end - TAIL_BYTES) : end])  # a copy of all would cost
        return body

    def _take_long_line(self, codec: Codec, length: int, end: int) -> Body | None:
        """Hand out a line that is longer than a block, or its beginning: `length` without the line end."""
        wanted = min(length, self._shape.limits.line_bytes)
        line = self.content.pread(wanted, self.offset)
        if len(line) < wanted:
            return None  # cut off while we read: the next look begins anew
        if length > wanted:
            line = codec.shorten(line, wanted)
        piece = self._piece(codec.ended(line), cut_bytes=length - len(line))
        taken = self._shape.take(codec, piece, whole=True)
        self._move_to(end)
        return taken[1] if taken else None

    def _take_rest(self) -> Body | None:
        """Hand out what has no end: the event that may go on, and with it or by itself the half line."""
        codec = self._find_codec(self._scanned)
        if self._held and (self._ending == "event" or self.half_bytes > self._shape.limits.block_bytes):
            if self._ending == "event":
                self._ending = ""
            return self._take(codec, self.content.pread(self._held, self.offset), whole=True)
        if self._ending == "event":
            self._ending = ""
            return None
        self._ending = ""
        end = self._scanned
        if not self._held:
            body = self._take_long_line(codec, self.half_bytes, end)
        else:
            rest = self.content.pread(self.half_bytes, self.offset)
            ended = codec.last_end(rest) == len(rest)
            taken = self._shape.take(codec, self._piece(rest if ended else codec.ended(rest)), whole=True)
            body = taken[1] if taken else None
            self._move_to(end)
        self._owes_line_end = self._line_is_open(end)
        return body

    def _piece(self, data: bytes, cut_bytes: int = 0) -> Piece:
        origin = self.origin or origin_text(self.source, self._cycle)
        return Piece(data, self.offset, self.path, self._now_ns(), cut_bytes, origin)

    def _line_is_open(self, offset: int) -> bool:
        codec = self._find_codec(self._size_bytes)
        if offset <= codec.bom_bytes:
            return False
        return self.content.pread(codec.width, offset - codec.width) != codec.line_end

    def _move_to(self, offset: int, passed: bytes = b"") -> None:
        """Count everything before `offset` as handed out. Nothing after this may fail, or it is lost.

        `passed`: the bytes from the position so far up to `offset`, or TAIL_BYTES of them, where they are at hand.
        """
        self._fingerprint.move(self.content, offset, passed)
        near = min(TAIL_BYTES, offset)
        self.content.hold(offset - near, near + self._shape.limits.line_bytes)
        self.offset = self._scanned = offset
        self._held = 0

    def _holds(self, *, head: bool = True) -> bool:
        """Tell whether the file still has what was read."""
        return self._fingerprint.fits(self.content, self.offset, head=head)

    def _holds_half(self) -> bool:
        """Tell whether the file still has what was looked through and not handed out."""
        length = min(len(self._half), self.half_bytes)
        return not length or self.content.pread(length, self._scanned - length) == self._half[-length:]

    def _begin_anew(self, mark: Mark) -> None:
        """Go on with the file's start. Before anything of it is read, whoever asks for it learns what was there."""
        self.truncated = Truncated(mark, max(self._size_bytes, self._scanned))
        self._cycle += 1
        self.offset = self._scanned = self._held = self._size_bytes = 0
        self._fingerprint = Fingerprint()
        self._codec = None
        self._ending, self._owes_line_end, self.origin = "", False, ""
