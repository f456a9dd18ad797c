"""Outputs with limits that fail in every way at once, by chance: whatever happens, each event ends somewhere."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from swak import Batch, Output, Refused, Retry, failover, main
from swak.actors.messages import Down
from swak.deadletters import DeadLetters
from tests.actors.stepping import Relaying
from tests.faults.flow import Numbers, Told

if TYPE_CHECKING:
    from swak.actors.post import Post

COUNT = 400
STEPS = 400


class One(Told):
    """May answer Pending, is synced half a second later, and takes over what was pending."""

    def open(self) -> None:
        super().open()
        self._due_at: float | None = None

    def write(self, batch: Batch) -> Any:
        if self.says["pending"]:
            self._due_at = self._due_at or self.clock.monotonic() + 0.5
        return super().write(batch)

    def due_at(self) -> float | None:
        return self._due_at

    def sync(self) -> None:
        self._due_at = None
        super().sync()

    def inherit(self, old: Output) -> bool:
        return isinstance(old, One)


class Two(One):
    """Another child."""


class Last(One):
    """Takes what no child takes."""


class Trouble:
    """Makes outputs fail as a seed says."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        limits = [self.chance.choice([None, "1s", "3s", "10s"]) for _ in range(3)]
        self.sinks = [kind(retry_for=limit) for kind, limit in zip((One, Two, Last), limits, strict=True)]
        self.full = False
        self.buried: list[int] = []
        for sink in self.sinks:
            sink.says["pending"] = self.happens(0.4)
            sink.says["write"] = [self._writing(sink)] * 100_000

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    def end(self) -> None:
        """Be good from now on."""
        self.full = False
        for sink in self.sinks:
            sink.says |= {"open": None, "alive": True, "write": [], "sync": []}

    def stir(self) -> None:
        """Let outputs go down and up, syncs fail, and the disk of the dead letters be full for a while."""
        for sink in self.sinks:
            if self.happens(0.1 if sink.says["open"] is None else 0.03):
                goes = sink.says["open"] is None
                sink.says |= {"open": ConnectionRefusedError("down") if goes else None, "alive": not goes}
            if self.happens(0.1):
                sink.says["sync"].append(OSError("EIO"))
        self.full ^= self.happens(0.03)

    def replace_a_seat(self, flow: Relaying) -> None:
        """Put a successor in the place of a seat, as after a hang with a piece of its letter in hand."""
        post: Post = self.chance.choice(flow.crew.posts[1:])
        if post.lease.over:
            return
        head = post.mailbox.head()
        if head is not None and post.stage.kind == "output" and self.happens(0.7):
            self.chance.choice(head.suspects.pieces(head.batch)).blame()
        old = post.lease
        flow.crew.revoke(post, old)
        flow.crew.seat(post, inherit_from=old)
        if post.stage.router is not None:
            post.mailbox.upstream[post.stage.router].tell(Down(post.stage.name))

    def _writing(self, sink: One) -> Any:
        def write(batch: Batch) -> BaseException | None:
            events = batch.events()
            kind = self.chance.choice(["reset", "busy", "refuses", "raises", "memory"]) if self.happens(0.3) else ""
            if kind == "refuses":
                sink.arrived.extend(event.record["n"] for event in events[1:])
            return {
                "reset": ConnectionResetError("reset"),
                "busy": Retry("busy", self.chance.choice([0.1, 2, 20])),
                "refuses": Refused(events[:1], "no"),
                "raises": ValueError("a bug"),
                "memory": MemoryError(),
            }.get(kind)

        return write


@pytest.mark.parametrize("shape", ["alone", "failover", "failover with last"])
@pytest.mark.parametrize("seed", range(8))
def test_every_event_arrives_or_is_a_dead_letter(shape: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble, append = Trouble(seed), DeadLetters.append

    def maybe(self: DeadLetters, letters: Any) -> None:
        if trouble.full:
            raise OSError(28, "No space left on device")
        append(self, letters)
        trouble.buried += [letter.event.record["n"] for letter in letters]

    monkeypatch.setattr(DeadLetters, "append", maybe)
    one, two, last = trouble.sinks
    outputs = {"alone": one, "failover": failover(one, two), "failover with last": failover(one, two, last=last)}
    with Relaying(main(Numbers(COUNT), outputs[shape])) as flow:
        for _ in range(STEPS):
            trouble.stir()
            if trouble.happens(0.03):
                trouble.replace_a_seat(flow)
            flow.run(trouble.chance.choice([0.25, 1]))
        trouble.end()
        flow.run(90)
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (COUNT, COUNT)
        assert {*trouble.buried, *(number for sink in trouble.sinks for number in sink.arrived)} == set(range(COUNT))
        assert [post.mailbox.tally.unaccounted() for post in flow.crew.posts if post.mailbox.tally.unaccounted()] == []
        assert all(post.lease.over for post in flow.crew.posts)
