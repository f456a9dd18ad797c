"""Stages for whole flows: outputs that a test opens and shuts, filters that drop, double and fail."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from swak import Batch, Event, Filter, Refused, option
from swak.event import Chunk, Dicts
from swak.plugin import Pending
from tests.faults.flow import Hold, LateSink, Numbers, Sink

if TYPE_CHECKING:
    from collections.abc import Callable


class Gated(Numbers):
    """Reads nothing until it is let."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.go = threading.Event()

    def fresh(self) -> Self:
        made = super().fresh()
        made.go = self.go
        return made

    def read(self) -> Chunk | None:
        return super().read() if self.go.is_set() else None


class Bulky(Numbers):
    """Emits numbered events in batches that claim to be large: `claims` bytes, and each a bit more than the last."""

    claims: int = option("Bytes of a batch.", default=300 * 1024)
    text: int = option("Bytes of text that each event really has.", default=0)

    def read(self) -> Chunk | None:
        chunk = super().read()
        assert chunk is not None
        assert isinstance(chunk.body, Dicts)
        size_bytes = self.claims + 7_919 * (self._next % 13)
        records = [record | {"text": "x" * self.text} for record in chunk.body.shared]
        body = Dicts(records, chunk.body.times(), size_bytes)
        return chunk._replace(body=body)


class Endless(Bulky):
    """Says, when all is read, that more may come."""

    def read(self) -> Chunk | None:
        return None if self._next >= self.count else super().read()


class Valve(Sink):
    """Refuses connections while it is shut; open, it takes `pause_s` for each write. Its copies share one valve."""

    pause_s: float = option("How long each write takes.", default=0.0)

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.is_open = threading.Event()

    def fresh(self) -> Self:
        made = super().fresh()
        made.is_open = self.is_open
        return made

    def write(self, batch: Batch) -> type[Pending] | None:
        if not self.is_open.is_set():
            raise ConnectionRefusedError("the valve is shut")
        threading.Event().wait(self.pause_s)
        return super().write(batch)

    def probe(self) -> bool:
        return self.is_open.is_set()

    def alive(self) -> bool:
        return self.is_open.is_set()


class Notary(LateSink):
    """Looks round right before anything that it was given becomes safe. `late`: that is `sync`, else the write."""

    late: bool = option("Whether it answers Pending.", default=False)

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.look: list[Callable[[], None]] = []
        self._waiting: list[int] = []

    def fresh(self) -> Self:
        made = super().fresh()
        made.look = self.look
        return made

    def write(self, batch: Batch) -> type[Pending] | None:
        self._waiting += [record["n"] for record in batch.body.records()]
        if self.late:
            self._pending += 1
            return Pending
        self.sync()
        return None

    def sync(self) -> None:
        for look in self.look:
            look()
        self.arrived += self._waiting
        self._waiting = []
        super().sync()


class Thirds(Filter):
    """Drops what is divisible by three."""

    def process(self, event: Event) -> Event | None:
        return event if event.record["n"] % 3 else None


class StumblingHold(Hold):
    """Raises once, at one number: that ends its seat."""

    at: int = option("The number.", default=100)

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.stumbled: list[int] = []

    def fresh(self) -> Self:
        made = super().fresh()
        made.stumbled = self.stumbled
        return made

    def add(self, batch: Batch) -> None:
        if not self.stumbled and self.at in [record["n"] for record in batch.body.records()]:
            self.stumbled.append(self.at)
            raise RuntimeError("stumbled")
        super().add(batch)


class Mixed(Filter):
    """Drops, doubles, re-tags, refuses and raises, as a number is divisible by 5, 7, 11, 13 or 17 (first match)."""

    def process(self, event: Event) -> Event | list[Event] | None:
        number = event.record["n"]
        if number % 5 == 0:
            return None
        if number % 7 == 0:
            return [event, event.replace(record=dict(event.record))]
        if number % 11 == 0:
            return event.replace(tag="nowhere")
        if number % 13 == 0:
            raise Refused([event], "thirteen")
        if number % 17 == 0:
            raise ValueError("seventeen")
        return event


class Picky(Sink):
    """Refuses what is divisible by 19."""

    def write(self, batch: Batch) -> type[Pending] | None:
        events = batch.events()
        bad = [event for event in events if event.record["n"] % 19 == 0]
        self.arrived.extend(event.record["n"] for event in events if event.record["n"] % 19)
        if bad:
            raise Refused(bad, "nineteen")
        return None


class Closing:
    """Mixed into a plugin: notes in a list of its class when it is closed."""

    order: list[str]

    def close(self) -> None:
        self.order.append(type(self).__name__)
