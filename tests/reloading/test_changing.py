from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import pytest

from swak import Batch, Event, Filter, Output, failover, in_, main, option, out, running, task
from swak.event import Chunk, gather
from swak.plugins.inputs.memory import SOURCE, Memory
from swak.reloading import changing
from swak.reloading.changing import REMOVED
from swak.testing import Recorder
from tests.flows.waiting import WAIT_S, until, view_of
from tests.reloads import assert_accounted_for, reload

if TYPE_CHECKING:
    from pathlib import Path

    from swak.actors.running import Run
    from swak.recipe import Flow

KINDS = pytest.mark.parametrize("kind", ["task", "main"])


def flow(kind: str, *stages: Any, name: str = "t") -> Flow:
    return (task if kind == "task" else main)(*stages, name=name)


def n(*numbers: int) -> list[dict[str, int]]:
    return [{"n": number} for number in numbers]


def assert_ends(run: Run, *sources: Memory) -> None:
    """End the inputs. Fail unless the run ends then, with every event accounted for."""
    for source in sources:
        source.end()
    assert run.wait(WAIT_S)
    assert_accounted_for(run)


class Ones(Memory):
    """Hands out one event at a time, each in a batch of its own."""

    def read(self) -> Chunk | None:
        first = self._index
        if super().read() is None:
            return None
        self._index = first + 1
        body, tags = gather(self._feed.events[first : self._index])
        return Chunk(body, tags, SOURCE, self._index)


class Mark(Filter):
    """Adds its mark to each event."""

    mark: str = option("What it adds.")

    def process(self, event: Event) -> Event:
        return Event(event.tag, event.time_ns, {**event.record, "mark": event.record.get("mark", "") + self.mark})


class Broken(Filter):
    """Cannot be opened, or can."""

    well: bool = option("Whether it can.", default=False)

    def open(self) -> None:
        if not self.well:
            raise ValueError("no such thing")

    def process(self, event: Event) -> Event:
        return event


class Down(Output):
    """Never delivers anything."""

    def write(self, batch: Batch) -> None:
        raise OSError(f"{batch.count} events too many")


