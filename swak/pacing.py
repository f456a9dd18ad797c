"""What inputs that make up their events have in common: a count, a pace, and positions to go on from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from swak.errors import EndOfInput
from swak.event import EVENTS_MAX, Chunk, Dicts
from swak.options import Duration
from swak.plugin import Input

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.ack import Position
    from swak.event import Record

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d*\s*[a-zA-Z]+)\s*")


def per_second(rate: str | float) -> float:
    """Read a rate: a number is events per second; text is such as "10/s", "5/m" or "1/10s". ValueError says so."""
    wanted = f'wants a number of events per second, or text such as "10/s" or "5/m", not {rate!r}'
    if isinstance(rate, str):
        match = _RATE.fullmatch(rate)
        if match is None:
            raise ValueError(wanted)
        events, span = float(match[1]), match[2]
        seconds = Duration(span if span[0].isdigit() else f"1{span}")
        rate = events / seconds if seconds else 0.0
    if not 0 < rate < float("inf"):
        raise ValueError(wanted)
    return rate


class PacedInput(Input):
    """Makes the record of each index, up to `count` of them, at `rate` (None: as fast as they are taken).

    The average keeps to the rate: what was missed while nobody asked is made up for.
    """

    count: int | None = None
    rate: str | float | None = None
    tag = ""
    _first = 0

    def record(self, index: int) -> Record:
        """Make the record at `index`, which counts from 0. The same index gives the same record."""
        raise NotImplementedError

    def check(self) -> list[tuple[str, str]]:
        try:
            per_second(1 if self.rate is None else self.rate)
        except ValueError as error:
            return [(f'option "rate" {error}', "")]
        return []

    def seek(self, positions: Mapping[str, Position]) -> None:
        self._first = int(positions.get(self.name, 0))

    def open(self) -> None:
        self._index = self._first
        self._rate = None if self.rate is None else per_second(self.rate)
        self._began_s = self.clock.monotonic()

    def due_at(self) -> float | None:
        if self._rate is None or self._ended():
            return None
        return self._began_s + (self._index - self._first) / self._rate

    def read(self) -> Chunk | None:
        if self._ended():
            raise EndOfInput
        number = EVENTS_MAX
        due_at, now = self.due_at(), self.clock.monotonic()
        if self._rate is not None and due_at is not None:
            if due_at > now:
                return None
            number = max(1, int((now - self._began_s) * self._rate) + 1 - (self._index - self._first))
        number = min(number, EVENTS_MAX, number if self.count is None else self.count - self._index)
        records = [self.record(index) for index in range(self._index, self._index + number)]
        self._index += number
        times = [self.clock.time_ns()] * number
        return Chunk(Dicts(records, times), self.tag, self.name, self._index)

    def _ended(self) -> bool:
        return self.count is not None and self._index >= self.count
