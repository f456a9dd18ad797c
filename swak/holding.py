"""What memory buffers have in common: hold batches, release them by age, by count or by size."""

from __future__ import annotations

from collections import deque

from swak.ack import Split
from swak.event import Batch, merge
from swak.plugin import Buffer

HELD_BYTES = 8 * 1024 * 1024
"""What a memory buffer holds at most, when nothing else releases it before."""


class HoldingBuffer(Buffer):
    """Holds batches until the oldest is `hold_s` old, or `hold_count` events or `hold_bytes` are held.

    With a count, batches are cut and joined so that each has exactly that many events; only at the end may one have
    fewer. Without it they leave as they came.
    """

    hold_s: float | None = None
    hold_count: int | None = None
    hold_bytes: int = HELD_BYTES

    def open(self) -> None:
        self._held: deque[tuple[float, Batch]] = deque()
        self._count = 0
        self._size_bytes = 0
        self._due: deque[Batch] = deque()

    def add(self, batch: Batch) -> None:
        self._held.append((self.clock.monotonic(), batch))
        self._count += batch.count
        self._size_bytes += batch.size_bytes

    def take(self, *, end: bool) -> Batch | None:
        if not self._due:
            self._due.extend(self._release(end=end))
        return self._due.popleft() if self._due else None

    def due_at(self) -> float | None:
        if self.hold_s is None or not self._held:
            return None
        return self._held[0][0] + self.hold_s

    def _release(self, *, end: bool) -> list[Batch]:
        due_at = self.due_at()
        aged = due_at is not None and self.clock.monotonic() >= due_at
        if self._held and (end or aged or self._size_bytes >= self.hold_bytes):
            return self._cut(self._count)
        if self.hold_count is not None and self._count >= self.hold_count:
            return self._cut(self._count - self._count % self.hold_count)
        return []

    def _cut(self, count: int) -> list[Batch]:
        """Take the `count` oldest events out, in groups of `hold_count` where one is set."""
        size = self.hold_count
        groups: list[list[Batch]] = [[]]
        room = size if size is not None else count
        while count:
            read_at, batch = self._held.popleft()
            take = min(batch.count, count, room)
            if take < batch.count:
                split = Split(batch.ack)
                rest = batch.cut(take, batch.count, split.child())
                batch = batch.cut(0, take, split.child())
                split.close()
                self._held.appendleft((read_at, rest))
            groups[-1].append(batch)
            self._count -= take
            self._size_bytes -= batch.size_bytes
            count -= take
            room -= take
            if not room and count:
                groups.append([])
                room = size if size is not None else count
        return [joined for group in groups for joined in (merge(group) if size is not None else group)]
