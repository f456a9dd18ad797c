"""What becomes of batches that an output has answered with Pending when it fails or is replaced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from swak import Batch, Output, Refused, main, running, task
from swak.deadletters import DeadLetters
from swak.plugin import Pending
from tests.actors.stepping import Relaying
from tests.faults.flow import Numbers, Sink, Told

if TYPE_CHECKING:
    import pytest


class Heir(Told):
    """Takes over what was pending."""

    def inherit(self, old: Output) -> bool:
        return isinstance(old, Heir)


class Waits(Numbers):
    """Has nothing more for now, until `over` says that it is the end."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.over = threading.Event()

    def fresh(self) -> Waits:
        made = super().fresh()
        made.over = self.over
        return made

    def read(self) -> Any:
        return None if self._next >= self.count and not self.over.is_set() else super().read()


class Late(Told):
    """Due half a second after the first write."""

    def open(self) -> None:
        self._due_at: float | None = None

    def write(self, batch: Batch) -> type[Pending] | None:
        self._due_at = self._due_at or self.clock.monotonic() + 0.5
        return super().write(batch)

    def due_at(self) -> float | None:
        return self._due_at

    def sync(self) -> None:
        self._due_at = None
        super().sync()


def test_a_burial_that_waits_is_begun_anew_when_pending_batches_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append, full = DeadLetters.append, [1]

    def maybe(self: DeadLetters, letters: Any) -> None:
        if full:
            raise OSError(28, "No space left on device")
        append(self, letters)

    monkeypatch.setattr(DeadLetters, "append", maybe)

    one = Late()
    one.says["pending"] = True

    def bad(batch: Batch) -> Refused | None:
        return Refused(batch.events()[:2], "no") if batch.body.records()[0]["n"] == 5 else None

    one.says["write"] = [bad] * 20
    one.says["sync"] = [OSError("broken")]
    with Relaying(main(Numbers(15), one)) as flow:
        flow.run(0.75)
        full.clear()
        flow.run(10)
        sources = flow.post("Numbers").sources
        tally = flow.post("Late").mailbox.tally
        assert sources is not None
        assert (sources.counts(), tally.out, tally.dead.total(), tally.unaccounted()) == ((15, 15), 13, 2, 0)


def test_pending_batches_that_were_inherited_are_not_left_behind_at_the_end() -> None:
    sink, numbers = Heir(), Waits(5)
    sink.says["pending"] = True
    with Relaying(main(numbers, sink)) as flow:
        flow.settle_down()
        post = flow.post("Heir")
        assert post.mailbox.has_held
        flow.crew.revoke(post, post.lease)
        sink.says["open"] = OSError("not now")
        flow.crew.seat(post, inherit_from=post.lease)
        numbers.over.set()
        flow.clock.advance(1)
        flow.settle_down()
        sink.says["open"] = None
        for _ in range(80):
            flow.clock.advance(0.25)
            flow.settle_down()
        sources = flow.post("Waits").sources
        assert sources is not None
        assert post.lease.over
        assert sources.counts() == (5, 5)


def test_inherited_pending_batches_are_synced_at_once() -> None:
    sink = Heir()
    sink.says["pending"] = True
    with Relaying(main(Waits(5), sink)) as flow:
        flow.settle_down()
        post = flow.post("Heir")
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post, inherit_from=post.lease)
        flow.settle_down()
        sources = flow.post("Waits").sources
        assert sources is not None
        assert sources.counts() == (5, 5)


def test_a_plugin_that_cannot_inherit_gets_the_pending_batches_again() -> None:
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
            raise RuntimeError(f"cannot inherit from {old.name}")

        def sync(self) -> None:
            pass

    dies = Dies()
    with running(task(Numbers(20), dies), grace_s=1) as run:
        run.stopped = True
        assert run.wait(5)
    assert set(dies.arrived) == set(range(20))
