"""The seat of an output, turn by turn."""

from __future__ import annotations

from typing import Any

from swak import Batch, main
from swak.actors import output as output_seat
from swak.budget import GROUP_S
from swak.plugin import Pending
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Sink


class Down(Sink):
    """Refuses until `up`; counts its attempts, with all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.attempts: list[float] = []
        self.up: list[bool] = []
        self.probed: list[float] = []

    def fresh(self) -> Down:
        made = super().fresh()
        made.attempts, made.up, made.probed = self.attempts, self.up, self.probed
        return made

    def probe(self) -> bool:
        self.probed.append(self.clock.monotonic())
        return bool(self.up)

    def write(self, batch: Batch) -> None:
        self.attempts.append(self.clock.monotonic())
        if not self.up:
            raise ConnectionRefusedError("down")
        super().write(batch)


def test_backoff_grows_to_its_cap_and_never_gives_up() -> None:
    sink = Down()
    with Stepping(main(Numbers(5), sink)) as flow:
        flow.settle_down()
        for _ in range(4_000):
            flow.clock.advance(0.25)
            flow.settle_down()
        gaps = [later - earlier for earlier, later in zip(sink.attempts, sink.attempts[1:], strict=False)]
        assert max(gaps) <= output_seat.BACKOFF_MAX_S + 0.5
        assert max(gaps) > output_seat.BACKOFF_MAX_S / 2
        assert flow.post("Down").restarts == 0
        sink.up.append(True)
        flow.clock.advance(output_seat.PROBE_S)
        flow.settle_down()
        assert sink.arrived == list(range(5))


def test_an_output_is_down_until_something_was_delivered() -> None:
    sink = Down()
    with Stepping(main(Numbers(5), sink)) as flow:
        flow.settle_down()
        for _ in range(40):  # connecting works each time, writing does not
            flow.clock.advance(0.25)
            flow.settle_down()
        view = flow.post("Down").view({})
        assert view.retries == len(sink.attempts) > 3
        assert view.down_s == 10
        sink.up.append(True)
        flow.clock.advance(output_seat.BACKOFF_MAX_S)
        flow.settle_down()
        view = flow.post("Down").view({})
        assert (view.state, view.down_s) == ("over", None)
        assert flow.post("Down").down_since is None


def test_a_probe_ends_the_backoff_early() -> None:
    sink = Down()
    with Stepping(main(Numbers(5), sink)) as flow:
        flow.settle_down()
        for _ in range(400):
            flow.clock.advance(0.25)
            flow.settle_down()
        sink.up.append(True)
        flow.clock.advance(output_seat.PROBE_S)
        flow.settle_down()
        assert sink.arrived == list(range(5))


class Late(Sink):
    """Safe one second after the first pending write."""

    def open(self) -> None:
        self._due_at: float | None = None

    def write(self, batch: Batch) -> type[Pending]:
        super().write(batch)
        self._due_at = self._due_at or self.clock.monotonic() + 1
        return Pending

    def due_at(self) -> float | None:
        return self._due_at

    def sync(self) -> None:
        self._due_at = None


def test_pending_writes_settle_with_the_sync_that_is_due() -> None:
    from swak import option

    class Slow(Numbers):
        """Has more to give, later."""

        more: bool = option("Whether it goes on.", default=True)

        def read(self) -> Any:
            return None if self._next >= self.count else super().read()

    sink = Late()
    with Stepping(main(Slow(10), sink)) as flow:
        flow.settle_down()
        sources = flow.post("Slow").sources
        assert sources is not None
        assert (sink.arrived, sources.counts()) == (list(range(10)), (10, 0))
        assert flow.post("Late").mailbox.levels()[3].held == 10
        flow.clock.advance(1)
        flow.settle_down()
        assert sources.counts() == (10, 10)
        assert flow.post("Late").mailbox.levels()[3].unaccounted() == 0


def test_a_sync_that_fails_brings_the_pending_batches_again() -> None:
    failures = [OSError("EIO")]

    class Broken(Late):
        """Fails its first sync."""

        def sync(self) -> None:
            super().sync()
            if failures:
                raise failures.pop()

    sink = Broken()
    with Stepping(main(Numbers(10), sink)) as flow:
        flow.settle_down()
        flow.clock.advance(1)
        flow.settle_down()
        flow.clock.advance(2)
        flow.settle_down()
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (10, 10)
        assert sink.arrived == [*range(10), *range(10)]


class Awaited(Numbers):
    """Somebody waits for acks."""

    def patience_s(self) -> float | None:
        return 60.0


def test_while_senders_wait_pending_writes_become_safe_when_there_is_no_more_to_write() -> None:
    with Stepping(main(Awaited(10), Late())) as flow:
        flow.turn("Late")
        for _ in range(3):
            flow.turn("Awaited")
        flow.turn("Late")
        assert flow.post("Late").mailbox.has_held, "one more is to be written first"
        flow.turn("Late")
        assert flow.turn("Late"), "no time has passed, and yet it syncs"
        assert not flow.post("Late").mailbox.has_held


class Busy(Awaited):
    """Has more to give, which it knows."""

    def read(self) -> Any:
        found = super().read()
        self.coming = True
        return found


def test_while_more_is_coming_one_sync_does_for_what_came_within_a_moment() -> None:
    with Stepping(main(Busy(100), Late())) as flow:
        late = flow.post("Late").mailbox
        flow.turn("Late")
        flow.turn("Busy")
        for _ in range(2):
            flow.turn("Busy")
            flow.turn("Late")
            flow.turn("Late")
        assert late.has_held, "no time has passed since the last one"
        flow.clock.advance(GROUP_S)
        assert flow.turn("Late")
        assert not late.has_held


def test_an_output_is_told_whether_the_next_write_follows_at_once() -> None:
    told = list[tuple[int, bool]]()

    class Told(Sink):
        """Notes whether there is more."""

        def write(self, batch: Batch) -> type[Pending] | None:
            told.append((next(iter(batch.body.records()))["n"], self.more_follows))
            return super().write(batch)

    with Stepping(main(Numbers(20), Told())) as flow:
        while flow.turn("Numbers"):
            pass  # four batches wait
        flow.settle_down()
    assert told == [(0, True), (5, True), (10, True), (15, False)]
