"""JSON lines: text to records, one object a line, whatever the line holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record

NESTING_MAX = 500
"""Levels of objects and arrays in one line. Python's own limit is near 1,000 and depends on who calls: a record just
below it could be read here and not be written by an output."""

_DECODER = msgspec.json.Decoder(dict[str, Any])


def read_object(line: str) -> Record:
    """Read a line that holds one JSON object. ValueError says what is wrong, and at which byte where that is known.

    Of a key that comes twice the last value counts. Integers may have any size. NaN, Infinity, halves of surrogate
    pairs and numbers beyond a float's range are no JSON.
    """
    try:
        record = _DECODER.decode(line)
    except RecursionError:
        raise ValueError(f"nested deeper than {NESTING_MAX} levels") from None
    except ValueError as error:
        raise ValueError(_reason(line, error)) from None
    if _may_be_deep(line) and deeper(record, NESTING_MAX):
        raise ValueError(f"nested deeper than {NESTING_MAX} levels")
    return record


def read_objects(lines: Sequence[bytes] | Sequence[str]) -> list[Record] | None:
    """Read many lines of text or UTF-8 in one sweep, or return None if any of them needs a closer look.

    The decoder's own `decode_lines` skips empty lines and takes two objects in one: it cannot tell which line is bad.
    """
    if not lines or max(map(len, lines)) > 2 * NESTING_MAX:  # short lines cannot be deep
        return None
    try:
        return list(map(_DECODER.decode, lines))
    except ValueError:
        return None


def _may_be_deep(line: str) -> bool:
    return len(line) > 2 * NESTING_MAX and line.count("{") + line.count("[") > NESTING_MAX


def deeper(value: object, levels: int) -> bool:
    """Tell whether objects and arrays are nested deeper than that."""
    level = [value]
    for _ in range(levels):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return False
        level = inner
    return any(isinstance(one, dict | list) for one in level)


def _reason(line: str, error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"half of a surrogate pair (character {error.start})"
    text = str(error).removeprefix("JSON is malformed: ")
    if text == "Input data was truncated":
        return f"the line ends too early (byte {len(line.encode())})"
    if text.startswith("Expected"):
        return f"{text.replace('`', '').lower()} (byte {len(line) - len(line.lstrip())})"
    return text.split(" - at ")[0]
