"""Parse logfmt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.pairs import GROWTH, ROW_BYTES, logfmt
from swak.formats.parsing import LineParser, Part, Read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record


class Logfmt(LineParser):
    r"""Parse lines of pairs such as `level=info msg="all is well" took=5ms`, as many programs in Go write them.

    Keys become fields; all values are text. A value in quotes may hold spaces, and `\"`, `\\`, `\n`, `\t`, `\r` and
    `\u00e9` in it stand for one character. A key without a value has the empty text. Of a key that comes twice the last
    value counts.

    A line without any `=` does not fit, nor does one with a quote that is not closed or in the middle of a word, or
    with no key before `=`: it goes to the dead letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("app.log"), out.Logfmt(), out.Time("ts"), out.Stdout())`
    """

    spreads = True

    growth = GROWTH
    row_bytes = ROW_BYTES

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        return logfmt(line), time_ns

    def read_lines(self, part: Part) -> tuple[list[Record], Sequence[int]] | None:
        try:
            return list(map(logfmt, part.lines)), part.times
        except ValueError:
            return None
