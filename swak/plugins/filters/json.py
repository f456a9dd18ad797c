"""Parse JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.json_lines import read_object, read_objects
from swak.formats.parsing import LineParser, Part, Read
from swak.formats.times import TimeCache, any_ns, iso_ns
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Record


class Json(LineParser):
    """Parse the text of a field as one JSON object, which becomes the record.

    The event keeps its time, unless `time_field` names a field of the object with a better one: seconds since 1970 as
    a number or text, or ISO 8601, which counts as UTC where it names no zone. Without the field, or with null in it,
    the event keeps its time, too.

    Text that is no JSON object does not fit, and the reason says at which byte; nor do an impossible time, a field that
    is missing or is no text, and objects nested more than 500 levels deep: such events go to the dead letters, unless
    `on_error` says otherwise. Integers may have up to 4,300 digits; of a key that comes twice the last value counts;
    undecodable bytes become U+FFFD.

    Example:
        `task(in_.FileTailing("app.jsonl"), out.Json(time_field="ts"), out.Stdout())`
    """

    spreads = True

    field: str = option("Record field that holds the text; `outer.inner` leads into one.", default="message")
    time_field: str | None = option("Field of the object that holds the event's time.", default=None)

    growth = 4  # measured for an access log with short values
    row_bytes = 200

    def open(self) -> None:
        self._known_ns = TimeCache(iso_ns)

    def read_line(self, line: str, time_ns: int, tag: str) -> Read:
        del tag
        record = read_object(line)
        return record, self._time_ns(record, time_ns)

    def read_lines(self, part: Part) -> tuple[list[Record], Sequence[int]] | None:
        records = read_objects(part.lines if part.raw is None else part.raw)
        if records is None or self.time_field is None:
            return None if records is None else (records, part.times)
        try:
            return records, [
                self._time_ns(record, read_ns) for record, read_ns in zip(records, part.times, strict=True)
            ]
        except ValueError:
            return None

    def _time_ns(self, record: Record, read_ns: int) -> int:
        value = None if self.time_field is None else record.get(self.time_field)
        if value is None:
            return read_ns
        try:
            return self._known_ns[value] if isinstance(value, str) else any_ns(value)
        except ValueError as error:
            raise ValueError(f'field "{self.time_field}": {error}') from None
