"""Keep events by patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.formats.conditions import expression, shown
from swak.formats.rows import column, selected
from swak.formats.template import look_up
from swak.options import option
from swak.plugin import Filter, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Batch, Event


class Grep(Filter):
    """Keep the events whose fields match patterns, and drop the others; `out.Filter` is another name for it.

    `include` and `exclude` are regular expressions by field, or one for the field `message`. A pattern may match
    anywhere in the value; bind it with `^` and `$`. An event stays when every field of `include` matches and no field
    of `exclude` does. A missing field, or None, matches nothing: with `include` the event goes, with `exclude` it
    stays. `outer.inner` leads into nested fields; values that are no text are tried as JSON.

    What is dropped counts as filtered, never as lost. Raw lines are passed on as the bytes that they are.

    Example:
        `task(in_.FileTailing("app.log"), out.Grep("ERROR|WARN", exclude={"message": "healthz"}), out.Stdout())`
    """

    spreads = True

    include: dict[str, str] | str | None = option("Patterns that must match, by field.", default=None)
    exclude: dict[str, str] | str | None = option("Patterns that must not match, by field.", default=None)

    def check(self) -> list[tuple[str, str]]:
        problems = []
        if not self.include and not self.exclude:
            problems.append(
                ("neither include nor exclude is given", 'give patterns, such as include={"level": "ERROR"}')
            )
        for pattern in [*_by_field(self.include).values(), *_by_field(self.exclude).values()]:
            try:
                expression(pattern)
            except ValueError as error:
                problems.append((str(error), "see Python's `re`"))
        return problems

    def json_columns(self) -> list[str]:
        return [*_by_field(self.include), *_by_field(self.exclude)]

    def open(self) -> None:
        rules = [(self.include, True), (self.exclude, False)]
        self._rules: list[tuple[str, Callable[[str], Any], bool]] = [
            (name, expression(pattern).search, wanted)
            for by, wanted in rules
            for name, pattern in _by_field(by).items()
        ]

    def process(self, event: Event) -> Event | None:
        for name, search, wanted in self._rules:
            text = shown(look_up(event.record, name))
            if (text is not None and search(text) is not None) is not wanted:
                return None
        return event

    def process_batch(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        kept = [True] * batch.count
        for name, search, wanted in self._rules:
            values = column(batch.body, name)
            if set(map(type, values)) != {str}:
                values = [shown(value) for value in values]
            found = [value is not None and search(value) is not None for value in values]
            kept = [stays and match is wanted for stays, match in zip(kept, found, strict=True)]
        outcome.parts += selected(batch, kept)
        outcome.filtered = kept.count(False)
        return outcome


def _by_field(patterns: dict[str, str] | str | None) -> dict[str, str]:
    return {"message": patterns} if isinstance(patterns, str) else patterns or {}
