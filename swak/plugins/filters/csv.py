"""Parse comma-separated values."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from swak.formats.table import Table
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence


class Csv(Table):
    """Parse lines of comma-separated values (RFC 4180): `columns` name them, in their order.

    All values are text, an empty one too. Quotes around a value may hold separators; a quote in it is doubled. A line
    that holds just the names of the columns is the head of a file: it is left out, and counted as filtered. A value
    with line ends arrives in one piece only if the input keeps those lines together (`multiline=` of FileTailing).

    A line with more or fewer values than columns does not fit, nor does a quote that is not closed, text around a value
    in quotes, a quote inside a value that has none around it, or a value of more than 131,072 characters: such lines go
    to the dead letters, unless `on_error` says otherwise. The parts of a record whose quoted value was cut at its line
    ends are mostly of that kind.

    Example:
        `task(in_.FileTailing("orders.csv"), out.Csv(["id", "customer", "total"]), out.Stdout())`
    """

    spreads = True

    separator: str = option("Character between two values.", default=",")
    quote: str | None = option("Character around values that need it; None: quotes mean nothing.", default='"')

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        for name, given in (("separator", self.separator), ("quote", self.quote)):
            if given is not None and (len(given) != 1 or given in "\r\n\0"):
                problems.append((f"{name} {given!r} is not one character", "a tab is written \\t"))
        if self.separator == self.quote:
            problems.append(("separator and quote are the same", "change one of them"))
        return problems

    def open(self) -> None:
        super().open()
        mark, stop = re.escape(self.quote or "\n"), re.escape(self.separator)
        value = f"(?:{mark}(?:[^{mark}]|{mark}{mark})*+{mark}|[^{mark}{stop}]*+)"
        self._fits = re.compile(f"{value}(?:{stop}{value})*+").fullmatch

    def split(self, lines: Sequence[str]) -> list[list[str]]:
        try:
            if self.quote is None:
                return list(csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE, strict=True))
            found = list(csv.reader(lines, delimiter=self.separator, quotechar=self.quote, strict=True))
        except csv.Error as error:
            said = str(error)
            known = {"unexpected end of data": "a quote is not closed"}
            raise ValueError(known.get(said, said.partition(" - ")[0])) from None
        # The reader takes quotes inside a value without quotes for text. They are rather the rest of a record that was
        # cut inside a quoted value: to read that as values would be wrong, and nobody would see it.
        if any(self.quote in line and self._fits(line) is None for line in lines):
            raise ValueError("a quote inside a value without quotes")
        return found
