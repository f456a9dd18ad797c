"""Parse labelled tab-separated values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.pairs import GROWTH, ROW_BYTES
from swak.formats.parsing import LineParser, Part, Read
from swak.formats.tabbed import unescaped
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record


class Ltsv(LineParser):
    r"""Parse lines of labelled tab-separated values (http://ltsv.org), such as `host:web-1<tab>status:200`.

    Labels become fields; all values are text, and may hold colons. Of a label that comes twice the last value counts.
    With `unescape` the texts `\t`, `\n`, `\r` and `\\` in a value stand for a tab, line ends and a backslash, as swak's
    own format `ltsv` writes them.

    A line does not fit when something between its tabs has no label: it goes to the dead letters, unless `on_error`
    says otherwise.

    Example:
        `task(in_.FileTailing("access.ltsv"), out.Ltsv(), out.Stdout())`
    """

    spreads = True

    unescape: bool = option("Whether a backslash spells tabs and line ends.", default=False)

    growth = GROWTH
    row_bytes = ROW_BYTES

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        for pair in line.split("\t"):
            if pair.find(":") < 1:
                raise ValueError("a value has no label")
        return self._record(line), time_ns

    def read_lines(self, part: Part) -> tuple[list[Record], Sequence[int]] | None:
        try:
            records = list(map(self._record, part.lines))
        except ValueError:
            return None
        return None if any("" in record for record in records) else (records, part.times)

    def _record(self, line: str) -> Record:
        record: Record = dict([pair.split(":", 1) for pair in line.split("\t")])
        if self.unescape and "\\" in line:
            return {label: unescaped(value) for label, value in record.items()}
        return record
