"""Parsing: filters that some events do not fit, and among them those that turn lines of text into records."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from swak.errors import Refused
from swak.event import EVENTS_MAX, Block, Dicts, Event, Rows, record_of
from swak.formats.rows import ONE_BYTE_LINE_ENDS, column
from swak.formats.template import look_up
from swak.options import option
from swak.plugin import DeadEvent, Filter, Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.event import Batch, Body, Record

PARSED_BYTES = 550
"""Resident bytes of a parsed line beyond the line itself: 734 measured for a row of 8 fields of 183 bytes."""

ON_ERROR = "What becomes of an event that does not fit: dead letter, passed on unchanged, or dropped and counted."

Read = tuple[Any, int]
"""A row (a struct, or a dict) and its time."""


class Strict(Filter):
    """A filter that some events do not fit. What becomes of those is the recipe's choice, alike in every such filter.

    Subclasses say in `change` what becomes of the others.
    """

    on_error: Literal["dead", "pass", "drop"] = option(ON_ERROR, default="dead", last=True)
    error_tag: str | None = option(
        'With on_error="pass": tag of such events; None keeps theirs.', default=None, last=True
    )

    def check(self) -> list[tuple[str, str]]:
        if self.error_tag is not None and self.on_error != "pass":
            return [('error_tag has a meaning with on_error="pass" only', "add that, or leave error_tag out")]
        return []

    def change(self, event: Event) -> Event | None:
        """Return what takes the event's place; None leaves it out, and it is counted. ValueError: it does not fit."""
        raise NotImplementedError

    def process(self, event: Event) -> Event | None:
        try:
            return self.change(event)
        except ValueError as error:
            if self.on_error == "dead":
                raise Refused([event], self.reason(error)) from None
        return event.replace(tag=self.error_tag) if self.on_error == "pass" else None

    def reason(self, error: ValueError) -> str:
        """Return what is told about an event that does not fit."""
        return f"{self.name}: {error}"


class Lines:
    """The lines that one field of a batch's events holds: decoded when somebody asks, and once."""

    def __init__(self, body: Body, tag: str, field: str) -> None:
        self.body = body
        self.tag = tag
        self.times = body.times()
        self._field = field
        self._holds: dict[str, bool] = {}

    @cached_property
    def text(self) -> list[str]:
        """Every line."""
        return column(self.body, self._field)

    @property
    def whole(self) -> str | None:
        """All lines as one text, each ending in a line feed; None where that is not how they stand in the body."""
        body = self.body
        if not isinstance(body, Block) or body.encoding.lower() not in ONE_BYTE_LINE_ENDS or b"\r" in body.data:
            return None
        return body.data.decode(body.encoding, "replace")

    @cached_property
    def raw(self) -> list[bytes] | None:
        """Every line as it was read, where that is UTF-8."""
        body = self.body
        plain = isinstance(body, Block) and body.encoding.lower() in ("utf-8", "utf8")
        return body.data.split(b"\n") if isinstance(body, Block) and plain else None

    def may_hold(self, text: str) -> bool:
        """Tell whether `text` may stand in a line. A "no" is certain."""
        if text not in self._holds:
            body = self.body
            found = _may_hold(body, text) if isinstance(body, Block) else any(text in line for line in self.text)
            self._holds[text] = found
        return self._holds[text]

    def event(self, index: int) -> Event:
        """Make the event that the line came from."""
        body = self.body
        if isinstance(body, Block):
            return Event(self.tag, self.times[index], {"message": self.text[index]})
        record = record_of(body.rows[index]) if isinstance(body, Rows) else body.shared[index].copy()
        return Event(self.tag, self.times[index], record)


@lru_cache(maxsize=100)
def _finder(wanted: bytes) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Return a search for some bytes of which the first one stands often, and the others seldom behind it."""
    return re.compile(re.escape(wanted[:1]) + b"(?=" + re.escape(wanted[1:]) + b")").search


def _may_hold(block: Block, text: str) -> bool:
    """Tell without decoding whether `text` may stand in the lines. A "no" is certain, a "yes" nearly.

    Where it begins is found by leaps. Then one byte is looked for, and what follows it: in lines with many such bytes
    that takes a third of the time of looking for two, or of leaping from one to the next.
    """
    mark = "".encode(block.encoding)  # a byte order mark, where the encoding writes one
    wanted = text.encode(block.encoding).removeprefix(mark)
    first = block.data.find(wanted[:1])
    return first >= 0 and _finder(wanted)(block.data, first) is not None


class Part:
    """At most EVENTS_MAX of a batch's lines."""

    def __init__(self, source: Lines, start: int) -> None:
        self.source = source
        self.start = start
        self.stop = min(start + EVENTS_MAX, source.body.count)

    @property
    def tag(self) -> str:
        """The tag of all these events."""
        return self.source.tag

    @property
    def lines(self) -> list[str]:
        """Every line."""
        return self.source.text[self.start : self.stop]

    @property
    def raw(self) -> list[bytes] | None:
        """Every line as it was read, where that is UTF-8."""
        return None if self.source.raw is None else self.source.raw[self.start : self.stop]

    @property
    def times(self) -> Sequence[int]:
        """The time of each event."""
        return self.source.times[self.start : self.stop]


