"""A plugin of your own, with options: `swak up --once --ephemeral recipes/custom_plugin.py`.

The class may as well stand in a file beside the recipe, or in the folder `plugins` there: `out.Mask` finds it.
"""

import re

from swak import Event, Filter, in_, option, out, task


class Mask(Filter):
    """Put stars in the place of what must not leave this machine.

    Every match of `pattern` in the text of `field` is masked, as many stars as it had characters. An event without the
    field, or with something else than text in it, passes as it is.
    """

    field: str = option("Record field to look at.")
    pattern: str = option("What to mask, as a regular expression.", default=r"[^@\s]+(?=@)")

    def check(self) -> list[tuple[str, str]]:
        try:
            re.compile(self.pattern)
        except re.error as error:
            return [(f"pattern {self.pattern!r} is not a regular expression: {error}", "see Python's `re`")]
        return []

    def open(self) -> None:
        self._pattern = re.compile(self.pattern)

    def process(self, event: Event) -> Event:
        text = event.record.get(self.field)
        if not isinstance(text, str):
            return event
        masked = self._pattern.sub(lambda found: "*" * len(found[0]), text)
        return event.replace(record=event.record | {self.field: masked})


task(
    in_.DummyData(type="people", count=5, rate=None, seed=1),
    Mask("email"),
    out.Stdout(),
)
