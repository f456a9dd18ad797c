"""The root: what it finds by itself, and who may ask it to stop."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pykka
import pytest

from swak import SwakError, running, task
from swak.ack import Ack
from swak.actors.filter import FilterSeat
from swak.actors.messages import Died
from tests.faults.flow import Numbers, Pass, Sink
from tests.faults.test_stopping import Endless

if TYPE_CHECKING:
    from swak.actors.messages import Letter


def test_a_foreign_stop_all_drains() -> None:
    sink = Sink()
    with running(task(Endless(), sink)) as run:
        pykka.ActorRegistry.stop_all(block=False)
        assert run.wait(10)
        receipt = run.receipt()
    assert receipt.clean
    assert receipt.inputs[0].delivered == len(sink.arrived)


def test_a_signal_drains_and_a_second_one_ends_at_once() -> None:
    from tests.faults.test_stopping import Gate

    gate = Gate()
    with running(task(Numbers(1_000), gate), grace_s=60) as run:
        assert gate.reached.wait(10)
        run.stopped = True
        run.signals.put(int(signal.SIGTERM))
        assert not run.wait(0.2)
        run.signals.put(int(signal.SIGINT))
        assert run.wait(10)
        assert run.forced_by == signal.SIGINT
        gate.go.set()


def test_a_seat_that_is_over_has_no_successor_when_it_dies_in_its_last_line() -> None:
    with running([task(Numbers(10), Sink(), name="short"), task(Endless(), Sink(), name="long")]) as run:
        post = next(post for post in run.crew.posts if post.name == "short/Sink")
        while not post.lease.over:
            assert not run.wait(0.01)
        seat = post.seat
        run.signals.put(Died(post, post.lease, RuntimeError("in its last line")))
        while not run.signals.empty():
            assert not run.wait(0.01)
    assert (post.seat is seat, post.restarts) == (True, 0)


def test_an_ack_that_is_dropped_unsettled_is_found_and_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: FilterSeat, letter: Letter) -> None:
        self.done(letter, out=0, filtered={"Pass": letter.batch.count})

    monkeypatch.setattr(FilterSeat, "on_letter", forget)
    with pytest.raises(SwakError, match="dropped unsettled"), running(task(Numbers(10), Pass(), Sink())):
        pass
    assert Ack.__del__ is not None


def test_threads_are_daemons_and_named_after_their_stage() -> None:
    with running(task(Endless(), Sink(), name="flow")):
        names = {thread.name: thread.daemon for thread in threading.enumerate() if thread.name.startswith("swak:")}
    assert names["swak:flow/Endless"]
    assert names["swak:flow/Sink"]
