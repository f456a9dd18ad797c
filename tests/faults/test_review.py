"""Review."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak import Batch, Event, Filter, Refused, failover, main, running, task
from swak.actors import supervisor as supervisor_module
from swak.actors.lease import Lease
from swak.actors.messages import Down, Fate, Turned, Up
from swak.datadir import DataDir
from swak.plugin import Pending
from swak.testing import Fault, FlakyOutput, Recorder
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Sink

if TYPE_CHECKING:
    from collections.abc import Mapping


class Root(Stepping):
    """Also passes on what children tell the root, as the supervisor does."""

    def relay(self) -> None:
        """Tell the router which children went down or came up."""
        told, self.told[:] = list(self.told), []
        for one in told:
            if isinstance(one, Turned):
                word = Up(one.post.stage.name) if one.up else Down(one.post.stage.name)
                one.post.mailbox.upstream[one.post.stage.router or ""].tell(word)

    def run(self, seconds: float = 0) -> None:
        """Step everybody and pass words on, for a time."""
        for _ in range(int(seconds * 4) + 1):
            for _ in range(5):
                self.settle_down()
                self.relay()
            self.clock.advance(0.25)


class Flaky(Sink):
    """Does what the test says, with all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.says: dict[str, Any] = {"write": [], "alive": True, "open": None, "sync": [], "pending": False}

    def fresh(self) -> Flaky:
        made = super().fresh()
        made.says = self.says
        return made

    def open(self) -> None:
        if self.says["open"] is not None:
            raise self.says["open"]

    def alive(self) -> bool:
        return bool(self.says["alive"])

    def probe(self) -> bool:
        return self.says["open"] is None

    def write(self, batch: Batch) -> type[Pending] | None:
        error = self.says["write"].pop(0) if self.says["write"] else None
        if callable(error):
            error = error(batch)
        if error is not None:
            raise error
        super().write(batch)
        return Pending if self.says["pending"] else None

    def due_at(self) -> float | None:
        return None

    def sync(self) -> None:
        error = self.says["sync"].pop(0) if self.says["sync"] else None
        if error is not None:
            raise error


class One(Flaky):
    """First child."""


class Two(Flaky):
    """Second child."""


def test_what_is_left_of_a_withdrawn_batch_is_not_taken_for_the_next() -> None:  # A
    one, two = One(), Two()
    one.says["write"] = [MemoryError()]
    with Root(main(Numbers(20), failover(one, two, start=0))) as flow:
        for _ in range(3):
            flow.turn("One"), flow.turn("Two")
        flow.relay()
        flow.turn("failover"), flow.turn("failover"), flow.turn("Numbers"), flow.turn("Numbers")
        while flow.turn("failover"):
            pass
        assert flow.turn("One")  # MemoryError: waits with the batch in hand
        one.says["alive"] = False
        one.says["open"] = ConnectionRefusedError("gone")
        flow.clock.advance(0.5)
        for _ in range(3):
            flow.turn("One")
        flow.run(1)
        one.says["alive"], one.says["open"] = True, None
        flow.run(40)
        assert sorted(set(one.arrived + two.arrived)) == list(range(20))


def test_giving_an_offer_back_does_not_take_a_pending_batch_away() -> None:  # B
    one, two = One(), Two()
    one.says["pending"] = True
    one.says["write"] = [None, OSError("broken"), OSError("broken")]
    one.says["sync"] = [OSError("broken")]
    with Root(main(Numbers(20), failover(one, two, start=0))) as flow:
        flow.run(40)
        one.says["pending"] = False
        flow.run(40)
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sorted(set(one.arrived + two.arrived)) == list(range(20))
        assert sources.counts() == (20, 20)


def test_what_a_child_refuses_after_it_took_the_batch_over_is_a_dead_letter() -> None:  # C
    one, last = One(), Two()
    one.says["pending"] = True
    one.says["write"] = [None, lambda batch: Refused(batch.events()[:2], "not here")]
    one.says["sync"] = [OSError("broken")]
    with Root(main(Numbers(5), failover(one, last=last))) as flow:
        flow.run(40)
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (5, 5)
        assert flow.post("One").mailbox.tally.dead.total() == 2
        assert flow.post("One").mailbox.tally.unaccounted() == 0


