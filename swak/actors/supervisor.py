"""The root actor: starts seats, replaces the dead and the hung, tells routers, keeps checkpoints, drains."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from swak.actors.actor import Actor, Inbox
from swak.actors.messages import (
    Broken,
    Changed,
    Died,
    Down,
    Over,
    Ready,
    Rebuild,
    Renew,
    Sign,
    Stop,
    Turned,
    Up,
)
from swak.log import get

if TYPE_CHECKING:
    from swak.actors.crew import Crew, Flow
    from swak.actors.messages import Change
    from swak.actors.post import Post
    from swak.actors.running import Settings
    from swak.actors.watchdog import Watchdog

log = get("swak.supervisor")

TICK_S = 0.1
"""How often the supervisor looks round while something is under way that no letter tells of."""
CHECKPOINT_S = 1.0
EAGER_S = 5.0
"""How long after the start the first position is looked for at every round."""
ABORT_S = 30.0
"""How long aborting a plugin may take before its task is given up."""


class Supervisor(Actor):
    """Decides every restart. Polls liveness besides, since a letter of a dying thread may get lost."""

    def __init__(self, crew: Crew, settings: Settings, inbox: queue.SimpleQueue[Any], watchdog: Watchdog) -> None:
        self._letters = inbox  # a SimpleQueue, so that signal handlers may put into it
        super().__init__()
        self.crew = crew
        self.settings = settings
        self.finished = threading.Event()
        self.forced_by: int | None = None
        self.leaked: list[str] = []
        self._watchdog = watchdog
        self._clock = crew.site.clock
        self.drain_until: float | None = None
        """When draining is to be over; None while nobody wants an end."""
        self.turned_at = time.monotonic()
        """When its loop turned last: it does at least once a second or so while all is well."""
        self._checkpoint_at = self._clock.monotonic()
        self._eager_until = self._checkpoint_at + EAGER_S
        self._aborting: dict[str, float] = {}
        self.changing: Change | None = None
        """The reload that is under way."""

    def _create_actor_inbox(self) -> Inbox:  # type: ignore[override]
        return Inbox(self._letters.put)

    def _actor_loop(self) -> None:
        try:
            while not self.finished.is_set():
                self.turned_at = time.monotonic()
                try:
                    self._receive(self._letters.get(timeout=self._pause_s()))
                except queue.Empty:
                    pass  # time for the rounds
                except Exception:  # noqa: BLE001 - the root outlives everything; its steps may be repeated
                    log.error("supervisor step failed", trace=traceback.format_exc())
                try:
                    if not self.finished.is_set():
                        self._rounds()
                except Exception:  # noqa: BLE001 - the root outlives everything; its steps may be repeated
                    log.error("supervisor round failed", trace=traceback.format_exc())
        finally:
            self._watchdog.disarm()
            self.finished.set()
            self.retire()

    def _pause_s(self) -> float:
        """Return how long to wait for a letter: wake-ups are what an idle agent costs."""
        now = self._clock.monotonic()
        away = any(post.lease.revoked or post.state == "opening" for post in self.crew.posts)
        if away or self.changing is not None or self.drain_until is not None or now <= self._eager_until:
            return TICK_S
        hang_s = self.settings.hang_after_s or CHECKPOINT_S
        return max(TICK_S, min(self._checkpoint_at - now, hang_s / 2))

    def _receive(self, letter: Any) -> None:
        if isinstance(letter, int):
            self._signalled(letter)
        elif isinstance(letter, Died):
            if letter.lease is letter.post.lease and not letter.lease.over:  # over: it died in telling that it is done
                self.replace(letter.post, repr(letter.error), "".join(traceback.format_exception(letter.error)))
        elif isinstance(letter, Ready):
            self._reseat(letter)
        elif isinstance(letter, Turned):
            self._turned(letter)
        elif isinstance(letter, Broken):
            log.error(
                "output is gone for good; the run stops", stage=letter.post.name, reason=letter.reason, always=True
            )
            self.crew.flow_of(letter.post).failed = True
            self._end_now()
        elif isinstance(letter, Renew):
            if letter.lease is letter.post.lease and not letter.lease.over:
                self.replace(letter.post, "somebody has asked for it", asked=True)
        elif isinstance(letter, Rebuild):
            self._rebuild(letter)
        elif isinstance(letter, Stop):
            self.forced_by = letter.signal or self.forced_by
            self._end_now() if letter.now else self._drain()
        elif not isinstance(letter, Over | Changed):
            self._drain()  # an envelope of pykka's

    def _signalled(self, number: int) -> None:
        if self.drain_until is None or self.crew.sockets.handing:
            self.crew.sockets.handing = False  # nobody is to go on
            log.info("draining; a second signal stops at once", signal=number, grace_s=self.settings.grace_s)
            self._drain()
        else:
            self.forced_by = number
            self._end_now()

    # Rounds: what is due by time

    def _rounds(self) -> None:
        now = self._clock.monotonic()
        self._watchdog.arm()
        for post in self.crew.posts:
            self._look_at(post, now)
        if self.changing is not None:
            self.changing.step(now)
            self.changing = None if self.changing.over else self.changing
        for flow in self.crew.flows:
            if flow.resume_at is not None and now >= flow.resume_at and self.drain_until is None:
                self.resume(flow)
        if all(flow.over for flow in self.crew.flows) or (self.drain_until is not None and now >= self.drain_until):
            self._end_now()
        elif now >= self._checkpoint_at:
            # The first position is kept at once: an agent that dies young again and again must get on all the same.
            waits = self.crew.save() or now > self._eager_until
            self._checkpoint_at = now + (CHECKPOINT_S if waits else TICK_S)
            self._judge_leaks()
            self.crew.sockets.expire()

    def _look_at(self, post: Post, now: float) -> None:
        lease = post.lease
        if lease.revoked:
            began = self._aborting.get(post.name)
            if began is None:
                self._reseat(Ready(post, lease))  # it failed the last time
            elif now - began > ABORT_S:
                del self._aborting[post.name]
                if not post.leaving:
                    self._fail(self.crew.flow_of(post), f"{post.name}: its plugin cannot be aborted")
            return
        if lease.over:
            return
        stopped = post.seat is not None and post.seat.lease is lease and post.seat.actor_stopped.is_set()
        if (stopped or (lease.thread is not None and not lease.thread.is_alive())) and not lease.over:  # looked at last
            if self._letters.empty():  # else its own word may still be among them, and says more
                self.replace(post, "its thread is gone")
            return
        since = lease.in_plugin_since
        if since is None or lease.plugin is None:
            return
        limit_s = self.settings.hang_after_s or lease.plugin.hang_after_s
        if time.monotonic() - since > limit_s:  # never a test's clock: it is what leases stamp calls with
            piece = lease.in_hand
            if piece is not None:
                piece.blame()
            self.replace(post, f"a call into its plugin hangs for {limit_s:g} s")

    def _judge_leaks(self) -> None:
        if any(post.lease.revoked or post.state == "opening" for post in self.crew.posts):
            return  # what a dead seat had in hand is forgotten by its successor first
        for leak in self.crew.leaks():
            self.leaked.append(leak)
            log.error("an Ack was dropped unsettled: a bug in swak, please report it", batch=leak)

    # Restarts

    def now(self) -> float:
        """Return the monotonic time."""
        return self._clock.monotonic()

    def _rebuild(self, letter: Rebuild) -> None:
        if self.changing is not None or self.drain_until is not None:
            letter.refuse("the run is ending" if self.drain_until is not None else "another reload is under way")
        else:
            self.changing = letter.begin(self)

    def _given_up(self, post: Post) -> bool:
        return self.changing is not None and self.changing.gives_up(post)

    def aborting(self, post: Post) -> bool:
        """Whether the plugin of a revoked lease is still being aborted or closed."""
        return post.name in self._aborting

    def clear(self, post: Post) -> None:
        """Take the right to act from a seat, and have its plugin aborted or closed."""
        self.crew.revoke(post, post.lease)
        self._tell_router(post, up=False)
        self._aborting[post.name] = self.now()
        self.crew.clear_away(post, post.lease)

    def replace(self, post: Post, why: str, trace: str | None = None, *, asked: bool = False) -> None:
        """Fence first, then abort, then seat: a successor sits down when nothing of the old lease can land any more.

        What somebody has `asked` for is no failure.
        """
        flow = self.crew.flow_of(post)
        lease = post.lease
        if lease.revoked:
            return
        post.state = "waiting"
        post.restarts += 1
        if not asked:
            post.note_error(why)
        log.warning("seat is replaced", stage=post.name, why=why, **({"trace": trace} if trace else {}))
        self.clear(post)
        if self.changing is not None and not asked:
            self.changing.note_death(post, why)
        if not asked and flow.intensity.exceeded_by(self._clock.monotonic()):
            times, window_s = self.settings.deaths_max + 1, self.settings.window_s
            self._fail(flow, f"{post.name} was the last of {times} deaths in {window_s:g} s: {why}")

    def _reseat(self, ready: Ready) -> None:
        post = ready.post
        if post.lease is not ready.lease:
            return
        self._aborting.pop(post.name, None)
        flow = self.crew.flow_of(post)
        if self._given_up(post) or flow.failed or self.finished.is_set():
            return
        try:
            self.crew.seat(post, inherit_from=ready.lease)
        except Exception:  # noqa: BLE001 - no memory, no thread to be had: the next round tries again
            log.error("seat cannot be manned; trying again", stage=post.name, trace=traceback.format_exc())

    def _fail(self, flow: Flow, why: str) -> None:
        """Stop the whole task; its mailboxes stay as they are, and it goes on from there after a pause."""
        if flow.failed:
            return
        flow.failed = True
        pause_s = self.settings.pause_s
        final = self.settings.once or self.drain_until is not None or self.settings.fail_fast
        flow.resume_at = None if final else self._clock.monotonic() + pause_s
        log.error("task failed", task=flow.name, why=why, again_in_s=None if final else pause_s, always=final)
        for post in flow.posts:
            if post.lease.plugin is not None:
                post.lease.plugin.ended = final
            if not post.lease.over and not post.lease.revoked:
                self.crew.revoke(post, post.lease)
                self._aborting[post.name] = self._clock.monotonic()
                self.crew.clear_away(post, post.lease)
            if not post.lease.over:
                post.state = "failed"
        if self.settings.fail_fast:
            self._end_now()

    def resume(self, flow: Flow) -> None:
        """Man a flow that has failed anew."""
        log.info("task starts again", task=flow.name)
        flow.failed, flow.resume_at = False, None
        flow.intensity.clear()
        for post in reversed(flow.posts):
            if post.lease.revoked and post.name not in self._aborting and not self._given_up(post):
                self.crew.seat(post, inherit_from=post.lease)

    def _turned(self, turned: Turned) -> None:
        if not turned.post.lease.revoked or not turned.up:
            self._tell_router(turned.post, up=turned.up)

    def _tell_router(self, post: Post, *, up: bool) -> None:
        router = post.stage.router
        if router is not None:
            word = Up(post.stage.name) if up else Down(post.stage.name)
            post.mailbox.upstream[router].tell(word)

    # The end

    def _drain(self) -> None:
        if self.drain_until is None:
            self.drain_until = self._clock.monotonic() + self.settings.grace_s
        for post in self.crew.posts:
            post.pause(on=False)
        for post in self.crew.inputs():
            post.draining = True
            post.mailbox.tell(Sign.STOP)
            self.crew.interrupt(post)
        for flow in self.crew.flows:
            flow.resume_at = None
        if self.changing is not None:
            self.changing.let_go()

    def _end_now(self) -> None:
        """Close every mailbox, let go of every seat, keep the last positions."""
        if self.finished.is_set():
            return
        if self.drain_until is None:
            self.drain_until = self._clock.monotonic()
        try:
            self.crew.let_go()
            self.crew.save("drained" if all(flow.over for flow in self.crew.flows) else "stopped")
            self._judge_leaks()
        finally:
            self.finished.set()  # whatever failed: nothing is better for a second try
