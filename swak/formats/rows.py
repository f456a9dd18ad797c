"""Rows and columns: row types with any field names, one field of every event, and some of the events of a batch."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import astuple

from swak.event import EVENTS_MAX, Block, Dicts, Rows
from swak.formats.found import Found, kind_of
from swak.formats.json_text import JsonText
from swak.formats.plain import readable
from swak.formats.template import look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from swak.event import Batch, Body

_NO_NAME = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
ONE_BYTE_LINE_ENDS = ("utf-8", "utf8", "ascii", "us-ascii", "latin-1", "iso-8859-1")
"""Encodings in which the byte of a line feed is always a line feed."""


@lru_cache(maxsize=100, typed=True)
def row_type(name: str, fields: tuple[str, ...], *constants: str | float | bytes | None) -> type[Any]:
    """Make a struct with these fields, which all hold anything. Names need be no identifiers, but all different.

    `constants` are the values of the last fields, where nothing else is said.
    The same arguments give the same type, so that rows made before and after a restart travel together.
    ValueError names a field that no struct can have.
    """
    plain = all(field.isidentifier() and not field.startswith("__") for field in fields)
    inner = list(fields) if plain else [f"f{number}" for number in range(len(fields))]
    first = len(fields) - len(constants)
    typed = [
        (field, Any, constants[number - first]) if number >= first else (field, Any)
        for number, field in enumerate(inner)
    ]
    if plain:
        return msgspec.defstruct(name, typed, gc=False)
    written = dict(zip(inner, fields, strict=True))
    wrong = next((field for field in fields if _NO_NAME.search(field)), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:50]!r} can be no field: it holds a quote, a backslash or a control character")
    return msgspec.defstruct(name, typed, rename=written, gc=False)


def column(body: Body, name: str) -> list[Any]:
    """Return one field of every event, None where it is missing. `outer.inner` leads into nested fields."""
    if isinstance(body, Block):
        return body.lines() if name == "message" else [None] * body.count
    if isinstance(body, Rows) and body.count:
        kind = kind_of(body)
        if name in kind.__struct_encode_fields__:
            number = kind.__struct_encode_fields__.index(name)
            if isinstance(body, Found):
                return body.column(number)
            return list(map(attrgetter(kind.__struct_fields__[number]), body.rows))
        if "." not in name:
            return [None] * body.count
    known = body.column(name) if isinstance(body, JsonText) else None
    if known is not None:
        return list(known)
    records = readable(body)
    if "." in name:
        return [look_up(record, name) for record in records]
    return [record.get(name) for record in records]


def columns_of(body: Rows) -> list[Sequence[Any]]:
    """Return every field of every row, of a body that is not empty."""
    return body.columns() if isinstance(body, Found) else [*zip(*map(astuple, body.rows), strict=True)]


def remade(body: Rows, layout: Mapping[str, int], added: Sequence[Sequence[Any]], *, alike: bool = False) -> Rows:
    """Make rows with the fields of `layout`, from the columns that are there and those `added`; their times stay.

    `layout`, not empty, tells for each field the number of its column, where the added ones come last. Nothing of
    `body`, which other branches may share, is changed. ValueError names a field that no struct can have.
    `alike`: each added column holds one value only, again and again.
    """
    kind = kind_of(body)
    if (
        alike
        and isinstance(body, Found)
        and list(layout.values()) == list(range(len(kind.__struct_fields__) + len(added)))
    ):
        constants = *body.constants(), *(column[0] for column in added)
        made = row_type(kind.__name__, tuple(layout), *constants)
        return Found(made, body.values, body.times(), body.size_bytes)
    made = row_type(kind.__name__, tuple(layout))
    columns = [*columns_of(body), *added]
    values = list(zip(*[columns[number] for number in layout.values()], strict=True))
    return Found(made, values, body.times(), body.size_bytes)


def selected(batch: Batch, wanted: Sequence[bool]) -> list[tuple[Body, str | list[str]]]:
    """Return the events for which `wanted` holds, in parts that are not too long; lines stay bytes."""
    body, tags = batch.body, batch.tags
    tags = tags if isinstance(tags, str) else list(compress(tags, wanted))
    if not any(wanted):
        return []
    if all(wanted):
        return [(body, tags)] if isinstance(body, Block) else in_parts(body, tags)
    if isinstance(body, Block) and body.encoding.lower() in ONE_BYTE_LINE_ENDS:
        return [(_lines_of(body, wanted), tags)]
    times = list(compress(body.times(), wanted))
    if isinstance(body, JsonText):
        return [(body.chosen(wanted, times), tags)]
    size_bytes = body.size_bytes * len(times) // body.count
    chosen: Rows | Dicts
    if isinstance(body, Found):
        chosen = body.chosen(wanted, times, size_bytes)
    elif isinstance(body, Rows):
        chosen = Rows(list(compress(body.rows, wanted)), times, size_bytes)
    else:
        chosen = Dicts(list(compress(readable(body), wanted)), times, size_bytes)
    return in_parts(chosen, tags)


def in_parts(body: Rows | Dicts, tags: str | list[str]) -> list[tuple[Body, str | list[str]]]:
    """Cut a body into parts that are not too long. JSON lines, whose length is bounded as raw lines' is, stay one."""
    if body.count <= EVENTS_MAX or isinstance(body, JsonText):
        return [(body, tags)] if body.count else []
    starts = range(0, body.count, EVENTS_MAX)
    cut = [tags if isinstance(tags, str) else tags[start : start + EVENTS_MAX] for start in starts]
    return [(body.cut(start, start + EVENTS_MAX), part) for start, part in zip(starts, cut, strict=True)]


def bounded(parts: Iterable[tuple[Body, str | list[str]]]) -> list[tuple[Body, str | list[str]]]:
    """Cut bodies of (body, tags) that are too long."""
    made: list[tuple[Body, str | list[str]]] = []
    for body, tags in parts:
        made += [(body, tags)] if isinstance(body, Block) else in_parts(body, tags)
    return made


def _lines_of(body: Block, wanted: Sequence[bool]) -> Block:
    data = b"\n".join(compress(body.data.split(b"\n"), wanted)) + b"\n"
    times = list(compress(body.times(), wanted))
    alike = times.count(times[0]) == len(times)
    return Block(data, times[0], body.encoding, len(times), None if alike else times)
