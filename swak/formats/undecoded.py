"""Records that are still the bytes they came as, and are decoded only when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.event import DICT_BYTES, Dicts
from swak.formats.plain import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Body, Record


class Undecoded(Dicts):
    """Bytes that hold one record for each of `times`. It was seen before that all of them can be read."""

    __slots__ = ("_data", "_read")

    def __init__(self, data: bytes, times: Sequence[int], size_bytes: int | None = None) -> None:
        super().__init__([], times, len(data) + DICT_BYTES * len(times) if size_bytes is None else size_bytes)
        self._data = data
        self._read: list[Record] | None = None

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self._data

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self._times)

    @property
    def shared(self) -> list[Record]:
        """The records, decoded once, to read and never to change."""
        if self._read is None:
            self._read = self._decoded()
        return self._read

    def records(self) -> list[Record]:
        """Make records of their own for one branch."""
        return self._decoded() if self._read is None else [record.copy() for record in self._read]

    def once(self) -> list[Record]:
        """Return the records for somebody who reads them now and never again: they are not kept."""
        return self._decoded() if self._read is None else self._read

    def cut(self, start: int, stop: int) -> Dicts:
        """Return the records from `start` to `stop`."""
        return Dicts(self.shared, self._times, self.size_bytes).cut(start, stop)

    def _decoded(self) -> list[Record]:
        raise NotImplementedError


def read_once(body: Body) -> Sequence[Record]:
    """Return a body's records to read now, never again, and never to change."""
    return body.once() if isinstance(body, Undecoded) else readable(body)