def test_a_burial_that_waits_is_begun_anew_when_pending_batches_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # D
    from swak.deadletters import DeadLetters

    append, full = DeadLetters.append, [1]

    def maybe(self: DeadLetters, letters: Any) -> None:
        if full:
            raise OSError(28, "No space left on device")
        append(self, letters)

    monkeypatch.setattr(DeadLetters, "append", maybe)

    class Late(Flaky):
        """Due after half a second."""

        def open(self) -> None:
            self.due: float | None = None

        def write(self, batch: Batch) -> Any:
            self.due = self.due or self.clock.monotonic() + 0.5
            return super().write(batch)

        def due_at(self) -> float | None:
            return self.due

        def sync(self) -> None:
            self.due = None
            super().sync()

    one = Late()
    one.says["pending"] = True
    bad = lambda batch: Refused(batch.events()[:2], "no") if batch.body.records()[0]["n"] == 5 else None  # noqa: E731
    one.says["write"] = [bad] * 20
    one.says["sync"] = [OSError("broken")]
    with Root(main(Numbers(15), one)) as flow:
        flow.run(0.75)
        full.clear()
        flow.run(10)
        sources = flow.post("Numbers").sources
        tally = flow.post("Late").mailbox.tally
        assert sources is not None
        assert (sources.counts(), tally.out, tally.dead.total(), tally.unaccounted()) == ((15, 15), 13, 2, 0)


def test_a_child_that_is_down_ends_when_its_only_batch_was_withdrawn() -> None:  # E
    one, two = One(), Two()
    with Root(main(Numbers(20), failover(one, two, start=0))) as flow:
        flow.settle_down
        for _ in range(3):
            flow.turn("One"), flow.turn("Two")
        flow.relay()
        flow.turn("failover"), flow.turn("failover")
        one.says["alive"], one.says["open"] = False, ConnectionRefusedError("gone")
        flow.clock.advance(0.5)
        flow.turn("One")
        flow.turn("Numbers"), flow.turn("Numbers")
        while flow.turn("failover"):
            pass
        flow.run(5)
        assert two.arrived == list(range(20))
        assert all(post.lease.over for post in flow.crew.posts)


def test_a_successor_that_is_replaced_before_it_opened_opens_once() -> None:  # F
    sink = Recorder()
    with Stepping(main(Numbers(5), sink)) as flow:
        post = flow.post("Recorder")
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post)
        flow.settle_down()
        assert sink.opens == 1


def test_main_closes_what_it_opens_when_it_is_stopped_before_its_first_round() -> None:  # G
    from swak.actors.running import Run, Settings
    from swak.recipe import as_recipe
    from swak.topology.compile import compile_recipe

    sink = Recorder()
    run = Run(compile_recipe(as_recipe(main(Numbers(5), sink))), Settings(DataDir.resolve(None, ephemeral=True)))
    run.start()
    run.stop(now=True)
    assert run.wait(10)
    run.run_main()
    run.close()
    assert sink.opens <= sink.closes


def test_a_write_that_hangs_in_main_is_aborted_at_the_end() -> None:  # H
    sink = FlakyOutput([Fault(OSError, hang=True)])
    with running(main(Numbers(5), sink)) as run:
        sink.wait_until_it_hangs()
        run.stop(now=True)
        assert run.wait(10)
        assert sink.aborts == 1


def test_main_and_the_helper_never_close_a_plugin_at_the_same_time() -> None:  # I
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


def test_a_position_that_cannot_be_saved_does_not_keep_the_run_from_ending(tmp_path: Any) -> None:  # J
    class Odd(Numbers):
        """Has positions that JSON cannot hold."""

        def read(self) -> Any:
            chunk = super().read()
            return chunk._replace(position={1, 2}) if chunk else None

    from swak.actors.running import Run, Settings
    from swak.recipe import as_recipe
    from swak.topology.compile import compile_recipe

    run = Run(compile_recipe(as_recipe(task(Odd(5), Sink()))), Settings(DataDir.resolve(str(tmp_path))))
    run.start()
    try:
        assert run.wait(5)
    finally:
        run.supervisor.finished.set()
        run.close()


def test_an_interrupt_that_raises_does_not_keep_the_run_from_ending() -> None:  # K
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


def test_what_came_from_a_source_that_is_gone_still_counts_as_delivered() -> None:  # L
    from swak.ack import Sources

    sources = Sources()
    sources.register("a", 1, 5, Lease(None)).settle()
    sources.drop(["a"])
    assert sources.counts() == (5, 5)


def test_an_empty_list_means_that_nothing_has_arrived() -> None:  # M
    class Odd(Numbers):
        """Says "nothing" with an empty list."""

        def read(self) -> Any:
            return [] if self._next >= self.count else super().read()

    with Stepping(main(Odd(5), Sink())) as flow:
        flow.settle_down()


class HangsA(FlakyOutput):
    """A child."""


class HangsB(FlakyOutput):
    """Another child."""


def test_a_batch_that_hangs_child_after_child_goes_to_the_dead_letters() -> None:  # N
    poison = Fault(OSError, times=None, when=lambda record: record["n"] == 7, hang=True)
    one, two = HangsA([poison]), HangsB([poison])
    with running(task(Numbers(20), failover(one, two)), hang_after_s=0.1, deaths_max=20) as run:
        assert run.wait(20), run.snapshot()
        assert sum(view.tally.dead.total() for view in run.snapshot()) == 5
    assert run.receipt().inputs[0].delivered == 20


