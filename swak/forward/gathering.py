"""From what connections bring to chunks for the flow: events of many small frames travel together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from swak.event import EVENTS_MAX, Chunk, Dicts
from swak.forward.entries import Packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.forward.connection import Promise
    from swak.forward.decoder import Incoming

SOURCE = "forward"


class Part(NamedTuple):
    """A part of a chunk that is to be acked."""

    promise: Promise
    number: int


class Gathering:
    """Puts events together until there are enough for a batch. `settled` is called, by any thread, with parts."""

    def __init__(self, settled: Callable[[list[Part]], None]) -> None:
        self._settled = settled
        self._chunks: list[Chunk] = []
        self.count = 0
        self._clear()

    def _clear(self) -> None:
        self._tags: list[str] = []
        self._bodies: list[Dicts] = []
        self._parts: list[Part] = []

    @property
    def full(self) -> bool:
        """Whether it is time to hand out what there is."""
        return self.count >= EVENTS_MAX

    def add(self, incoming: Incoming, promise: Promise | None) -> None:
        """Take events in. What wants an ack and what does not never share a chunk."""
        count = incoming.body.count
        other = (bool(self._parts) is not (promise is not None)) and bool(self._tags or self._parts)
        if other or len(self._tags) + count > EVENTS_MAX:
            self._flush()
        self._tags += [incoming.tag] * count
        if count:
            self._bodies.append(incoming.body)
        if promise is not None:
            self._parts.append(Part(promise, promise.part(last=incoming.last)))
        self.count += count

    def chunks(self) -> list[Chunk]:
        """Return what was gathered."""
        self._flush()
        return self._chunks

    def _flush(self) -> None:
        if self._tags or self._parts:
            alike = bool(self._tags) and self._tags.count(self._tags[0]) == len(self._tags)
            told = partial(self._settled, self._parts) if self._parts else None
            self._chunks.append(Chunk(self._body(), self._tags[0] if alike else self._tags, SOURCE, None, told))
            self._clear()

    def _body(self) -> Dicts:
        bodies = self._bodies
        if len(bodies) == 1:
            return bodies[0]
        still = [body for body in bodies if isinstance(body, Packed)]
        if bodies and len(still) == len(bodies):
            return Packed.together(still)
        times = [time_ns for body in bodies for time_ns in body.times()]
        return Dicts.joined(bodies, times, sum(body.size_bytes for body in bodies))
