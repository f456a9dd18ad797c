"""What becomes of a batch when a plugin raises, refuses, hangs, or cannot encode a record."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak import Batch, Event, Filter, Refused, Retry, failover, in_, main, option, out, running, task
from swak.actors import output as output_seat
from tests.faults.flow import Numbers, Pass, Sink
from tests.flows.waiting import until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.actors.running import Run
    from swak.stats import StageView

BAD = 13
"""The number that the plugins below cannot take."""


def _view(run: Run, stage: str) -> StageView:
    return next(view for view in run.snapshot() if view.stage == stage)


class Raises(Filter):
    """Raises at one event."""

    kind_of_error: Any = option("What to raise.")

    def process(self, event: Event) -> Event:
        if event.record["n"] == BAD:
            raise self.kind_of_error("boom")
        return event


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_an_event_that_a_filter_raises_at_is_a_dead_letter(error: type[BaseException]) -> None:
    sink = Sink()
    with running(task(Numbers(40), Raises(error), sink)) as run:
        assert run.wait(10)
    judge([number for number in range(40) if number != BAD], sink.arrived).assert_right()
    assert _view(run, "Raises").tally.dead.total() == 1
    assert run.receipt().inputs[0].delivered == 40


def test_a_filter_that_returns_something_else_is_told_what_it_may_return() -> None:
    class Wrong(Filter):
        """Returns a number."""

        def process(self, event: Event) -> Any:
            return event.record["n"]

    with running(task(Numbers(5), Wrong(), Sink())) as run:
        assert run.wait(10)
    view = _view(run, "Wrong")
    assert view.tally.dead.total() == 5
    assert view.restarts == 0
    assert "returns an event, several in a list, or None, not 4" in " ".join(view.tally.dead)


def test_dead_letters_show_in_the_view() -> None:
    with running(task(Numbers(20), Raises(ValueError), Sink())) as run:
        assert run.wait(10)
    view = _view(run, "Raises")
    assert (view.errors, view.last_error) == (1, "dead letter: ValueError: boom")


def test_the_cause_of_a_seats_death_is_told_when_its_task_fails() -> None:
    class Sick(Filter):
        """Cannot be opened."""

        def open(self) -> None:
            raise ValueError("no such table")

    with running(task(Numbers(5), Sick(), Sink()), fail_fast=True) as run:
        run.stopped = True  # what is left is looked at here
        assert run.wait(20)
    assert "no such table" in _view(run, "Sick").last_error


class RefusesInFilter(Filter):
    """Says that one event does not fit."""

    def process(self, event: Event) -> Event:
        if event.record["n"] == BAD:
            raise Refused([event], "unlucky")
        return event


def test_an_event_that_a_filter_refuses_is_dead_with_the_filters_reason() -> None:
    sink = Sink()
    with running(task(Numbers(20), RefusesInFilter(), sink)) as run:
        assert run.wait(10)
    assert _view(run, "RefusesInFilter").tally.dead == {"unlucky": 1}


class Scripted(Sink):
    """Asks a script what to do with each batch, with all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.script: Callable[[list[int]], None] = lambda _numbers: None
        self.opened: list[int] = []

    def fresh(self) -> Scripted:
        made = super().fresh()
        made.script, made.opened = self.script, self.opened
        return made

    def open(self) -> None:
        self.opened.append(1)

    def write(self, batch: Batch) -> None:
        self.script([record["n"] for record in batch.body.records()])
        super().write(batch)


def test_one_event_that_an_output_cannot_take_is_found_by_halving() -> None:
    sink = Scripted()

    def script(numbers: list[int]) -> None:
        if BAD in numbers:
            raise TypeError("cannot encode")

    sink.script = script
    with running(task(Numbers(200, size=100), sink)) as run:
        assert run.wait(10)
    judge([number for number in range(200) if number != BAD], sink.arrived).assert_right()
    assert _view(run, "Scripted").tally.dead == {"TypeError: cannot encode": 1}
    assert run.receipt().inputs[0].delivered == 200


def test_a_plugin_that_raises_once_gets_the_same_batch_in_a_fresh_plugin() -> None:
    sink = Scripted()
    failed: list[int] = []

    def script(_numbers: list[int]) -> None:
        if not failed:
            failed.append(1)
            raise RuntimeError("state is spoilt")

    sink.script = script
    with running(task(Numbers(20), sink)) as run:
        assert run.wait(10)
    judge(range(20), sink.arrived).assert_right()
    assert len(sink.opened) == 2
    assert not _view(run, "Scripted").tally.dead


