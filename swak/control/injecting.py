"""Putting events into a stage's mailbox, as if they came from upstream, with a count of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.ack import Sources
from swak.actors.crew import INJECTED
from swak.actors.lease import Lease
from swak.actors.mailbox import Mailbox
from swak.control.protocol import RequestError
from swak.errors import SeatError
from swak.event import EVENTS_MAX, Batch, Event, gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.ack import Ack
    from swak.actors.post import Post
    from swak.clock import Clock
    from swak.control.server import Work


class Injector:
    """Sends to any stage but inputs. What it has sent is in the receipt and the ledger like an input's events."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lease = Lease(None)
        self._sender = Mailbox(INJECTED, [], clock)
        """What mailboxes poke when they have room again: nobody waits in it, it is asked again."""
        self._position = 0

    def inject(self, post: Post, rows: list[Any], tag: str, wait_s: float, over: Callable[[], bool]) -> Work:
        """Hand events over as there is room, and say how many were accepted and settled within `wait_s`."""
        self.check(post)
        events = [self._event(row, tag) for row in rows]
        if post.injected is None:
            post.mailbox.upstream[INJECTED] = self._sender
            post.injected = Sources(None)
        deadline = self._clock.monotonic() + wait_s
        acks: list[tuple[Ack, int]] = []
        accepted = 0
        for start in range(0, len(events), EVENTS_MAX):
            part = events[start : start + EVENTS_MAX]
            while (ack := self._put(post, part)) is None:
                if over() or self._clock.monotonic() > deadline:
                    return _told(accepted, acks, len(events))
                yield None
            acks.append((ack, len(part)))
            accepted += len(part)
        while not (over() or self._clock.monotonic() > deadline or all(ack.settled for ack, _ in acks)):
            yield None
        return _told(accepted, acks, len(events))

    def check(self, post: Post) -> None:
        """Refuse stages that nothing can be put into."""
        if post.stage.kind == "input":
            behind = ", ".join(f"{post.flow.name}/{name}" for name in post.stage.downstream())
            raise RequestError("bad-stage", f"{post.name} is an input and takes nothing; behind it is {behind}")
        if post.stage.router is not None:
            raise RequestError(
                "bad-stage", f"{post.name} gets what {post.flow.name}/{post.stage.router} lends it; name that"
            )
        if post.lease.over or post.mailbox.closed or post.draining:
            raise RequestError("over", f"{post.name} takes nothing any more: the run is ending")

    def _put(self, post: Post, part: list[Event]) -> Ack | None:
        """Put a batch, or return None while there is no room. RequestError when the stage has ended meanwhile."""
        self.check(post)
        assert post.injected is not None
        if post.mailbox.levels().fill >= 1.0:
            return None
        body, tags = gather(part)
        self._position += len(part)
        ack = post.injected.register(INJECTED, self._position, len(part), self._lease)
        try:
            if post.mailbox.put(self._lease, INJECTED, Batch(body, tags, ack), ack.serial):
                return ack
        except SeatError as error:
            self._forget(post, ack)
            raise RequestError("over", f"{post.name} takes nothing any more: the run is ending") from error
        self._forget(post, ack)
        return None

    def _forget(self, post: Post, ack: Ack) -> None:
        """It was not accepted: nothing is owed."""
        assert post.injected is not None
        post.injected.resume_after(ack.serial - 1)
        self._position -= 1

    def _event(self, row: Any, tag: str) -> Event:
        """Read an event: a text, a record, or an object with `record` and perhaps `tag` and `time_ns`."""
        if isinstance(row, str):
            return Event(tag, self._clock.time_ns(), {"message": row})
        if not isinstance(row, dict):
            raise RequestError("bad-event", f"an event is an object or text, not {row!r:.60}")
        if not (isinstance(row.get("record"), dict) and set(row) <= {"tag", "time_ns", "record"}):
            return Event(tag, self._clock.time_ns(), row)
        own, time_ns = row.get("tag", tag), row.get("time_ns")
        time_ns = self._clock.time_ns() if time_ns is None else time_ns
        if not isinstance(own, str) or isinstance(time_ns, bool) or not isinstance(time_ns, int):
            raise RequestError("bad-event", f'"tag" is text and "time_ns" a whole number: {row!r:.60}')
        return Event(own, time_ns, row["record"])


def _told(accepted: int, acks: list[tuple[Ack, int]], given: int) -> dict[str, Any]:
    settled = sum(count for ack, count in acks if ack.settled)
    return {"given": given, "accepted": accepted, "settled": settled}
