"""Answers that speak of each event: the events were taken, but some of them were not."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

AGAIN = {408, 425, 429}
"""Statuses below 500 that mean: the same, later."""
_TEXT_CHARS = 300


class Verdict(NamedTuple):
    """What became of the events of one request."""

    refused: dict[int, str]
    """Those that are not wanted, by their place in the request, and why."""
    again: list[int]
    """Those that are to be sent again, later."""


def read_items(text: bytes, count: int) -> Verdict | None:
    """Read an answer like that of a bulk interface to a request of `count` events; None: it speaks of none of them.

    It is `{"errors": true, "items": [...]}` with one element an event, in order. An element has `status` and perhaps
    `error`, or holds one object that has (`{"create": {"status": 400, "error": ...}}`). ValueError: there were errors,
    but the elements cannot be told apart.
    """
    try:
        said = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None  # it is not of this kind
    if not isinstance(said, dict) or not said.get("errors"):
        return None
    items = said.get("items")
    if not isinstance(items, list) or len(items) != count:
        told = f"{len(items)} events" if isinstance(items, list) else "no event"
        raise ValueError(f"the answer says that there were errors, and tells of {told} where {count} were sent")
    verdict = Verdict({}, [])
    for place, item in enumerate(items):
        status, reason = _judged(item)
        if status in AGAIN or status >= 500:
            verdict.again.append(place)
        elif status >= 300:
            verdict.refused[place] = reason
    return verdict


def _judged(item: Any) -> tuple[int, str]:
    """Return status and reason of one element."""
    inner = item
    if isinstance(item, dict) and "status" not in item and len(item) == 1:
        inner = next(iter(item.values()))
    status = inner.get("status") if isinstance(inner, dict) else None
    if not isinstance(status, int):
        raise ValueError(f"the answer tells no status of an event: {str(item)[:_TEXT_CHARS]}")  # noqa: TRY004 - not ours
    error = inner.get("error", "")
    text = error if isinstance(error, str) else msgspec.json.encode(error).decode()
    return status, f"{status} {text}"[:_TEXT_CHARS].strip()
