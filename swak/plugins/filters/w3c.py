"""Parse W3C extended log files."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from swak.formats.parsing import LineParser, Lines, Part, Read
from swak.formats.times import TimeCache, iso_ns
from swak.formats.w3c import Columns, columns_of, split
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS_MAX = 10_000
"""Tags whose fields are remembered; the one that was told first is forgotten first."""


class W3C(LineParser):
    """Parse lines of W3C extended log files, as IIS, CloudFront and many proxies write them.

    The line `#Fields:` names the fields of the lines that follow, and may come again with others. Lines that begin with
    `#` are left out, and counted as filtered. Values stand between spaces, or tabs; one in quotes may hold spaces. All
    values are text, as they stand in the line. With `decode` "-" is None, and "+" in headers such as `cs(User-Agent)`
    is a space. The event gets the time of the fields `date` and `time`, in UTC; `time` alone is of the day that the
    last `#Date:` line names.

    What `#Fields:` said is kept for each tag, since a filter does not see which file a line is from: files with
    different fields need different tags. It is forgotten at a restart: `header=["#Date:", "#Fields:"]` lets
    `in_.FileTailing` hand those lines out again where it reads on in the middle of a file. Without that, give `fields`.

    A line does not fit when it has more or fewer values than there are fields, when no `#Fields:` came before it, or
    when its time is impossible; neither does a `#Fields:` line that names none, or one twice. Such lines go to the dead
    letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("u_ex*.log", header=["#Date:", "#Fields:"]), out.W3C(), out.Stdout())`
    """

    spreads = False

    fields: list[str] | None = option("Fields of the lines before any #Fields.", default=None)
    decode: bool = option('Whether "-" becomes None, and "+" in headers a space.', default=False)

    @property
    def needs_header(self) -> tuple[str, ...]:
        """Lines that a file's reader should hand out again where it reads on in the middle."""
        return ("#Date:", "#Fields:") if self.fields is None else ()

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        try:
            columns_of(["time"] if self.fields is None else self.fields)
        except ValueError as error:
            problems.append((f"fields: {error}", "name each field once, as in #Fields"))
        return problems

    def open(self) -> None:
        self._known_ns = TimeCache(iso_ns)
        self._first = None if self.fields is None else columns_of(self.fields)
        self._told: dict[str, Columns | None] = {}
        self._days: dict[str, str] = {}

    def read_line(self, line: str, time_ns: int, tag: str) -> Read | None:
        if line.startswith("#"):
            self._learn(line, tag)
            return None
        columns = self._told.get(tag, self._first)
        if columns is None:
            raise ValueError("no #Fields before it, and the option fields names none")
        values = split(line)
        if len(values) != len(columns.headers):
            raise ValueError(f"{len(values)} values for {len(columns.headers)} fields")
        row = columns.row(*(self._decoded(columns, values) if self.decode else values))
        return row, self._moments(columns, [row], (time_ns,))[0]

    def read_lines(self, part: Part) -> tuple[list[Any], Sequence[int]] | None:
        columns = self._told.get(part.tag, self._first)
        lines = part.lines
        if columns is None or not self._plain(part.source, lines):
            return None
        row = columns.row
        try:
            if self.decode:
                rows = [row(*self._decoded(columns, line.split(" "))) for line in lines]
            else:
                rows = [row(*line.split(" ")) for line in lines]
            return rows, self._moments(columns, rows, part.times)
        except (TypeError, ValueError):  # more or fewer values than fields, or a time that there is not
            return None

    def _plain(self, source: Lines, lines: list[str]) -> bool:
        """Tell whether spaces alone cut these lines."""
        if source.may_hold("#") and any(line.startswith("#") for line in lines):
            return False
        return not any(source.may_hold(mark) and any(mark in line for line in lines) for mark in '"\t')

    def _moments(self, columns: Columns, rows: list[Any], times: Sequence[int]) -> Sequence[int]:
        if columns.time is None or not (columns.date or columns.day):
            return times
        known_ns, clocks = self._known_ns, map(columns.time, rows)
        days = repeat(columns.day) if columns.date is None else map(columns.date, rows)
        return [known_ns[f"{day} {clock}"] for day, clock in zip(days, clocks, strict=False)]

    def _decoded(self, columns: Columns, values: list[str]) -> list[str | None]:
        pairs = zip(values, columns.headers, strict=True)
        return [None if one == "-" else one.replace("+", " ") if header else one for one, header in pairs]

    def _learn(self, line: str, tag: str) -> None:
        name, _, rest = line[1:].partition(":")
        if name.strip().lower() == "date":
            self._remember(self._days, tag, rest.strip()[:10])
            known = self._told.get(tag)
            if known is not None:
                self._told[tag] = known._replace(day=self._days[tag])
        elif name.strip().lower() == "fields":
            self._remember(self._told, tag, None)
            self._told[tag] = columns_of(rest.split(), self._days.get(tag, ""))

    def _remember(self, known: dict[str, Any], tag: str, value: Any) -> None:
        if tag not in known and len(known) >= TAGS_MAX:
            del known[next(iter(known))]
        known[tag] = value
