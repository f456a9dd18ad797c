"""Parse lines of syslog."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from swak.formats.parsing import LineParser, Part, Read
from swak.formats.syslog import FACILITY_OF, RFC3164, RFC5424, SEVERITY_OF, Layout, stamp_ns, structured
from swak.formats.template import zone_of
from swak.formats.yearless import DAY_NS, YearlessTimes
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

_LAYOUTS = {"auto": (RFC5424, RFC3164), "rfc5424": (RFC5424,), "rfc3164": (RFC3164,)}


class Syslog(LineParser):
    """Parse lines of syslog: RFC 5424, and RFC 3164 as it is found in the wild, each line as what it is.

    The fields are facility and severity (names such as "authpriv" and "err"; None for lines without `<34>`, as in files
    under /var/log), host, program, pid and message; for RFC 5424 also msgid and data, the structured data as
    {id: {name: value}}. What is "-" or missing is None; all else is text.

    The event gets the time of the line, which is no field. It may be `Nov 21 01:07:27`, with a year or a fraction too,
    or ISO 8601; a leap second counts as the first of the next day. Without a zone it counts as in `zone`. Without a
    year it is the last such time that lies at most 7 days after the day on which the line was read: older than a year,
    a line is dated too late.

    A line of another shape does not fit ("no match"), nor does one with an impossible time or a priority above 191:
    such lines go to the dead letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("/var/log/syslog"), out.Syslog(zone="local"), out.Stdout())`
    """

    spreads = True

    format: Literal["auto", "rfc3164", "rfc5424"] = option("Which lines to take.", default="auto")
    zone: str = option('Zone of times without one: "UTC", "local" or a name such as "Asia/Seoul".', default="UTC")

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        try:
            zone_of(self.zone)
        except ValueError as error:
            problems.append((str(error), 'write "UTC", "local" or a name such as "Asia/Seoul"'))
        return problems

    def open(self) -> None:
        self._layouts: tuple[Layout, ...] = _LAYOUTS[self.format]
        self._times = YearlessTimes(stamp_ns(zone_of(self.zone)))

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        for find, row, data_index in self._layouts:
            match = find(line)
            if match is None:
                continue
            pri, text, *values = match.groups()
            if pri not in FACILITY_OF:
                raise ValueError(f"there is no priority {pri}")
            if data_index is not None:
                values[data_index - 2] = structured(match[data_index + 1])
            at_ns = time_ns if text is None else self._times.read_at(time_ns)[text]
            return row(FACILITY_OF[pri], SEVERITY_OF[pri], *values), at_ns
        raise ValueError("no match")

    def read_lines(self, part: Part) -> tuple[list[Any], Sequence[int]] | None:
        lines, read_times = part.lines, part.times
        likely = next((one for one in self._layouts if one.find(lines[0]) is not None), self._layouts[0])
        matches = list(map(likely.find, lines))
        if not all(matches) or min(read_times) // DAY_NS != max(read_times) // DAY_NS:
            return None
        groups = map(re.Match.groups, matches)  # type: ignore[arg-type]  # all() has seen that none is None
        pris, texts, *columns = zip(*groups, strict=True)
        known_ns = self._times.read_at(read_times[0])
        if likely.data_index is not None and any(columns[likely.data_index - 2]):
            columns[likely.data_index - 2] = tuple(map(structured, columns[likely.data_index - 2]))
        try:
            facilities, severities = map(FACILITY_OF.__getitem__, pris), map(SEVERITY_OF.__getitem__, pris)
            rows = list(map(likely.row, facilities, severities, *columns))
            if None not in texts:
                return rows, list(map(known_ns.__getitem__, texts))
            paired = zip(texts, read_times, strict=True)
            return rows, [read_ns if text is None else known_ns[text] for text, read_ns in paired]
        except (KeyError, ValueError):  # a priority or a time that there is not: line by line tells which
            return None
