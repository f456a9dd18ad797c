"""The agent of this process, as its live view wants it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from swak.control.protocol import RequestError, encode
from swak.control.tapping import Tap, shown_line_of
from swak.log import Log, plain
from swak.view.gathering import Gatherer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.actors.post import Post
    from swak.actors.running import Run
    from swak.event import Body
    from swak.view.model import Key, Look

EVENTS_MAX = 50
"""Events that are made text of at a time: no more can be read."""

_log = Log("swak.control")


class Own:
    """A run of this process. For the thread of the view."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._gatherer = Gatherer(run, time.monotonic())

    def look(self) -> Look:
        """Return what it looks like now."""
        return self._gatherer.look()

    def pause(self, stage: Key, *, on: bool) -> None:
        """Have a stage take nothing, or go on. RequestError: the run is ending."""
        gate(self._run, self._post(stage), on=on)
        self._gatherer.hurry()

    def peek(self, stage: Key, rate: float) -> OwnPeek:  # noqa: ARG002 - here it costs the same at any rate
        """Begin to look at the events of a stage."""
        return OwnPeek(Tap(self._post(stage), self._run.crew.posts))

    def _post(self, stage: Key) -> Post:
        for post in self._run.crew.posts:
            if (post.flow.name, post.stage.name) == stage:
                return post
        raise RequestError("unknown-stage", f"{'/'.join(stage)} is there no more")


class OwnPeek:
    """The last events of a stage: of what has passed, only the latest batch is looked into."""

    def __init__(self, tap: Tap) -> None:
        self.left_out = 0
        self._tap = tap
        tap.__enter__()

    def take(self) -> list[str]:
        """Return what has passed, an event a line."""
        latest = None
        while (taken := self._tap.take()) is not None:
            self.left_out += latest[0].count if latest is not None else 0
            latest = taken
        self.left_out += self._tap.dropped
        self._tap.dropped = 0
        if latest is None:
            return []
        body, tags = latest
        start = max(0, body.count - EVENTS_MAX)
        self.left_out += start
        try:
            return list(_lines(body, tags, start))
        except Exception as error:  # noqa: BLE001 - an event that cannot be shown ends no view
            return [plain(f"cannot be shown: {type(error).__name__}: {error}")]

    def close(self) -> None:
        """Look no more."""
        self._tap.__exit__()


def _lines(body: Body, tags: str | list[str], start: int) -> Iterator[str]:
    times = body.times()
    for index, record in enumerate(body.cut(start, body.count).records(), start):
        told = {"tag": tags if isinstance(tags, str) else tags[index], "time_ns": times[index], "record": record}
        yield shown_line_of(json.loads(encode(told)))  # as over a socket: also what JSON has no place for


def gate(run: Run, post: Post, *, on: bool) -> None:
    """Have a stage take nothing from its mailbox, or go on. RequestError: the run is ending."""
    if on and (run.draining or post.lease.over):
        raise RequestError("over", f"{post.name} cannot be paused: the run is ending")
    if on is not post.mailbox.paused:
        _log.info("an operator pauses a stage" if on else "an operator resumes a stage", stage=post.name)
    post.pause(on=on)