def test_a_stage_whose_thread_cannot_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:  # O
    from swak.actors.output import OutputSeat

    sink = Sink()
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
    del sink


def test_a_plugin_that_cannot_inherit_gets_the_pending_batches_again() -> None:  # O2
    sick: list[int] = []

    class Dies(Sink):
        """Dies once, cannot inherit."""

        def write(self, batch: Batch) -> Any:
            super().write(batch)
            return Pending

        def due_at(self) -> float | None:
            if not sick and self.arrived:
                sick.append(1)
                raise ValueError("boom")
            return None

        def inherit(self, old: Any) -> bool:
            raise RuntimeError("a programming error")

        def sync(self) -> None:
            pass

    dies = Dies()
    with running(task(Numbers(20), dies), grace_s=1) as run:
        run.stopped = True
        assert run.wait(5)
    assert set(dies.arrived) == set(range(20))


def test_an_input_that_dies_while_draining_is_no_leak() -> None:  # P
    with Stepping(main(Numbers(10), Sink())) as flow:
        flow.settle_down
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


def test_pending_batches_that_were_inherited_are_not_left_behind_at_the_end() -> None:  # Q
    class Heir(Flaky):
        """Takes over; cannot be opened for a while."""

        def inherit(self, old: Any) -> bool:
            return True

    sink = Heir()
    sink.says["pending"] = True

    class Slow(Numbers):
        """Ends when told to."""

        def read(self) -> Any:
            return None if self._next >= self.count and not over else super().read()

    over: list[int] = []
    with Root(main(Slow(5), sink)) as flow:
        flow.settle_down()
        post = flow.post("Heir")
        assert post.mailbox.has_held
        flow.crew.revoke(post, post.lease)
        sink.says["open"] = OSError("not now")
        flow.crew.seat(post, inherit_from=post.lease)
        over.append(1)
        flow.clock.advance(1)
        flow.settle_down()
        sink.says["open"] = None
        for _ in range(80):
            flow.clock.advance(0.25)
            flow.settle_down()
        sources = flow.post("Slow").sources
        assert sources is not None
        assert post.lease.over
        assert sources.counts() == (5, 5)


def test_inherited_pending_batches_are_synced_at_once() -> None:  # U
    class Heir(Flaky):
        """Takes over, and has nothing due."""

        def inherit(self, old: Any) -> bool:
            return True

    sink = Heir()
    sink.says["pending"] = True

    class Endless(Numbers):
        """Never ends."""

        def read(self) -> Any:
            return None if self._next >= self.count else super().read()

    with Root(main(Endless(5), sink)) as flow:
        flow.settle_down()
        post = flow.post("Heir")
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post, inherit_from=post.lease)
        flow.settle_down()
        sources = flow.post("Endless").sources
        assert sources is not None
        assert sources.counts() == (5, 5)


def test_a_filter_that_drops_what_a_dead_one_had_passed_settles_nothing_early() -> None:  # R
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
        done = post.mailbox.done

        def dies(*_: Any) -> None:
            raise MemoryError

        post.mailbox.done = dies  # type: ignore[method-assign]
        with pytest.raises(MemoryError):
            flow.turn("Moody")
        post.mailbox.done = done  # type: ignore[method-assign]
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


def test_a_call_that_begins_while_its_lease_is_revoked_is_fenced_or_seen() -> None:  # S
    class Racing(Lease):
        """Is revoked right after the first look."""

        looks: list[float | None]

        @property
        def revoked(self) -> bool:  # type: ignore[override]
            self.looks.append(self.in_plugin_since)
            return len(self.looks) > 1

        @revoked.setter
        def revoked(self, value: bool) -> None:
            self.looks = []

    from swak.errors import Fenced

    lease = Racing(None)
    with pytest.raises(Fenced):
        lease.call(lambda: None)
    assert lease.looks[0] is not None


def test_a_task_that_starts_again_waits_until_its_old_plugins_are_closed() -> None:  # T
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
        flow = run.crew.flows[0]
        run.supervisor._fail(flow, "a test")
        assert run.wait(20)
    assert order.index("aborted") < [index for index, one in enumerate(order) if one == "open"][1]


def test_a_filter_that_hangs_twice_counts_two_seats() -> None:  # V
    class Hung(Filter):
        """Raises in the batch, hangs in the event."""

        def process_batch(self, batch: Batch) -> Any:
            raise ValueError("as a batch, no")

        def process(self, event: Event) -> Event:
            flow.post("Hung").lease.revoked = True
            flow.post("Hung").lease.in_hand.killers += 1  # type: ignore[union-attr]
            return event

    with Stepping(main(Numbers(1), Hung(), Sink())) as flow:
        post = flow.post("Hung")
        while not (letter := post.mailbox.head()):
            flow.turn("Numbers")
        flow.turn("Hung")
        flow.turn("Hung")
        assert letter.killers == 1
