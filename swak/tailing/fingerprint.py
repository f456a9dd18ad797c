"""What is remembered of a content that was read: its head, and the bytes right before the position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.tailing.identity import HEAD_BYTES, HEAD_SHOWN, TAIL_BYTES, head_hash

if TYPE_CHECKING:
    from swak.tailing.content import Content
    from swak.tailing.identity import Mark


class Fingerprint:
    """Tells whether a content still is what was read, at the cost of reading little of it again."""

    __slots__ = ("_memo", "beginning", "head_hash", "head_len", "tail")

    def __init__(self) -> None:
        self.head_len = 0
        self.head_hash = ""
        self.beginning = b""
        """At most HEAD_SHOWN bytes: a copy in the making may be shorter than the head."""
        self.tail = b""
        """At most TAIL_BYTES right before the position."""
        self._memo = 0
        """Python's hash of the head: quicker than the one that outlives the process, and a thousand bytes shorter."""

    @property
    def shown(self) -> str:
        """What a mark holds of the beginning: hexadecimal digits, while the head is not whole."""
        return self.beginning.hex() if self.head_len < HEAD_BYTES else ""

    @property
    def tail_hash(self) -> str:
        """Hash of the tail; empty when there is none."""
        return head_hash(self.tail) if self.tail else ""

    def take_up(self, content: Content, mark: Mark) -> None:
        """Remember what a content holds that answers to a position."""
        self._note_head(content.pread(mark.head_len, 0))
        self.tail = content.pread(mark.tail_len, mark.offset - mark.tail_len)

    def move(self, content: Content, offset: int, passed: bytes) -> None:
        """Remember what is before `offset`. `passed`: the bytes from the position so far on, where they are at hand."""
        tail_len = min(TAIL_BYTES, offset)
        tail = passed[-TAIL_BYTES:] if len(passed) >= TAIL_BYTES else (self.tail + passed)[-TAIL_BYTES:]
        if len(tail) < tail_len or not passed:
            tail = content.pread(tail_len, offset - tail_len)
        if self.head_len < HEAD_BYTES:
            head = content.pread(min(HEAD_BYTES, offset), 0)
            if self._is_head(head[: self.head_len]):  # if not, the next read finds out and begins anew
                self._note_head(head)
        self.tail = tail

    def fits(self, content: Content, offset: int, *, head: bool = True) -> bool:
        """Tell whether a content has the bytes right before the position that were read, and the `head`, too."""
        if head and not self._is_head(content.pread(self.head_len, 0)):
            return False
        return not self.tail or content.pread(len(self.tail), offset - len(self.tail)) == self.tail

    def is_begun_by(self, copy: Content) -> bool:
        """Tell whether a content, perhaps a shorter one, begins as what was read."""
        size = copy.size()
        if size < self.head_len:
            return self.beginning.startswith(copy.pread(min(size, HEAD_SHOWN), 0))
        return self._is_head(copy.pread(self.head_len, 0))

    def _is_head(self, head: bytes) -> bool:
        return len(head) == self.head_len and (not head or hash(head) == self._memo)

    def _note_head(self, head: bytes) -> None:
        self.head_len, self._memo, self.beginning = len(head), hash(head), head[:HEAD_SHOWN]
        self.head_hash = head_hash(head) if head else ""
