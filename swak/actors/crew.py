"""The posts of a run: how they are made from a topology, manned, revoked, and counted."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from swak.ack import Sources
from swak.actors.buffer import BufferSeat
from swak.actors.filter import FilterSeat, TagsSeat
from swak.actors.input import InputSeat
from swak.actors.lease import Lease
from swak.actors.mailbox import Mailbox
from swak.actors.messages import Ready
from swak.actors.output import OutputSeat
from swak.actors.post import Outlet, Post, Site
from swak.actors.restarts import Intensity
from swak.actors.router import FailoverSeat
from swak.actors.workers import WorkersSeat
from swak.budget import Budget
from swak.ledger import Reading
from swak.log import get
from swak.plugin import Input, Output
from swak.sockets.kept import Keep
from swak.stats import InputReceipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from swak.ack import Position
    from swak.actors.running import Settings
    from swak.actors.seat import Seat
    from swak.budget import Share
    from swak.checkpoint import Checkpoint
    from swak.ledger import Ledger
    from swak.plugin import Extent
    from swak.topology.graph import FlowGraph, Stage, Topology

log = get("swak.supervisor")

SEATS: dict[str, type[Seat]] = {
    "input": InputSeat,
    "filter": FilterSeat,
    "workers": WorkersSeat,
    "buffer": BufferSeat,
    "output": OutputSeat,
    "tags": TagsSeat,
    "failover": FailoverSeat,
}
INJECTED = "(injected)"
"""The edge by which events come into a mailbox that an operator put in."""
LEAVE_S = 2.0
"""How long a seat that is let go may take to close its plugin before the process goes on without it."""


class Flow:
    """One `main` or `task` of a run."""

    def __init__(self, graph: FlowGraph, share: Share, checkpoint: Checkpoint | None, intensity: Intensity) -> None:
        self.graph = graph
        """Without stages when a reload has removed the flow."""
        self.posts: list[Post] = []
        """Upstream first; those that a reload has removed are among them, and accounted for."""
        self.share = share
        self.checkpoint = checkpoint
        self.intensity = intensity
        self.failed = False
        self.resume_at: float | None = None
        self.saved: dict[str, Position] = dict(checkpoint.load()) if checkpoint is not None else {}
        """What the checkpoint holds, by input: positions of inputs that this run does not have are kept."""
        self.settled = self.saved.copy()
        """What it is to hold next."""

    @property
    def inputs(self) -> list[Post]:
        """The input, and those that reloads have removed."""
        return [post for post in self.posts if post.sources is not None]

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.graph.name

    @property
    def over(self) -> bool:
        """Whether every seat has ended, or none will sit down again."""
        return (self.failed and self.resume_at is None) or all(post.lease.over for post in self.posts)


class Crew:
    """All posts of a run."""

    def __init__(self, topology: Topology, settings: Settings, site: Site) -> None:
        self.site = site
        self.settings = settings
        self.sockets = settings.sockets or Keep()
        """Sockets that outlive the seats which read them."""
        plugins = [stage.plugin for graph in topology.flows for stage in graph.stages if stage.plugin is not None]
        caches = [plugin.keeps_bytes for plugin in plugins]
        self.budget = Budget(settings.memory_limit, len(topology.flows), caches)
        self.ring: Callable[[], None] = _nobody
        """Rung for main's loop."""
        self.need_main: Callable[[], None] = _nobody
        """Called when there may be flows for main's loop, and nobody who steps them."""
        self.flows: list[Flow] = []
        self.posts: list[Post] = []
        self._flow_of: dict[str, Flow] = {}
        for graph in topology.flows:
            self._lay_out(self.add_flow(graph))
        self._ledger = settings.data_dir.ledger()
        if self._ledger is not None:
            self._ledger.begin(os.getpid(), {(one.flow, one.identity): one.settled for one in self._readings({})})

    def flow_of(self, post: Post) -> Flow:
        """Return the flow that the post belongs to."""
        return self._flow_of[post.name]

    def add_flow(self, graph: FlowGraph) -> Flow:
        """Make a flow without posts."""
        intensity = Intensity(self.settings.deaths_max, self.settings.window_s)
        flow = Flow(graph, self.budget.share(), self.settings.data_dir.checkpoint(graph.name), intensity)
        self.flows.append(flow)
        return flow

    def add_post(self, flow: Flow, graph: FlowGraph, stage: Stage) -> Post:
        """Make a post that nobody sends to and that has no outlets yet."""
        is_input = stage.kind == "input"
        mailbox = Mailbox(stage.name, [], self.site.clock, source=is_input)
        flow.share.add(mailbox, source=is_input)
        post = Post(self.site, graph, stage, mailbox, flow.share)
        if isinstance(stage.plugin, Input):
            post.sources = Sources(flow.settled.get(stage.plugin.identity))
        if graph.kind == "main":
            mailbox.bell = self._ring
        flow.posts.append(post)
        self.posts.append(post)
        self._flow_of[post.name] = flow
        return post

    def _ring(self) -> None:
        self.ring()

    def _lay_out(self, flow: Flow) -> None:
        posts = {stage.name: self.add_post(flow, flow.graph, stage) for stage in flow.graph.stages}
        for name, post in posts.items():
            for behind in post.stage.downstream():
                post.outlets[behind] = Outlet(posts[behind].mailbox, name)
                posts[behind].mailbox.expect(name, post.mailbox, later=False)
                posts[behind].mailbox.join(name, 0, 0)

    # Manning posts

    def start(self) -> None:
        """Man every post, outputs first."""
        for flow in self.flows:
            for post in reversed(flow.posts):
                self.seat(post)

    def seat(self, post: Post, inherit_from: Lease | None = None) -> None:
        """Put a fresh plugin and a new seat on the post's mailbox."""
        plan, post.planned = post.planned, None
        if plan is not None:
            post.apply(plan, post.mailbox.tally.out)
        plugin = post.furnished()
        keep_held = False
        old = inherit_from.plugin if inherit_from is not None else None
        if isinstance(plugin, Output) and isinstance(old, Output) and post.mailbox.has_held:
            keep_held = bool(post.attempt("inherit what is pending", plugin.inherit, old))
        lease = Lease(plugin)
        post.state = "opening"
        post.lost, post.lease = post.losses(), lease
        if isinstance(plugin, Input):
            plugin.berth = self.sockets.berth(post.name)
            if post.once:  # after the lease: who sets `post.once` looks in the other order
                plugin.once = True
        post.mailbox.reseat(keep_held=keep_held)
        if post.seat is not None:
            post.seat.retire()  # a thread that hangs, and main's loop, may never come back to do it
        kind = SEATS[post.stage.kind]
        seat = kind(post, lease)
        post.seat = seat
        seat.enter()

    def revoke(self, post: Post, lease: Lease) -> None:
        """Take the right to act from a lease: after this nothing that it does can land."""
        lease.revoked = True
        post.mailbox.fence()
        for mailbox in post.downstream():
            mailbox.fence()
        if post.sources is not None:
            post.sources.fence()

    def clear_away(self, post: Post, lease: Lease) -> None:
        """Abort the old plugin if its thread is in it, close it if the thread is dead, tell the root. Blocks nobody."""
        seat = post.seat

        def clear() -> None:
            plugin = lease.plugin
            busy = lease.in_plugin_since is not None
            if plugin is not None and busy:
                post.attempt("abort", plugin.abort)
            # main's loop never comes back to a seat that has a successor: what it did not leave by then is closed here
            on_main = lease.thread is None and not busy
            if plugin is not None and (_gone(lease.thread, seat, 0.1 if busy else LEAVE_S) or on_main):
                post.attempt("close", plugin.close)
            self.site.tell_root(Ready(post, lease))

        threading.Thread(target=clear, name=f"swak:clear:{post.name}", daemon=True).start()

    def interrupt(self, post: Post) -> None:
        """Let an input's `read` return at once. One that cannot must not keep the run from ending."""
        plugin = post.lease.plugin
        if isinstance(plugin, Input):
            post.attempt("be interrupted", plugin.interrupt)

    def let_go(self) -> None:
        """End of the run: close all mailboxes, abort what hangs, wait a moment for threads to close their plugins."""
        self.sockets.end()
        for post in self.posts:
            post.mailbox.close()
        deadline = time.monotonic() + LEAVE_S
        for post in self.posts:
            if not post.lease.over:
                self.interrupt(post)
        for post in self.posts:
            lease = post.lease
            busy = lease.in_plugin_since is not None
            if lease.thread is None and not busy:
                continue  # main's loop finds the mailbox closed
            grace_s = 0.1 if busy else deadline - time.monotonic()
            if not _gone(lease.thread, post.seat, grace_s) and lease.plugin is not None:
                self.revoke(post, lease)
                self.clear_away(post, lease)
                _gone(lease.thread, post.seat, deadline - time.monotonic())
            if post.seat is not None:
                post.seat.retire()  # a thread that hangs, or was cut off in its last line, has not done it

    # Counting

    def save(self, ended: str = "") -> bool:
        """Write the ledger, then the settled positions of flows where these have moved. Return whether there were any.

        Without a ledger no position is written either: the ledger would not know of what that says is settled.
        """
        for flow in self.flows:
            for post in flow.inputs:
                if post.sources is not None and post.sources.shared.moved:
                    post.sources.shared.moved = False  # before looking: what moves meanwhile is seen the next time
                    settled = post.sources.settled()
                    if settled or _identity(post) in flow.settled:
                        flow.settled[_identity(post)] = settled
        if self._ledger is not None and not self._keep(self._ledger, ended):
            return True
        moved = False
        for flow in self.flows:
            if flow.checkpoint is None or flow.settled == flow.saved:
                continue
            moved = True
            try:
                flow.checkpoint.save(flow.settled)
            except (OSError, TypeError, ValueError) as error:  # disk full, or a position that is no JSON value
                log.error(
                    "checkpoint cannot be written; a restart now would replay more", flow=flow.name, error=str(error)
                )
            else:
                flow.saved = flow.settled.copy()
        return moved

    def _keep(self, ledger: Ledger, ended: str) -> bool:
        extents: dict[str, Mapping[str, list[Extent]]] = {}
        for post in self.inputs():
            if isinstance(running := post.lease.plugin, Input):
                extents[post.name] = post.attempt("tell what it has read", running.extents) or {}
        for reading in self._readings(extents):
            ledger.note_bytes(reading)
        views = [post.view({}) for post in self.posts]
        ledger.note(views, self.input_receipts(final=bool(ended)), self.site.dead_letters.figures())
        try:
            ledger.save(ended)
        except (OSError, TypeError, ValueError) as error:
            log.error("ledger cannot be written; a restart now would replay more", error=str(error))
            return False
        return True

    def _readings(self, extents: Mapping[str, Mapping[str, list[Extent]]]) -> Iterator[Reading]:
        """Tell of each input whose sources have bytes what is settled of them. `extents`: by post, what was read."""
        for post in self.inputs():
            plugin, settled_to = post.stage.plugin, self.flow_of(post).settled.get(_identity(post), {})
            assert isinstance(plugin, Input)
            found = {name: plugin.reached(position) for name, position in settled_to.items()}
            settled = {name: reached for name, reached in found.items() if reached is not None}
            if settled or extents.get(post.name):
                yield Reading(post.flow.name, plugin.identity, settled, extents.get(post.name, {}))

    def inputs(self) -> list[Post]:
        """Return every input."""
        return [post for post in self.posts if post.sources is not None]

    def leaks(self) -> list[str]:
        """Name Acks that were dropped unsettled."""
        return [leak for sources in self.sources() for leak in sources.leaks()]

    def sources(self) -> list[Sources]:
        """Return those of every input, and those of what operators put in."""
        both = [sources for post in self.posts for sources in (post.sources, post.injected)]
        return [sources for sources in both if sources is not None]

    def oldest(self) -> dict[str, float | None]:
        """Return, by flow, when its oldest unsettled batch was read."""
        found: dict[str, float | None] = {}
        for post in self.inputs():
            ages = [found.get(post.flow.name), post.sources.oldest() if post.sources is not None else None]
            found[post.flow.name] = min((age for age in ages if age is not None), default=None)
        return found

    def input_receipts(self, *, final: bool = True) -> list[InputReceipt]:
        """Tell what became of each input's events. Only when it is `final`, the inputs may be asked for their notes."""
        receipts = []
        for post in self.inputs():
            plugin = post.stage.plugin
            assert isinstance(plugin, Input) and post.sources is not None  # noqa: PT018 - as every input's post
            read, settled = post.sources.counts()
            will_replay = read - settled if plugin.replays else min(read - settled, post.sources.owed())
            lost = read - settled - will_replay + post.sources.lost
            running = post.lease.plugin if isinstance(post.lease.plugin, Input) else plugin
            notes = running.notes() if final else ""
            figures = settled, will_replay, lost, notes, post.losses(), plugin.replays
            receipts.append(InputReceipt(post.flow.name, post.stage.name, *figures))
        for post in self.posts:
            if post.injected is not None:
                read, settled = post.injected.counts()
                name = f"{INJECTED} {post.stage.name}"
                receipts.append(InputReceipt(post.flow.name, name, settled, 0, read - settled, replays=False))
        return receipts


def _nobody() -> None:
    """There is no loop of main's."""


def _identity(post: Post) -> str:
    plugin = post.stage.plugin
    assert isinstance(plugin, Input)
    return plugin.identity


def _gone(thread: threading.Thread | None, seat: Seat | None, patience_s: float) -> bool:
    """Wait for a thread to end, or for main's loop to leave the seat. Return whether that has happened."""
    if thread is None:
        return seat is None or seat.actor_stopped.wait(max(0.1, patience_s))
    thread.join(max(0.1, patience_s))
    return not thread.is_alive()
