"""Take the event's time from a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.event import Block, Dicts, Event, Rows
from swak.formats.found import Found
from swak.formats.moments import Moments, wrong_with
from swak.formats.parsing import Strict
from swak.formats.plain import readable
from swak.formats.rows import column, in_parts
from swak.formats.template import zone_of
from swak.formats.yearless import DAY_NS
from swak.options import option
from swak.plugin import Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Batch


class Time(Strict):
    """Take the event's time from a field.

    `format` says how the time is written: "iso" (ISO 8601, or seconds since 1970), "clf" (as in access logs), "s",
    "ms", "us" or "ns" (numbers since 1970, also as text), or a pattern of Python's `strptime`, such as
    "%d.%m.%Y %H:%M:%S.%f", where `%f` takes 1 to 9 digits behind a point or comma. Names of months and days are
    English, unless a program that embeds swak has set another locale. Of several formats the first that fits counts. A
    field that holds a number counts in the first unit among them, or else in seconds.

    Without a zone in the text the time is of `zone`. An hour that clocks show twice counts as the first of the two; one
    that they skip counts as if they had not been set yet. Where a pattern has no year, it is the last such time that
    lies at most 7 days after the day of the event's time so far. What a text means is remembered: reading costs little.

    The field stays in the record, unless `keep=False`; it must be one of the record itself, no nested one. A field that
    is None or missing leaves the event as it is.

    An event does not fit when its field holds no time, or one beyond the years 1678 to 2262: it goes to the dead
    letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("app.jsonl"), out.Json(), out.Time("at", "ms", keep=False), out.Stdout())`
    """

    spreads = True

    field: str = option("Record field that holds the time.", default="time")
    format: str | list[str] = option("How the time is written.", default="iso")
    zone: str = option('Zone of times without one: "UTC", "local", "+09:00" or "Asia/Seoul".', default="UTC")
    keep: bool = option("Whether the field stays in the record.", default=True)

    def check(self) -> list[tuple[str, str]]:
        problems = super().check()
        try:
            zone_of(self.zone)
        except ValueError as error:
            problems.append((str(error), 'write "UTC", "local", "+09:00" or a name such as "Asia/Seoul"'))
        if not self._formats:
            problems.append(("format is empty", 'leave it out, or write "iso"'))
        problems += [(wrong, "see: swak desc out.Time") for one in self._formats if (wrong := wrong_with(one))]
        return problems

    @property
    def _formats(self) -> list[str]:
        return [self.format] if isinstance(self.format, str) else self.format

    def open(self) -> None:
        self._moments = Moments(self._formats, zone_of(self.zone))

    def change(self, event: Event) -> Event:
        value = event.record.get(self.field)
        if value is None:
            return event
        try:
            time_ns = self._moments.read_ns(value, event.time_ns)
        except ValueError as error:
            raise ValueError(f'field "{self.field}": {error}') from None
        if self.keep:
            return event.replace(time_ns=time_ns)
        return Event(event.tag, time_ns, {name: one for name, one in event.record.items() if name != self.field})

    def process_batch(self, batch: Batch) -> Outcome:
        """Read a whole column of texts. Where one does not fit, and for what is not all text, go event by event."""
        body = batch.body
        times = None if isinstance(body, Block) else self._times(body)
        if isinstance(body, Block) or times is None:
            return process_each(self, batch)
        outcome = Outcome()
        made: Rows | Dicts
        if isinstance(body, Found) and self.keep:
            made = body.timed(times)
        elif isinstance(body, Rows) and self.keep:
            made = Rows(body.rows, times, body.size_bytes)
        elif self.keep:
            made = Dicts(list(readable(body)), times, body.size_bytes)
        else:
            kept = body.records()
            for record in kept:
                record.pop(self.field, None)
            made = Dicts(kept, times, body.size_bytes)
        outcome.parts += in_parts(made, batch.tags)
        return outcome

    def _times(self, body: Rows | Dicts) -> Sequence[int] | None:
        values, before = column(body, self.field) if "." not in self.field else [], body.times()
        if not values or set(map(type, values)) != {str}:
            return None
        if self._moments.day_matters and min(before) // DAY_NS != max(before) // DAY_NS:
            return None
        try:
            return list(map(self._moments.by_text(before[0]).__getitem__, values))
        except ValueError:
            return None
