"""The posts of a run: how they are made from a topology, manned, revoked, and counted."""

from __future__ import annotations

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
from swak.log import get
from swak.plugin import Input, Output
from swak.stats import InputReceipt

if TYPE_CHECKING:
    from swak.actors.running import Settings
    from swak.actors.seat import Seat
    from swak.checkpoint import Checkpoint, Positions
    from swak.topology.graph import FlowGraph, Topology

log = get("swak.supervisor")

SEATS: dict[str, type[Seat]] = {
    "input": InputSeat,
    "filter": FilterSeat,
    "buffer": BufferSeat,
    "output": OutputSeat,
    "tags": TagsSeat,
    "failover": FailoverSeat,
}
LEAVE_S = 2.0
"""How long a seat that is let go may take to close its plugin before the process goes on without it."""


class Flow:
    """One `main` or `task` of a run."""

    def __init__(
        self, graph: FlowGraph, posts: list[Post], checkpoint: Checkpoint | None, intensity: Intensity
    ) -> None:
        self.graph = graph
        self.posts = posts
        self.checkpoint = checkpoint
        self.intensity = intensity
        self.failed = False
        self.resume_at: float | None = None
        self.loaded: Positions = {}
        """What the checkpoint held at the start: positions of inputs that this run does not have are kept."""
        self.saved: object = None

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
        self.flows = [self._flow(graph) for graph in topology.flows]
        self.posts = [post for flow in self.flows for post in flow.posts]
        self._flow_of = {post.name: flow for flow in self.flows for post in flow.posts}

    @staticmethod
    def real_monotonic() -> float:
        """Return the time that leases stamp plugin calls with: never a test's."""
        return time.monotonic()

    def flow_of(self, post: Post) -> Flow:
        """Return the flow that the post belongs to."""
        return self._flow_of[post.name]

    def _flow(self, graph: FlowGraph) -> Flow:
        edges: dict[str, list[str]] = {stage.name: [] for stage in graph.stages}
        for stage in graph.stages:
            for name in stage.downstream():
                edges[name].append(stage.name)
        posts = {}
        for stage in graph.stages:
            mailbox = Mailbox(stage.name, edges[stage.name], self.site.clock, source=stage.kind == "input")
            posts[stage.name] = Post(self.site, graph, stage, mailbox)
        for post in posts.values():
            for name in post.stage.downstream():
                post.outlets[name] = Outlet(posts[name].mailbox, post.stage.name)
                posts[name].mailbox.upstream[post.stage.name] = post.mailbox
        checkpoint = self.settings.data_dir.checkpoint(graph.name)
        plugin = graph.input.plugin
        assert isinstance(plugin, Input)
        saved = checkpoint.load() if checkpoint is not None else {}
        posts[graph.input.name].sources = Sources(saved.get(plugin.identity))
        intensity = Intensity(self.settings.deaths_max, self.settings.window_s)
        flow = Flow(graph, list(posts.values()), checkpoint, intensity)
        flow.loaded = saved
        return flow

    # Manning posts

    def start(self) -> None:
        """Man every post, outputs first."""
        for flow in self.flows:
            for post in reversed(flow.posts):
                self.seat(post)

    def seat(self, post: Post, inherit_from: Lease | None = None) -> None:
        """Put a fresh plugin and a new seat on the post's mailbox."""
        declared = post.stage.plugin
        plugin = declared.fresh() if declared is not None else None
        keep_held = False
        if plugin is not None:
            plugin.clock = self.site.clock
            old = inherit_from.plugin if inherit_from is not None else None
            if isinstance(plugin, Output) and isinstance(old, Output) and post.mailbox.has_held:
                keep_held = plugin.inherit(old)
        if isinstance(plugin, Input):
            plugin.once = post.once
        lease = Lease(plugin)
        post.state = "opening"
        post.lease = lease
        post.mailbox.reseat(keep_held=keep_held)
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

        def clear() -> None:
            plugin = lease.plugin
            try:
                if plugin is not None and lease.in_plugin_since is not None:
                    plugin.abort()
                elif plugin is not None and _ended(lease.thread):
                    plugin.close()
            except BaseException as error:  # noqa: BLE001 - the successor must come all the same
                log.warning("old plugin failed to let go", stage=post.name, error=repr(error))
            finally:
                self.site.tell_root(Ready(post, lease))

        threading.Thread(target=clear, name=f"swak:clear:{post.name}", daemon=True).start()

    def let_go(self) -> None:
        """End of the run: close all mailboxes, abort what hangs, wait a moment for threads to close their plugins."""
        for post in self.posts:
            post.mailbox.close()
        deadline = time.monotonic() + LEAVE_S
        for post in self.posts:
            plugin = post.lease.plugin
            if isinstance(plugin, Input) and not post.lease.over:
                plugin.interrupt()
        for post in self.posts:
            thread = post.lease.thread
            if thread is None:
                continue
            grace_s = 0.1 if post.lease.in_plugin_since is not None else deadline - time.monotonic()
            thread.join(max(0.1, grace_s))
            if thread.is_alive() and post.lease.plugin is not None:
                self.revoke(post, post.lease)
                self.clear_away(post, post.lease)
                thread.join(max(0.1, deadline - time.monotonic()))

    # Counting

    def save_checkpoints(self) -> None:
        """Write the settled positions of every flow whose positions have moved."""
        for flow in self.flows:
            post = flow.posts[0]
            plugin = flow.graph.input.plugin
            if flow.checkpoint is None or post.sources is None or not isinstance(plugin, Input):
                continue
            positions = post.sources.settled()
            if positions == flow.saved:
                continue
            try:
                flow.checkpoint.save({**flow.loaded, plugin.identity: positions})
            except OSError as error:
                log.error(
                    "checkpoint cannot be written; a restart now would replay more", flow=flow.name, error=str(error)
                )
            else:
                flow.saved = positions

    def leaks(self) -> list[str]:
        """Name Acks that were dropped unsettled."""
        return [leak for post in self.posts if post.sources is not None for leak in post.sources.leaks()]

    def oldest(self) -> dict[str, float | None]:
        """Return, by flow, when its oldest unsettled batch was read."""
        return {flow.name: flow.posts[0].sources.oldest() if flow.posts[0].sources else None for flow in self.flows}

    def input_receipts(self) -> list[InputReceipt]:
        """Tell what became of each input's events."""
        receipts = []
        for flow in self.flows:
            post = flow.posts[0]
            plugin = post.stage.plugin
            assert post.sources is not None
            assert isinstance(plugin, Input)
            read, settled = post.sources.counts()
            left = read - settled
            replays = plugin.replays
            receipts.append(
                InputReceipt(flow.name, post.stage.name, settled, left if replays else 0, 0 if replays else left)
            )
        return receipts


def _ended(thread: threading.Thread | None) -> bool:
    """Wait a moment for a thread that has nothing more to do. A plugin is closed by its own thread while that lives."""
    if thread is not None:
        thread.join(LEAVE_S)
    return thread is None or not thread.is_alive()
