"""What an agent can be asked for over its control socket."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from swak import __version__
from swak.actors.messages import Renew
from swak.control.attaching import Attaching
from swak.control.figures import state_of, told_look, told_reloads, word_for
from swak.control.flushing import FLUSH_S, flushing, hurry
from swak.control.injecting import Injector
from swak.control.own import gate
from swak.control.protocol import VERSION, Request, RequestError
from swak.control.stacks import stacks
from swak.control.stages import find
from swak.control.tapping import Tap, condition, watch
from swak.log import Log
from swak.reloading.outcome import Reloads
from swak.view.gathering import Gatherer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.actors.post import Post
    from swak.actors.running import Run
    from swak.control.reloader import Reloader
    from swak.control.server import Client, Told, Verb, Work

RENEW_S, INJECT_S, RELOAD_S = 10.0, 10.0, 60.0
"""How long these wait by default."""
WAIT_MAX_S = 3600.0

_log = Log("swak.control")


class Outcome(NamedTuple):
    """How a run ended."""

    code: int
    receipt: str
    troubles: list[str]


class Agent:
    """What a run looks like to those who control it. All verbs are called by the control thread."""

    def __init__(
        self,
        run: Run,
        name: str,
        recipe: str,
        details: Mapping[str, Any],
        more: Mapping[str, Verb] | None = None,
        *,
        reloader: Reloader | None = None,
    ) -> None:
        """`more`: verbs besides those below."""
        self.run = run
        self._more = more or {}
        self.name = name
        self.recipe = recipe
        self.outcome: Outcome | None = None
        """Set when the run is over and its receipt was made."""
        self._attaching = Attaching(run, {"status": self.status, "stacks": self.stacks})
        self._details = dict(details)
        self._began_s = time.monotonic()
        self._gatherer = Gatherer(run, self._began_s)
        self._injector = Injector(run.settings.clock)
        self._reloader = reloader

    @property
    def _posts(self) -> list[Post]:
        """All stages but those that reloads have removed."""
        return [post for post in self.run.crew.posts if not (post.leaving and post.lease.over)]

    def verbs(self) -> dict[str, Verb]:
        """Return the verbs by name."""
        return {
            **self._attaching.verbs(),
            "hello": self.hello,
            "status": self.status,
            "snapshot": self.snapshot,
            "flush": self.flush,
            "pause": self.pause,
            "resume": self.resume,
            "restart": self.restart,
            "tap": self.tap,
            "inject": self.inject,
            "stacks": self.stacks,
            "reload": self.reload,
            "plan": self.plan,
            "stop": self.stop,
            **self._more,
        }

    # Looking

    def hello(self, request: Request, client: Client) -> Told:
        """Tell who is here, and what can be asked for."""
        request.all_taken()
        told = {"protocol": VERSION, "swak": __version__, "name": self.name, "role": client.right.role}
        return {**told, "verbs": sorted(self.verbs())}

    def status(self, request: Request, _client: Client) -> Told:
        """Tell how it goes, in few figures."""
        request.all_taken()
        told = {
            "name": self.name,
            "pid": os.getpid(),
            "recipe": self.recipe,
            "uptime_s": round(time.monotonic() - self._began_s, 3),
            "swak": __version__,
            "agent_id": self.run.settings.data_dir.agent_id,
            "grace_s": self.run.settings.grace_s,
            **state_of(self.run),
            "reloads": told_reloads(self.run.reloads or Reloads()),
        }
        return {**self._details, **told}

    def snapshot(self, request: Request, _client: Client) -> Told:
        """Tell everything that the live view shows."""
        request.all_taken()
        return {"name": self.name, "recipe": self.recipe, **told_look(self._gatherer.look())}

    def stacks(self, request: Request, _client: Client) -> Told:
        """Tell where every thread is."""
        request.all_taken()
        found = stacks(post.name for post in self._posts)
        return {"threads": [{"thread": one.thread, "stage": one.stage, "stack": one.lines} for one in found]}

    def tap(self, request: Request, client: Client) -> Work:
        """Show what passes a stage."""
        post = self._stage(request, default=self._last())
        where = condition(request.text("where", ""))
        sample, limit = int(request.number("sample", 1, 1, 1e9)), int(request.number("limit", 0, 0, 1e9))
        request.all_taken("stage", "where", "sample", "limit")
        return watch(Tap(post, self._posts), client, where, sample, limit)

    # Acting

    def flush(self, request: Request, client: Client) -> Work:
        """Let go what buffers hold and outputs have not synced, and wait until what was read by now is settled."""
        wait_s = request.number("wait_s", FLUSH_S, 0, WAIT_MAX_S)
        request.all_taken("wait_s")
        return flushing(self.run.crew.posts, wait_s, lambda: client.ending)

    def pause(self, request: Request, _client: Client) -> Told:
        """Have a stage take nothing from its mailbox; an input reads no more."""
        return self._gate(request, on=True)

    def resume(self, request: Request, _client: Client) -> Told:
        """Undo `pause`."""
        return self._gate(request, on=False)

    def _gate(self, request: Request, *, on: bool) -> Told:
        post = self._stage(request)
        request.all_taken("stage")
        gate(self.run, post, on=on)
        self._gatherer.hurry()
        return {"stage": post.name, "paused": on}

    def restart(self, request: Request, client: Client) -> Work:
        """Put a fresh plugin into a stage."""
        post = self._stage(request)
        now = request.flag("now")
        wait_s = request.number("wait_s", RENEW_S, 0, WAIT_MAX_S)
        request.all_taken("stage", "now", "wait_s")
        if self._state() != "running" or post.lease.over:
            raise RequestError("over", f"{post.name} cannot be restarted: the run is ending")
        return self._renew(post, now, wait_s, client)

    def _renew(self, post: Post, now: bool, wait_s: float, client: Client) -> Work:
        """Wait until the stage has nothing in its hands, unless it is to be `now`; then the supervisor replaces it."""
        old, was_paused = post.lease, post.mailbox.paused
        until_s = time.monotonic() + wait_s
        if now:
            yield from self._replaced(post, old, until_s, client)
            return {"stage": post.name, "restarts": post.restarts}
        post.pause(on=True)
        try:
            while not self._is_idle(post):
                hurry(post)  # what is held, or not synced, would come again
                if time.monotonic() > until_s or client.ending:
                    mend = "look at the stages behind it, or restart it with now: it may then repeat one batch"
                    raise RequestError("busy", f"{post.name} has something in its hands that it cannot let go; {mend}")
                yield None
            yield from self._replaced(post, old, until_s, client)
        finally:
            post.share.flushing = False
            if not was_paused:
                post.pause(on=False)
        return {"stage": post.name, "restarts": post.restarts}

    def _is_idle(self, post: Post) -> bool:
        box = post.mailbox
        return (
            box.resting and not box.blocked and not (box.has_held or box.ahead) and post.lease.in_plugin_since is None
        )

    def _replaced(self, post: Post, old: object, until_s: float, client: Client) -> Work:
        self.run.signals.put(Renew(post, post.lease))
        while post.lease is old or post.state in {"opening", "waiting"}:
            if time.monotonic() > until_s or client.ending:
                raise RequestError("busy", f"{post.name} has not come back yet: it is {post.state}")
            yield None
        return {}

    def inject(self, request: Request, client: Client) -> Work:
        """Put events into a stage's mailbox."""
        post = self._stage(request)
        rows, tag = request.rows("events"), request.text("tag", "injected")
        wait_s = request.number("wait_s", INJECT_S, 0, WAIT_MAX_S)
        request.all_taken("stage", "events", "tag", "wait_s")
        self._injector.check(post)
        return self._injector.inject(post, rows, tag, wait_s, lambda: client.ending)

    def reload(self, request: Request, client: Client) -> Work:
        """Load the recipe again, and change what is different. The answer tells how that went."""
        wait_s = request.number("wait_s", RELOAD_S, 0, WAIT_MAX_S)
        request.all_taken("wait_s")
        reloader = self._reloading()
        _log.info("an operator reloads the recipe")
        return self._reload(reloader, reloader.request(), wait_s, client)

    def _reload(self, reloader: Reloader, ticket: int, wait_s: float, client: Client) -> Work:
        until_s = time.monotonic() + wait_s
        while (found := reloader.outcome_of(ticket)) is None:
            if time.monotonic() > until_s or client.ending:
                return {"ending": "under_way", "problems": [], "leaving": []}
            yield None
        return found.told()

    def plan(self, request: Request, client: Client) -> Work:
        """Tell what another recipe would make different."""
        path = request.text("path")
        request.all_taken("path")
        return self._plan(self._reloading(), path, client)

    def _plan(self, reloader: Reloader, path: str, client: Client) -> Work:
        found: list[Told] = []
        thread = threading.Thread(target=lambda: found.append(reloader.planned(path)), name="swak-plan", daemon=True)
        thread.start()
        while not found:
            if client.ending or not thread.is_alive():
                break
            yield None
        if not found:
            raise RequestError("over", "the recipe cannot be compared: the run is ending")
        return found[0]

    def _reloading(self) -> Reloader:
        if self._reloader is None:
            raise RequestError("no-recipe", "this run was started by a program: there is no recipe to load again")
        if self._state() != "running":
            raise RequestError("over", "the recipe cannot be loaded again: the run is ending")
        return self._reloader

    def stop(self, request: Request, _client: Client) -> Work | Told:
        """End the run: drain it, or end it `now`. The answer comes with the receipt."""
        now, waits = request.flag("now"), request.flag("wait", default=True)
        request.all_taken("now", "wait")
        _log.info("an operator stops the run", now=now)
        self.run.stop(now=now)
        return self._end() if waits else {"stopping": True}

    def _end(self) -> Work:
        while self.outcome is None:
            yield None
        return self.outcome._asdict()

    # What they share

    def _state(self) -> str:
        return word_for(self.run)

    def _stage(self, request: Request, default: str | None = None) -> Post:
        return find(self._posts, request.text("stage", default))

    def _last(self) -> str | None:
        """Name the one output, where there is one: what a tap shows that names no stage."""
        outputs = [post.name for post in self._posts if post.stage.kind == "output"]
        return outputs[0] if len(outputs) == 1 else None
