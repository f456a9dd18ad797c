"""Count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.options import option
from swak.pacing import PacedInput

if TYPE_CHECKING:
    from swak.event import Record


class Counter(PacedInput):
    """Count from 1: each event holds the next number, in the fields f1, f2 and so on up to `fields`.

    Good for trying a recipe, and for tests: a number that is missing, twice or late shows at once. After a failure in
    the same process the count goes on where it was; a new process begins at 1.

    Example:
        `task(in_.Counter(count=3), out.Stdout())` prints {"f1": 1}, {"f1": 2} and {"f1": 3}
    """

    count: int | None = option("Events until the end; without it there is none.", default=None, at_least=0)
    fields: int = option("Fields of each record; all hold the same number.", default=1, above=0)
    rate: str | float | None = option('Events a second, or text such as "10/s" or "5/m".', default=None)
    tag: str = option("Tag of the events.", default="counter")

    def open(self) -> None:
        super().open()
        self._names = [f"f{number}" for number in range(1, self.fields + 1)]

    def record(self, index: int) -> Record:
        return dict.fromkeys(self._names, index + 1)
