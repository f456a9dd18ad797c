"""Parse tab-separated values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.tabbed import unescaped
from swak.formats.table import Table
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tsv(Table):
    r"""Parse lines of tab-separated values: `columns` name them, in their order.

    All values are text, an empty one too, and quotes mean nothing. With `unescape` the texts `\t`, `\n`, `\r` and `\\`
    stand for a tab, line ends and a backslash, as swak's own format `tsv` writes them. A line that holds just the names
    of the columns is the head of a file: it is left out, and counted as filtered.

    A line with more or fewer values than columns does not fit: it goes to the dead letters, unless `on_error` says
    otherwise.

    Example:
        `task(in_.FileTailing("people.tsv"), out.Tsv(["name", "age"]), out.Stdout())`
    """

    spreads = True

    unescape: bool = option("Whether a backslash spells tabs and line ends.", default=False)

    def split(self, lines: Sequence[str]) -> list[list[str]]:
        found = [line.split("\t") for line in lines]
        if self.unescape:
            return [list(map(unescaped, values)) for values in found]
        return found
