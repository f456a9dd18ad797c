"""Test kit for plugins and recipes: events, drivers, a clock to move by hand, outputs that record and that fail."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from swak.ack import Ack, Source
from swak.clock import Clock
from swak.event import EVENTS_MAX, Batch, Block, Event, Record, from_events
from swak.faults import Fault, FlakyOutput, Recorder
from swak.formats.found import Found
from swak.plugin import process_each

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.plugin import Buffer, DeadEvent, Filter, Outcome

__all__ = [
    "FakeClock",
    "Fault",
    "FlakyOutput",
    "Recorder",
    "assert_same_both_ways",
    "batch_of",
    "block_of",
    "drive",
    "drive_batch",
    "drive_buffer",
    "event",
    "events_of",
    "outcome_of",
    "promise",
]


def event(record: Record, *, tag: str = "test", at_s: float = 0.0) -> Event:
    """Make one event that happened `at_s` seconds after 1970 began."""
    return Event(tag, round(at_s * 1_000_000_000), record)


def promise(count: int = 1) -> Ack:
    """Make an Ack of a source of its own, for a batch of `count` events. Nobody minds when it stays unsettled."""
    source = Source("test")
    ack = source.register(1, count, count)
    source.closed = True
    return ack


def batch_of(events: Iterable[Event], ack: Ack | None = None) -> Batch:
    """Make one batch of events."""
    events = list(events)
    return from_events(events, ack or promise(len(events)))


def block_of(*lines: str | bytes, tag: str = "test", at_s: float = 0.0, encoding: str = "utf-8") -> Batch:
    """Make one batch of raw lines, as an input reads them: nothing has looked inside."""
    raw = [line if isinstance(line, bytes) else line.encode(encoding) for line in lines]
    body = Block(b"".join(line + b"\n" for line in raw), round(at_s * 1_000_000_000), encoding)
    return Batch(body, tag, promise(body.count))


class FakeClock(Clock):
    """A clock that stands until `advance` moves it. May be read and moved by any thread."""

    def __init__(self, at_s: float = 1_000_000.0) -> None:
        self._lock = threading.Lock()
        self._at_ns = round(at_s * 1_000_000_000)

    def monotonic(self) -> float:
        with self._lock:
            return self._at_ns / 1_000_000_000

    def time_ns(self) -> int:
        with self._lock:
            return self._at_ns

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        with self._lock:
            self._at_ns += round(seconds * 1_000_000_000)


def drive(plugin: Filter, events: Iterable[Event], *, dead: list[DeadEvent] | None = None) -> list[Record]:
    """Run events through a filter and return the records that came out.

    An event that the filter cannot take goes to `dead`, or else fails the test.
    """
    return [one.record for one in drive_batch(plugin, batch_of(events), dead=dead)]


def drive_batch(plugin: Filter, batch: Batch, *, dead: list[DeadEvent] | None = None) -> list[Event]:
    """Run one batch through a filter, from `open` to `close`, and return the events that came out."""
    outcome = outcome_of(plugin, batch)
    if dead is None:
        assert not outcome.dead, "\n".join(f"{one.reason}: {one.event}\n{one.trace}" for one in outcome.dead)
    else:
        dead.extend(outcome.dead)
    return events_of(outcome)


def outcome_of(plugin: Filter, batch: Batch, *, each: bool = False) -> Outcome:
    """Return what became of a batch in a filter; `each` takes the path event by event."""
    plugin.open()
    try:
        return process_each(plugin, batch) if each else plugin.process_batch(batch)
    finally:
        plugin.close()


def events_of(outcome: Outcome) -> list[Event]:
    """Return the events that a filter let out, in order."""
    return [one for body, tags in outcome.parts for one in Batch(body, tags, promise()).events()]


def drive_buffer(plugin: Buffer, events: Iterable[Event]) -> list[list[Record]]:
    """Run events through a buffer and return the records of each batch that it released.

    Every event arrives on its own, at its own time: the plugin's clock follows the events.
    """
    released: list[list[Record]] = []
    plugin.clock = clock = FakeClock(0)

    def take(*, end: bool = False) -> None:
        while (batch := plugin.take(end=end)) is not None:
            released.append(batch.body.records())
            batch.ack.settle()

    plugin.open()
    try:
        for one in events:
            at_s = one.time_ns / 1_000_000_000
            while (due_at := plugin.due_at()) is not None and due_at <= at_s:
                clock.advance(due_at - clock.monotonic())
                take()
            clock.advance(at_s - clock.monotonic())
            plugin.add(batch_of([one]))
            take()
        take(end=True)
    finally:
        plugin.close()
    return released


def assert_same_both_ways(plugin: Filter, batch: Batch) -> None:
    """Check that a filter does the same with a batch as with each of its events, in parts that are not too long."""
    whole, each = outcome_of(plugin.fresh(), batch), outcome_of(plugin.fresh(), batch, each=True)
    assert events_of(whole) == events_of(each)
    assert [(one.event, one.reason) for one in whole.dead] == [(one.event, one.reason) for one in each.dead]
    assert (whole.filtered, whole.made) == (each.filtered, each.made)
    assert all(0 < body.count <= EVENTS_MAX for body, _ in whole.parts if not isinstance(body, Block | Found))
