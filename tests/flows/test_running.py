"""Recipes inside a program or a test: `swak.running`, tasks side by side, and which thread a plugin runs on."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak import Batch, Event, Filter, in_, main, out, running, task
from tests.faults.flow import Numbers, Pass, Sink
from tests.flows.waiting import until, view_of
from tests.oracle import judge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Start


def test_a_recipe_is_tested_in_ten_lines() -> None:
    kept = out.Memory()
    with running(
        task(in_.Memory(["INFO started", "nonsense", "ERROR broken"]), out.Regex(r"(?P<level>\w+) (?P<what>.*)"), kept)
    ) as run:
        pass
    assert kept.records == [{"level": "INFO", "what": "started"}, {"level": "ERROR", "what": "broken"}]
    assert run.receipt().inputs[0].delivered == 3
    assert next(view.tally.dead.total() for view in run.receipt().stages if view.stage == "Regex") == 1


@pytest.mark.parametrize("flow", [task, main])
def test_leaving_the_block_delivers_what_was_fed_before(flow: Any) -> None:
    source, kept = in_.Memory(follow=True), out.Memory()
    with running(flow(source, kept)):
        for number in range(5_000):
            source.feed({"n": number})
    judge(range(5_000), [record["n"] for record in kept.records]).assert_right()


class Crashes(Sink):
    """A programming error in `open`, every time."""

    def open(self) -> None:
        raise ZeroDivisionError("a programming error")


def test_a_task_that_crashes_leaves_the_others_running() -> None:
    source, healthy = in_.Memory(follow=True), Sink()
    flows = [task(Numbers(100), Crashes(), name="sick"), task(source, healthy, name="well")]
    with running(flows, deaths_max=2, grace_s=2) as run:
        until(lambda: view_of(run, "Crashes").state == "failed", run.snapshot)
        source.feed(*[{"n": number} for number in range(100)])
        until(lambda: len(healthy.arrived) == 100, run.snapshot)
        source.end()
        until(lambda: view_of(run, "Sink").state == "over", run.snapshot)
        run.stop()
        assert run.wait(10)
        receipt = run.receipt()
    judge(range(100), healthy.arrived).assert_right()
    assert receipt.failed == ("sick",)
    assert {one.flow: one.delivered for one in receipt.inputs} == {"sick": 0, "well": 100}


def test_two_tasks_progress_side_by_side() -> None:
    """Each waits for the other one: neither would end if they took turns."""
    barrier = threading.Barrier(2, timeout=10)

    class Meets(Sink):
        """Waits in each write until the other task writes, too."""

        def write(self, batch: Batch) -> None:
            barrier.wait()
            super().write(batch)

    one, two = Meets(), Meets()
    with running([task(Numbers(50), one), task(Numbers(50), two)]) as run:
        assert run.wait(20), run.snapshot()
    for sink in (one, two):
        judge(range(50), sink.arrived).assert_right()


def test_every_stage_of_a_task_has_a_thread_of_its_own() -> None:
    seen: dict[str, set[threading.Thread]] = {"filter": set(), "output": set()}

    class Where(Filter):
        """Notes its thread."""

        def process(self, event: Event) -> Event:
            seen["filter"].add(threading.current_thread())
            return event

    class End(Sink):
        """Notes its thread."""

        def write(self, batch: Batch) -> None:
            seen["output"].add(threading.current_thread())
            super().write(batch)

    end = End()
    with running(task(Numbers(40), Where(), end)) as run:
        assert run.wait(10)
    threads = [*seen["filter"], *seen["output"]]
    assert len(set(threads)) == len(threads) == 2
    assert threading.main_thread() not in threads
    judge(range(40), end.arrived).assert_right()


WHERE = """
import json, threading

class Where(Filter):
    '''Says on which thread it runs.'''
    def process(self, event):
        here = threading.current_thread()
        return event.replace(record=event.record | {"main": here is threading.main_thread(), "name": here.name})

main(in_.Counter(3), out.Where(), out.File("main.txt"), name="first")
task(in_.Counter(3), out.Where(), out.File("task.txt"), name="second")
task(in_.Counter(3), out.Where(), out.File("other.txt"), name="third")
"""


def test_main_runs_on_the_main_thread_of_the_process_and_tasks_on_others(start: Start, tmp_path: Path) -> None:
    agent = start("-e", WHERE)
    assert agent.end() == 0, agent.log
    told = {
        name: [json.loads(line) for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
        for name in ("main", "task", "other")
    }
    assert [one["main"] for one in told["main"]] == [True] * 3
    assert [one["main"] for one in told["task"] + told["other"]] == [False] * 6
    assert {one["name"] for one in told["task"]} == {"swak:second/Where"}
    assert {one["name"] for one in told["other"]} == {"swak:third/Where"}
    for records in told.values():
        judge([1, 2, 3], [record["f1"] for record in records]).assert_right()


@pytest.mark.parametrize("flow", [task, main])
def test_an_end_at_once_replaces_no_seat(flow: Any) -> None:
    source, sink = in_.Memory(follow=True), Sink()
    with running(flow(source, Pass(), sink)) as run:
        source.feed({"n": 0})
        until(lambda: sink.arrived == [0], run.snapshot)
        run.stop(now=True)
        assert run.wait(10)
    assert [(view.restarts, view.errors, view.last_error) for view in run.snapshot()] == [(0, 0, "")] * 3
