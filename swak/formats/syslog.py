"""Syslog: the lines of RFC 3164 and RFC 5424, their priorities, structured data and times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.formats.rows import row_type
from swak.formats.times import NS, in_zone, iso_ns, leap_ns

if TYPE_CHECKING:
    from collections.abc import Callable

_FACILITIES = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock"
FACILITIES = [*_FACILITIES.split(), *(f"local{number}" for number in range(8))]
SEVERITIES = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
"""Names of the numbers, as in RFC 5424, tables 1 and 2, and in syslog.conf."""

FACILITY_OF: dict[str | None, str | None] = {str(pri): FACILITIES[pri // 8] for pri in range(192)} | {None: None}
SEVERITY_OF: dict[str | None, str | None] = {str(pri): SEVERITIES[pri % 8] for pri in range(192)} | {None: None}
"""By the number that stands at the start of a line. Lines in files have none."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"([A-Z][a-z]{2}) ([ 0-3]?[0-9])(?: ([0-9]{4}))? ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
)
_PRI = "<([0-9]{1,3})>"
_NIL = "(?:-|([^ ]+)) "

_RFC3164 = re.compile(
    rf"(?:{_PRI})?"
    r"([A-Z][a-z]{2} [ 0-3]?[0-9] (?:[0-9]{4} )?[0-9:]{8}(?:\.[0-9]{1,9})?|[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+):? "
    r"(?:([^ ]*[^ :]) )?"
    r"(?:([^ :\[\]]+)(?:\[([^ \]]*)\])?:(?: |$|(?=\[)))?(.*)",
    re.DOTALL,
)
# Possessive, so that a long line that does not fit is walked through once.
_PARAM = r'[^ =\]"]++="[^"\\]*+(?:\\.[^"\\]*+)*+"'
_RFC5424 = re.compile(
    rf"{_PRI}[1-9][0-9]? {_NIL * 5}(?:-|((?:\[[^ =\]\"]++(?: {_PARAM})*+\])++))(?: \ufeff?(.*))?", re.DOTALL
)
_ELEMENT = re.compile(rf"\[([^ =\]\"]++)((?: {_PARAM})*+)\]", re.DOTALL)
_VALUE = re.compile(r'([^ =\]"]++)="([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\\]])')


class Layout(NamedTuple):
    """How one RFC's line becomes a row: groups are the priority, the time, and then the row's further fields."""

    find: Callable[[str], re.Match[str] | None]
    row: type[Any]
    data_index: int | None
    """Which group holds structured data."""


RFC3164 = Layout(
    _RFC3164.fullmatch, row_type("Syslog", ("facility", "severity", "host", "program", "pid", "message")), None
)
RFC5424 = Layout(
    _RFC5424.fullmatch,
    row_type("Syslog", ("facility", "severity", "host", "program", "pid", "msgid", "data", "message")),
    6,
)


def structured(text: str | None) -> dict[str, dict[str, str]] | None:
    """Read structured data, `[id name="value"]...`, that has matched. An id that comes twice adds its names."""
    if text is None:
        return None
    made: dict[str, dict[str, str]] = {}
    for name, values in _ELEMENT.findall(text):
        known = made.setdefault(name, {})
        for key, value in _VALUE.findall(values):
            known[key] = _ESCAPE.sub(r"\1", value) if "\\" in value else value
    return made


def stamp_ns(zone: tzinfo | None) -> Callable[[str, int], int]:
    """Make a reader for the times of both RFCs. Without a zone they count as in `zone`, without a year as in that year.

    ValueError when there is no such time.
    """

    def read_ns(text: str, year: int) -> int:
        if text[10:11] == "T":
            return iso_ns(text, zone)
        match = _TIME.fullmatch(text)
        if match is None or match[1] not in _MONTHS:
            raise ValueError(f"there is no time {text[:100]!r}")
        month = _MONTHS.index(match[1]) // 4 + 1
        clock = int(match[4]), int(match[5]), int(match[6])
        try:
            local = datetime(int(match[3] or year), month, int(match[2]), *clock)  # noqa: DTZ001 - its zone comes next
            whole_s = (in_zone(local, zone) - _EPOCH) // timedelta(seconds=1)
        except (ValueError, OverflowError, OSError) as error:
            leap = leap_ns(text, lambda earlier: read_ns(earlier, year))
            if leap is not None:
                return leap
            raise ValueError(f"there is no time {text!r}: {error}") from None
        return whole_s * NS + int((match[7] or "0").ljust(9, "0"))

    return read_ns
