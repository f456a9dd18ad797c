"""Tables: lines of values to rows with columns that the recipe names. The base of Csv and Tsv."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any

from swak.formats.parsing import LineParser, Part, Read
from swak.formats.rows import row_type
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table(LineParser):
    """Parses lines that hold one value for each column. Subclasses cut lines up."""

    columns: list[str] = option("Names of the values, in their order.")

    def split(self, lines: Sequence[str]) -> list[list[str]]:
        """Return the values of every line. ValueError says why one line cannot be cut; of many it may have any text.

        It may return fewer lists than lines: then one of the lines does not end where it should.
        """
        raise NotImplementedError

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        twice = [name for name in self.columns if self.columns.count(name) > 1]
        if not self.columns:
            problems.append(("columns is empty", "name the values in their order"))
        if twice:
            problems.append((f'there are two columns "{twice[0]}"', "give each its own name"))
        else:
            try:
                row_type("Row", tuple(self.columns))
            except ValueError as error:
                problems.append((f"columns: {error}", "give it another name"))
        return problems

    def open(self) -> None:
        self._row = row_type("Row", tuple(self.columns))

    def read_line(self, line: str, time_ns: int, tag: str) -> Read | None:
        del tag
        (values,) = self.split((line,))
        if len(values) != len(self.columns):
            raise ValueError(f"{len(values)} values for {len(self.columns)} columns")
        return None if values == self.columns else (self._row(*values), time_ns)

    def read_lines(self, part: Part) -> tuple[list[Any], Sequence[int]] | None:
        lines = part.lines
        try:
            found = self.split(lines)
        except ValueError:
            return None
        if len(found) != len(lines) or set(map(len, found)) != {len(self.columns)} or self.columns in found:
            return None
        return list(starmap(self._row, found)), part.times
