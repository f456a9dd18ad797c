from __future__ import annotations

import pytest

from swak.errors import Refused
from swak.event import Batch, Block, Event
from swak.plugin import DeadEvent, Filter, Outcome
from swak.plugins.buffers.timed_buffer import TimedBuffer
from swak.testing import (
    FakeClock,
    assert_same_both_ways,
    batch_of,
    block_of,
    drive,
    drive_batch,
    drive_buffer,
    event,
    events_of,
    outcome_of,
    promise,
)


class Odd(Filter):
    """Passes odd numbers, drops even ones, and refuses what is no number."""

    calls = ""

    def open(self) -> None:
        self.calls += "o"

    def process(self, event: Event) -> Event | None:
        if not isinstance(event.record.get("n"), int):
            raise Refused([event], "no number")
        return event if event.record["n"] % 2 else None

    def close(self) -> None:
        self.calls += "c"


class Forgetful(Odd):
    """Drops everything when it comes in batches."""

    def process_batch(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        outcome.filtered = batch.count
        return outcome


def test_an_event_has_a_tag_and_a_time_unless_told_otherwise() -> None:
    assert event({"a": 1}) == Event("test", 0, {"a": 1})
    assert event({}, tag="t", at_s=1.5) == Event("t", 1_500_000_000, {})


def test_driving_a_filter_gives_its_records() -> None:
    assert drive(Odd(), [event({"n": n}) for n in range(5)]) == [{"n": 1}, {"n": 3}]


def test_driving_opens_and_closes_once() -> None:
    plugin = Odd()
    drive(plugin, [event({"n": 1})])
    assert plugin.calls == "oc"


def test_an_event_that_dies_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no number"):
        drive(Odd(), [event({})])


def test_a_plugin_is_closed_after_a_failure_too() -> None:
    class Broken(Odd):
        def process_batch(self, batch: Batch) -> Outcome:
            raise KeyError(batch.count)

    plugin = Broken()
    with pytest.raises(KeyError):
        drive(plugin, [event({})])
    assert plugin.calls == "oc"


def test_dead_events_can_be_asked_for() -> None:
    dead: list[DeadEvent] = []
    assert drive(Odd(), [event({}), event({"n": 1})], dead=dead) == [{"n": 1}]
    assert [(one.event, one.reason) for one in dead] == [(event({}), "no number")]


def test_a_batch_can_be_raw_lines() -> None:
    batch = block_of("a", b"\xff", tag="t", at_s=2)
    assert isinstance(batch.body, Block)
    assert (batch.body.data, batch.tags, batch.body.time_ns) == (b"a\n\xff\n", "t", 2 * 10**9)


def test_driving_a_batch_gives_events() -> None:
    assert drive_batch(Odd(), batch_of([event({"n": 1}, tag="t", at_s=1)])) == [event({"n": 1}, tag="t", at_s=1)]


def test_an_outcome_can_be_had_either_way() -> None:
    batch = batch_of([event({"n": 1})])
    assert events_of(outcome_of(Forgetful(), batch)) == []
    assert events_of(outcome_of(Forgetful(), batch, each=True)) == [event({"n": 1})]


def test_two_ways_that_differ_are_found() -> None:
    batch = batch_of([event({"n": 1})])
    assert_same_both_ways(Odd(), batch)
    with pytest.raises(AssertionError):
        assert_same_both_ways(Forgetful(), batch)


def test_a_buffer_lives_by_the_time_of_its_events() -> None:
    events = [event({"n": n}, at_s=at_s) for n, at_s in enumerate([0, 1, 5])]
    assert drive_buffer(TimedBuffer("3s"), events) == [[{"n": 0}, {"n": 1}], [{"n": 2}]]


def test_a_promise_that_nobody_keeps_is_no_leak() -> None:
    ack = promise(5)
    assert not ack.settled
    ack.settle()
    assert ack.settled


def test_the_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock(5)
    assert (clock.monotonic(), clock.time_ns()) == (5, 5 * 10**9)
    clock.advance(0.25)
    assert (clock.monotonic(), clock.time_ns()) == (5.25, 5_250_000_000)
