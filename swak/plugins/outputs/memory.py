"""Keep events in memory, for tests."""

from typing import Any, Self

from swak.event import Batch, Event, Record
from swak.plugin import Output


class Memory(Output):
    """Keep every event in the order of arrival, for tests and for looking at a flow from Python.

    Reading from another thread while a flow runs is safe. A successor after a failure keeps on filling the same list,
    so the plugin that was put into the recipe shows everything. It grows without bound.

    Example:
        `kept = out.Memory()`, then `with swak.running(task(in_.Counter(3), kept)): ...` and look at `kept.records`
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._kept: list[Event] = []

    def fresh(self) -> Self:
        made = super().fresh()
        made._kept = self._kept  # noqa: SLF001 - of our own class
        return made

    def write(self, batch: Batch) -> None:
        self._kept.extend(batch.events())  # one step: a reader sees all of a batch or nothing

    @property
    def events(self) -> list[Event]:
        """What has arrived."""
        return list(self._kept)

    @property
    def records(self) -> list[Record]:
        """The records of what has arrived."""
        return [event.record for event in self.events]

    @property
    def tags(self) -> list[str]:
        """The tags of what has arrived."""
        return [event.tag for event in self.events]
