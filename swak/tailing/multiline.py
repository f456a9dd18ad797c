"""Several lines as one event: patterns and a bound say where an event begins and ends."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate, islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.options import Duration, Size, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BYTES_MAX = 2**20
"""The most that `max_bytes` may be: an event is read again until it is whole."""

_PATTERNS = ("start", "continue", "end")
_KEYS = (*_PATTERNS, "timeout", "max_bytes")


class Multiline(NamedTuple):
    """Where events of several lines begin and end. Patterns are searched in a line without its end.

    An event ends, looked at in this order: after a line that `end` matches; before a line that `start` matches; before
    a line that `continue_` does not match, if there is such a pattern; before the line that would make it larger than
    `max_bytes`, which is a split. A larger line is an event by itself. Nothing is dropped: lines before the first
    start, or between an end and the next start, are an event too.
    """

    start: re.Pattern[str] | None = None
    """Matches the first line of an event."""
    continue_: re.Pattern[str] | None = None
    """Matches the lines of an event but its first."""
    end: re.Pattern[str] | None = None
    """Matches the last line of an event."""
    timeout_s: float = 1.0
    """How long an event that may go on waits for its next line."""
    max_bytes: int = 256 * 1024
    """Of an event, with its line ends."""

    def events(
        self, lines: Sequence[str], sizes: Sequence[int], *, known: int = 0, events_max: int | None = None
    ) -> tuple[list[int], int]:
        """Return how many lines each complete event has, at most `events_max` of them, and how many ends are splits.

        `lines` start with the first line of an event; `sizes`: bytes of each, its end included. The lines after the
        complete events are one event that may go on: called again with them and more lines, the answer is as if all had
        been there at once. If there are `events_max`, more of them may be complete. `known`: how many of the first
        lines a call before this one left over like this; no pattern is searched in them again.
        """
        reach = list(accumulate(sizes, initial=0))
        ends = list(islice(self._ends(self._edges(lines, known), reach), events_max))
        indexes = [0, *(index for index, _ in ends)]
        return [after - before for before, after in pairwise(indexes)], sum(split for _, split in ends)

    def _edges(self, lines: Sequence[str], known: int) -> list[int]:
        """Return the indexes of the lines that the patterns let an event end before, in order."""
        first = max(known, 1)  # an event begins with the line before it, whatever that looks like
        fresh = lines[first:]
        begins: list[bool] = []
        if self.start is not None and self.continue_ is not None:
            starts, goes_on = self.start.search, self.continue_.search
            begins = [starts(line) is not None or goes_on(line) is None for line in fresh]
        elif self.start is not None:
            starts = self.start.search
            begins = [starts(line) is not None for line in fresh]
        elif self.continue_ is not None:
            goes_on = self.continue_.search
            begins = [goes_on(line) is None for line in fresh]
        edges = [index for index, begun in enumerate(begins, first) if begun]
        if self.end is None:
            return edges
        ends = self.end.search
        ended = [ends(line) is not None for line in lines[first - 1 :]]
        return sorted({*edges, *(index for index, closed in enumerate(ended, first) if closed)})

    def _ends(self, edges: list[int], reach: list[int]) -> Iterator[tuple[int, bool]]:
        """Yield the index after each complete event and whether it is a split. `reach[i]`: bytes before line `i`."""
        begin = 0
        count = len(reach) - 1
        goes_on = not edges or edges[-1] < count
        for edge in [*edges, count] if goes_on else edges:
            while reach[edge] - reach[begin] > self.max_bytes:
                fitting = bisect_right(reach, reach[begin] + self.max_bytes, begin, edge) - 1
                cut = max(fitting, begin + 1)  # a line alone may be larger
                if cut == edge:
                    break
                yield cut, True
                begin = cut
            if edge < count or not goes_on:
                yield edge, False
                begin = edge


def parse_multiline(value: str | Mapping[str, object]) -> Multiline:
    """Read a recipe's `multiline`: the start pattern, or a mapping.

    Its keys: "start", "continue" (or "continue_"), "end", "timeout" (a Duration), "max_bytes" (a Size).
    ValueError says what is wrong.
    """
    if isinstance(value, str):
        value = {"start": value}
    if not isinstance(value, dict):
        wanted = 'a start pattern or a mapping such as {"start": "^\\d"}'
        raise ValueError(f"wants {wanted}, not {value!r}")  # noqa: TRY004 - as all bad options
    given: dict[str, object] = {}
    for key, one in value.items():
        name = "continue" if key == "continue_" else key
        if name not in _KEYS:
            raise ValueError(f"unknown key {key!r}; {suggest(str(key), _KEYS)}")
        if name in given:
            raise ValueError('"continue" and "continue_" are the same: give one of them')
        given[name] = one
    start, goes_on, end = (_pattern(name, given.get(name)) for name in _PATTERNS)
    if start is None and goes_on is None and end is None:
        raise ValueError('give at least one of the patterns "start", "continue" and "end"')
    return Multiline(start, goes_on, end, **_bounds(given))


def _pattern(name: str, text: object) -> re.Pattern[str] | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"{name} wants a regular expression, not {text!r}")  # noqa: TRY004 - as all bad options
    if not text:
        raise ValueError(f"{name} is empty, which matches every line: leave it out, or say what to look for")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} {text!r} is not a regular expression: {error}; see Python's `re`") from None


def _bounds(given: dict[str, object]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for key, field, kind in (("timeout", "timeout_s", Duration), ("max_bytes", "max_bytes", Size)):
        if key not in given:
            continue
        try:
            bounds[field] = kind(given[key])  # type: ignore[arg-type]  # it refuses what is no str or number
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
    if bounds.get("timeout_s") == 0:
        raise ValueError(f'timeout wants a duration above 0, such as "1s", not {given["timeout"]!r}')
    if not 1 <= bounds.get("max_bytes", 1) <= BYTES_MAX:
        raise ValueError(f'max_bytes wants a size from 1 to {BYTES_MAX} ("1MiB"), not {given["max_bytes"]!r}')
    return bounds
