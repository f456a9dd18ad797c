"""Drop events under a condition."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from swak.formats.conditions import Condition
from swak.formats.json_text import JsonText
from swak.formats.rows import column, selected
from swak.formats.template import look_up
from swak.options import option
from swak.picking import Picker, Rule
from swak.plugin import Outcome

if TYPE_CHECKING:
    from swak.event import Batch, Event


class Drop(Picker):
    r"""Drop the events for which a condition holds, and count them as filtered.

    The condition is a comparison of fields in Python's spelling, or a mapping: the event goes when every field has the
    value that stands there, or one of a list of values. In an expression there are

    - fields by name, `outer.inner` for nested ones, `field("c-ip")` for odd names; what is missing is None;
    - text, numbers, True, False, None, and lists of them;
    - `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `and`, `or`, `not`, `matches(path, "^/health")`.

    Text is Python's, backslashes too: a pattern takes an r, and so does the whole, `r'matches(path, r"^/\d+$")'`.

    A number is compared with text as a number, so `status >= 500` does what it says after a parser, too. Text that is
    no number, and what cannot be ordered, is neither greater nor less. Nothing else can be called: there is no way from
    a condition to Python's own functions.

    Example:
        `task(in_.FileTailing("access.log"), out.Nginx(), out.Drop('status < 400 and request != "-"'), out.Stdout())`
    """

    spreads = True

    when: str | dict[str, Any] = option("Condition under which an event goes.")

    def check(self) -> list[tuple[str, str]]:
        try:
            Condition(self.when)
        except ValueError as error:
            return [(f"when={self.when!r:.100}: {error}", "see: swak desc out.Drop")]
        return []

    def json_columns(self) -> list[str]:
        return Condition(self.when).names

    def rule(self) -> Rule | None:
        condition = Condition(self.when)
        if condition.searches or not condition.names:
            return None
        return Rule(self._key(), condition.names, partial(condition.answers, holding=False))

    def _key(self) -> str:
        return f"Drop({self.when!r})"

    def open(self) -> None:
        self._condition = Condition(self.when)

    def process(self, event: Event) -> Event | None:
        values = [look_up(event.record, name) for name in self._condition.names]
        return None if self._condition.holds(values) else event

    def process_batch(self, batch: Batch) -> Outcome:
        outcome = Outcome()
        body = batch.body
        kept = body.sorted_by(self._key()) if isinstance(body, JsonText) else None
        if kept is None:
            columns = [column(body, name) for name in self._condition.names] or [[None] * batch.count]
            kept = self._condition.answers(columns, holding=False)
        outcome.parts += selected(batch, kept)
        outcome.filtered = kept.count(False)
        return outcome
