"""From a run to what the view shows of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from swak.metrics.observed import lags_of
from swak.plugin import Input
from swak.view.meter import Meter
from swak.view.model import Figures, Key, Look, Spool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.actors.post import Post
    from swak.actors.running import Run

PATHS_MAX = 20
"""Files of one input that are told of by name, those with the greatest lag."""
SLOW_S, SLOWEST_S = 1.0, 10.0
"""How often plugins are asked for figures."""
SHARE = 0.01
"""Part of the time that asking may take: an input with 10,000 files is asked less often."""


class Gatherer:
    """Looks at a run of this process. For one thread."""

    def __init__(self, run: Run, began_s: float) -> None:
        """`began_s`: when the run began, by the monotonic clock."""
        self._run = run
        self._began_s = began_s
        self._meter: Meter | None = None
        self._figures: dict[Key, Figures] = {}
        self._ask_s = float("-inf")
        """When plugins are to be asked again."""

    def hurry(self) -> None:
        """Ask anew at the next look: something was changed."""
        self._ask_s = float("-inf")

    def look(self) -> Look:
        """Return what the run looks like now."""
        run, now_s = self._run, time.monotonic()
        if now_s >= self._ask_s:
            began_s = time.thread_time()
            self._figures = {(post.flow.name, post.stage.name): _figures(post) for post in run.crew.posts}
            used_s = time.thread_time() - began_s
            self._ask_s = now_s + min(SLOWEST_S, max(SLOW_S, used_s / SHARE))
        self._meter = self._meter or Meter()
        return Look(
            views=tuple(view for view in run.snapshot() if view.state != "removed"),
            figures=self._figures,
            uptime_s=now_s - self._began_s,
            process=self._meter.read(),
            draining=run.draining,
            warnings=run.topology.warnings,
            dead_dropped=int(run.crew.site.dead_letters.figures()["dropped"]),
        )


def _figures(post: Post) -> Figures:
    stage, plugin = post.stage, post.lease.plugin
    found = Figures(
        router=stage.router or "",
        paused=post.mailbox.paused,
        inner=stage.spool is not None,
        children=(*stage.children, *((stage.last,) if stage.last else ())),
        down=tuple(sorted(post.down.copy())),
        latency=None if post.sources is None else post.sources.shared.latency.spread(),
    )
    if plugin is None:
        return found
    try:  # not by `post.attempt`: looking must not make the count of errors grow
        told = lags_of(plugin.extents(), PATHS_MAX) if isinstance(plugin, Input) and stage.spool is None else {}
        return found._replace(lags=told, spool=_spool(plugin.measures()))
    except Exception as error:  # noqa: BLE001 - a plugin's bug: the view says so, and the run goes on
        return found._replace(trouble=f"cannot tell its figures: {type(error).__name__}: {error}")


def _spool(measures: Mapping[str, float]) -> Spool | None:
    if "spool_bytes" not in measures:
        return None
    batches, size, limit = (int(measures.get(f"spool_{name}", 0)) for name in ("batches", "bytes", "limit_bytes"))
    return Spool(batches, size, limit, measures.get("spool_oldest_s", 0.0))
