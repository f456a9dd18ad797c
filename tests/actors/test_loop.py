"""main's loop: one thread for all seats."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from swak import Batch, Event, Filter, main, running
from swak.actors.running import Run, Settings
from swak.datadir import DataDir
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe
from tests.faults.flow import Numbers, Sink
from tests.faults.test_stopping import Endless, Feed


def _run(*parts: Any) -> Run:
    return Run(compile_recipe(as_recipe(main(*parts))), Settings(DataDir.resolve(None, ephemeral=True)))


def test_every_plugin_of_main_runs_on_the_thread_that_calls_run_main() -> None:
    threads = set()

    class Where(Filter):
        """Notes its thread."""

        def process(self, event: Event) -> Event:
            threads.add(threading.current_thread())
            return event

    class WhereSink(Sink):
        """Notes its thread."""

        def write(self, batch: Batch) -> None:
            super().write(batch)
            threads.add(threading.current_thread())

    run = _run(Numbers(20), Where(), WhereSink())
    run.start()
    run.run_main()
    assert run.wait(10)
    run.close()
    assert threads == {threading.current_thread()}


def test_a_loop_at_rest_wakes_up_when_something_arrives() -> None:
    feed, sink = Feed(), Sink()
    with running(main(feed, sink)) as run:
        for number in range(3):
            feed.give(number)
            while len(sink.arrived) <= number:
                assert not run.wait(0.01)
    assert sink.arrived == [0, 1, 2]


def test_ctrl_c_between_two_turns_drains_and_comes_through() -> None:
    class Interrupted(Endless):
        """The user presses Ctrl-C while it reads for the third time."""

        def read(self) -> Any:
            if self._next == 10:
                self._next += 1
                raise KeyboardInterrupt
            return super().read()

    sink = Sink()
    run = _run(Interrupted(), sink)
    run.start()
    with pytest.raises(KeyboardInterrupt):
        run.run_main()
    assert run.wait(10)
    receipt = run.receipt()
    run.close()
    assert receipt.inputs[0].lost == 0
    assert receipt.inputs[0].delivered == len(sink.arrived)
