"""Between two seats of one stage: what the old one left, and what the new one may take for granted."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from swak import Batch, Event, Filter, main, running, task
from swak.actors.output import OutputSeat
from swak.actors.running import Run, Settings
from swak.datadir import DataDir
from swak.recipe import as_recipe
from swak.testing import Recorder
from swak.topology.compile import compile_recipe
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Sink


def test_a_successor_that_is_replaced_before_it_opened_opens_once() -> None:
    sink = Recorder()
    with Stepping(main(Numbers(5), sink)) as flow:
        post = flow.post("Recorder")
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post)
        flow.settle_down()
        assert sink.opens == 1


def test_main_and_the_helper_never_close_a_plugin_at_the_same_time() -> None:
    inside: list[str] = []
    together: list[list[str]] = []

    class Slow(Sink):
        """Takes a while to close."""

        def close(self) -> None:
            inside.append(threading.current_thread().name)
            together.append(list(inside))
            threading.Event().wait(0.1)
            inside.pop()

    class Sick(Filter):
        """Cannot be opened."""

        def open(self) -> None:
            raise ValueError("a programming error")

        def process(self, event: Event) -> Event:
            return event

    with running(main(Numbers(5), Sick(), Slow()), deaths_max=0, pause_s=0.1) as run:
        for _ in range(10):
            threading.Event().wait(0.1)
        run.stop(now=True)
        run.wait(10)
    assert together
    assert max(map(len, together)) == 1


def test_a_stage_whose_thread_cannot_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [0]
    enter = OutputSeat.enter

    def failing(self: OutputSeat) -> None:
        fails[0] += 1
        if fails[0] == 2:
            self.retire()
            raise RuntimeError("can't start new thread")
        enter(self)

    monkeypatch.setattr(OutputSeat, "enter", failing)

    class Dies(Sink):
        """Cannot be opened the first time."""

        def open(self) -> None:
            if not sick:
                sick.append(1)
                raise ValueError("boom")

    sick: list[int] = []
    dies = Dies()
    with running(task(Numbers(20), dies), grace_s=1) as run:
        run.stopped = True
        assert run.wait(5)
    assert dies.arrived == list(range(20))


def test_an_input_that_dies_while_draining_is_no_leak() -> None:
    with Stepping(main(Numbers(10), Sink())) as flow:
        post = flow.post("Numbers")
        assert post.sources is not None
        while not post.seat.opened:  # type: ignore[union-attr]
            flow.turn("Numbers")
        ack = post.sources.register("", 5, 5, post.lease)
        flow.crew.revoke(post, post.lease)
        post.draining = True
        flow.crew.seat(post)
        flow.turn("Numbers")
        del ack
        assert post.lease.over
        assert flow.crew.leaks() == []


def test_a_filter_that_drops_what_a_dead_one_had_passed_settles_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = [True]

    class Moody(Filter):
        """Passes at first."""

        def process(self, event: Event) -> Event | None:
            return event if passes[0] else None

    sink = Sink()
    with Stepping(main(Numbers(5), Moody(), sink)) as flow:
        post = flow.post("Moody")
        while not post.mailbox.head():
            flow.turn("Numbers")
        assert post.seat is not None
        flow.turn("Moody")

        def dies(*_: Any) -> None:
            raise MemoryError

        monkeypatch.setattr(post.mailbox, "done", dies)
        with pytest.raises(MemoryError):
            flow.turn("Moody")
        monkeypatch.undo()
        passes[0] = False
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post)
        flow.turn("Moody")
        flow.turn("Moody")
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (5, 0)
        flow.settle_down()
        assert sink.arrived == list(range(5))


def test_a_task_that_starts_again_waits_until_its_old_plugins_are_closed() -> None:
    order: list[str] = []
    let_go = threading.Event()

    class Slow(Sink):
        """Takes a while to abort."""

        def open(self) -> None:
            order.append("open")

        def write(self, batch: Batch) -> None:
            if not order.count("hang"):
                order.append("hang")
                let_go.wait(20)
            super().write(batch)

        def abort(self) -> None:
            threading.Event().wait(1)
            let_go.set()
            order.append("aborted")

    class Sick(Filter):
        """Dies once, when the output hangs."""

        def process(self, event: Event) -> Event:
            return event

        def process_batch(self, batch: Batch) -> Any:
            while "hang" not in order and batch.body.records()[0]["n"] >= 5:
                threading.Event().wait(0.01)
            return super().process_batch(batch)

    slow = Slow()
    with running(task(Numbers(20), Sick(), slow), pause_s=0.1) as run:
        while "hang" not in order:
            threading.Event().wait(0.01)
        run.supervisor._fail(run.crew.flows[0], "a test")
        assert run.wait(20)
    assert order.index("aborted") < [index for index, one in enumerate(order) if one == "open"][1]


def test_a_filter_that_hangs_twice_counts_two_seats() -> None:
    class Hung(Filter):
        """Raises in the batch, hangs in the event."""

        def process_batch(self, batch: Batch) -> Any:
            raise ValueError(f"not {batch.count} at once")

        def process(self, event: Event) -> Event:
            flow.post("Hung").lease.revoked = True
            flow.post("Hung").lease.in_hand.blame()  # type: ignore[union-attr]
            return event

    with Stepping(main(Numbers(1), Hung(), Sink())) as flow:
        post = flow.post("Hung")
        while not (letter := post.mailbox.head()):
            flow.turn("Numbers")
        flow.turn("Hung")
        flow.turn("Hung")
        assert letter.suspects.deaths == 1


def test_the_end_waits_for_a_seat_whose_starter_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def slowly(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "swak:task-1/Numbers":
            assert runs[0].wait(10)
            noted.append(runs[0].crew.posts[0].lease.thread)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    settings = Settings(DataDir.resolve(None, ephemeral=True))
    runs, noted = [Run(compile_recipe(as_recipe(task(Numbers(20), Sink()))), settings)], list[Any]()
    runs[0].start()
    runs[0].close()
    assert noted[0] is not None
    assert not noted[0].is_alive()
