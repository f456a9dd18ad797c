"""The bounded mailbox in front of each seat: data waits for room, control never waits. It outlives its seats."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from swak.actors.joints import Joints
from swak.actors.messages import Letter, Shown, Sign
from swak.errors import Closed
from swak.stats import Reasons, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from swak.actors.lease import Lease
    from swak.actors.messages import Offer
    from swak.clock import Clock
    from swak.event import Batch

BATCHES_MAX = 16
BYTES_MAX = 4 * 1024 * 1024
REASONS_MAX = 20
"""Different reasons that one stage counts apart; the rest is counted as "other"."""

FOREVER = float("inf")


class Levels(NamedTuple):
    """How much is in a mailbox, and what went through it."""

    batches: int
    size_bytes: int
    fill: float
    """0 to 1: the fuller of the two bounds."""
    tally: Tally
    waiting: int
    """Events."""
    arrived: dict[str, int]
    """Events that were put, by edge."""
    spans: dict[str, tuple[int, int | None]]
    """See `Joints.spans`."""


class Mailbox(Joints):
    """FIFO of letters, control lane, held zone and tally of one stage. One lock guards them all.

    Every step may be cut off after any line by the death of the thread that takes it; `reseat` mends what that leaves:
    it recounts bytes, drops doublets, and wakes everybody.
    """

    def __init__(self, name: str, edges: Iterable[str], clock: Clock, *, source: bool = False) -> None:
        super().__init__(edges)
        self.name = name
        self.tally = Tally()
        self.closed = False
        self.blocked = False
        """Whether the seat waits for room downstream."""
        self.paused = False
        """Whether an operator has shut the gate for data. Control, pokes and ticks still pass."""
        self.resting = False
        """Whether the seat was last seen waiting here, with nothing shown to it."""
        self.taps: tuple[Callable[[str, Batch], None], ...] = ()
        """Shown each batch with its edge when it has arrived. They must be quick and never raise."""
        self.bell: Callable[[], None] = _silent
        """Rung when something arrives, for seats that are stepped and do not wait here."""
        self.beside_bytes = 0
        """What the seat made of letters that are still here, and keeps."""
        self.freed: Callable[[], None] = _silent
        """Called when bytes have left, where memory is limited."""
        self._clock = clock
        self._source = source
        self._arrived = threading.Condition(self._lock)
        self._control: deque[Shown] = deque()
        self._data: deque[Letter] = deque()
        self.ahead = 0  # how many letters the seat has in hand besides the one that is shown
        self._held: deque[Letter] = deque()
        self._released = 0  # events of the first held letter that were flushed already
        self._bytes = 0
        self._kept_bytes = 0  # of data and held zone
        self._serial = 0
        self._waiting: set[str] = set()
        self._poked = False
        self._shut_until = 0.0
        self._ticked = False

    # What upstream does

    def put(
        self, lease: Lease, edge: str, batch: Batch, key: int, *, once: bool = False, offer: Offer | None = None
    ) -> bool:
        """Accept a batch from `edge`, or note that it waits for room and return False. Never blocks.

        With `once`, a batch whose key this edge's last accepted one had is the same batch again, and is skipped. An
        offer of a failover router always has room: there is one at a time. A batch above the bound enters an empty
        mailbox.
        """
        size_bytes = batch.size_bytes
        with self._lock:
            lease.check()
            if self.closed:
                raise Closed
            if once and self._accepted.get(edge) == key:
                return True
            full = self._data and (len(self._data) >= BATCHES_MAX or self._bytes + size_bytes > BYTES_MAX)
            if (full or edge in self.later) and offer is None and not self.leaving:
                self._waiting.add(edge)
                return False
            self._arrived.notify()
            self._serial += 1
            self._data.append(Letter(batch, self._serial, offer))
            self._bytes += size_bytes
            self._kept_bytes += size_bytes
            # after the commit: no thread's death looks like a loss
            self._arrived_events[edge] = self._arrived_events.get(edge, 0) + batch.count
            self._accepted[edge] = key
            self._waiting.discard(edge)
        self.bell()
        for tap in self.taps:
            tap(edge, batch)
        return True

    def end(self, lease: Lease, edge: str) -> None:
        """Note that nothing comes from `edge` any more."""
        with self._lock:
            lease.check()
            self._ended.add(edge)
            self._arrived.notify()
        self.bell()

    def accepted(self, edge: str) -> int:
        """Return the key of the last batch that came from `edge`, 0 before the first."""
        with self._lock:
            return self._accepted.get(edge, 0)

    # What anybody does

    def tell(self, letter: Shown) -> None:
        """Put a control letter. Never waits."""
        with self._lock:
            self._arrived.notify()
            self._control.append(letter)
        self.bell()

    def poke(self) -> None:
        """Tell the seat that a mailbox downstream may have room."""
        with self._lock:
            self._poked = True
            self._arrived.notify()
        self.bell()

    def wake(self) -> None:
        """Have the seat look again at when it is due."""
        self.tell(Sign.WAKE)

    # What the seat does

    def get(self, lease: Lease, due_at: float | None, *, wait: bool = True) -> Shown | None:
        """Show what is next: control, then a poke, a due tick, the head of the data, the end; else wait, or None.

        The head is shown, not taken: it stays until `done`. No two ticks follow each other while data can be shown.
        """
        with self._lock:
            while True:
                lease.check()
                shown = self._next(due_at)
                self.resting = shown is None
                if shown is not None:
                    self._ticked = shown is Sign.TICK
                    return shown
                if not wait:
                    return None
                self._arrived.wait(self._patience_s(due_at))

    def _next(self, due_at: float | None) -> Shown | None:
        if self._control:
            return self._control.popleft()
        if self.closed:
            raise Closed
        if self._poked:
            self._poked = False
            if self.blocked:
                self.blocked = False
                return Sign.POKE
        now = self._clock.monotonic()
        ready = self._may_show(now)
        if due_at is not None and now >= due_at and not (self._ticked and ready):
            return Sign.TICK
        if ready:
            return Sign.READ if self._source else self._data[self.ahead]
        if not self.blocked and not self._data and self.edges and self._ended >= self.edges:
            return Sign.END
        return None

    def _may_show(self, now: float) -> bool:
        """Tell whether the gate is open, and there is something behind it."""
        shut = self.blocked or self.paused or now < self._shut_until
        return not shut and (self._source or len(self._data) > self.ahead)

    def _patience_s(self, due_at: float | None) -> float | None:
        now = self._clock.monotonic()
        if self._may_show(now) or (due_at is not None and due_at <= now):
            return 0.0  # also when that became so after `_next` looked at the clock: nobody would wake us
        times = [due_at, None if self.blocked or self.paused or self._shut_until >= FOREVER else self._shut_until]
        later = [time for time in times if time is not None and time > now]
        return min(later) - now if later else None

    def wakes_at(self, due_at: float | None) -> float | None:
        """Return the monotonic time at which `get` would show something if nothing arrived, or None for never."""
        with self._lock:
            patience_s = self._patience_s(due_at)
            return None if patience_s is None else self._clock.monotonic() + patience_s

    def block(self) -> None:
        """Shut the gate for data until somebody pokes."""
        with self._lock:
            self.blocked = True

    def shut(self, until: float) -> None:
        """Shut the gate for data until this monotonic time (FOREVER: until it is set anew)."""
        with self._lock:
            self._shut_until = until

    def done(self, lease: Lease, counts: Tally | None = None) -> None:
        """Take the head away and add its counts. None: it did not concern this stage after all."""
        with self._lock:
            lease.check()
            tally = self._counted(counts)
            letter = self._data.popleft()
            self.tally = tally
            self.ahead = max(0, self.ahead - 1)
            self._bytes -= letter.batch.size_bytes
            self._kept_bytes -= letter.batch.size_bytes
            waiting = list(self._waiting) if self._has_room() else []
        self._poke_upstream(waiting)
        self.freed()

    def _has_room(self) -> bool:
        """Tell whether who waits for room can go on for a while: waking a thread costs as much as ten puts."""
        return len(self._data) <= BATCHES_MAX // 2 and self._bytes <= BYTES_MAX // 2

    def pass_over(self, lease: Lease) -> None:
        """Show the letter after this one next. The seat has both in hand; the first one in is still the first done."""
        with self._lock:
            lease.check()
            self.ahead += 1

    def count(self, lease: Lease, counts: Tally) -> None:
        """Add counts without taking anything away: what an input read."""
        with self._lock:
            lease.check()
            self.tally = self._counted(counts)

    def hold(self, lease: Lease) -> None:
        """Move the head into the held zone, outside the bound: a buffer or a pending output has it."""
        with self._lock:
            lease.check()
            letter = self._data[0]
            tally = self.tally.copy()
            tally.into += letter.batch.count
            tally.held += letter.batch.count
            self._held.append(letter)
            self._data.popleft()
            self.tally = tally
            self._bytes -= letter.batch.size_bytes
            waiting = list(self._waiting) if self._has_room() else []
        self._poke_upstream(waiting)

    def release(self, lease: Lease, events: int) -> None:
        """Let the oldest `events` of the held zone go: they left the stage."""
        with self._lock:
            lease.check()
            tally = self.tally.copy()
            tally.held -= events
            tally.out += events
            self.tally = tally
            self._released += events
            while self._held and self._held[0].batch.count <= self._released:
                self._released -= self._held[0].batch.count
                self._kept_bytes -= self._held.popleft().batch.size_bytes
        self.freed()

    @property
    def has_held(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    def held(self) -> list[Letter]:
        """Return the letters of the held zone, oldest first."""
        with self._lock:
            return list(self._held)

    def unhold(self, lease: Lease) -> None:
        """Put everything held back to the front: it has to be written again."""
        with self._lock:
            lease.check()
            self._put_back()

    # What the supervisor does

    def fence(self) -> None:
        """Return only when nobody whose lease is revoked is inside; wake the seat, so that it sees that."""
        with self._lock:
            self._recount()  # whoever is fenced may have died in the middle of `put`
            self._arrived.notify_all()
        self.bell()
        self.freed()

    def reseat(self, *, keep_held: bool = False) -> None:
        """Make ready for a successor: what was held comes first again, the gate is open, `open` is the first letter."""
        with self._lock:
            if self._held and self._data and self._held[-1] is self._data[0]:
                self._held.pop()  # the seat died in the middle of `hold`
            if keep_held:
                self._recount_held()
            else:
                self._put_back()
            self._recount()
            self.blocked = False
            self.ahead = self.beside_bytes = 0
            self._shut_until = 0.0
            self._ticked = False
            while Sign.OPEN in self._control:
                self._control.remove(Sign.OPEN)  # of a seat that was replaced before it had opened
            self._control.appendleft(Sign.OPEN)
            self._arrived.notify_all()
        self.bell()
        self._poke_upstream(list(self.upstream))
        self.freed()

    def close(self) -> None:
        """Take and show nothing any more."""
        with self._lock:
            self.closed = True
            self._arrived.notify_all()
        self.bell()
        self.freed()

    def discard(self) -> None:
        """Drop every letter of a closed mailbox: the topology is over, what is unsettled was counted."""
        with self._lock:
            self._data.clear()
            self._held.clear()
            self._control.clear()

    @property
    def kept_bytes(self) -> int:
        """Bytes of all letters, those of the held zone too. Read without the lock."""
        return 0 if self.closed else self._kept_bytes + self.beside_bytes

    def head(self, number: int = 0) -> Letter | None:
        """Return the letter that is next, or the one `number` behind it."""
        with self._lock:
            return self._data[number] if len(self._data) > number else None

    def levels(self) -> Levels:
        """Return how much is in the mailbox and what went through it, all at one moment."""
        with self._lock:
            fill = max(len(self._data) / BATCHES_MAX, self._bytes / BYTES_MAX)
            waiting = sum(letter.batch.count for letter in self._data)
            batches = len(self._data)
            arrived, spans = self._arrived_events.copy(), self.spans()
            return Levels(batches, self._bytes, min(1.0, fill), self.tally, waiting, arrived, spans)

    def _put_back(self) -> None:
        doublets = {id(letter) for letter in self._data}
        back = [letter for letter in self._held if id(letter) not in doublets]
        self._data.extendleft(reversed(back))
        self._held.clear()
        tally = self.tally.copy()
        tally.into -= tally.held
        tally.held = 0
        self.tally = tally
        self._released = 0
        self._recount()

    def _recount(self) -> None:
        self._bytes = sum(letter.batch.size_bytes for letter in self._data)
        self._kept_bytes = self._bytes + sum(letter.batch.size_bytes for letter in self._held)

    def _recount_held(self) -> None:
        tally = self.tally.copy()
        held = sum(letter.batch.count for letter in self._held) - self._released
        tally.into += held - tally.held
        tally.held = held
        self.tally = tally

    def _counted(self, counts: Tally | None) -> Tally:
        tally = self.tally.copy()
        if counts is None:
            return tally
        tally.into += counts.into
        tally.made += counts.made
        tally.out += counts.out
        tally.merged += counts.merged
        tally.held += counts.held
        for whole, part in ((tally.filtered, counts.filtered), (tally.dead, counts.dead)):
            _add(whole, part)
        return tally

    def _poke_upstream(self, edges: list[str]) -> None:
        for edge in edges:
            self.upstream[edge].poke()


def _silent() -> None:
    """Nobody listens: the seat waits in `get`."""


def _add(whole: Reasons, part: Reasons) -> None:
    for reason, count in part.items():
        whole[reason if reason in whole or len(whole) < REASONS_MAX else "other"] += count
