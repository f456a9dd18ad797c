"""Records that are still the JSON lines they came as: written out they cost nothing, read they are decoded."""

from __future__ import annotations

import json
import math
from itertools import compress
from typing import TYPE_CHECKING, Any

import msgspec

from swak.event import EVENTS_MAX
from swak.formats.edits import Edits, joined
from swak.formats.found import each_row
from swak.formats.plain import plain
from swak.formats.undecoded import Undecoded, read_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from swak.event import Body, Record

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, Any])


TIME_BYTES = 40
"""Resident bytes of a time of an event, and its place in a list."""


class JsonText(Undecoded):
    """Lines of UTF-8 that are known to hold one JSON object each, with a line feed at the end and no other line end.

    What nobody reads keeps its bytes: the order of keys, spaces, how a number is written, a key that comes twice.
    """

    __slots__ = ("_edits", "columns", "fields")

    def __init__(
        self,
        data: bytes | Edits,
        times: Sequence[int],
        size_bytes: int | None = None,
        fields: tuple[str, ...] = (),
        columns: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """`fields`: those of every line, where that is known and lines have no spaces. `columns`: values of some."""
        self._edits = None if isinstance(data, bytes) else data
        super().__init__(data if isinstance(data, bytes) else data.lines, times, size_bytes)
        self.fields = fields
        self.columns = {} if columns is None else columns

    @property
    def data(self) -> bytes:
        """The lines. What is still to be done with them is done now, once."""
        edits = self._edits
        if edits is not None:
            self._data = edits.made(self.count)
            self._edits = None  # last: other branches may look at the same time
        return self._data

    @staticmethod
    def joined(bodies: Sequence[Any], times: Sequence[int], size_bytes: int) -> JsonText:
        """Join texts, which stay text."""
        first = bodies[0]
        edits = joined([body.to_do() for body in bodies])
        if edits is None:
            edits = Edits(b"".join([body.data for body in bodies]))
        if any(body.fields != first.fields or body.columns.keys() != first.columns.keys() for body in bodies):
            return JsonText(edits, times, size_bytes)
        columns = {name: [one for body in bodies for one in body.columns[name]] for name in first.columns}
        return JsonText(edits, times, size_bytes, first.fields, columns)

    def column(self, name: str) -> Sequence[Any] | None:
        """Return a field of every event, None for those that have none; None if that takes reading the lines."""
        if name in self.columns:
            return self.columns[name]
        known_missing = self.fields and name not in self.fields and "." not in name
        return [None] * self.count if known_missing else None

    def chosen(self, wanted: Sequence[bool], times: Sequence[int]) -> JsonText:
        """Return the lines for which `wanted` holds, with their times. One of them does."""
        columns = {name: list(compress(values, wanted)) for name, values in self.columns.items()}
        chosen = JsonText(self.to_do().picked(wanted), times, self.size_bytes, self.fields, columns)
        if self._read is not None:
            chosen._read = list(compress(self._read, wanted))
        return chosen

    def extended(self, added: Mapping[str, Any]) -> JsonText | None:
        """Return the same lines with fields behind the others that hold the same everywhere. None: it takes records."""
        if not self.fields or not added or not set(added).isdisjoint(self.fields):
            return None
        try:
            more = encode_lines([added])
        except (TypeError, ValueError, OverflowError, RecursionError):
            return None  # who writes it tells which field it is
        columns = {**self.columns, **{name: [value] * self.count for name, value in added.items()}}
        size_bytes = self.size_bytes + len(more) * self.count
        edits = self.to_do().extended(b"," + more[1:-2])
        return JsonText(edits, self._times, size_bytes, (*self.fields, *added), columns)

    def sorted_by(self, key: str) -> list[bool] | None:
        """Return what the rule of that key says of each line, where they were sorted by it."""
        edits = self._edits
        order = None if edits is None or edits.wanted is not None else edits.sorted
        return None if order is None or order.key != key else order.kept

    def to_do(self) -> Edits:
        """Return the lines, and what is still to be done with them."""
        return self._edits or Edits(self._data)  # in this order: it is done in the other one

    def bounded(self) -> Iterator[JsonText]:
        """Yield the same lines in bodies of at most EVENTS_MAX."""
        if self.count <= EVENTS_MAX:
            yield self
            return
        lines = self.data.splitlines(keepends=True)
        for at in range(0, len(lines), EVENTS_MAX):
            yield JsonText(b"".join(lines[at : at + EVENTS_MAX]), self._times[at : at + EVENTS_MAX])

    def _decoded(self) -> list[Record]:
        lines = self.data.splitlines()
        try:
            return list(map(_DECODER.decode, lines))
        except ValueError:  # a number is too large
            return [read_wide(line) for line in lines]


def size_of(data: bytes, times: Sequence[int]) -> int:
    """Return the resident bytes of JSON lines that nobody reads."""
    return len(data) + TIME_BYTES * len(times)


def encode_body(body: Body) -> bytes:
    """Return one JSON object a line. Rows that are still to be made are gone again before the next one is made."""
    rows = each_row(body)
    try:
        return _ENCODER.encode_lines(read_once(body) if rows is None else rows)
    except UnicodeEncodeError:
        return _ENCODER.encode_lines(plain(read_once(body)))


def encode_lines(records: Sequence[Any]) -> bytes:
    """Return one JSON object a line."""
    try:
        return _ENCODER.encode_lines(records)
    except UnicodeEncodeError:
        return _ENCODER.encode_lines(plain(records))


def read_wide(line: str | bytes) -> dict[str, Any]:
    """Read one object whose numbers may be too large for a float or an int: such a number stays text.

    ValueError when it is none.
    """
    try:
        record = json.loads(line, parse_float=_float, parse_int=_int, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(record, dict):
        raise ValueError("no object")  # noqa: TRY004 - it is the text that is wrong
    return record


def _float(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _int(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # Python reads at most 4,300 digits
        return digits


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