class LineParser(Strict):
    """Parses the text of one field, which becomes the record.

    Subclasses read a line in `read_line`, and many good ones at less cost in `read_lines`.
    """

    field: str = option("Record field that holds the line; `outer.inner` leads into one.", default="message", last=True)
    keep: bool = option("Whether the event's other fields stay, too.", default=False, last=True)

    growth: ClassVar[int] = 1
    """Resident bytes that a byte of text becomes."""
    row_bytes: ClassVar[int] = PARSED_BYTES
    """Resident bytes of a row beyond its text."""

    def read_line(self, line: str, time_ns: int, tag: str) -> Read | None:
        """Read one line, of an event with that time and tag: a row (struct or dict) and its time.

        None leaves the line out and counts it. ValueError says why it cannot be read.
        """
        raise NotImplementedError

    def read_lines(self, part: Part) -> tuple[list[Any], Sequence[int]] | Rows | None:
        """Read lines in one sweep: what `read_line` makes of each. None, and no effect, if one needs a closer look."""
        del part
        return None  # each line gets its closer look

    def read_text(self, source: Lines) -> Rows | None:
        """Read all lines in one sweep, and with the same effect. None, and no effect, if that cannot be."""
        del source
        return None

    def change(self, event: Event) -> Event | None:
        text = look_up(event.record, self.field)
        if not isinstance(text, str):
            missing = text is None and self.field not in event.record
            found = "is missing" if missing else f"holds {type(text).__name__}, not text"
            raise ValueError(f'field "{self.field}" {found}')  # noqa: TRY004 - a ValueError is what does not fit
        read = self.read_line(text, event.time_ns, event.tag)
        if read is None:
            return None
        record = read[0] if isinstance(read[0], dict) else record_of(read[0])
        if self.keep:
            record = {name: value for name, value in event.record.items() if name != self.field} | record
        return Event(event.tag, read[1], record)

    def process_batch(self, batch: Batch) -> Outcome:
        """Parse lines in parts, at about the cost of taking them apart. What is not all text goes event by event.

        A whole block stays whole: who takes the outcome cuts it up, unless it is encoded and needs no cutting.
        """
        source = self._source(batch)
        if source is None:
            return process_each(self, batch)
        outcome = Outcome()
        whole = self.read_text(source)
        if whole is not None:
            whole.size_bytes = batch.size_bytes * self.growth + self.row_bytes * whole.count
            outcome.parts += [(whole, source.tag)] if whole.count else []
            return outcome
        for start in range(0, batch.count, EVENTS_MAX):
            part = Part(source, start)
            read = self.read_lines(part)
            body: Rows | Dicts
            tags: str | list[str]
            if isinstance(read, Rows):
                body, tags = read, source.tag
            else:
                rows, times, tags = (*read, source.tag) if read is not None else self._read_each(part, outcome)
                body = _body_of(rows, times)
            if body.count:
                share_bytes = batch.size_bytes * self.growth * body.count // batch.count
                body.size_bytes = share_bytes + self.row_bytes * body.count
                outcome.parts.append((body, tags))
        return outcome

    def _source(self, batch: Batch) -> Lines | None:
        if not isinstance(batch.tags, str):
            return None
        source = Lines(batch.body, batch.tags, self.field)
        if isinstance(batch.body, Block):
            return source if self.field == "message" else None
        return source if not self.keep and set(map(type, source.text)) <= {str} else None

    def _read_each(self, part: Part, outcome: Outcome) -> tuple[list[Any], list[int], str | list[str]]:
        rows: list[Any] = []
        times: list[int] = []
        passed: list[int] = []
        for index, (line, time_ns) in enumerate(zip(part.lines, part.times, strict=True), part.start):
            try:
                read = self.read_line(line, time_ns, part.tag)
            except ValueError as error:
                if self.on_error == "dead":
                    outcome.dead.append(DeadEvent(part.source.event(index), self.reason(error)))
                    continue
                read = None
                if self.on_error == "pass":
                    passed.append(len(rows))
                    read = part.source.event(index).record, time_ns
            if read is None:
                outcome.filtered += 1
            else:
                rows.append(read[0])
                times.append(read[1])
        return rows, times, self._tags(part.tag, passed, len(rows))

    def _tags(self, tag: str, passed: list[int], count: int) -> str | list[str]:
        if not passed or self.error_tag is None:
            return tag
        if len(passed) == count:
            return self.error_tag
        tags = [tag] * count
        for index in passed:
            tags[index] = self.error_tag
        return tags


def _body_of(rows: list[Any], times: Sequence[int]) -> Rows | Dicts:
    kinds = set(map(type, rows))
    if len(kinds) == 1 and dict not in kinds:
        return Rows(rows, times, 0)
    records: list[Record] = rows if kinds == {dict} else [row if type(row) is dict else record_of(row) for row in rows]
    return Dicts(records, times, 0)
