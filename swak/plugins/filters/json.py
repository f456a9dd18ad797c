"""Parse JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.errors import Refused
from swak.event import EVENTS_MAX, Block, Dicts, Event
from swak.formats.json_lines import read_object, read_objects
from swak.formats.times import TimeCache, any_ns, iso_ns
from swak.options import option
from swak.plugin import DeadEvent, Filter, Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Batch, Record

RECORD_BYTES = 200
"""Resident bytes of a small record beyond its values."""
BYTES_PER_BYTE = 4
"""Resident bytes that a byte of JSON becomes, in an access log with short values."""


class Json(Filter):
    """Parse the text of a field as one JSON object, which becomes the record.

    The event keeps its time, unless `time_field` names a field of the object with a better one: seconds since 1970 as
    a number or text, or ISO 8601, which counts as UTC where it names no zone. Without the field, or with null in it,
    the event keeps its time, too.

    Text that is no JSON object goes to the dead letters with a reason that says at which byte, and so do an
    impossible time, a field that is missing or is no text, and objects nested more than 500 levels deep. Integers may
    have up to 4,300 digits; of a key that comes twice the last value counts; undecodable bytes become U+FFFD.

    Example:
        `task(in_.FileTailing("app.jsonl"), out.Json(time_field="ts"), out.Stdout())`
    """

    field: str = option("Record field that holds the text.", default="message")
    time_field: str | None = option("Field of the object that holds the event's time.", default=None)
    keep: bool = option("Whether the event's other fields stay, too.", default=False)

    def open(self) -> None:
        self._known_ns = TimeCache(iso_ns)

    def process(self, event: Event) -> Event:
        text = event.record.get(self.field)
        if not isinstance(text, str):
            found = f"holds {type(text).__name__}, not text" if self.field in event.record else "is missing"
            raise Refused([event], f'Json: field "{self.field}" {found}')
        try:
            record = read_object(text)
            time_ns = self._time_ns(record, event.time_ns)
        except ValueError as error:
            raise Refused([event], f"Json: {error}") from None
        if self.keep:
            record = {name: value for name, value in event.record.items() if name != self.field} | record
        return Event(event.tag, time_ns, record)

    def process_batch(self, batch: Batch) -> Outcome:
        """Parse raw lines in one sweep, and one by one where a line is bad. What is no Block goes event by event."""
        body = batch.body
        if not isinstance(body, Block) or self.field != "message" or not isinstance(batch.tags, str):
            return process_each(self, batch)
        outcome = Outcome()
        plain = body.encoding.lower() in ("utf-8", "utf8")
        raw, lines, times = body.data.split(b"\n") if plain else [], None, body.times()
        for start in range(0, body.count, EVENTS_MAX):
            stop = min(start + EVENTS_MAX, body.count)
            read = self._read_all(raw[start:stop], times[start:stop])
            if read is None:
                lines = body.lines() if lines is None else lines
                read = self._read_each(lines[start:stop], times[start:stop], batch.tags, outcome.dead)
            records, part_times = read
            if records:
                size_bytes = body.size_bytes * BYTES_PER_BYTE * len(records) // body.count
                made = Dicts(records, part_times, size_bytes + RECORD_BYTES * len(records))
                outcome.parts.append((made, batch.tags))
        return outcome

    def _read_all(self, lines: list[bytes], times: Sequence[int]) -> tuple[list[Record], Sequence[int]] | None:
        """Read good lines in one sweep; None if any is bad."""
        records = read_objects(lines)
        if records is None or self.time_field is None:
            return None if records is None else (records, times)
        try:
            return records, [self._time_ns(record, read_ns) for record, read_ns in zip(records, times, strict=True)]
        except ValueError:
            return None

    def _read_each(
        self, lines: list[str], times: Sequence[int], tag: str, dead: list[DeadEvent]
    ) -> tuple[list[Record], Sequence[int]]:
        records: list[Record] = []
        made_times: list[int] = []
        for line, read_ns in zip(lines, times, strict=True):
            try:
                record = read_object(line)
                made_times.append(self._time_ns(record, read_ns))
            except ValueError as error:
                dead.append(DeadEvent(Event(tag, read_ns, {"message": line}), f"Json: {error}"))
            else:
                records.append(record)
        return records, made_times

    def _time_ns(self, record: Record, read_ns: int) -> int:
        value = None if self.time_field is None else record.get(self.time_field)
        if value is None:
            return read_ns
        try:
            return self._known_ns[value] if isinstance(value, str) else any_ns(value)
        except ValueError as error:
            raise ValueError(f'field "{self.time_field}": {error}') from None
