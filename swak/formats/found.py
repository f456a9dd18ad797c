"""Rows of which only the values are there yet: who drops, picks or adds fields need not make them first."""

from __future__ import annotations

from itertools import compress, starmap
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from swak.event import ROW_BYTES, Rows, records_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swak.event import Body, Record


class Found(Rows):
    """The values of each row as a tuple, and the type that they are to become when somebody asks.

    Values that all rows have in common are the type's defaults, so that adding one to every row costs nothing.
    """

    __slots__ = ("kind", "values")

    def __init__(
        self, kind: type[Any], values: list[tuple[Any, ...]], times: Sequence[int], size_bytes: int | None = None
    ) -> None:
        super().__init__([], times, len(values) * ROW_BYTES if size_bytes is None else size_bytes)
        self.kind = kind
        self.values = values

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.values)

    @property
    def rows(self) -> list[Any]:
        """The rows, made once."""
        if not self._rows:
            self._rows = list(starmap(self.kind, self.values))
        return self._rows

    def records(self) -> list[Record]:
        """Make plain dicts, fresh ones at each call. The rows between are gone again before the next one is made."""
        return records_of(self._rows or starmap(self.kind, self.values), self.kind)

    def column(self, number: int) -> list[Any]:
        """Return the value of one field in every row."""
        shared = self.constants()
        first_shared = len(self.kind.__struct_fields__) - len(shared)
        if number >= first_shared:
            return [shared[number - first_shared]] * self.count
        return list(map(itemgetter(number), self.values))

    def columns(self) -> list[Sequence[Any]]:
        """Return all fields, the shared ones last."""
        return [*zip(*self.values, strict=True), *([one] * self.count for one in self.constants())]

    def constants(self) -> tuple[Any, ...]:
        """Return the values that all rows share, those of the last fields."""
        shared: tuple[Any, ...] = self.kind.__struct_defaults__
        return shared

    def chosen(self, wanted: Sequence[bool], times: Sequence[int], size_bytes: int) -> Found:
        """Return the rows for which `wanted` holds, with their times."""
        return Found(self.kind, list(compress(self.values, wanted)), times, size_bytes)

    def timed(self, times: Sequence[int]) -> Found:
        """Return the same rows with other times."""
        return Found(self.kind, self.values, times, self.size_bytes)

    def cut(self, start: int, stop: int) -> Found:
        """Return the rows from `start` to `stop`."""
        values = self.values[start:stop]
        share_bytes = self.size_bytes * len(values) // max(1, self.count)
        return Found(self.kind, values, self._times[start:stop], share_bytes)


def each_row(body: Body) -> Iterable[Any] | None:
    """Return a body's rows to read once: those that are still to be made, one after the other. None: it has none."""
    if isinstance(body, Found):
        return starmap(body.kind, body.values)
    return body.rows if isinstance(body, Rows) else None


def kind_of(body: Rows) -> type[Any]:
    """Return the type of the rows of a body that is not empty."""
    return body.kind if isinstance(body, Found) else type(body.rows[0])
