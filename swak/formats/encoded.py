"""Bodies to JSON lines, where nobody behind does more than write them, pick some, or add a field to all."""

from __future__ import annotations

from itertools import chain, compress, groupby
from operator import not_
from typing import TYPE_CHECKING, Any

from swak.event import Block, Dicts, Rows
from swak.formats.edits import Edits, Sorted
from swak.formats.found import Found, kind_of
from swak.formats.json_text import JsonText, encode_body, size_of
from swak.formats.plain import readable
from swak.formats.rows import column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swak.event import Body
    from swak.picking import Rule


def encoded(body: Body, columns: Sequence[str] = (), rule: Rule | None = None) -> Body:
    """Return the body as JSON lines, with the values of `columns` beside them. What JSON cannot carry stays as it is.

    Lines are sorted by a `rule` that looks at some of the columns: who goes by it next has nothing left to do.

    Bytes are cheap to hand to another thread, and records are not: each is a dozen objects, which the other processor
    has to fetch (0.4 CPU-s a million rows of 8 fields).
    """
    if isinstance(body, Block | JsonText):
        return body
    try:
        made = Edits(encode_body(body)) if rule is None else _sorted(body, rule)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return body  # who writes it finds the event that does not fit, and says so
    fields = kind_of(body).__struct_encode_fields__ if isinstance(body, Rows) and body.count else ()
    times = body.times()
    size_bytes = size_of(made.lines, times) + (0 if made.sorted is None else len(made.sorted.others))
    return JsonText(made, times, size_bytes, fields, {name: _few(column(body, name)) for name in columns})


def _sorted(body: Body, rule: Rule) -> Edits:
    kept = rule.keeps([column(body, name) for name in rule.names])
    if all(kept):
        return Edits(encode_body(body), Sorted(rule.key, kept, b""))
    lines, others = (encode_body(_those(body, wanted)) for wanted in (kept, list(map(not_, kept))))
    return Edits(lines, Sorted(rule.key, kept, others))


def _those(body: Body, wanted: Sequence[bool]) -> Body:
    if isinstance(body, Found):
        return body.chosen(wanted, (), 0)
    return Dicts(list(compress(readable(body), wanted)), (), 0)


def _few(values: list[Any]) -> list[Any]:
    """Return the same with one object for texts that are equal.

    Of the texts that a batch is made of, one in so many would keep the memory around it from being used again as a
    whole, until the batch is settled: making the next ones took twice the time.
    """
    if set(map(type, values)) != {str} or len(different := set(values)) > len(values) // 2:
        return values
    same = dict(zip(different, different, strict=True))
    return list(map(same.__getitem__, values))


def encoded_parts(
    parts: Iterable[tuple[Body, str | list[str]]], columns: Sequence[str] = (), rule: Rule | None = None
) -> list[tuple[Body, str | list[str]]]:
    """Encode every body of (body, tags), and join neighbours of one tag: the fewer pass on, the less that costs."""
    made: list[tuple[Body, str | list[str]]] = []
    for (is_text, tags), group in groupby(((encoded(body, columns, rule), tags) for body, tags in parts), key=_joins):
        bodies = [body for body, _ in group]
        if is_text and len(bodies) > 1:
            times = list(chain.from_iterable(body.times() for body in bodies))
            bodies = [JsonText.joined(bodies, times, sum(body.size_bytes for body in bodies))]
        made += [(body, tags) for body in bodies]
    return made


def _joins(part: tuple[Body, str | list[str]]) -> tuple[bool, str | list[str]]:
    body, tags = part
    return isinstance(body, JsonText) and isinstance(tags, str), tags
