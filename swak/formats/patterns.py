"""Patterns: lines of text to rows of one schema. The base of every filter that parses by regular expression."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from itertools import starmap
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.errors import Refused
from swak.event import EVENTS_MAX, Block, Dicts, Event, Rows
from swak.formats.times import TimeCache
from swak.plugin import DeadEvent, Filter, Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.event import Batch, Record

PARSED_BYTES = 550
"""Resident bytes of a parsed line beyond the line itself: 734 measured for a row of 183 bytes."""

ESCAPED = '\\"'


class Schema(NamedTuple):
    """How a line becomes a row: the call that finds a match, the groups to take, the row's type."""

    find: Callable[[str], re.Match[str] | None]
    groups: Callable[[re.Match[str]], tuple[str | None, ...]]
    row: type[Any]
    time_index: int | None
    """Which of the groups holds the event's time."""


@lru_cache(maxsize=100)
def schema(name: str, pattern: re.Pattern[str], *, whole: bool, time_field: str | None = None) -> Schema:
    """Make the schema of the named groups of `pattern`, which must match a line from end to end if `whole`.

    The same arguments give the same row type, so that rows made before and after a restart travel together.
    """
    fields = list(pattern.groupindex)
    indices = list(pattern.groupindex.values())
    groups: Callable[[re.Match[str]], tuple[str | None, ...]] = re.Match.groups
    if len(indices) < pattern.groups:  # groups without a name take no part
        pick = itemgetter(*indices)
        groups = pick if len(indices) > 1 else lambda match: (pick(match),)
    row = msgspec.defstruct(name, [(field, Any) for field in fields], gc=False)
    find = pattern.fullmatch if whole else pattern.search
    return Schema(find, groups, row, None if time_field is None else fields.index(time_field))


class PatternFilter(Filter):
    """Parses the text of one field by the first of several schemas that fits. Subclasses set these when they open."""

    field = "message"
    keep = False
    times: TimeCache

    def choose(self, lines: Sequence[str], *, escaped: bool) -> tuple[Schema, ...]:
        """Return the schemas to try on these lines, the likeliest first. The order must not change what comes out.

        `escaped`: whether a backslash before a quote may stand in them.
        """
        raise NotImplementedError

    def process(self, event: Event) -> Event:
        text = event.record.get(self.field)
        if not isinstance(text, str):
            found = f"holds {type(text).__name__}, not text" if self.field in event.record else "is missing"
            raise Refused([event], f'{self.name}: field "{self.field}" {found}')
        read = self._read(text, self.choose((text,), escaped=ESCAPED in text), event.time_ns)
        if isinstance(read, str):
            raise Refused([event], read)
        row, time_ns = read
        record: Record = msgspec.structs.asdict(row)
        if self.keep:
            record = {name: value for name, value in event.record.items() if name != self.field} | record
        return Event(event.tag, time_ns, record)

    def process_batch(self, batch: Batch) -> Outcome:
        """Parse lines at about the cost of matching them. What is no Block goes event by event."""
        body = batch.body
        if not isinstance(body, Block) or self.field != "message" or not isinstance(batch.tags, str):
            return process_each(self, batch)
        outcome = Outcome()
        lines, read_times = body.lines(), body.times()
        schemas = self.choose(lines, escaped=body.may_hold(ESCAPED)) if lines else ()
        for start in range(0, len(lines), EVENTS_MAX):
            part = lines[start : start + EVENTS_MAX]
            rows, times, dead = self._parse(part, read_times[start : start + EVENTS_MAX], schemas)
            outcome.dead += [DeadEvent(Event(batch.tags, at, {"message": line}), why) for line, at, why in dead]
            if rows:
                size_bytes = body.size_bytes * len(rows) // len(lines) + PARSED_BYTES * len(rows)
                made = Rows(rows, times, size_bytes)
                alike = len(set(map(type, rows))) == 1
                outcome.parts.append((made if alike else Dicts(made.records(), times, size_bytes), batch.tags))
        return outcome

    def _parse(
        self, lines: list[str], read_times: Sequence[int], schemas: tuple[Schema, ...]
    ) -> tuple[list[Any], list[int], list[tuple[str, int, str]]]:
        """Return rows, their times, and the lines that are dead with their time and reason.

        When every line fits the likeliest schema, each step is one call into C for all lines: a third cheaper than a
        loop over lines.
        """
        find, groups, row, time_index = schemas[0]
        matches = list(map(find, lines))
        if all(matches):
            found = list(map(groups, matches))  # type: ignore[arg-type]  # all() has seen that none is None
            if time_index is None:
                return list(starmap(row, found)), list(read_times), []
            with suppress(ValueError):  # a time that cannot be read: line by line tells which
                times = list(map(self.times.__getitem__, map(itemgetter(time_index), found)))
                return list(starmap(row, found)), times, []
        return self._parse_each(lines, read_times, schemas)

    def _parse_each(
        self, lines: list[str], read_times: Sequence[int], schemas: tuple[Schema, ...]
    ) -> tuple[list[Any], list[int], list[tuple[str, int, str]]]:
        rows: list[Any] = []
        times: list[int] = []
        dead: list[tuple[str, int, str]] = []
        for line, read_ns in zip(lines, read_times, strict=True):
            read = self._read(line, schemas, read_ns)
            if isinstance(read, str):
                dead.append((line, read_ns, read))
            else:
                rows.append(read[0])
                times.append(read[1])
        return rows, times, dead

    def _read(self, line: str, schemas: tuple[Schema, ...], read_ns: int) -> tuple[Any, int] | str:
        """Return the line's row and time, or why there is none."""
        for find, groups, row, time_index in schemas:
            match = find(line)
            if match is None:
                continue
            found = groups(match)
            text = None if time_index is None else found[time_index]
            try:
                return row(*found), read_ns if text is None else self.times[text]
            except ValueError as error:
                return f"{self.name}: {error}"
        return f"{self.name}: no match"
