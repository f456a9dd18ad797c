"""W3C extended log files: what their directives say about the lines that follow."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from swak.formats.rows import row_type

FIELDS_MAX = 1_000
"""Fields of one line. IIS knows some thirty."""

_QUOTED = re.compile(r'"((?:[^"]|"")*+)"(?![^ ])|([^ ]+)')


class Columns(NamedTuple):
    """What a `#Fields:` line tells, and the day of a `#Date:` line."""

    fields: tuple[str, ...]
    row: type[Any]
    date_index: int | None
    time_index: int | None
    headers: tuple[bool, ...]
    """Whether each field holds a header of HTTP, such as `cs(User-Agent)`."""
    day: str = ""

    def moment(self, values: list[str]) -> str | None:
        """Return the text of a line's time, None when its fields tell none."""
        if self.time_index is None:
            return None
        day = self.day if self.date_index is None else values[self.date_index]
        return f"{day} {values[self.time_index]}" if day else None


def columns_of(fields: list[str], day: str = "") -> Columns:
    """Return the columns for these fields. ValueError when they cannot be told apart."""
    twice = next((field for field in fields if fields.count(field) > 1), None) if len(fields) <= FIELDS_MAX else None
    if not fields or twice or len(fields) > FIELDS_MAX:
        why = "names no field" if not fields else f"names {twice} twice" if twice else f"names {len(fields)} fields"
        raise ValueError(f"#Fields {why}")
    index = {field: number for number, field in enumerate(fields)}
    headers = tuple(field.endswith(")") for field in fields)
    return Columns(tuple(fields), row_type("W3C", tuple(fields)), index.get("date"), index.get("time"), headers, day)


def split(line: str) -> list[str]:
    """Cut a line at its tabs if it has any, else at its spaces. A value in quotes may hold spaces, and `""` for one."""
    if "\t" in line:
        return line.split("\t")
    if '"' not in line:
        return line.split(" ")
    return [bare or quoted.replace('""', '"') for quoted, bare in _QUOTED.findall(line)]
