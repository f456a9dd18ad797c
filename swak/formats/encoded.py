"""Bodies to JSON lines, where nobody behind does more than write them, pick some, or add a field to all."""

from __future__ import annotations

from itertools import chain, groupby
from typing import TYPE_CHECKING

from swak.event import Block, Rows
from swak.formats.found import kind_of
from swak.formats.json_text import JsonText, encode_body, size_of
from swak.formats.rows import column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swak.event import Body


def encoded(body: Body, columns: Sequence[str] = ()) -> Body:
    """Return the body as JSON lines, with the values of `columns` beside them. What JSON cannot carry stays as it is.

    Bytes are cheap to hand to another thread, and records are not: each is a dozen objects, which the other processor
    has to fetch (0.4 CPU-s a million rows of 8 fields).
    """
    if isinstance(body, Block | JsonText):
        return body
    try:
        data = encode_body(body)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return body  # who writes it finds the event that does not fit, and says so
    fields = kind_of(body).__struct_encode_fields__ if isinstance(body, Rows) and body.count else ()
    times = body.times()
    return JsonText(data, times, size_of(data, times), fields, {name: column(body, name) for name in columns})


def encoded_parts(
    parts: Iterable[tuple[Body, str | list[str]]], columns: Sequence[str] = ()
) -> list[tuple[Body, str | list[str]]]:
    """Encode every body of (body, tags), and join neighbours of one tag: the fewer pass on, the less that costs."""
    made: list[tuple[Body, str | list[str]]] = []
    for (is_text, tags), group in groupby(((encoded(body, columns), tags) for body, tags in parts), key=_joins):
        bodies = [body for body, _ in group]
        if is_text and len(bodies) > 1:
            times = list(chain.from_iterable(body.times() for body in bodies))
            bodies = [JsonText.joined(bodies, times, sum(body.size_bytes for body in bodies))]
        made += [(body, tags) for body in bodies]
    return made


def _joins(part: tuple[Body, str | list[str]]) -> tuple[bool, str | list[str]]:
    body, tags = part
    return isinstance(body, JsonText) and isinstance(tags, str), tags
