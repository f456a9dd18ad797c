"""What the live view shows, as values: figures of a moment, what follows from them, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from swak.view.units import size, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.latency import Spread
    from swak.stats import StageView

FULL = 0.9
"""From this fill on a mailbox counts as full: the letter that does not fit waits outside, so 1.0 is seldom seen."""
TREND_S = 30
"""How far back trends go: that many seconds, and as many figures."""
SILENT_S = 3.0
"""From this age on figures are called old."""

TROUBLED = ("retrying", "hung", "waiting", "failed")

Key = tuple[str, str]
"""Flow and stage."""


class Process(NamedTuple):
    """What the header tells of a process."""

    cpu_percent: float
    rss_bytes: int


class Spool(NamedTuple):
    """What a buffer on disk holds."""

    batches: int
    size_bytes: int
    limit_bytes: int
    oldest_s: float


class Figures(NamedTuple):
    """What is known of a stage besides its `StageView`."""

    router: str = ""
    """Of an output under a failover: that stage's name."""
    inner: bool = False
    """Whether this is one end of a buffer on disk: no event enters or leaves the agent here."""
    paused: bool = False
    """Whether an operator has paused it: its state may tell something else."""
    children: tuple[str, ...] = ()
    """Of a failover: its outputs, the last resort at the end."""
    down: tuple[str, ...] = ()
    """Of a failover: children that can take nothing now."""
    lags: Mapping[str, int] = {}
    """Of an input: bytes that were seen and not read yet, by path."""
    latency: Spread | None = None
    """Of an input: from reading an event until it is settled, since the start."""
    spool: Spool | None = None
    trouble: str = ""
    """Why figures are missing."""

    @property
    def lag_bytes(self) -> int:
        """How much there is to read yet."""
        return sum(self.lags.values())


class Look(NamedTuple):
    """An agent at one moment."""

    views: tuple[StageView, ...]
    """Upstream first, flow by flow."""
    figures: Mapping[Key, Figures] = {}
    uptime_s: float = 0.0
    process: Process | None = None
    draining: bool = False
    warnings: tuple[str, ...] = ()
    """What `swak check` warns of."""
    dead_dropped: int = 0
    """Dead letters that were lost because their store was full."""
    silent_s: float = 0.0
    """How long the agent has told nothing new."""


class Peek(Protocol):
    """The last events that pass a stage."""

    left_out: int
    """Events that passed and were not shown."""

    def take(self) -> list[str]:
        """Return what has passed since the last call, an event a line, as plain text. SwakError: it is over."""

    def close(self) -> None:
        """Look no more."""


class Subject(Protocol):
    """What a view looks at: the agent of this process, or another one."""

    def look(self) -> Look:
        """Return what it looks like now. Does not wait."""

    def pause(self, stage: Key, *, on: bool) -> None:
        """Have a stage take nothing, or go on. SwakError says why that cannot be."""

    def peek(self, stage: Key, rate: float) -> Peek:
        """Begin to look at the events of a stage that passes about so many a second. SwakError: it cannot be."""


class Delay(NamedTuple):
    """How long delivering took lately, at most."""

    half_s: float
    """Of half of the events."""
    most_s: float
    """Of 95 of 100."""


class Frame(NamedTuple):
    """Everything that one picture of the live view shows."""

    recipe: str
    look: Look
    rates: Mapping[Key, float] = {}
    """Events a second, per stage."""
    trends: Mapping[Key, Sequence[float]] = {}
    """The same over the last half minute, a second each, the latest one last."""
    delays: Mapping[Key, Delay] = {}
    """Of inputs."""

    @property
    def views(self) -> tuple[StageView, ...]:
        """Return the stages."""
        return self.look.views

    def figures(self, view: StageView) -> Figures:
        """Return what else is known of a stage."""
        return self.look.figures.get(key(view), _NONE)

    def rate(self, view: StageView) -> float:
        """Return a stage's events a second."""
        return self.rates.get(key(view), 0.0)


class Trouble(NamedTuple):
    """Something that an operator should know."""

    level: Literal["bad", "warn", "note"]
    text: str
    short: str
    """The same in a dozen characters."""
    past: bool = False
    """Whether it may be over by now."""


_NONE = Figures()


def key(view: StageView) -> Key:
    """Return what tells a stage from every other."""
    return view.flow, view.stage


def passed(view: StageView) -> int:
    """Return how many events a stage has dealt with: inputs have only what goes out, outputs only what comes in."""
    return max(view.tally.into, view.tally.out)


def bottlenecks(views: Sequence[StageView]) -> set[Key]:
    """Return, for each flow that is held up, the stage that is the cause.

    That is the most downstream one which has trouble while letters wait for it, or else the most downstream one whose
    mailbox is full: nothing after it is. `views` stand upstream first.
    """
    found: dict[str, Key] = {}
    for view in reversed(views):
        if view.state in TROUBLED and (view.mailbox_batches or view.kind == "input"):
            found.setdefault(view.flow, key(view))
    for view in reversed(views):
        if view.fill >= FULL:
            found.setdefault(view.flow, key(view))
    return set(found.values())


