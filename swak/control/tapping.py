"""Watching what passes a stage: batches are noted as they pass, and looked into by whoever watches."""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from swak.control.protocol import RequestError
from swak.formats.conditions import Condition
from swak.formats.template import look_up
from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.actors.mailbox import Mailbox
    from swak.actors.post import Post
    from swak.control.server import Client, Work
    from swak.event import Batch, Body

BODIES_MAX = 16
BYTES_MAX = 4 * 1024 * 1024
"""What may wait to be looked into. What passes meanwhile is counted, and not kept."""
SLICE = 200
"""Events that are looked into at a time."""

CHOOSERS = {"output", "tags", "failover"}
"""Of these, what comes in is shown; of others, what goes out."""


class Tap:
    """Notes what passes a stage. The stage's own threads do no more than append to a short list."""

    def __init__(self, post: Post, posts: Sequence[Post]) -> None:
        self.stage = post.name
        self.dropped = 0
        """Events that passed and were not kept."""
        self._kept: deque[tuple[Body, str | list[str]]] = deque()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        mine = post.stage.kind in CHOOSERS
        self._edge = None if mine else post.stage.name
        self._mailbox: Mailbox = post.mailbox if mine else _behind(post, posts)

    def __enter__(self) -> Self:
        self._mailbox.taps = (*self._mailbox.taps, self.note)
        return self

    def __exit__(self, *_: object) -> None:
        self._mailbox.taps = tuple(one for one in self._mailbox.taps if one != self.note)

    def note(self, edge: str, batch: Batch) -> None:
        """Keep a batch's body, never its Ack, or count it when there is no room. Called by those who send it."""
        if self._edge is not None and edge != self._edge:
            return
        size_bytes = batch.size_bytes
        with self._lock:
            if len(self._kept) >= BODIES_MAX or (self._kept and self._kept_bytes + size_bytes > BYTES_MAX):
                self.dropped += batch.count
                return
            self._kept_bytes += size_bytes
            self._kept.append((batch.body, batch.tags))

    def take(self) -> tuple[Body, str | list[str]] | None:
        """Take the oldest body out."""
        with self._lock:
            if not self._kept:
                return None
            body, tags = self._kept.popleft()
            self._kept_bytes -= body.size_bytes
        return body, tags


def _behind(post: Post, posts: Sequence[Post]) -> Mailbox:
    """Return a mailbox that everything the stage hands on comes into: each of its outlets gets every batch."""
    first = post.stage.outlets[0]
    return next(one.mailbox for one in posts if one.flow is post.flow and one.stage.name == first)


def watch(tap: Tap, client: Client, where: Condition | None, sample: int, limit: int) -> Work:
    """Send every `sample`-th event for which `where` holds, `limit` of them at most (0: until the client leaves)."""
    sent, passed, told_dropped = 0, 0, 0
    with tap:
        yield {"tapping": tap.stage}
        while not client.ending:
            if tap.dropped != told_dropped:
                told_dropped = tap.dropped
                yield {"dropped": told_dropped}
            kept = tap.take()
            for event in _events(kept) if kept is not None else ():
                if event is None:
                    yield None  # enough for one go
                    continue
                if where is not None and not _holds(where, event["record"]):
                    continue
                passed += 1
                if (passed - 1) % sample:
                    continue
                yield {"event": event}
                sent += 1
                if sent == limit:
                    return {"sent": sent, "dropped": tap.dropped}
            yield None
    return {"sent": sent, "dropped": tap.dropped}


def _events(kept: tuple[Body, str | list[str]]) -> Iterator[dict[str, Any] | None]:
    body, tags = kept
    times = body.times()
    for start in range(0, body.count, SLICE):
        stop = min(start + SLICE, body.count)
        records = body.cut(start, stop).records()
        for index, record in enumerate(records, start):
            tag = tags if isinstance(tags, str) else tags[index]
            yield {"tag": tag, "time_ns": times[index], "record": record}
        yield None


def line_of(event: dict[str, Any]) -> str:
    """Return an event, or its record, as one line of JSON that does nothing to a terminal.

    All but printable characters are escaped.
    """
    text = json.dumps(event, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text).replace("\x7f", "\\u007f")


def shown_line_of(event: dict[str, Any]) -> str:
    """Return an event for somebody who looks: its time of day (UTC), its tag, and its record as `line_of` has it."""
    try:
        moment = datetime.fromtimestamp(event["time_ns"] / 1e9, UTC).strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        moment = "--:--:--"  # of a year that has no name here
    return f"{moment} {plain(event['tag'])} {line_of(event['record'])}"


def _holds(where: Condition, record: dict[str, Any]) -> bool:
    return bool(where.holds([look_up(record, name) for name in where.names]))


def condition(text: str) -> Condition | None:
    """Read a condition as `out.Drop` takes it. RequestError says what is wrong with it."""
    try:
        return Condition(text) if text else None
    except ValueError as error:
        raise RequestError("bad-argument", f"where: {error}") from None
