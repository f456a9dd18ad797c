"""Failover: which child is preferred, and what happens when children go and come."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from swak import Batch, failover, running, task
from swak.actors.router import local_address, preferred
from tests.faults.flow import Numbers, Sink
from tests.oracle import judge

if TYPE_CHECKING:
    import pytest

    from swak.actors.running import Run


def test_ip_is_the_same_at_every_start_and_spreads_over_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preferred("ip", 3) == preferred("ip", 3)
    chosen = set()
    for number in range(50):
        monkeypatch.setattr("swak.actors.router.local_address", lambda number=number: f"10.0.0.{number}")
        chosen.add(preferred("ip", 3))
    assert chosen == {0, 1, 2}


def test_an_index_or_chance_can_choose() -> None:
    assert preferred(2, 3) == 2
    assert {preferred("random", 2) for _ in range(100)} == {0, 1}


def test_the_local_address_needs_no_network() -> None:
    assert local_address()


class Switch(Sink):
    """Down until `up` is set; says so when it is probed."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.up = threading.Event()
        self.up.set()

    def fresh(self) -> Switch:
        made = super().fresh()
        made.up = self.up
        return made

    def probe(self) -> bool:
        return self.up.is_set()

    def alive(self) -> bool:
        return self.up.is_set()

    def open(self) -> None:
        if not self.up.is_set():
            raise ConnectionRefusedError("down")

    def write(self, batch: Batch) -> None:
        if not self.up.is_set():
            raise ConnectionResetError("down")
        super().write(batch)


def test_last_takes_only_when_all_have_failed() -> None:
    one, two, last = Switch(), Switch(), Sink()
    one.up.clear()
    with running(task(Numbers(50), failover(one, two, last=last))) as run:
        assert run.wait(10)
    judge(range(50), two.arrived).assert_right()
    assert not one.arrived
    assert not last.arrived


def test_last_takes_all_when_nobody_else_can() -> None:
    one, two, last = Switch(), Switch(), Sink()
    one.up.clear()
    two.up.clear()
    with running(task(Numbers(50), failover(one, two, last=last))) as run:
        assert run.wait(10)
    judge(range(50), last.arrived).assert_right()


def test_without_last_it_waits_until_a_child_is_back() -> None:
    one = Switch()
    one.up.clear()
    with running(task(Numbers(50), failover(one)), grace_s=20) as run:
        _until(run, lambda: run.crew.posts[1].state == "retrying")
        one.up.set()
        assert run.wait(10)
    judge(range(50), one.arrived).assert_right()


def test_start_names_the_child_that_is_used_first() -> None:
    one, two = Sink(), Sink()
    with running(task(Numbers(20), failover(one, two, start=1))) as run:
        assert run.wait(10)
    judge(range(20), two.arrived).assert_right()
    assert not one.arrived


def test_an_idle_child_whose_far_end_goes_away_is_down_before_the_next_write() -> None:
    from tests.faults.test_stopping import Feed

    feed, one, two = Feed(), Switch(), Sink()
    with running(task(feed, failover(one, two))) as run:
        feed.give(0)
        _until(run, lambda: one.arrived == [0])
        one.up.clear()
        router = run.crew.posts[1]
        _until(run, lambda: router.down == {"Switch"})
        feed.give(1)
        _until(run, lambda: two.arrived == [1])
        one.up.set()
        _until(run, lambda: not router.down)
        feed.give(2)
        _until(run, lambda: one.arrived == [0, 2])
    assert next(view for view in run.snapshot() if view.stage == "Switch").tally.out == 2


def _until(run: Run, condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, run.snapshot()
        run.wait(0.01)
