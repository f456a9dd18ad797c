"""Patterns: lines of text to rows of one schema. The base of every filter that parses by regular expression."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.formats.found import Found
from swak.formats.parsing import LineParser, Lines, Part, Read
from swak.formats.rows import row_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from swak.event import Rows
    from swak.formats.times import TimeCache

ESCAPED = '\\"'


class Schema(NamedTuple):
    """How a line becomes a row: the call that finds a match, the groups to take, the row's type."""

    find: Callable[[str], re.Match[str] | None]
    groups: Callable[[re.Match[str]], tuple[str | None, ...]]
    row: type[Any]
    time_index: int | None
    """Which of the groups holds the event's time."""
    each: Callable[[str], Iterable[re.Match[str]]] | None = None
    """The call that matches one line of a text after the other, which may leave out some, or take several for one."""


@lru_cache(maxsize=100)
def schema(
    name: str, pattern: re.Pattern[str], *, whole: bool, time_field: str | None = None, plain: bool = False
) -> Schema:
    """Make the schema of the named groups of `pattern`, which must match a line from end to end if `whole`.

    A `plain` one looks at nothing outside of a match: the lines of a whole text can be matched at once.
    The same arguments give the same row type, so that rows made before and after a restart travel together.
    """
    fields = list(pattern.groupindex)
    indices = list(pattern.groupindex.values())
    groups: Callable[[re.Match[str]], tuple[str | None, ...]] = re.Match.groups
    if len(indices) < pattern.groups:  # groups without a name take no part
        pick = itemgetter(*indices)
        groups = pick if len(indices) > 1 else lambda match: (pick(match),)
    find = pattern.fullmatch if whole else pattern.search
    time_index = None if time_field is None else fields.index(time_field)
    each = re.compile(f"^(?:{pattern.pattern})\n", pattern.flags | re.MULTILINE).finditer if plain and whole else None
    return Schema(find, groups, row_type(name, tuple(fields)), time_index, each)


class PatternFilter(LineParser):
    """Parses the text of one field by the first of several schemas that fits. Subclasses set these when they open."""

    times: TimeCache

    def choose(self, first: str, *, alone: bool, escaped: bool) -> tuple[Schema, ...]:
        """Return the schemas to try on a line and those after it, unless it is `alone`, the likeliest first.

        The order must not change what comes out. `escaped`: whether a backslash before a quote may stand in them.
        """
        raise NotImplementedError

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        for find, groups, row, time_index, _ in self.choose(line, alone=True, escaped=ESCAPED in line):
            match = find(line)
            if match is not None:
                found = groups(match)
                text = None if time_index is None else found[time_index]
                return row(*found), time_ns if text is None else self.times[text]
        raise ValueError("no match")

    def read_lines(self, part: Part) -> Rows | None:
        """Read lines that all fit the likeliest schema.

        Each step is one call into C for all lines: a third cheaper than a loop over lines.
        """
        lines = part.lines
        kind = self.choose(lines[0], alone=False, escaped=part.source.may_hold(ESCAPED))[0]
        matches = list(map(kind.find, lines))
        if not all(matches):
            return None
        found = list(map(kind.groups, matches))  # type: ignore[arg-type]  # all() has seen that none is None
        return self._timed(kind, found, part.times)

    def read_text(self, source: Lines) -> Rows | None:
        """Read a whole block by one call, in half the time that it takes with a match for each line.

        A match may begin at a line only, and ends with one. Where there are as many matches as lines, each is one line,
        and holds what it would if the line stood alone.
        """
        text = source.whole
        if text is None:
            return None
        kind = self.choose(text[: text.find("\n")], alone=False, escaped=source.may_hold(ESCAPED))[0]
        found = [] if kind.each is None else list(map(kind.groups, kind.each(text)))
        return self._timed(kind, found, source.times) if len(found) == source.body.count else None

    def _timed(self, kind: Schema, found: list[tuple[Any, ...]], times: Sequence[int]) -> Rows | None:
        index = kind.time_index
        if index is None:
            return Found(kind.row, found, times)
        with suppress(ValueError):  # a time that cannot be read: line by line tells which
            return Found(kind.row, found, list(map(self.times.__getitem__, map(itemgetter(index), found))))
        return None