class Held(Output):
    """Delivers nothing until it may, and does so at once when the test says."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.may = threading.Event()
        self.aborted = threading.Event()
        self.records: list[Any] = []

    def fresh(self) -> Self:
        made = super().fresh()
        made.may, made.records = self.may, self.records
        return made

    def write(self, batch: Batch) -> None:
        while not self.may.wait(0.01):
            if self.aborted.is_set():
                raise OSError("aborted")
        self.records += batch.body.records()

    def abort(self) -> None:
        self.aborted.set()


@KINDS
def test_an_added_output_gets_what_comes_after(kind: str) -> None:
    source, first, second = in_.Memory(n(1), follow=True), Recorder(), Held()
    second.may.set()
    with running(flow(kind, source, first)) as run:
        first.wait_for(1)
        assert reload(run, flow(kind, source, [Recorder(), second])).wait().trouble == ""
        source.feed(*n(2, 3))
        first.wait_for(3)
        until(lambda: second.records == n(2, 3), lambda: second.records)
        assert_ends(run, source)
        assert run.receipt().inputs[0].delivered == 3


@KINDS
def test_a_filter_gets_other_options_and_no_event_comes_twice(kind: str) -> None:
    source, sink = in_.Memory(n(1), follow=True), Recorder()
    with running(flow(kind, source, Mark("a"), sink)) as run:
        sink.wait_for(1)
        found = reload(run, flow(kind, source, Mark("b"), sink))
        assert found.found.changed == {("t", "Mark")}
        assert found.wait().trouble == ""
        source.feed(*n(2))
        assert sink.wait_for(2) == [{"n": 1, "mark": "a"}, {"n": 2, "mark": "b"}]
        assert_ends(run, source)


@KINDS
def test_a_dead_output_that_is_removed_stops_nobody_and_what_it_had_is_kept(kind: str) -> None:
    source, sink, dead = Ones(follow=True), Recorder(), Down()
    with running(flow(kind, source, [sink, dead])) as run:
        for number in range(40):
            source.feed(*n(number))
        until(lambda: view_of(run, "Down").state == "retrying", "it is down")
        verdict = reload(run, flow(kind, source, sink), leave_s=0.3).wait()
        assert verdict.leaving == ("t/Down",)
        source.feed(*n(40))
        assert sink.wait_for(41) == n(*range(41))
        source.end()
        assert run.wait(WAIT_S)
        view = view_of(run, "Down")
        assert view.state == "removed"
        assert view.tally.dead == {REMOVED: view.tally.into}
        assert_accounted_for(run)
        assert run.receipt().inputs[0].delivered == 41


@KINDS
def test_a_stage_that_cannot_begin_takes_everything_back(kind: str) -> None:
    source, sink = in_.Memory(n(1), follow=True), Recorder()
    with running(flow(kind, source, Mark("a"), sink)) as run:
        sink.wait_for(1)
        verdict = reload(run, flow(kind, source, Mark("b"), Broken(), sink)).wait()
        assert "no such thing" in verdict.trouble
        source.feed(*n(2))
        assert sink.wait_for(2)[1] == {"n": 2, "mark": "a"}
        assert_ends(run, source)
        assert not run.receipt().failed


@KINDS
def test_a_filter_that_is_removed_is_overtaken_by_nobody(kind: str) -> None:
    source, sink = Ones(follow=True), Held()
    with running(flow(kind, source, Mark("a"), Mark("b"), sink)) as run:
        for number in range(60):
            source.feed(*n(number))
        until(lambda: view_of(run, "Mark-2").waiting and view_of(run, "Held").waiting, "something waits")
        change = reload(run, flow(kind, source, Mark("a"), sink))
        assert change.verdict.leaving == ("t/Mark-2",)
        source.feed(*n(60))
        sink.may.set()
        change.wait()
        until(lambda: len(sink.records) == 61, lambda: sink.records)
        assert [one["n"] for one in sink.records] == list(range(61))
        assert sink.records[-1] == {"n": 60, "mark": "a"}
        assert_ends(run, source)


def test_a_filter_that_is_put_in_between_gets_what_comes_after_in_order() -> None:
    source, sink = Ones(follow=True), Held()
    with running(task(source, sink, name="t")) as run:
        for number in range(40):
            source.feed(*n(number))
        until(lambda: view_of(run, "Held").waiting, "something waits")
        assert reload(run, task(source, Mark("b"), sink, name="t")).wait().trouble == ""
        source.feed(*n(40))
        sink.may.set()
        until(lambda: len(sink.records) == 41, lambda: sink.records)
        assert [one["n"] for one in sink.records] == list(range(41))
        assert sink.records[-1]["mark"] == "b"
        assert_ends(run, source)


def test_a_sink_is_changed_while_another_one_blocks() -> None:
    source, blocked, sink = Ones(follow=True), Held(), Recorder()
    with running(task(source, Mark("a"), [blocked, sink], name="t")) as run:
        for number in range(200):
            source.feed(*n(number))
        until(lambda: view_of(run, "Mark").state == "blocked", "the filter waits for the blocked sink")
        change = reload(run, task(source, Mark("z"), [blocked, sink, Recorder()], name="t"))
        assert change.verdict.trouble == ""
        blocked.may.set()
        source.feed(*n(200))
        sink.wait_for(201)
        until(lambda: len(blocked.records) == 201, "all is there")
        assert sink.records == blocked.records
        assert sink.records[-1]["mark"] == "z"
        assert_ends(run, source)


def test_a_child_of_a_failover_is_exchanged_while_it_is_down() -> None:
    source, dead, last = in_.Memory(n(1), follow=True), Down(), Recorder()
    with running(task(source, failover(dead), name="t")) as run:
        until(lambda: view_of(run, "Down").state == "retrying", "it is down")
        assert reload(run, task(source, failover(last), name="t"), leave_s=1).wait().trouble == ""
        source.feed(*n(2))
        assert last.wait_for(2) == n(1, 2)
        assert_ends(run, source)


@KINDS
def test_flows_come_and_go(kind: str) -> None:
    one, two, sink = in_.Memory(n(1), follow=True), in_.Memory(n(2), follow=True), Recorder()
    with running(flow(kind, one, sink)) as run:
        sink.wait_for(1)
        other = Recorder()
        assert reload(run, flow(kind, two, other, name="u")).wait().trouble == ""
        assert other.wait_for(1) == n(2)
        assert {view.flow: view.state for view in run.snapshot()} == {"t": "removed", "u": "running"}
        assert reload(run, flow(kind, one, sink), flow(kind, two, other, name="u")).wait().trouble == ""
        one.feed(*n(3))
        assert sink.wait_for(2) == n(1, 3)
        assert_ends(run, one, two)


def test_another_recipe_for_a_task_that_has_failed_begins_at_once() -> None:
    source, sink = in_.Memory(n(1), follow=True), Recorder()
    with running(task(source, Broken(), sink, name="t")) as run:
        until(lambda: run.crew.flows[0].failed, "it has failed")
        assert reload(run, task(source, Broken(well=True), sink, name="t")).wait().trouble == ""
        assert sink.wait_for(1) == n(1)
        source.end()
        assert run.wait(WAIT_S)


def test_a_buffer_on_disk_is_put_in_between_changes_and_goes(tmp_path: Path) -> None:
    source, sink = in_.Memory(n(1), follow=True), Recorder()

    def with_spool(**options: Any) -> Flow:
        return task(source, out.DiskBuffer(str(tmp_path / "spool"), **options), sink, name="t")

    with running(task(source, sink, name="t"), grace_s=10) as run:
        sink.wait_for(1)
        assert reload(run, with_spool()).wait().trouble == ""
        source.feed(*n(2))
        until(lambda: len(sink.records) == 2, run.snapshot)
        assert reload(run, with_spool(max_size="2MiB")).wait().trouble == ""
        source.feed(*n(3))
        until(lambda: len(sink.records) == 3, run.snapshot)
        assert reload(run, task(source, sink, name="t")).wait().trouble == ""
        source.feed(*n(4))
        until(lambda: len(sink.records) == 4, run.snapshot)
        assert sink.records == n(1, 2, 3, 4)
        assert_ends(run, source)


def test_an_output_that_hangs_is_replaced_to_get_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "APPLY_S", 0.3)
    source, sink = in_.Memory(n(1), follow=True), Held()
    with running(task(source, sink, name="t")) as run:
        until(lambda: view_of(run, "Held").waiting, "it hangs")
        changed = Held(retry_for=60)
        changed.may.set()
        assert reload(run, task(source, changed, name="t")).wait().trouble == ""
        until(lambda: changed.records == n(1), run.snapshot)
        assert_ends(run, source)


def test_an_input_comes_back_and_reads_on_where_it_was() -> None:
    one, two, sink = in_.Memory(n(1), follow=True), Ones(n(9), follow=True), Recorder()
    with running(task(one, sink, name="t")) as run:
        sink.wait_for(1)
        for source, count in ((two, 2), (one, 2), (two, 2)):
            assert reload(run, task(source, sink, name="t")).wait().trouble == ""
            sink.wait_for(count)
        one.feed(*n(2))
        two.feed(*n(10))
        assert reload(run, task(one, sink, name="t")).wait().trouble == ""
        sink.wait_for(4)
        assert sorted(record["n"] for record in sink.records) == [1, 2, 9, 10]
        assert len(run.crew.posts) == 3
        assert_ends(run, one)


def test_a_reload_in_the_middle_of_draining_is_refused() -> None:
    source, sink = in_.Memory(n(1), follow=True), Held()
    with running(task(source, sink, name="t")) as run:
        until(lambda: view_of(run, "Held").waiting, "something waits")
        run.stop()
        until(lambda: run.draining, "it drains")
        assert "ending" in reload(run, task(source, Recorder(), name="t")).wait().trouble
        sink.may.set()
        assert run.wait(WAIT_S)
