"""Change the fields of events."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from swak.errors import Refused
from swak.event import Block, Dicts, Event, Rows
from swak.formats.found import kind_of
from swak.formats.json_text import JsonText
from swak.formats.placeholders import NAMES, Filled, filled, same_for_all
from swak.formats.rows import in_parts, remade
from swak.formats.template import text_of
from swak.options import option
from swak.plugin import Filter, Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Batch

UNWRITABLE = (TypeError, ValueError, RecursionError)
"""What making text of a value raises, when no format can carry it."""

_ANY = Event("", 0, {})
"""Stands for all events where a value is the same for all."""


class Reform(Filter):
    """Rename, set, delete and keep fields of events, in this order, and give events another tag.

    Values to set, texts nested in them too, may hold placeholders: `${field}` (`${outer.inner}` for nested ones,
    `${record[time]}` for a field with a name of the list here), `${time}` (ISO 8601, UTC), `${tag}`, `${tag_parts[0]}`,
    `${tag_prefix[1]}` (the parts up to that one), `${tag_suffix[1]}` (from that one on), `${hostname}`, `${hostaddr}`
    and `${hostaddr_parts[0]}`. Negative numbers count from the end; a part that is not there is empty. They all see the
    event as it came in. A value that is one placeholder and nothing else keeps its type, and is None where the field is
    missing; in a longer text a missing field is empty, and what is nested is JSON. Braces without `$` are text, and
    `$${` stands for `${`.

    The fields to change are those of the record itself: "a.b" is the name of one field. One that is not there cannot be
    renamed or deleted: nothing happens. A new name replaces a field of that name.

    An event goes to the dead letters when text is to be made of a value that no format can carry.

    Example:
        `task(in_.FileTailing("app.log"), out.Reform(set={"at": "${hostname}/${tag}"}, delete=["pid"]), out.Stdout())`
    """

    spreads = True

    set: dict[str, Any] | None = option("Fields to set, with their values.", default=None)
    rename: dict[str, str] | None = option("New names of fields, by their old ones.", default=None)
    delete: list[str] | None = option("Fields to take out.", default=None)
    keep: list[str] | None = option("The only fields to leave in.", default=None)
    tag: str | None = option("New tag, with placeholders too.", default=None)

    def check(self) -> list[tuple[str, str]]:
        problems = []
        for value in [*(self.set or {}).values(), self.tag]:
            try:
                filled(value)
            except ValueError as error:
                problems.append((f"{value!r:.100}: {error}", f"there is {NAMES} and ${{field}}"))
        problems += [
            (f'the new field "{name}" is taken out again', "delete and keep come after rename and set")
            for name in [*(self.rename or {}).values(), *(self.set or {})]
            if name in (self.delete or []) or (self.keep is not None and name not in self.keep)
        ]
        if self.set is None and self.rename is None and self.delete is None and self.keep is None and self.tag is None:
            problems.append(("nothing is to be changed", "give set, rename, delete, keep or tag"))
        return problems

    def json_columns(self) -> list[str] | None:
        only_adds = not self.rename and not self.delete and self.keep is None
        return [] if only_adds and all(map(same_for_all, [*(self.set or {}).values(), self.tag])) else None

    def open(self) -> None:
        values = (self.set or {}).items()
        self._set: list[tuple[str, Filled]] = [(name, filled(value)) for name, value in values]
        self._rename = list((self.rename or {}).items())
        self._delete = self.delete or []
        self._keep = None if self.keep is None else list(self.keep)
        self._changes_nothing = not (self._set or self._rename or self._delete) and self._keep is None
        self._tag = None if self.tag is None else filled(self.tag)
        self._only_adds = self.json_columns() is not None
        self._same_for_all = all(map(same_for_all, [*(self.set or {}).values(), self.tag]))

    def process(self, event: Event) -> Event:
        try:
            return self._reformed(event)
        except UNWRITABLE as error:
            raise Refused([event], f"Reform: a value cannot be made text: {error}") from None

    def process_batch(self, batch: Batch) -> Outcome:
        try:
            return self._all_reformed(batch)
        except UNWRITABLE:
            return process_each(self, batch)

    def _reformed(self, event: Event) -> Event:
        tag = event.tag if self._tag is None else text_of(self._tag(event))
        values = [fill(event) for _, fill in self._set]
        return Event(tag, event.time_ns, self._changed(event.record.copy(), values))

    def _all_reformed(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        body, tags = batch.body, batch.tags
        events, times = ([_ANY], batch.count) if self._same_for_all else (batch.events(), 1)
        if self._tag is not None:
            made = [text_of(self._tag(event)) for event in events]
            tags = made[0] if len(set(made)) == 1 else made
        if self._changes_nothing and (isinstance(tags, str) or not isinstance(body, Block)):
            outcome.parts += [(body, tags)] if isinstance(body, Block) else in_parts(body, tags)
            return outcome
        added = [list(map(fill, events)) * times for _, fill in self._set]
        outcome.parts += in_parts(self._body(batch, added), tags)
        return outcome

    def _body(self, batch: Batch, added: list[list[Any]]) -> Rows | Dicts:
        """Return the events with the columns `added`. Rows stay rows, unless no field is left in them."""
        body = batch.body
        if isinstance(body, JsonText) and self._only_adds:
            extended = body.extended({name: values[0] for (name, _), values in zip(self._set, added, strict=True)})
            if extended is not None:
                return extended
        if isinstance(body, Rows) and body.count:
            fields = kind_of(body).__struct_encode_fields__
            numbers = range(len(fields), len(fields) + len(added))
            layout = self._changed({name: number for number, name in enumerate(fields)}, numbers)
            if layout:
                return remade(body, layout, added, alike=self._same_for_all)
        values = zip(*added, strict=True) if added else repeat(())
        records = list(map(self._changed, body.records(), values))
        return Dicts(records, body.times(), None if isinstance(body, Block) else batch.size_bytes)

    def _changed(self, record: dict[str, Any], values: Sequence[Any]) -> dict[str, Any]:
        """Change `record` itself, with the values to be set, and return it or what is kept of it."""
        record.update([(new, record.pop(old)) for old, new in self._rename if old in record])
        for (name, _), value in zip(self._set, values, strict=True):
            record[name] = value
        for name in self._delete:
            record.pop(name, None)
        if self._keep is not None:
            return {name: record[name] for name in self._keep if name in record}
        return record