def test_refused_events_go_to_the_dead_letters_and_the_rest_counts_as_written() -> None:
    class Picky(Sink):
        """Writes all but one, and says so."""

        def write(self, batch: Batch) -> None:
            good = [event for event in batch.events() if event.record["n"] != BAD]
            self.arrived.extend(event.record["n"] for event in good)
            if len(good) < batch.count:
                bad = [event for event in batch.events() if event.record["n"] == BAD]
                raise Refused(bad, "mapping conflict")

    sink = Picky()
    with running(task(Numbers(20), sink)) as run:
        assert run.wait(10)
    judge([number for number in range(20) if number != BAD], sink.arrived).assert_right()
    assert _view(run, "Picky").tally.dead == {"mapping conflict": 1}


def test_what_a_failover_child_refuses_goes_to_last() -> None:
    class Picky(Sink):
        """Refuses one number."""

        def write(self, batch: Batch) -> None:
            bad = [event for event in batch.events() if event.record["n"] == BAD]
            self.arrived.extend(event.record["n"] for event in batch.events() if event not in bad)
            if bad:
                raise Refused(bad, "not here")

    child, last = Picky(), Sink()
    with running(task(Numbers(20), failover(child, last=last))) as run:
        assert run.wait(10)
    assert last.arrived == [BAD]
    judge(range(20), child.arrived + last.arrived, ordered=False).assert_right()
    assert run.receipt().inputs[0].delivered == 20


@pytest.mark.parametrize("flow", [task, main])
def test_an_output_that_is_down_gets_the_same_batch_until_it_is_back(flow: Callable[..., Any]) -> None:
    sink = Scripted()
    failures: list[int] = []

    def script(_numbers: list[int]) -> None:
        if len(failures) < 3:
            failures.append(1)
            raise ConnectionRefusedError("nobody there")

    sink.script = script
    with running(flow(Numbers(20), Pass(), sink)) as run:
        assert run.wait(20)
    judge(range(20), sink.arrived).assert_right()
    assert _view(run, "Scripted").restarts == 0


def test_too_much_brings_the_same_batch_again_without_opening_anew() -> None:
    sink = Scripted()
    failures: list[int] = []

    def script(_numbers: list[int]) -> None:
        if len(failures) < 3:
            failures.append(1)
            raise Retry("too much", after_s=0.01)

    sink.script = script
    with running(task(Numbers(20), sink)) as run:
        assert run.wait(10)
    judge(range(20), sink.arrived).assert_right()
    assert len(sink.opened) == 1


def test_memory_errors_are_tried_again_before_the_batch_is_halved() -> None:
    sink = Scripted()
    failures: list[int] = []

    def script(_numbers: list[int]) -> None:
        if len(failures) < output_seat.MEMORY_TRIES:
            failures.append(1)
            raise MemoryError

    sink.script = script
    with running(task(Numbers(10), sink)) as run:
        assert run.wait(10)
    judge(range(10), sink.arrived).assert_right()
    assert not _view(run, "Scripted").tally.dead


def test_a_full_disk_under_the_dead_letters_stops_the_stage_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from swak.actors import seat as seat_module
    from swak.deadletters import DeadLetters

    monkeypatch.setattr(seat_module, "BURIAL_RETRY_S", 0.05)
    append = DeadLetters.append
    failures: list[int] = []

    def full(self: DeadLetters, letters: Any) -> None:
        if len(failures) < 3:
            failures.append(1)
            raise OSError(28, "No space left on device")
        append(self, letters)

    monkeypatch.setattr(DeadLetters, "append", full)
    sink = Sink()
    with running(task(Numbers(20), Raises(ValueError), sink)) as run:
        assert run.wait(10)
    judge([number for number in range(20) if number != BAD], sink.arrived).assert_right()
    assert _view(run, "Raises").tally.dead.total() == 1


