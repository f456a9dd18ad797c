"""A topology that runs: in the foreground for `swak up`, or inside a program or a test with `swak.running`."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.actors.crew import Crew
from swak.actors.loop import MainLoop
from swak.actors.messages import Sign, Stop
from swak.actors.post import Site
from swak.actors.supervisor import Supervisor
from swak.actors.watchdog import Watchdog
from swak.clock import SYSTEM
from swak.datadir import DataDir
from swak.errors import SwakError
from swak.plugin import Input
from swak.recipe import Chain, Recipe, as_recipe
from swak.recipe import Flow as RecipeFlow
from swak.sinks.guard import allow_waking
from swak.stats import Receipt, StageView
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.clock import Clock
    from swak.reloading.outcome import Reloads
    from swak.sockets.kept import Keep
    from swak.topology.graph import Topology

DRAIN_S = 60.0


class Settings(NamedTuple):
    """How a topology runs."""

    data_dir: DataDir
    once: bool = False
    """Inputs end where their sources end now."""
    grace_s: float = 10.0
    """How long draining may take."""
    fail_fast: bool = False
    """End the run when a task fails, instead of starting the task again later."""
    watchdog: bool = False
    """End the process when a call holds the interpreter's lock for long. For processes that are ours."""
    hang_after_s: float | None = None
    """How long a call into a plugin may take; None: as the plugin says."""
    deaths_max: int = 5
    window_s: float = 60.0
    """More than `deaths_max` seat deaths in `window_s` seconds mean that the task has failed."""
    pause_s: float = 60.0
    """When a failed task starts again."""
    memory_limit: int | None = None
    """Bytes of events that may be in memory: beyond them inputs wait. None: what bounds mailboxes and buffers."""
    clock: Clock = SYSTEM
    sockets: Keep | None = None
    """Where inputs find sockets that are open already, and may leave theirs; None: those of this run only."""


class Run:
    """One run of a topology. `start`, then `run_main` and `wait`; `close` frees everything."""

    def __init__(self, topology: Topology, settings: Settings) -> None:
        self.settings = settings
        self.topology = topology
        self.signals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        """Signal handlers put signal numbers here. The first one drains, the second one stops at once."""
        settings.data_dir.lock()
        try:
            self._dead_letters = settings.data_dir.dead_letters()
            site = Site(settings.clock, self._dead_letters, self.signals.put, settings.once)
            self.crew = Crew(topology, settings, site)
        except BaseException:
            settings.data_dir.close()
            raise
        self.stopped = False
        """Whether somebody asked for an end before the inputs had ended."""
        watchdog = Watchdog(enabled=settings.watchdog)
        self.supervisor = Supervisor(self.crew, settings, self.signals, watchdog)
        self._loop = MainLoop(self.crew)
        self.crew.need_main = self._need_main
        self.reloads: Reloads | None = None
        """How reloads of the recipe went, where there may be any."""

    @property
    def draining(self) -> bool:
        """Whether the run is on its way to its end, or there."""
        return self.supervisor.drain_until is not None or self.supervisor.finished.is_set()

    @property
    def forced_by(self) -> int | None:
        """The signal that ended the run before it was drained, if any."""
        return self.supervisor.forced_by

    def start(self) -> None:
        """Open the seats, outputs first."""
        if threading.current_thread() is threading.main_thread():
            allow_waking()  # the one thing that only the main thread may set up
        self.supervisor.enter()
        self.crew.start()

    def run_main(self) -> None:
        """Step the `main` flows on the calling thread until they are over; return at once when there are none."""
        if not self._has_main:
            return
        try:
            self._loop.run(self.supervisor.finished.is_set)
        except KeyboardInterrupt:
            self.stop()
            self._loop.run(self.supervisor.finished.is_set)
            raise

    def step_main(self) -> None:
        """Do `run_main` on a thread that has nobody to raise to."""
        with contextlib.suppress(KeyboardInterrupt):  # run_main has asked for draining already
            self.run_main()

    @property
    def _has_main(self) -> bool:
        return any(flow.graph.kind == "main" for flow in self.crew.flows)

    def _need_main(self) -> None:
        """Step `main` flows that a reload has brought, on a thread of their own."""
        if self._has_main and not self._loop.running:
            threading.Thread(target=self.step_main, name="swak:main", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is over. Return whether it is."""
        return self.supervisor.finished.wait(timeout_s)

    def stop(self, *, now: bool = False, signal: int | None = None, handing: bool = False) -> None:
        """Ask for draining, or for an end at once; because of a signal, perhaps.

        When `handing`, sockets are left open for a successor.
        """
        self.stopped = True
        self.crew.sockets.handing = handing
        self.signals.put(Stop(now, signal))
        self._loop.ring()

    def drain(self) -> bool:
        """Let every input end where its source ends now, the endless ones at once. Return whether the run is over."""
        for post in self.crew.inputs():
            post.once = True
            plugin = post.lease.plugin
            if isinstance(plugin, Input):
                plugin.once = True
                post.draining = post.draining or plugin.endless
                self.crew.interrupt(post)
            post.mailbox.tell(Sign.STOP if post.draining else Sign.WAKE)
        return self.wait(self.settings.grace_s)

    def snapshot(self) -> list[StageView]:
        """Return what every stage looks like now."""
        oldest = self.crew.oldest()
        return [post.view(oldest) for post in self.crew.posts]

    def receipt(self) -> Receipt:
        """Return the figures; final once `wait` has returned True."""
        failed = tuple(flow.name for flow in self.crew.flows if flow.failed)
        dead = self._dead_letters
        return Receipt(tuple(self.snapshot()), tuple(self.crew.input_receipts()), failed, dead.path, dead.dropped)

    def close(self) -> None:
        """Stop at once if still running, and free threads, mailboxes and the data directory."""
        if self.supervisor.entered and not self.supervisor.finished.is_set():
            self.signals.put(Stop(now=True))
            self.wait(DRAIN_S)
        for sources in self.crew.sources():
            sources.close()
        for post in self.crew.posts:
            post.mailbox.discard()
        self.crew.sockets.end()
        self.settings.data_dir.close()


@contextlib.contextmanager
def running(recipe: Recipe | RecipeFlow | Chain | list[RecipeFlow], **settings: Any) -> Iterator[Run]:
    """Run a recipe inside a program or test; leaving the block drains it, and raises SwakError if it could not.

    Inputs are read to where their sources end now; generators without an end are stopped. After `stop()` nothing is
    raised: the receipt tells what was left. `settings` are those of
    `swak.actors.running.Settings`; without `data_dir` nothing is kept. A `main` flow is stepped by a thread of its own
    here, since the caller's thread is the caller's.
    """
    settings.setdefault("data_dir", DataDir.resolve(None, ephemeral=True))
    run = Run(compile_recipe(as_recipe(recipe)), Settings(**settings))
    stepper = threading.Thread(target=run.step_main, name="swak:main", daemon=True)
    try:
        run.start()
        stepper.start()
        yield run
        if not run.wait(0) and not run.stopped:
            run.drain()
    finally:
        run.close()
        stepper.join(DRAIN_S)
    if run.supervisor.leaked:
        raise SwakError(f"an Ack was dropped unsettled: {run.supervisor.leaked}")
    if not run.stopped and any(one.lost or one.will_replay for one in run.receipt().inputs):
        raise SwakError(f"not everything was delivered within {run.settings.grace_s:g} s: {run.receipt().inputs}")
