"""Read events that a program or a test hands over."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from swak.errors import EndOfInput
from swak.event import EVENTS_MAX, Chunk, Event, gather
from swak.options import option
from swak.plugin import Input

if TYPE_CHECKING:
    from swak.ack import Position

SOURCE = "memory"


class Feed:
    """The events of one `Memory`, shared by the copies of it that the runtime makes. Only positions differ."""

    def __init__(self, events: list[Any], *, ended: bool) -> None:
        self.changed = threading.Condition()
        self.events = events
        self.ended = ended
        self.interrupts = 0

    def __getstate__(self) -> tuple[list[Any], bool]:
        with self.changed:
            return list(self.events), self.ended

    def __setstate__(self, state: tuple[list[Any], bool]) -> None:
        self.__init__(state[0], ended=state[1])  # type: ignore[misc] # a copy starts with a lock of its own


class Memory(Input):
    """Read a list of events: an Event as it is, a dict as a record, text as {"message": text}.

    Events stay in memory for as long as the input lives, so that one that was not settled is read again after a
    failure in the same process; a new process has forgotten them. With `follow` the input stays open: `feed(...)`
    adds events, from any thread, and `end()` ends it. Records are handed out as they are: do not change them later.

    Example:
        `task(in_.Memory(["a line", {"level": "INFO"}]), out.Stdout())`
    """

    events: list[Any] = option("Events, dicts and texts.", default=())
    tag: str = option("Tag of what is not an Event already.", default="memory")
    follow: bool = option("Whether to wait for more, until `end()`.", default=False)

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._feed = Feed(list(self.events) if self.valid else [], ended=not (self.valid and self.follow))
        self._index = 0

    def fresh(self) -> Self:
        made = super().fresh()
        made._feed = self._feed  # noqa: SLF001 - a later self
        return made

    def check(self) -> list[tuple[str, str]]:
        wrong = [one for one in self.events if not isinstance(one, Event | Mapping | str)]
        return [(f"an event is an Event, a dict or text, not {wrong[0]!r}", "")] if wrong else []

    def feed(self, *events: Event | Mapping[str, Any] | str) -> None:
        """Add events. From any thread; never waits."""
        made = [self._event(one) for one in events]
        with self._feed.changed:
            if self._feed.ended:
                raise ValueError("Memory has ended: make it with follow=True, and feed it before end()")
            self._feed.events.extend(made)
            self._feed.changed.notify_all()

    def end(self) -> None:
        """Let the input end after what was fed. From any thread; may be repeated."""
        with self._feed.changed:
            self._feed.ended = True
            self._feed.changed.notify_all()

    def seek(self, positions: Mapping[str, Position]) -> None:
        self._index = int(positions.get(SOURCE, 0))

    def read(self) -> Chunk | None:
        feed = self._feed
        with feed.changed:
            interrupts = feed.interrupts
            feed.changed.wait_for(
                lambda: len(feed.events) > self._index or feed.ended or feed.interrupts != interrupts, self.wait_s
            )
            part = feed.events[self._index : self._index + EVENTS_MAX]
            if not part:
                if feed.ended:
                    raise EndOfInput
                return None
            # A text gets its time once: read again, it is still the same event.
            part = [self._event(one) for one in part]
            feed.events[self._index : self._index + len(part)] = part
        self._index += len(part)
        body, tags = gather(part)
        return Chunk(body, tags, SOURCE, self._index)

    def interrupt(self) -> None:
        with self._feed.changed:
            self._feed.interrupts += 1
            self._feed.changed.notify_all()

    def _event(self, given: Event | Mapping[str, Any] | str) -> Event:
        if isinstance(given, Event):
            return given
        record = {"message": given} if isinstance(given, str) else dict(given)
        return Event(self.tag, self.clock.time_ns(), record)
