"""The two ends of a spool as stages: an output that appends, and the input of a flow of its own that takes."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from swak.errors import EndOfInput, Refused, Retry
from swak.event import BLOCK_BYTES, EVENTS_MAX, Block, Chunk
from swak.plugin import Extent, Input, Output, Pending
from swak.spool.bodies import BodyError, carries, from_bytes, to_bytes
from swak.spool.places import SOURCE, cycle_of, parts_of
from swak.spool.recent import RECENT_BYTES
from swak.spool.spool import FullError, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swak.ack import Position
    from swak.event import Batch
    from swak.plugin import Plugin

FULL_S = 0.05
"""How soon a full spool is tried again."""
CROWD = 64
"""So many frames that wait are read together if they are small: an output may need a millisecond for each batch."""
SAVE_S = 1.0
"""How often the place that is settled is written down while it moves."""


class Shared:
    """The one spool of both ends, and of their successors. It is open while one of them is."""

    def __init__(self, make: Callable[[], Spool]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._ends: dict[str, Plugin] = {}
        self._spool: Spool | None = None
        self.written = False
        """Whether the end that appends has ended for good: when the spool is empty then, that was all."""

    def join(self, end: Plugin) -> Spool:
        """Return the open spool. A successor takes the place of the end before it."""
        with self._lock:
            if self._spool is None:
                spool = self._make()
                spool.open()
                self._spool = spool
            self._ends[end.kind] = end
            self.written = self.written and end.kind != "output"
            return self._spool

    def leave(self, end: Plugin, *, for_good: bool) -> None:
        """Close the spool behind the last end."""
        with self._lock:
            if self._ends.get(end.kind) is not end:
                return
            del self._ends[end.kind]
            if end.kind == "output" and for_good:
                self.written = True
            spool = self._spool
            if spool is None or self._ends:
                if spool is not None:
                    spool.wake()
                return
            self._spool = None
            spool.close()


class SpoolWriter(Output):
    """Appends to the spool. What was appended counts as delivered when it is synced."""

    keeps_bytes = RECENT_BYTES

    def __init__(self, shared: Shared, name: str, when_full: str, fsync_s: float | None) -> None:
        super().__init__()
        self._parts = (shared, name, when_full, fsync_s)
        self._shared, self._name, self._when_full, self._fsync_s = self._parts
        self._spool: Spool | None = None
        self._due_at: float | None = None

    @property
    def name(self) -> str:
        return self._name

    def fresh(self) -> Self:
        made = type(self)(*self._parts)
        made.place = self.place
        return made

    def open(self) -> None:
        self._due_at = None
        self._spool = self._shared.join(self)
        self._spool.keep_recent(self.keeps_bytes)

    def write(self, batch: Batch) -> type[Pending] | None:
        assert self._spool is not None
        try:
            body = to_bytes(batch)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self._refuse(batch, error)
        beyond = False
        while True:
            try:
                self._spool.append(body, batch.count, (batch.body, batch.tags), batch.size_bytes, beyond=beyond)
            except FullError as error:
                beyond = not self._make_room(batch, error)
            else:
                break
        if self._fsync_s is None:
            return None
        if self._due_at is None:
            self._due_at = self.clock.monotonic() + self._fsync_s
        return Pending

    def _refuse(self, batch: Batch, error: Exception) -> None:
        """Refuse the events that cannot be carried. The others of the batch are written by themselves."""
        events = batch.events()
        bad = [event for event in events if carries(event) is not None]
        if len(bad) == batch.count:
            raise Refused(bad, f"a spool cannot carry it: {error}") from error
        raise error  # in halves, until the event that fails is alone

    def _make_room(self, batch: Batch, error: FullError) -> bool:
        """Do what is to be done when the spool is full; False: everything in it is on its way already.

        Those events are few, as many as mailboxes hold. They will be delivered, so the spool grows by them instead.
        """
        assert self._spool is not None
        if self._when_full == "overflow":
            raise Refused(batch.events(), str(error)) from error
        if self._when_full == "block":
            raise Retry(str(error), FULL_S) from error
        dropped = self._spool.drop_oldest()
        if dropped:
            self.log.error("the spool is full; its oldest events were dropped", spool=self._name, events=dropped)
        return dropped > 0

    def sync(self) -> None:
        assert self._spool is not None
        self._due_at = None
        self._spool.sync()

    def due_at(self) -> float | None:
        return self._due_at

    def inherit(self, old: Output) -> bool:
        return isinstance(old, SpoolWriter) and old._shared is self._shared and self._fsync_s is not None  # noqa: SLF001 - of our own class

    def close(self) -> None:
        self._spool = None
        self._shared.leave(self, for_good=self.ended)


class SpoolReader(Input):
    """Takes out of the spool, in order, and tells it what is settled.

    A position is the spool's name and the number of a frame up to which all is read, and perhaps how many events of
    the next one: lines are handed out in pieces of EVENTS_MAX at most, so that a parser need not cut them.
    """

    replays = True

    def __init__(self, shared: Shared, name: str) -> None:
        super().__init__()
        self._parts = (shared, name)
        self._shared, self._name = self._parts
        self._spool: Spool | None = None
        self._from: Any = None
        self._rest: Chunk | None = None
        """What is left of a frame; its position is that of the whole one."""
        self._taken_at: deque[tuple[int, int]] = deque()
        """Number of each frame that is on its way, and when it was appended."""
        self._save_at = 0.0
        self._notes = ""
        self._losses: dict[str, int] = {}
        self._before = (0, 0)
        self._extent: Extent | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        return self._name

    def fresh(self) -> Self:
        made = type(self)(*self._parts)
        made.place = self.place
        return made

    def seek(self, positions: Mapping[str, Position]) -> None:
        self._from = positions.get(SOURCE)

    def open(self) -> None:
        self._spool = self._shared.join(self)
        name, number, skip = parts_of(self._from)
        if name != self._spool.state.spool:  # another one, which lay there before: its numbers say nothing of this one
            number = skip = 0
        self._spool.seek(number)
        self._begin = self._taken = max(number, self._spool.state.settled)
        self._skip = skip if self._begin == number else 0
        self._rest = None
        self._taken_at.clear()
        self._before = (self._spool.state.dropped, self._spool.state.damaged)

    def read(self) -> Chunk | list[Chunk] | None:
        """Return the next frame; of many small ones that wait, several, which go on as one batch."""
        assert self._spool is not None
        self._keep_up(self._spool)
        first = self._next(self.wait_s, ends=True)
        if first is None or self._spool.last - self._taken < CROWD:
            return first
        crowd, events, size_bytes = [first], first.body.count, first.body.size_bytes
        while len(crowd) < CROWD and events < EVENTS_MAX // 2 and size_bytes < BLOCK_BYTES // 2:
            another = self._next(0.0, ends=False)
            if another is None:
                break
            crowd.append(another)
            events += another.body.count
            size_bytes += another.body.size_bytes
        return crowd

    def _next(self, wait_s: float, *, ends: bool) -> Chunk | None:
        assert self._spool is not None
        if self._rest is not None:
            return self._piece(self._rest, self._done)
        over = self._shared.written  # before looking: what is appended between the two would stay there
        taken = self._spool.take(wait_s)
        if taken is None:
            if over and ends:
                raise EndOfInput
            return None
        self._taken_at.append((taken.number, taken.time_ns))
        body, tags = self._content(taken.recent, taken.body)
        skipped, self._skip = self._skip if taken.number == self._begin + 1 else 0, 0
        if 0 < skipped < body.count:
            body, tags = body.cut(skipped, body.count), tags if isinstance(tags, str) else tags[skipped:]
        whole = Chunk(body, tags, SOURCE, [self._spool.state.spool, taken.number], _stay)
        return self._piece(whole, skipped)

    def _piece(self, chunk: Chunk, done: int) -> Chunk:
        """Return a frame, or its next EVENTS_MAX lines; `done` events of it came before."""
        body, (name, number) = chunk.body, chunk.position
        if not isinstance(body, Block) or body.count <= EVENTS_MAX:
            self._rest, self._taken = None, number
            return chunk
        self._done = done + EVENTS_MAX
        self._rest = chunk._replace(body=body.cut(EVENTS_MAX, body.count))
        return chunk._replace(body=body.cut(0, EVENTS_MAX), position=[name, number - 1, self._done])

    def _content(self, recent: Any, data: bytes | None) -> Any:
        if recent is not None:
            return recent
        try:
            if data is not None:
                return from_bytes(data)
        except BodyError as error:
            self.log.error("a frame of the spool cannot be read: another swak wrote it", error=str(error))
        return Block(b"", 0), ""

    def _keep_up(self, spool: Spool) -> None:
        """Tell the spool what is settled; have it written down when a segment is done with, or a second has passed."""
        name, number, _ = parts_of(self.settled(SOURCE) if self.settled is not None else None)
        if name == spool.state.spool:
            spool.settle(number)
        while self._taken_at and self._taken_at[0][0] <= spool.state.settled:
            self._taken_at.popleft()
        now = self.clock.monotonic()
        if not spool.worth_saving and now < self._save_at:
            return
        self._save_at = now + SAVE_S
        try:
            spool.save()
        except OSError as error:
            self.log.warning("the spool's state cannot be written; a restart would send more again", error=str(error))

    def due_at(self) -> float | None:
        """At once while more may be appended: an empty spool is no end of the source, not even of a run with `once`."""
        return None if self._shared.written else self.clock.monotonic()

    def answer(self) -> None:
        if self._spool is not None:
            self._keep_up(self._spool)

    def notes(self) -> str:
        """Tell what the spool has not given back since it was made, in earlier runs, too."""
        if self._spool is not None:
            state = self._spool.state
            parts = [f"{state.dropped} events dropped"] if state.dropped else []
            parts += [f"{state.damaged} damaged frames"] if state.damaged else []
            self._notes = ", ".join(parts)
        return self._notes

    def losses(self) -> dict[str, int]:
        spool = self._spool
        if spool is not None:
            dropped, damaged = spool.state.dropped - self._before[0], spool.state.damaged - self._before[1]
            self._losses = {"dropped, events": dropped, "damaged, batches": damaged}
        return self._losses

    def measures(self) -> Mapping[str, float]:
        spool = self._spool
        if spool is None:
            return {}
        appended_ns = [at for _, at in list(self._taken_at)[:1]]
        return {
            "spool_batches": max(0, spool.last - spool.state.settled),
            "spool_bytes": spool.size_bytes,
            "spool_limit_bytes": spool.max_bytes,
            "spool_oldest_s": max(0.0, (self.clock.time_ns() - appended_ns[0]) / 1e9) if appended_ns else 0.0,
        }

    def extents(self) -> Mapping[str, list[Extent]]:
        spool = self._spool
        if spool is not None and (cycle := cycle_of(spool.state.spool)) is not None:
            path = str(spool.folder)
            self._extent = Extent(cycle, path, self._begin, 0, self._taken, max(spool.last, self._taken), "batches")
        return {} if self._extent is None else {SOURCE: [self._extent]}

    def reached(self, position: Position) -> tuple[int, int] | None:
        name, number, _ = parts_of(position)
        cycle = cycle_of(name)
        return None if cycle is None else (cycle, number)

    def interrupt(self) -> None:
        spool = self._spool
        if spool is not None:
            spool.wake()

    def close(self) -> None:
        if self._spool is not None:
            self.notes()
            self.losses()
            self._keep_up(self._spool)
            self.extents()
        self._spool = None
        self._shared.leave(self, for_good=False)


def _stay() -> None:
    """Settlement is looked up, not told; but a chunk that wants to be told of it keeps the input open until then."""
