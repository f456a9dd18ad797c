"""Records that are still the JSON lines they came as: written out they cost nothing, read they are decoded."""

from __future__ import annotations

import json
import math
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import msgspec

from swak.event import EVENTS_MAX, Block
from swak.formats.found import each_row
from swak.formats.plain import plain
from swak.formats.undecoded import Undecoded, read_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from swak.event import Body, Record

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, Any])


TIME_BYTES = 40
"""Resident bytes of a time of an event, and its place in a list."""


class JsonText(Undecoded):
    """Lines of UTF-8 that are known to hold one JSON object each, with a line feed at the end and no other line end.

    What nobody reads keeps its bytes: the order of keys, spaces, how a number is written, a key that comes twice.
    """

    __slots__ = ()

    @staticmethod
    def joined(bodies: Sequence[Any], times: Sequence[int], size_bytes: int) -> JsonText:
        """Join texts, which stay text."""
        return JsonText(b"".join([body.data for body in bodies]), times, size_bytes)

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


def encoded(body: Body) -> Body:
    """Return the body as JSON lines, for those who do nothing but write them. What JSON cannot carry stays as it is.

    Bytes are cheap to hand to another thread, and records are not: each is a dozen objects, which the other processor
    has to fetch (0.4 CPU-s a million rows of 8 fields).
    """
    if isinstance(body, Block | JsonText):
        return body
    try:
        data = encode_body(body)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return body  # who writes it finds the event that does not fit, and says so
    return JsonText(data, body.times(), size_of(data, body.times()))


def encoded_parts(parts: Iterable[tuple[Body, str | list[str]]]) -> list[tuple[Body, str | list[str]]]:
    """Encode every body of (body, tags), and join neighbours of one tag: the fewer pass on, the less that costs."""
    made: list[tuple[Body, str | list[str]]] = []
    for (is_text, tags), group in groupby(((encoded(body), tags) for body, tags in parts), key=_joins):
        bodies = [body for body, _ in group]
        if is_text and len(bodies) > 1:
            times = list(chain.from_iterable(body.times() for body in bodies))
            bodies = [JsonText.joined(bodies, times, sum(body.size_bytes for body in bodies))]
        made += [(body, tags) for body in bodies]
    return made


def _joins(part: tuple[Body, str | list[str]]) -> tuple[bool, str | list[str]]:
    body, tags = part
    return isinstance(body, JsonText) and isinstance(tags, str), tags


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
