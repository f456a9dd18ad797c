"""Records as columns: CSV, tab-separated values, and labelled ones (LTSV)."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from swak.formats.template import look_up, text_of
from swak.formats.times import iso_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record

_NO_LABEL = re.compile(r"[^0-9A-Za-z_.@-]")
_NO_TABBED = re.compile(r"[\\\t\r\n]")
_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}


def values_of(tag: str, time_ns: int, record: Record, fields: Sequence[str]) -> list[str]:
    """Return the text of each field, empty where there is none.

    `@tag` and `@timestamp` are the event's own where the record has no such fields.
    """
    return [text_of(_value(tag, time_ns, record, name)) for name in fields]


def _value(tag: str, time_ns: int, record: Record, name: str) -> object:
    value = look_up(record, name)
    if value is None and name == "@tag":
        return tag
    return iso_ms(time_ns) if value is None and name == "@timestamp" else value


def csv_line(values: Sequence[str]) -> str:
    """Return a line as RFC 4180 has it, but ended by a line feed; line ends inside a value stay, in quotes."""
    written = io.StringIO()
    csv.writer(written).writerow(values)  # quotes what is in its line end, CR LF: with LF alone a CR would stand bare
    return written.getvalue()[:-2] + "\n"


def tsv_line(values: Sequence[str]) -> str:
    r"""Return values with tabs between them; tabs, line ends and backslashes inside become \t, \n, \r and \\."""
    return "\t".join(_tabbed(value) for value in values) + "\n"


def ltsv_line(tag: str, time_ns: int, record: Record, fields: Sequence[str] | None) -> str:
    r"""Return `label:value` with tabs between them, for all fields or the given ones that the record has.

    What cannot be in a label (http://ltsv.org: letters, digits, `_`, `.`, `-`) becomes `_`; tabs, line ends and
    backslashes in a value become \t, \n, \r and \\.
    """
    names = [str(name) for name in record] if fields is None else fields
    pairs = [(name, _value(tag, time_ns, record, name)) for name in names]
    return "\t".join(f"{_label(name)}:{_tabbed(text_of(value))}" for name, value in pairs if value is not None) + "\n"


def _label(name: str) -> str:
    return _NO_LABEL.sub("_", name) or "_"


def _tabbed(value: str) -> str:
    return _NO_TABBED.sub(lambda match: _ESCAPED[match[0]], value)