class Hangs(Sink):
    """Hangs in the write of one number until it is released; whatever it writes after `abort` is a bug."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.release = threading.Event()
        self.hung = threading.Event()
        self.late: list[str] = []
        self.hangs_left = [1]

    def fresh(self) -> Hangs:
        made = super().fresh()
        made.release, made.hung, made.late, made.hangs_left = self.release, self.hung, self.late, self.hangs_left
        return made

    def open(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def write(self, batch: Batch) -> None:
        numbers = [record["n"] for record in batch.body.records()]
        if BAD in numbers and self.hangs_left[0]:
            self.hangs_left[0] -= 1
            self.hung.set()
            self.release.wait(30)
            if self.aborted:
                raise OSError("aborted")
        super().write(batch)


def test_a_hung_write_gets_a_successor_and_settles_nothing_when_it_is_released_later() -> None:
    sink = Hangs()
    with running(task(Numbers(100), Pass(), sink), hang_after_s=0.2) as run:
        assert run.wait(20), run.snapshot()
        before = list(sink.arrived)
        sink.release.set()
        judge(range(100), sink.arrived).assert_right()
        assert run.receipt().inputs[0].delivered == 100
    assert sink.arrived == before
    assert _view(run, "Hangs").restarts == 1


def test_an_event_that_hangs_three_seats_goes_to_the_dead_letters_alone() -> None:
    sink = Hangs()
    sink.hangs_left[0] = 3
    with running(task(Numbers(20), sink), hang_after_s=0.1) as run:
        assert run.wait(20), run.snapshot()
        sink.release.set()
    assert _view(run, "Hangs").tally.dead == {"3 seats ended with this event in hand": 1}
    assert _view(run, "Hangs").tally.unaccounted() == 0
    left = [number for number in range(20) if number != BAD]
    judge(left, sink.arrived).assert_right(duplicates_max=2 * 4)  # what stands before it, at two of the deaths


class HangsInFilter(Filter):
    """Hangs at one event."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.release = threading.Event()

    def fresh(self) -> HangsInFilter:
        made = super().fresh()
        made.release = self.release
        return made

    def process(self, event: Event) -> Event:
        if event.record["n"] == BAD:
            self.release.wait(30)
        return event


def test_an_event_that_hangs_a_filter_three_times_goes_to_the_dead_letters_alone() -> None:
    stuck, sink = HangsInFilter(), Sink()
    with running(task(Numbers(200, size=100), stuck, sink), hang_after_s=0.1) as run:
        assert run.wait(20), run.snapshot()
        stuck.release.set()
    view = _view(run, "HangsInFilter")
    assert view.tally.dead == {"3 seats ended with this event in hand": 1}
    assert (view.restarts, view.tally.unaccounted()) == (3, 0)
    judge([number for number in range(200) if number != BAD], sink.arrived).assert_right()


def test_a_batch_full_of_events_that_hang_is_given_up_whole_in_the_end() -> None:
    class HangsOften(HangsInFilter):
        """Hangs at many events."""

        def process(self, event: Event) -> Event:
            if event.record["n"] < 100 and event.record["n"] % 10 == 0:
                self.release.wait(30)
            return event

    stuck, sink = HangsOften(), Sink()
    with running(task(Numbers(200, size=100), stuck, sink), hang_after_s=0.1, deaths_max=20) as run:
        assert run.wait(20), run.snapshot()
        stuck.release.set()
    assert _view(run, "HangsOften").tally.dead == {"6 seats ended with this batch in hand": 100}
    assert sink.arrived == list(range(100, 200))


def test_a_hung_failover_child_is_skipped_by_the_next_batch() -> None:
    first, second = Hangs(), Sink()
    with running(task(Numbers(100), failover(first, second)), hang_after_s=0.2) as run:
        assert run.wait(20), run.snapshot()
        first.release.set()
    judge(range(100), first.arrived + second.arrived, ordered=False).assert_right(duplicates_max=5)
    assert second.arrived
    assert run.receipt().inputs[0].delivered == 100


def test_a_task_whose_seats_keep_dying_fails_and_goes_on_later_with_nothing_lost() -> None:
    deaths: list[int] = []

    class Sick(Scripted):
        """Cannot be opened the first seven times."""

        def open(self) -> None:
            super().open()
            if len(deaths) < 7:
                deaths.append(1)
                raise ValueError("a programming error")

    sick = Sick()
    healthy = Sink()
    flows = [task(Numbers(50), sick, name="sick"), task(Numbers(50), healthy, name="well")]
    with running(flows, deaths_max=5, pause_s=0.1) as run:
        assert run.wait(20), run.snapshot()
    judge(range(50), sick.arrived).assert_right()
    judge(range(50), healthy.arrived).assert_right()
    assert run.receipt().failed == ()


def test_fail_fast_ends_the_run_and_names_the_task() -> None:
    all_read = threading.Event()

    class Sick(Sink):
        """Cannot be opened, once the input has read everything."""

        def open(self) -> None:
            assert all_read.wait(20)
            raise ValueError("a programming error")

    with running(task(Numbers(50), Sick(), name="sick"), fail_fast=True) as run:
        run.stopped = True  # what is left is looked at here
        until(lambda: run.receipt().inputs[0].will_replay == 50, "everything was read")
        all_read.set()
        assert run.wait(20)
        receipt = run.receipt()
    assert receipt.failed == ("sick",)
    assert receipt.inputs[0].will_replay == 50


def test_memory_input_and_output_need_ten_lines() -> None:
    sink = out.Memory()
    with running(task(in_.Memory(["a 1", "b 2"]), out.Regex(r"(?P<name>\w) (?P<number>\d)"), sink)):
        pass
    assert sink.records == [{"name": "a", "number": "1"}, {"name": "b", "number": "2"}]
