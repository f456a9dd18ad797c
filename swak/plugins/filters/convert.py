"""Convert fields to other types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from swak.event import Dicts, Event, Rows
from swak.formats.conversions import Conversion
from swak.formats.found import Found, kind_of
from swak.formats.parsing import Strict
from swak.formats.rows import columns_of, in_parts, row_type
from swak.options import option
from swak.plugin import Outcome, process_each

if TYPE_CHECKING:
    from swak.event import Batch


class Convert(Strict):
    """Convert fields to int, float, bool or str: parsers leave text.

    `int` takes whole numbers of up to 4,300 digits, and the number 5.0 but not 5.5; `float` also 1e3, but no infinity
    and no NaN, which JSON cannot carry; `bool` takes true, yes, on, 1, false, no, off and 0 in any case. Spaces around
    are ignored. `str` makes JSON of what is nested. The texts in `nulls` become None, whatever the type; None stays
    None, and a field that is missing is left alone. Only fields of the record itself can be converted, no nested ones.

    An event does not fit when one of the values cannot be converted: it goes to the dead letters as it came in, unless
    `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("access.log"), out.Nginx(), out.Convert({"status": "int"}), out.Stdout())`
    """

    spreads = True

    types: dict[str, Literal["int", "float", "bool", "str"]] = option("Type of each field.")
    nulls: list[str] = option("Texts that become None.", default=["", "-"])

    def check(self) -> list[tuple[str, str]]:
        empty = [] if self.types else [("types names no field", 'give the type of each, such as {"status": "int"}')]
        return super().check() + empty

    def open(self) -> None:
        self._conversions = {name: Conversion(kind, self.nulls) for name, kind in self.types.items()}

    def change(self, event: Event) -> Event:
        made = {}
        for name, conversion in self._conversions.items():
            if name in event.record:
                try:
                    made[name] = conversion.value(event.record[name])
                except ValueError as error:
                    raise ValueError(f'field "{name}": {error}') from None
        return event.replace(record=event.record | made)

    def process_batch(self, batch: Batch) -> Outcome:
        """Convert whole columns of rows. Where a value does not fit, and for what is no row, go event by event."""
        body = batch.body
        converted: Rows | Dicts | None = None
        if isinstance(body, Rows) and body.count:
            converted = self._rows(body)
        elif isinstance(body, Dicts):
            converted = self._records(body)
        if converted is None:
            return process_each(self, batch)
        outcome = Outcome()
        outcome.parts += in_parts(converted, batch.tags)
        return outcome

    def _rows(self, body: Rows) -> Rows | None:
        fields = kind_of(body).__struct_encode_fields__
        columns = columns_of(body)
        for number, name in enumerate(fields):
            conversion = self._conversions.get(name)
            if conversion is not None:
                if not set(map(type, columns[number])) <= {str, type(None)}:
                    return None
                try:
                    columns[number] = list(map(conversion.__getitem__, columns[number]))
                except ValueError:
                    return None
        made = row_type(kind_of(body).__name__, fields)
        return Found(made, list(zip(*columns, strict=True)), body.times(), body.size_bytes)

    def _records(self, body: Dicts) -> Dicts | None:
        records = body.records()
        try:
            for name, conversion in self._conversions.items():
                for record in records:
                    if name in record:
                        record[name] = conversion.value(record[name])
        except ValueError:
            return None
        return Dicts(records, body.times(), body.size_bytes)