class Totals(NamedTuple):
    """The agent as a whole."""

    into: float
    """Events a second that come in from outside."""
    out: float
    """Events a second that outputs take."""
    oldest_s: float | None
    lag_bytes: int
    has_lag: bool
    """Whether an input tells of a lag at all."""
    dead: int
    errors: int
    trend: tuple[float, ...]
    """Of what comes in."""


def totals(frame: Frame) -> Totals:
    """Sum up all stages. What passes from one end of a buffer on disk to the other is counted once."""
    outer = [view for view in frame.views if not frame.figures(view).inner]
    inputs = [view for view in outer if view.kind == "input"]
    trends = [frame.trends.get(key(view), ()) for view in inputs]
    length = max((len(one) for one in trends), default=0)
    padded = [[0.0] * (length - len(one)) + list(one) for one in trends]
    lags = [frame.figures(view).lags for view in inputs]
    return Totals(
        into=sum(frame.rate(view) for view in inputs),
        out=sum(frame.rate(view) for view in outer if view.kind == "output"),
        oldest_s=max((view.oldest_s for view in frame.views if view.oldest_s is not None), default=None),
        lag_bytes=sum(sum(one.values()) for one in lags),
        has_lag=any(lags),
        dead=sum(view.tally.dead.total() for view in frame.views),
        errors=sum(view.errors for view in frame.views),
        trend=tuple(map(sum, zip(*padded, strict=True))),
    )


def troubles(frame: Frame) -> list[Trouble]:
    """Return what is wrong, the worst first, in the order of the flows where it is equally bad."""
    look = frame.look
    found: list[Trouble] = []
    if look.silent_s >= SILENT_S:
        found.append(Trouble("bad", f"the agent has told nothing for {span(look.silent_s)}", "no answer"))
    if look.dead_dropped:
        found.append(Trouble("bad", f"{look.dead_dropped} dead letters were lost: their store is full", "letters lost"))
    several = len({view.flow for view in look.views}) > 1
    spare = {
        (view.flow, child): f"{view.stage} uses {view.live_child}"
        for view in look.views
        if view.live_child
        for child in frame.figures(view).children
    }
    causes = bottlenecks(look.views)
    for view in look.views:
        name = f"{view.flow}/{view.stage}" if several else view.stage
        held_up = ", the bottleneck" if key(view) in causes else ""
        found += _of_state(view, name, spare.get(key(view), ""), held_up)
        if key(view) in causes and view.state not in {*TROUBLED, "paused"}:
            found.append(Trouble("warn", f"{name} is the bottleneck: its mailbox is full", f"{view.stage} full"))
        found += _of_figures(view, name, frame.figures(view))
    found += [Trouble("note", text, "warning") for text in look.warnings]
    return sorted(found, key=lambda one: (("bad", "warn", "note").index(one.level), one.past))


def _of_state(view: StageView, name: str, spare: str, held_up: str) -> list[Trouble]:
    why = f"{held_up}: {view.last_error}" if view.last_error else held_up
    since = "" if view.down_s is None else f" for {span(view.down_s)}"
    match view.state:
        case "failed":
            return [Trouble("bad", f"{name} has failed and is tried again in a minute{why}", f"{view.stage} failed")]
        case "hung":
            return [Trouble("bad", f"{name} hangs{why}", f"{view.stage} hangs")]
        case "retrying" if view.kind == "failover":
            return [Trouble("bad", f"{name}: every output is down{held_up}", f"{view.stage} down")]
        case "retrying" if spare:
            return [Trouble("warn", f"{name} is down{since}, {spare}{why}", f"{view.stage} down")]
        case "retrying":
            return [Trouble("bad", f"{name} is down{since}{why}", f"{view.stage} down")]
        case "waiting":
            return [Trouble("warn", f"{name} is being started again{why}", f"{view.stage} waits")]
        case "paused":
            return [Trouble("warn", f"{name} is paused: nothing passes until it is resumed", f"{view.stage} paused")]
        case _:
            return []


def _of_figures(view: StageView, name: str, figures: Figures) -> list[Trouble]:
    found = []
    if dead := view.tally.dead.copy():
        reason = max(dead, key=lambda one: dead[one])
        what = f"{name}: {sum(dead.values())} dead letters"
        found.append(Trouble("warn", f"{what}, e.g. {reason}", f"{sum(dead.values())} dead", past=True))
    if view.memory and view.state == "blocked":
        found.append(Trouble("warn", f"{name} {view.memory}", "memory limit"))
    spool = figures.spool
    if spool is not None and spool.limit_bytes and spool.size_bytes >= FULL * spool.limit_bytes:
        what = f"{name}: the spool is nearly full, {size(spool.size_bytes)} of {size(spool.limit_bytes)}"
        found.append(Trouble("warn", what, "spool full"))
    if figures.trouble:
        found.append(Trouble("note", f"{name}: {figures.trouble}", "no figures"))
    return found
