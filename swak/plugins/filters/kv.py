"""Parse pairs of key and value, with separators of your choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.pairs import GROWTH, ROW_BYTES, Pairs
from swak.formats.parsing import LineParser, Part, Read
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record


class Kv(LineParser):
    r"""Parse pairs of key and value, such as `user=ada; role=admin`, with separators of your choice.

    Keys become fields; all values are text. Spaces around keys and values are no part of them. A value may stand in
    quotes: separators in it mean nothing, and `\"`, `\\`, `\n`, `\t`, `\r` and `\u00e9` stand for one character. Of a
    key that comes twice the last value counts. Words that are no pair go to the field that `rest` names, in the place
    of a pair of that name.

    A line does not fit when it has no pair at all, when a quote at the start of a value is not closed or is followed by
    text, or, without `rest`, when a word is no pair: it goes to the dead letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("audit.log"), out.Kv(between=";", equals=":", rest="text"), out.Stdout())`
    """

    spreads = True

    between: str = option("Text between two pairs.", default=" ")
    equals: str = option("Text between a key and its value.", default="=")
    quotes: str = option("Characters that may enclose a value; the same one ends it.", default="\"'")
    rest: str | None = option(
        "Field for the words that are no pair, joined by spaces; None: they are errors.", default=None
    )

    growth = GROWTH
    row_bytes = ROW_BYTES

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        problems += [
            (f"{name} is empty", "give at least one character")
            for name, given in (("between", self.between), ("equals", self.equals))
            if not given
        ]
        if self.between == self.equals:
            problems.append(("between and equals are the same", "change one of them"))
        odd = [mark for mark in self.quotes if mark.isalnum() or mark.isspace() or mark == "\\"]
        if odd:
            problems.append((f"{odd[0]!r} cannot be a quote", "leave it out of quotes"))
        return problems

    def open(self) -> None:
        self._pairs = Pairs(self.between, self.equals, self.quotes)

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        return self._record(line), time_ns

    def read_lines(self, part: Part) -> tuple[list[Record], Sequence[int]] | None:
        try:
            return list(map(self._record, part.lines)), part.times
        except ValueError:
            return None

    def _record(self, line: str) -> Record:
        record, words = self._pairs.read(line)
        if not record:
            raise ValueError("no pair")
        if words and self.rest is None:
            raise ValueError("a word is no pair")
        if words and self.rest is not None:
            record[self.rest] = " ".join(words)
        return record
