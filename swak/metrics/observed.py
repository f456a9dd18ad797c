"""What a run looks like at one moment, as a value: everything that metrics and health are made of."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from swak.plugin import Input
from swak.reloading.outcome import Reloads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.actors.post import Post
    from swak.actors.running import Run
    from swak.latency import Spread
    from swak.plugin import Extent
    from swak.stats import InputReceipt, StageView

Key = tuple[str, str]
"""Flow and stage."""

OTHERS = "(others)"
"""Stands for the files that are summed up."""


class Observed(NamedTuple):
    """A run at one moment."""

    views: tuple[StageView, ...]
    """Of all stages, in the order of the flows, so that what moved meanwhile looks like no loss."""
    inputs: tuple[InputReceipt, ...] = ()
    failed: frozenset[str] = frozenset()
    """Flows that are stopped after too many restarts."""
    routers: Mapping[Key, str] = {}
    """Of outputs under a failover: that stage's name."""
    lost: Mapping[Key, int] = {}
    """Of inputs that cannot read again: events that went down with a seat."""
    latencies: Mapping[Key, Spread] = {}
    """Of inputs."""
    extents: Mapping[Key, Mapping[str, Sequence[Extent]]] = {}
    """Of inputs, by source."""
    measures: Mapping[Key, Mapping[str, float]] = {}
    """What plugins tell of themselves."""
    reloads: Mapping[str, int] = {}
    """How many there were, by ending."""
    reloads_begun: int = 0
    reloaded_at_s: float = 0.0
    """When the last one that was fine was over, in seconds since 1970; 0: none was."""
    dead_dropped: int = 0
    memory_bytes: int = 0
    memory_limit_bytes: int | None = None
    turn_age_s: float = 0.0
    """Time since the supervisor's loop turned."""
    draining: bool = False
    uptime_s: float = 0.0
    agent_id: str = ""


def observe(run: Run, began_s: float) -> Observed:
    """Look at a run that began at this monotonic time. From any thread; takes each mailbox's lock for a moment."""
    crew, reloads = run.crew, run.reloads or Reloads()
    now_s = time.monotonic()
    posts = crew.posts
    inputs = crew.inputs()
    sources = {_key(post): post.sources for post in inputs if post.sources is not None}
    return Observed(
        views=tuple(run.snapshot()),
        inputs=tuple(crew.input_receipts(final=False)),
        failed=frozenset(flow.name for flow in crew.flows if flow.failed),
        routers={_key(post): post.stage.router for post in posts if post.stage.router is not None},
        lost={key: one.lost for key, one in sources.items()},
        latencies={key: one.shared.latency.spread() for key, one in sources.items()},
        extents={_key(post): _extents(post) for post in inputs},
        measures={_key(post): told for post in posts if (told := _measures(post))},
        reloads=dict(reloads.counts),
        reloads_begun=reloads.began,
        reloaded_at_s=reloads.succeeded_at_ns / 1e9,
        dead_dropped=int(crew.site.dead_letters.figures()["dropped"]),
        memory_bytes=crew.budget.kept_bytes(),
        memory_limit_bytes=crew.budget.limit_bytes,
        turn_age_s=max(0.0, now_s - run.supervisor.turned_at),
        draining=run.supervisor.drain_until is not None or run.supervisor.finished.is_set(),
        uptime_s=now_s - began_s,
        agent_id=run.settings.data_dir.agent_id,
    )


def lags_of(extents: Mapping[str, Sequence[Extent]], paths_max: int) -> dict[str, int]:
    """Return the bytes of each file that were seen and not read yet; beyond `paths_max`, those with less in one sum."""
    found: Counter[str] = Counter()
    for told in extents.values():
        for extent in told:
            if extent.unit == "bytes":
                found[extent.path] += max(0, extent.size - extent.read)
    if len(found) <= paths_max:
        return dict(found)
    kept = dict(found.most_common(paths_max))
    return kept | {OTHERS: found.total() - sum(kept.values())}


def _key(post: Post) -> Key:
    return post.flow.name, post.stage.name


def _extents(post: Post) -> Mapping[str, Sequence[Extent]]:
    plugin = post.lease.plugin
    return (post.attempt("tell what it has read", plugin.extents) or {}) if isinstance(plugin, Input) else {}


def _measures(post: Post) -> Mapping[str, float]:
    plugin = post.lease.plugin
    return (post.attempt("tell its measures", plugin.measures) or {}) if plugin is not None else {}
