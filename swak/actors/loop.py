"""main's loop: one thread steps every seat of a flow, downstream first, so that the input reads when there is room."""

from __future__ import annotations

import threading
import time
import traceback
from typing import TYPE_CHECKING

from swak.actors.input import InputSeat
from swak.log import WHERE, get

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.actors.crew import Crew, Flow
    from swak.actors.post import Post

log = get("swak.main")

REST_S = 0.5
"""How long the loop rests at most when nothing is due and nobody rings."""


class MainLoop:
    """Steps the seats of all `main` flows of a run, those that reloads bring included."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._bell = threading.Event()
        crew.ring = self._bell.set
        self._seen: list[Post] = []
        self._steps: list[Post] = []
        self.running = False

    @property
    def flows(self) -> list[Flow]:
        """The flows that it steps."""
        return [flow for flow in self._crew.flows if flow.graph.kind == "main"]

    @property
    def _posts(self) -> list[Post]:
        posts = self._crew.posts
        if self._seen is not posts:  # a reload makes another list
            self._steps = [post for flow in self.flows for post in reversed(flow.posts)]
            self._seen = posts  # last: whatever cuts this off, it is done again
        return self._steps

    def ring(self) -> None:
        """Let the loop look round at once."""
        self._bell.set()

    def run(self, ended: Callable[[], bool]) -> None:
        """Step until every seat is over, or the run has `ended`."""
        self.running = True
        while True:
            try:
                if ended() or all(flow.over for flow in self.flows):
                    break
                self._bell.clear()
                if not self._round():
                    self._bell.wait(self._rest_s())
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001 - between two turns nothing is in hand: go on
                log.error("main's loop was interrupted and goes on", trace=traceback.format_exc())
        for post in self._posts:
            while self._step(post, busy=True):
                pass  # the mailbox is closed: after its last control letters, the seat closes the plugin
        self.running = False

    def _round(self) -> bool:
        moved = False
        for post in self._posts:
            moved |= self._step(post, busy=moved)
        return moved

    def _step(self, post: Post, *, busy: bool) -> bool:
        seat = post.seat
        if seat is None or seat.lease.over or seat.actor_stopped.is_set():
            return False
        if isinstance(seat, InputSeat):
            seat.longest_wait_s = 0.0 if busy else self._rest_s(but=post)
        token = WHERE.set({"stage": post.name})
        try:
            return seat.step()
        except BaseException as error:
            seat.die(error)
            seat.retire()
            if isinstance(error, KeyboardInterrupt):
                raise
            return True
        finally:
            WHERE.reset(token)

    def _rest_s(self, but: Post | None = None) -> float:
        now = time.monotonic()
        times = [now + REST_S]
        for post in self._posts:
            seat = post.seat
            if post is but or seat is None or seat.lease.over or seat.lease.revoked:
                continue
            wakes_at = post.mailbox.wakes_at(seat.due_at())
            if wakes_at is not None:
                times.append(wakes_at)
        return max(0.0, min(times) - now)
