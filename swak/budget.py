"""The byte budget of a run: events that enter wait for room; what is inside already is never made to wait for it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from swak.errors import ConfigError, Problem
from swak.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIN_BYTES = 1024 * 1024
"""The least that a limit must leave for each flow: a few batches of the largest kind (256 KiB of lines)."""


_log = Log("swak.budget")

GROUP_S = 0.02
"""How often outputs sync at most for senders who wait, while more comes: a sync costs as much CPU as hundreds of events
(measured with chunks of 1,000: 0.2 CPU-s a million), and a sender who wants acks has a window of seconds."""


class Keeper(Protocol):
    """What keeps events in memory, and can be told to look again: a mailbox."""

    freed: Callable[[], None]

    @property
    def kept_bytes(self) -> int:
        """Bytes of all its events. Read by any thread without a lock: one attribute, always whole."""

    def poke(self) -> None:
        """Have a seat that waits for room try again."""

    def wake(self) -> None:
        """Have the seat look again at when it is due."""


class Fence(Protocol):
    """The right of a seat to act."""

    def check(self) -> None:
        """Raise when it was revoked."""


class Budget:
    """How many bytes of events a run may keep in memory. Without a limit everything enters at once.

    Room is asked for only where events enter a flow: at its input, be that the far end of a spool. Nobody waits for
    room with events in hand that others wait for, so that nothing deadlocks. Half of the budget is set aside in equal
    parts, one for each flow; the other half goes to whoever comes. So a flow whose output is dead takes at most its
    part and the common half, and the others go on. One read above the limit enters a flow that keeps nothing.

    Nothing is counted here: whoever asks adds up what the mailboxes keep. Without a limit nobody asks.
    """

    def __init__(self, limit_bytes: int | None, flows: int, caches: Sequence[int] = ()) -> None:
        """`caches`: bytes that plugins keep for themselves (`Plugin.keeps_bytes`). ConfigError if the limit is small.

        Each of these gets a quarter of a flow's part of the whole at most, and that is taken off the budget at once.
        """
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._shares: list[Share] = []
        self.resize(flows, caches)

    def resize(self, flows: int, caches: Sequence[int]) -> None:
        """Divide it anew. ConfigError, and nothing is different, if the limit is small for so many flows."""
        limit_bytes, flows = self.limit_bytes, max(1, flows)
        if limit_bytes is not None and limit_bytes < MIN_BYTES * flows:
            inputs = f"{flows} inputs and DiskBuffers" if flows > 1 else "one input"
            what = f"the memory limit of {limit_bytes} bytes is too small for {inputs}"
            raise ConfigError([Problem(what, f"give at least {MIN_BYTES * flows >> 20}MiB, or no limit")])
        self._cache_bytes = None if limit_bytes is None else limit_bytes // (4 * flows)
        self._own_bytes = sum(map(self.cache_of, caches))
        self._pool_bytes = (limit_bytes or 0) - self._own_bytes
        self._part_bytes = self._pool_bytes // (2 * flows)

    def cache_of(self, wanted_bytes: int) -> int:
        """Return how much a plugin may keep for itself that would like to keep so much."""
        return wanted_bytes if self._cache_bytes is None else min(wanted_bytes, self._cache_bytes)

    def share(self) -> Share:
        """Make the share of one flow."""
        share = Share(self)
        self._shares.append(share)
        return share

    def kept_bytes(self) -> int:
        """Return what counts against the limit now."""
        return self._own_bytes + sum(share.kept_bytes() + share.entering_bytes for share in self._shares)

    def freed(self) -> None:
        """Bytes have left a mailbox: let those try again who fit now. Called without any lock."""
        if any(share.waits for share in self._shares):  # looked at after the bytes: who waits does it the other way
            with self._lock:
                fitting = [share for share in self._shares if share.waits and self._fits(share)]
            for share in fitting:
                share.retry()

    def admit(self, share: Share, size_bytes: int, fence: Fence) -> bool:
        """See `Share.admit`."""
        with self._lock:
            fence.check()
            share.wanted_bytes = size_bytes
            waited, share.waits = share.waits, True  # before looking at the bytes: see `freed`
            if self._fits(share):
                share.entering_bytes, share.waits = size_bytes, False
                return True
        if not waited:
            share.squeeze()
        return False

    def leave(self, share: Share) -> None:
        """See `Share.leave`."""
        with self._lock:
            share.entering_bytes, share.waits = 0, False
        self.freed()

    def _fits(self, share: Share) -> bool:
        own_bytes = share.kept_bytes()
        wanted_bytes = own_bytes + share.wanted_bytes
        if own_bytes <= 0 or wanted_bytes <= self._part_bytes:
            return True
        others = [one for one in self._shares if one is not share]
        taken_bytes = sum(
            max(0 if one.retired else self._part_bytes, one.kept_bytes() + one.entering_bytes) for one in others
        )
        return taken_bytes + max(self._part_bytes, wanted_bytes) <= self._pool_bytes


class Share:
    """What one flow has of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._mailboxes: list[Keeper] = []
        self._sources: list[Keeper] = []
        self.retired = False
        """Whether the flow is gone: nothing is set aside for it any more."""
        self.waits = False
        """Whether the flow's input has read something that there is no room for. Buffers let go what they hold then."""
        self.flushing = False
        """Whether an operator waits for what buffers hold and outputs have not synced."""
        self.wanted_bytes = 0
        """What it waits, or waited last, for."""
        self.entering_bytes = 0
        """What was let in, and perhaps is not in a mailbox yet."""
        self.coming = False
        """Whether the flow's input knows of more that its senders wait for, and is about to read it."""
        self.early: Counter[str] = Counter()
        """Batches that buffers released before they were due, for want of memory, by stage."""

    def add(self, mailbox: Keeper, *, source: bool = False) -> None:
        """Count a mailbox of the flow. A `source` is that of an input: those who wait for room are told there."""
        (self._sources if source else self._mailboxes).append(mailbox)
        if self._budget.limit_bytes is not None:
            mailbox.freed = self._budget.freed

    def admit(self, size_bytes: int, fence: Fence) -> bool:
        """Take room for what was read, or note that the input waits for it and return False. Never blocks.

        False: the input is poked when there may be room. Raises when the fence was revoked.
        """
        return self._budget.limit_bytes is None or self._budget.admit(self, size_bytes, fence)

    def leave(self) -> None:
        """What was let in is in mailboxes now, or gone with its seat. The input waits for nothing."""
        if self.entering_bytes or self.waits:
            self._budget.leave(self)

    def kept_bytes(self) -> int:
        """Return what the flow's mailboxes keep."""
        return sum(mailbox.kept_bytes for mailbox in (*self._sources, *self._mailboxes))

    def cache_of(self, wanted_bytes: int) -> int:
        """See `Budget.cache_of`."""
        return self._budget.cache_of(wanted_bytes)

    @property
    def hurried(self) -> bool:
        """Whether what is held back is to be let go: there is no room for more, or an operator has asked for it."""
        return self.waits or self.flushing

    def retry(self) -> None:
        """Have the input ask again."""
        for mailbox in self._sources:
            mailbox.poke()

    def sync_at(self, due_at: float | None, synced_at: float, *, awaited: bool) -> float | None:
        """Return when an output that has nothing more to write is to sync: at once (0.0) where somebody waits for that.

        `due_at`: when it wants to by itself; `awaited`: whether the senders wait. While more of theirs comes in, one
        sync does for all that came in GROUP_S.
        """
        if self.hurried or (awaited and not self.coming):
            return 0.0
        grouped_at = synced_at + GROUP_S if awaited else None
        return min((at for at in (due_at, grouped_at) if at is not None), default=None)

    def note_early(self, stage: str) -> None:
        """Count a batch that a buffer released early for want of memory. The first one is told in the log."""
        if self.flushing:
            return
        self.early[stage] += 1
        if self.early[stage] == 1:
            _log.warning("the memory limit is reached; a buffer releases early from now on", stage=stage)

    def told(self, stage: str, kind: str) -> str:
        """Return what the limit has to do with a stage, for people."""
        if kind == "input":
            return "waits for room below the memory limit" if self.waits else ""
        return f"released {self.early[stage]} batches early: memory limit" if self.early[stage] else ""

    def squeeze(self) -> None:
        """Have whoever holds events back see that they are waited for."""
        for mailbox in self._mailboxes:
            mailbox.wake()
