"""What memory buffers have in common: hold batches, release them by age, by count or by size."""

from __future__ import annotations

from collections import deque

from swak.ack import Split
from swak.event import Batch, merge
from swak.plugin import Buffer

HELD_BYTES = 8 * 1024 * 1024
"""What a memory buffer holds at most, when nothing else releases it before."""


class _Held:
    """A batch that is held, or what is left of it after its first events were released."""

    __slots__ = ("added_s", "batch", "split")

    def __init__(self, added_s: float, batch: Batch) -> None:
        self.added_s = added_s
        self.batch = batch
        self.split: Split | None = None

    def cut(self, count: int) -> Batch:
        """Take the first `count` events out. One Split serves all cuts of a batch, so that Acks never nest."""
        whole = self.batch
        if self.split is None:
            self.split = Split(whole.ack)
        part = whole.cut(0, count, self.split.child())
        self.batch = whole.cut(count, whole.count, whole.ack)
        return part

    def rest(self) -> Batch:
        """Take everything that is left."""
        if self.split is None:
            return self.batch
        last = self.batch.with_ack(self.split.child())
        self.split.close()
        return last


class HoldingBuffer(Buffer):
    """Holds batches until the oldest is `hold_s` old, or `hold_count` events or `hold_bytes` are held.

    Whichever comes first releases. With a count, batches are cut and joined so that each group has exactly that many
    events; only age, bytes, want of memory and the end release a smaller one. A group leaves as one batch, or as
    several at once where its events do not fit into one: more than EVENTS_MAX parsed events, more than BLOCK_BYTES of
    lines, or lines of different tags.
    """

    hold_s: float | None = None
    hold_count: int | None = None
    hold_bytes: int = HELD_BYTES

    def open(self) -> None:
        self._held: deque[_Held] = deque()
        self._count = 0
        self._size_bytes = 0
        self._due: deque[Batch] = deque()

    def add(self, batch: Batch) -> None:
        self._held.append(_Held(self.clock.monotonic(), batch))
        self._count += batch.count
        self._size_bytes += batch.size_bytes

    def take(self, *, end: bool) -> Batch | None:
        if not self._due:
            self._due.extend(merge(self._group(self._releasable(end=end))))
        return self._due.popleft() if self._due else None

    def due_at(self) -> float | None:
        if self._due or self._full():
            return self.clock.monotonic()
        if self.hold_s is None or not self._held:
            return None
        return self._held[0].added_s + self.hold_s

    def _full(self) -> bool:
        return self.hold_count is not None and self._count >= self.hold_count

    def _releasable(self, *, end: bool) -> int:
        """Return how many events make the next group: none when nothing is due."""
        if self.hold_count is not None and self._full():
            return self.hold_count
        due_at = self.due_at()
        aged = due_at is not None and self.clock.monotonic() >= due_at
        return self._count if end or aged or self._size_bytes >= self.hold_bytes else 0

    def _group(self, count: int) -> list[Batch]:
        """Take the `count` oldest events out."""
        group: list[Batch] = []
        while count:
            held = self._held[0]
            before_bytes = held.batch.size_bytes
            if held.batch.count > count:
                group.append(held.cut(count))
                self._size_bytes -= before_bytes - held.batch.size_bytes  # parts are rounded: count what is left
            else:
                group.append(self._held.popleft().rest())
                self._size_bytes -= before_bytes
            self._count -= group[-1].count
            count -= group[-1].count
        return group
