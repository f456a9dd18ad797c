"""The live view: a table of all stages on the terminal, or progress lines in the log where there is none."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from swak.clock import SYSTEM, Clock
from swak.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import Console

    from swak.stats import StageView

REFRESH_S = 0.25
PROGRESS_S = 30.0
FULL = 0.9
"""From this fill on a mailbox counts as full: the letter that does not fit waits outside, so 1.0 is seldom seen."""

TROUBLED = ("retrying", "hung", "waiting", "failed")

_log = Log("swak.view")

Key = tuple[str, str]
"""Flow and stage."""


class Process(NamedTuple):
    """What the header tells of this process."""

    cpu_percent: float
    rss_bytes: int


class Gauge(Protocol):
    """Reads CPU and memory of the process that is watched."""

    def read(self) -> Process:
        """Return CPU since the last reading, and resident memory."""


class Frame(NamedTuple):
    """Everything that one picture of the live view shows."""

    recipe: str
    views: tuple[StageView, ...]
    rates: Mapping[Key, float]
    """Events a second, per stage."""
    uptime_s: float = 0.0
    process: Process | None = None


class Rates:
    """Events a second of each stage over the last `window_s`."""

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._past: deque[tuple[float, dict[Key, int]]] = deque()

    def update(self, views: Iterable[StageView], now_s: float) -> dict[Key, float]:
        """Note the figures of this moment and return the rates. A stage that is new has none yet."""
        totals = {key(view): passed(view) for view in views}
        while len(self._past) > 1 and now_s - self._past[1][0] >= self._window_s:
            self._past.popleft()
        then_s, before = self._past[0] if self._past else (now_s, totals)
        self._past.append((now_s, totals))
        span_s = now_s - then_s
        if span_s <= 0:
            return dict.fromkeys(totals, 0.0)
        return {stage: max(0, total - before.get(stage, total)) / span_s for stage, total in totals.items()}


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


class View:
    """Watches a run from a thread of its own: draws the table on `console`, or writes progress lines without one.

    Should drawing fail (the terminal has gone), it tells so in the log and goes on with progress lines. Nothing that
    happens here reaches the run.
    """

    def __init__(
        self,
        snapshot: Callable[[], Sequence[StageView]],
        recipe: str,
        console: Console | None,
        clock: Clock = SYSTEM,
        *,
        gauge: Gauge | None = None,
        up_s: float = 0.0,
    ) -> None:
        """Watch this process, or another one whose `gauge` is given and that is `up_s` old already."""
        self._snapshot = snapshot
        self._recipe = recipe
        self._console = console
        self._clock = clock
        self._rates = Rates()
        self._started_s = clock.monotonic() - up_s
        self._gauge = gauge
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swak-view", daemon=True)

    @property
    def is_drawn(self) -> bool:
        """Whether it has the terminal to draw on, and does so again and again."""
        return self._console is not None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Take the table off the terminal. Waits two seconds at most: a stopped terminal may take no text."""
        self._over.set()
        self._thread.join(2.0)

    def frame(self, meter: Gauge | None = None) -> Frame:
        """Return what is to be shown now."""
        now_s = self._clock.monotonic()
        views = tuple(self._snapshot())
        rates = self._rates.update(views, now_s)
        return Frame(self._recipe, views, rates, now_s - self._started_s, meter.read() if meter else None)

    def _run(self) -> None:
        try:
            if self._console is not None:
                try:
                    return self._draw(self._console)
                except Exception as error:  # noqa: BLE001 - whatever it was, the run must not stop for a picture
                    _log.warning("live view ended, progress lines follow", error=error)
            self._tell()
        except Exception as error:  # noqa: BLE001 - see above
            _log.error("the run goes on unwatched", exc_info=error)

    def _draw(self, console: Console) -> None:
        from rich.live import Live  # noqa: PLC0415 - progress lines need none

        from swak.picture import render  # noqa: PLC0415 - see above

        meter = self._gauge or Meter()
        with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
            while not self._over.wait(REFRESH_S):
                live.update(render(self.frame(meter)), refresh=True)

    def _tell(self) -> None:
        if self._over.wait(1.0):  # so short a run has its receipt, and need not pay for structlog and psutil
            return
        _log.info("running", recipe=self._recipe, stages=len(self._snapshot()))
        meter = self._gauge or Meter()
        while not self._over.wait(PROGRESS_S):
            _log.info("progress", **progress(self.frame(meter)))


class Meter:
    """Reads CPU and memory of this process."""

    def __init__(self) -> None:
        import psutil  # noqa: PLC0415 - 26 ms, and a short run needs none

        self._process = psutil.Process()
        self._process.cpu_percent()

    def read(self) -> Process:
        """Return CPU since the last reading, and resident memory."""
        return Process(self._process.cpu_percent(), self._process.memory_info().rss)


def progress(frame: Frame) -> dict[str, object]:
    """Return the fields of one progress line."""
    inputs = [view for view in frame.views if view.kind == "input"]
    oldest_s = max((view.oldest_s for view in frame.views if view.oldest_s is not None), default=None)
    told: dict[str, object] = {
        "events": sum(passed(view) for view in inputs),
        "events_per_s": round(sum(frame.rates.get(key(view), 0.0) for view in inputs)),
        "dead": sum(view.tally.dead.total() for view in frame.views),
        "errors": sum(view.errors for view in frame.views),
    }
    if oldest_s is not None:
        told["oldest_s"] = round(oldest_s, 1)
    if frame.process is not None:
        told |= {"cpu_percent": round(frame.process.cpu_percent), "rss_mib": round(frame.process.rss_bytes / 2**20)}
    if causes := bottlenecks(frame.views):
        told["bottleneck"] = ", ".join(f"{flow}/{stage}" for flow, stage in sorted(causes))
    if memory := [f"{view.flow}/{view.stage} {view.memory}" for view in frame.views if view.memory]:
        told["memory"] = ", ".join(memory)
    troubled = [f"{view.flow}/{view.stage} {view.state}" for view in frame.views if view.state in TROUBLED]
    if troubled:
        told["troubled"] = ", ".join(troubled)
    return told
