"""Small flows with numbered events, built straight from stages, for attacks on the runtime."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from swak import Batch, EndOfInput, Event, Filter, Input, Output, option
from swak.event import Chunk, Dicts
from swak.holding import HoldingBuffer
from swak.plugin import Pending

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE = 5
"""Events in one batch of Numbers."""


class Numbers(Input):
    """Emits numbered events in batches; reads on from any position."""

    count: int = option("How many.", default=40)
    size: int = option("Events in a batch.", default=SIZE)
    replays = True

    def seek(self, positions: Mapping[str, Any]) -> None:
        self._next: int = positions.get("", 0)

    def read(self) -> Chunk | None:
        first = self._next
        if first >= self.count:
            raise EndOfInput
        self._next = min(self.count, first + self.size)
        records = [{"n": number} for number in range(first, self._next)]
        return Chunk(Dicts(records, [0] * len(records)), f"t{first // self.size % 2}", "", self._next)


class Pass(Filter):
    """Passes every event on."""

    def process(self, event: Event) -> Event:
        return event


class Hold(HoldingBuffer):
    """Joins events in sevens."""

    hold_count = 7


class Sink(Output):
    """Keeps the numbers that arrive, in one list for all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.arrived: list[int] = []
        self.lock = threading.Lock()

    def fresh(self) -> Self:
        made = super().fresh()
        made.arrived, made.lock = self.arrived, self.lock
        return made

    def write(self, batch: Batch) -> type[Pending] | None:
        with self.lock:
            self.arrived.extend(record["n"] for record in batch.body.records())
        return None


class LateSink(Sink):
    """Answers Pending, and is safe after `sync`, three batches later."""

    def open(self) -> None:
        self._pending = 0

    def write(self, batch: Batch) -> type[Pending] | None:
        super().write(batch)
        self._pending += 1
        return Pending

    def due_at(self) -> float | None:
        return self.clock.monotonic() if self._pending >= 3 else None

    def sync(self) -> None:
        self._pending = 0


class Told(Sink):
    """Does what the test says, with all its copies: `says` is the script."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.says: dict[str, Any] = {"write": [], "alive": True, "open": None, "sync": [], "pending": False}

    def fresh(self) -> Told:
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
