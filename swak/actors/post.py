"""What of a stage outlives its seats: mailbox, outlets, positions, and what is known about its failures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from swak.actors.lease import Lease
from swak.errors import SeatError
from swak.log import get
from swak.plugin import Input, Plugin
from swak.stats import StageView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swak.ack import Sources
    from swak.actors.mailbox import Mailbox
    from swak.actors.seat import Seat
    from swak.budget import Share
    from swak.clock import Clock
    from swak.deadletters import DeadLetters
    from swak.topology.graph import FlowGraph, Stage

log = get("swak.seat")
T = TypeVar("T")

PAUSABLE = ("running", "retrying")
"""States of a stage that works, or would: one that is paused looks so."""


class Site(NamedTuple):
    """What all seats of a run share."""

    clock: Clock
    dead_letters: DeadLetters
    tell_root: Callable[[object], None]
    once: bool


class Outlet(NamedTuple):
    """One way out of a stage: the mailbox downstream, and the edge by which it knows us."""

    mailbox: Mailbox
    edge: str


class Plan(NamedTuple):
    """What a reload makes of a stage."""

    stage: Stage
    flow: FlowGraph
    outlets: dict[str, Outlet]
    parted: tuple[Outlet, ...]
    """Those that are no outlets any more."""
    fresh: bool
    """Whether it gets another plugin."""


class Post:
    """One stage of a running topology."""

    def __init__(self, site: Site, flow: FlowGraph, stage: Stage, mailbox: Mailbox, share: Share) -> None:
        self.site = site
        self.flow = flow
        self.stage = stage
        self.mailbox = mailbox
        self.share = share
        self.outlets: dict[str, Outlet] = {}
        """By the name of the stage downstream."""
        self.sources: Sources | None = None
        """Of an input: its sources, and how far they are settled."""
        self.injected: Sources | None = None
        """What operators put into the mailbox, and how much of it is settled."""
        self.planned: Plan | None = None
        self.leaving = False
        """Whether a reload has removed the stage."""
        self.lease = Lease(None)
        self.seat: Seat | None = None
        self.state = "opening"
        self.once = site.once
        """Of an input: it is to end where its source ends now."""
        self.draining = False
        """Of an input: it is to read no more."""
        self.down: set[str] = set()
        """Of a failover: children that cannot take anything now."""
        self.live_child = ""
        self.lost: Counter[str] = Counter()
        """Of an input: what former plugins could not take or keep."""
        self.errors = 0
        self.restarts = 0
        self.retries = 0
        self.down_since: float | None = None
        """Of an output: when the first failure was, after which nothing has been delivered."""
        self.last_error = ""

    @property
    def name(self) -> str:
        """The stage's name with its flow, for logs."""
        return f"{self.flow.name}/{self.stage.name}"

    def note_error(self, error: BaseException | str, count: int = 1) -> None:
        """Count an error, or several of a kind, and keep its text for the view."""
        self.errors += count
        self.last_error = error if isinstance(error, str) else f"{type(error).__name__}: {error}"

    def note_retry(self) -> None:
        """Count something that failed and will be tried again; the first one begins an outage."""
        self.state = "retrying"
        self.retries += 1
        self.down_since = self.down_since or self.site.clock.monotonic()

    def attempt(self, what: str, function: Callable[..., T], *arguments: Any) -> T | None:
        """Call into the plugin where a failure must not keep the rest from happening: it is noted, None comes back."""
        try:
            return function(*arguments)
        except SeatError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and the like from a plugin are no different
            self.note_error(error)
            log.warning("plugin failed in passing", stage=self.name, call=what, error=repr(error))
            return None

    def pause(self, *, on: bool) -> None:
        """Shut the mailbox's gate for data until this is called again, or open it. It outlives seats."""
        self.mailbox.paused = on
        self.mailbox.resting = False  # after the gate: who rests then has seen it
        self.mailbox.wake()

    def furnished(self) -> Plugin | None:
        """Return an unopened plugin for a seat, if the stage has any."""
        plugin = self.stage.plugin.fresh() if self.stage.plugin is not None else None
        if plugin is not None:
            plugin.clock = self.site.clock
            plugin.keeps_bytes = self.share.cache_of(plugin.keeps_bytes)
        return plugin

    def apply(self, plan: Plan, sent: int) -> None:
        """Take on a plan, but for the plugin; may be repeated. Events `sent` so far went to the outlets of before."""
        serial = 0 if self.sources is None else self.sources.serial
        for outlet in plan.outlets.values():
            outlet.mailbox.join(outlet.edge, sent, serial)
        self.stage, self.flow, self.outlets = plan.stage, plan.flow, plan.outlets
        for outlet in plan.parted:
            outlet.mailbox.part(outlet.edge, sent)

    def downstream(self) -> list[Mailbox]:
        """Return the mailboxes that this post writes to."""
        return [outlet.mailbox for outlet in self.outlets.values()]

    def accepted(self) -> int:
        """Of an input: the serial of the last batch that every outlet has accepted."""
        return min(outlet.mailbox.accepted(outlet.edge) for outlet in self.outlets.values())

    def losses(self) -> Counter[str]:
        """Of an input: what it could not take or keep in this run, by reason."""
        plugin = self.lease.plugin
        told = self.attempt("tell its losses", plugin.losses) if isinstance(plugin, Input) else None
        return self.lost + Counter(told or {})

    def view(self, oldest: Mapping[str, float | None]) -> StageView:
        """Return what the stage looks like now. `oldest`: by flow, when its oldest unsettled batch was read."""
        levels = self.mailbox.levels()
        read_at, now = oldest.get(self.flow.name), self.site.clock.monotonic()
        down_since = None if self.state in {"running", "over"} else self.down_since
        return StageView(
            flow=self.flow.name,
            stage=self.stage.name,
            kind=self.stage.kind,
            state=self._shown_state(),
            tally=levels.tally,
            mailbox_batches=levels.batches,
            mailbox_bytes=levels.size_bytes,
            fill=levels.fill,
            oldest_s=None if read_at is None else max(0.0, now - read_at),
            errors=self.errors,
            restarts=self.restarts,
            last_error=self.last_error,
            live_child=self.live_child,
            waiting=levels.waiting,
            arrived=levels.arrived,
            spans=levels.spans,
            memory=self.share.told(self.stage.name, self.stage.kind),
            retries=self.retries,
            down_s=None if down_since is None else now - down_since,
        )

    def _shown_state(self) -> str:
        if self.leaving:
            return "removed" if self.lease.over else "leaving"
        if self.mailbox.paused and self.state in PAUSABLE:
            return "paused"
        return "blocked" if self.state == "running" and self.mailbox.blocked else self.state
