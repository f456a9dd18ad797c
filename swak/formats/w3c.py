"""W3C extended log files: what their directives say about the lines that follow."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.formats.rows import row_type

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS_MAX = 1_000
"""Fields of one line. IIS knows some thirty."""

_QUOTED = re.compile(r'"((?:[^"]|"")*+)"(?![^ ])|([^ ]+)')


class Columns(NamedTuple):
    """What a `#Fields:` line tells, and the day of a `#Date:` line."""

    row: type[Any]
    headers: tuple[bool, ...]
    """Whether each field holds a header of HTTP, such as `cs(User-Agent)`."""
    date: Callable[[Any], Any] | None
    time: Callable[[Any], Any] | None
    """What takes the date and the time from a row, where there are such fields."""
    day: str = ""


def columns_of(fields: list[str], day: str = "") -> Columns:
    """Return the columns for these fields. ValueError when they cannot be told apart."""
    if not 0 < len(fields) <= FIELDS_MAX:
        raise ValueError(f"#Fields names {len(fields)} fields" if fields else "#Fields names no field")
    if len(set(fields)) < len(fields):
        twice = next(field for field in fields if fields.count(field) > 1)
        raise ValueError(f"#Fields names {twice} twice")
    row = row_type("W3C", tuple(fields))
    inner = dict(zip(fields, row.__struct_fields__, strict=True))
    date, time = (attrgetter(inner[name]) if name in inner else None for name in ("date", "time"))
    return Columns(row, tuple(field.endswith(")") for field in fields), date, time, day)


def split(line: str) -> list[str]:
    """Cut a line at its tabs if it has any, else at its spaces. A value in quotes may hold spaces, and `""` for one."""
    if "\t" in line:
        return line.split("\t")
    if '"' not in line:
        return line.split(" ")
    return [bare or quoted.replace('""', '"') for quoted, bare in _QUOTED.findall(line)]
