"""From what connections bring to chunks for the flow: events of many small frames travel together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from swak.event import EVENTS_MAX, Chunk, Dicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Record
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
        self._times: list[int] = []
        self._records: list[Record] = []
        self._parts: list[Part] = []
        self._size_bytes: int | None = 0

    @property
    def full(self) -> bool:
        """Whether it is time to hand out what there is."""
        return self.count >= EVENTS_MAX

    def add(self, incoming: Incoming, promise: Promise | None) -> None:
        """Take events in. What wants an ack and what does not never share a chunk."""
        count = len(incoming.times)
        other = (bool(self._parts) is not (promise is not None)) and bool(self._times or self._parts)
        if other or len(self._times) + count > EVENTS_MAX:
            self._flush()
        self._tags += [incoming.tag] * count
        self._times += incoming.times
        self._records += incoming.records
        sizes = self._size_bytes, incoming.size_bytes
        self._size_bytes = None if None in sizes else sum(size or 0 for size in sizes)
        if promise is not None:
            self._parts.append(Part(promise, promise.part(last=incoming.last)))
        self.count += count

    def chunks(self) -> list[Chunk]:
        """Return what was gathered."""
        self._flush()
        return self._chunks

    def _flush(self) -> None:
        if self._times or self._parts:
            body = Dicts(self._records, self._times, self._size_bytes)
            alike = bool(self._tags) and self._tags.count(self._tags[0]) == len(self._tags)
            told = partial(self._settled, self._parts) if self._parts else None
            self._chunks.append(Chunk(body, self._tags[0] if alike else self._tags, SOURCE, None, told))
            self._clear()
