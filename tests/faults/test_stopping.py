"""Stopping while a mailbox is full, while an output is down, while a call hangs: what is left is named."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from swak import Batch, EndOfInput, Event, Input, main, running, task
from swak.actors.input import InputSeat
from swak.actors.running import Run, Settings
from swak.datadir import DataDir
from swak.event import Chunk, Dicts
from swak.recipe import as_recipe
from swak.testing import Fault, FlakyOutput, Recorder
from swak.topology.compile import compile_recipe
from tests.faults.flow import Numbers, Pass, Sink
from tests.faults.test_outcomes import Hangs
from tests.oracle import judge


class Down(Sink):
    """Refuses every connection."""

    def write(self, batch: Batch) -> None:
        raise ConnectionRefusedError(f"nobody takes {batch.count} events")


class Gate(Sink):
    """Writes nothing until it is let; small waits, so that its seat hears control."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.go = threading.Event()
        self.reached = threading.Event()

    def fresh(self) -> Gate:
        made = super().fresh()
        made.go, made.reached = self.go, self.reached
        return made

    def write(self, batch: Batch) -> None:
        self.reached.set()
        assert self.go.wait(20)
        super().write(batch)


class Endless(Input):
    """Never ends, and cannot read again what it gave away."""

    def open(self) -> None:
        self._next = 0

    @property
    def endless(self) -> bool:
        return True

    def read(self) -> Chunk:
        self._next += 5
        return Chunk(Dicts([{"n": n} for n in range(self._next - 5, self._next)], [0] * 5), "t")


@pytest.mark.parametrize("flow", [task, main])
def test_stopping_while_an_output_is_down_ends_at_grace_and_names_what_will_replay(flow: Any) -> None:
    with running(flow(Numbers(10_000), Pass(), Down()), grace_s=0.3) as run:
        began = time.monotonic()
        run.stop()
        assert run.wait(10)
        assert time.monotonic() - began < 5
        (receipt,) = run.receipt().inputs
    assert receipt.delivered == 0
    assert receipt.will_replay > 0
    assert receipt.lost == 0
    assert run.receipt().clean


def test_what_an_input_cannot_read_again_is_named_as_lost() -> None:
    with running(task(Endless(), Down()), grace_s=0.2) as run:
        run.stop()
        assert run.wait(10)
        receipt = run.receipt()
    assert receipt.inputs[0].lost > 0
    assert not receipt.clean


def test_stopping_while_full_delivers_everything_that_was_read() -> None:
    gate = Gate()
    with running(task(Endless(), Pass(), gate), grace_s=20) as run:
        assert gate.reached.wait(10)
        _until_full(run)
        run.stop()
        gate.go.set()
        assert run.wait(20), run.snapshot()
        (receipt,) = run.receipt().inputs
    assert receipt.lost == 0
    judge(range(receipt.delivered), gate.arrived).assert_right()


def _until_full(run: Any) -> None:
    deadline = time.monotonic() + 10
    while not any(view.state == "blocked" for view in run.snapshot()):
        assert time.monotonic() < deadline
        run.wait(0.005)


def test_a_second_stop_ends_at_once_though_a_call_hangs() -> None:
    sink = Hangs()
    with running(task(Numbers(100), sink), grace_s=60) as run:
        assert sink.hung.wait(10)
        run.stop()
        began = time.monotonic()
        run.stop(now=True)
        assert run.wait(10)
        assert time.monotonic() - began < 5
        arrived = list(sink.arrived)
        sink.release.set()
    assert sink.arrived == arrived


def test_after_a_fault_one_batch_more_arrives_at_once() -> None:
    from tests.faults.attack import shoot

    source = Feed()
    sink = Sink()
    with running(task(source, Pass(), sink), deaths_max=100) as run:
        for number in range(20):
            victim = next(t for t in threading.enumerate() if t.name.endswith(("/Feed", "/Pass", "/Sink")[number % 3]))
            shoot(victim, SystemExit)
            source.give(number)
            deadline = time.monotonic() + 5
            while number not in sink.arrived:
                assert time.monotonic() < deadline, run.snapshot()
                run.wait(0.01)
    judge(range(20), sink.arrived).assert_right(duplicates_max=20)


class Feed(Input):
    """Gives what it is given; one list for all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.given: list[int] = []

    def fresh(self) -> Feed:
        made = super().fresh()
        made.given = self.given
        return made

    def seek(self, positions: Any) -> None:
        self._next: int = positions.get("", 0)

    def give(self, number: int) -> None:
        """Add one number."""
        self.given.append(number)

    def read(self) -> Chunk | None:
        fresh = self.given[self._next :]
        if not fresh:
            return None
        self._next += len(fresh)
        return Chunk(Dicts([{"n": number} for number in fresh], [0] * len(fresh)), "t", "", self._next)


def test_main_closes_what_it_opens_when_it_is_stopped_before_its_first_round() -> None:
    sink = Recorder()
    run = Run(compile_recipe(as_recipe(main(Numbers(5), sink))), Settings(DataDir.resolve(None, ephemeral=True)))
    run.start()
    run.stop(now=True)
    assert run.wait(10)
    run.run_main()
    run.close()
    assert sink.opens <= sink.closes
    assert all(post.seat is not None and post.seat.actor_stopped.is_set() for post in run.crew.posts)


def test_a_write_that_hangs_in_main_is_aborted_at_the_end() -> None:
    sink = FlakyOutput([Fault(OSError, hang=True)])
    with running(main(Numbers(5), sink)) as run:
        sink.wait_until_it_hangs()
        run.stop(now=True)
        assert run.wait(10)
        assert sink.aborts == 1


def test_a_position_that_cannot_be_saved_does_not_keep_the_run_from_ending(tmp_path: Any) -> None:
    class Odd(Numbers):
        """Has positions that JSON cannot hold."""

        def read(self) -> Any:
            chunk = super().read()
            return chunk._replace(position={1, 2}) if chunk else None

    run = Run(compile_recipe(as_recipe(task(Odd(5), Sink()))), Settings(DataDir.resolve(str(tmp_path))))
    run.start()
    try:
        assert run.wait(5)
    finally:
        run.supervisor.finished.set()
        run.close()


def test_an_interrupt_that_raises_does_not_keep_the_run_from_ending() -> None:
    class Odd(Numbers):
        """Cannot be interrupted."""

        def read(self) -> Any:
            return None

        def interrupt(self) -> None:
            raise RuntimeError("a programming error")

    with running(task(Odd(5), Sink())) as run:
        run.stop(now=True)
        try:
            assert run.wait(8)
        finally:
            run.supervisor.finished.set()


def test_what_goes_down_with_the_seat_of_an_input_that_cannot_go_back_is_named_as_lost() -> None:
    class Radio(Input):
        """Says each number once; its seat dies with the third batch in hand."""

        def read(self) -> Any:
            said.append(len(said))
            if len(said) > 5:
                raise EndOfInput
            return [Event("t", 0, {"n": said[-1]})]

    said: list[int] = []
    died: list[int] = []
    sink = Sink()
    real = InputSeat.emit

    def emit(self: InputSeat, ways: Any, going: int, then: Any) -> None:
        if len(said) == 3 and not died:
            died.append(1)
            raise MemoryError
        real(self, ways, going, then)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InputSeat, "emit", emit)
        with running(task(Radio(), sink)) as run:
            run.stopped = True  # the loss is looked at here
            assert run.wait(20)
            (receipt,) = run.receipt().inputs
    assert sink.arrived == [0, 1, 3, 4]
    assert (receipt.delivered, receipt.lost) == (4, 1)
