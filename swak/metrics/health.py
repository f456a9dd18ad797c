"""Whether a run is alive, and whether it is ready: for load balancers, Kubernetes and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.metrics.observed import Observed
    from swak.stats import StageView

STALE_S = 10.0
"""A supervisor whose loop has not turned for so long is stuck: it turns at least about once a second."""
DOWN_S = 30.0
"""How long an output may deliver nothing before the run counts as not ready: what a restart of the far end takes."""


def ailments(observed: Observed) -> list[str]:
    """Name what speaks against the process being alive; empty when it is."""
    if observed.turn_age_s > STALE_S:
        return [f"the supervisor has not turned for {observed.turn_age_s:.0f} s"]
    return []


def obstacles(observed: Observed) -> list[str]:
    """Name what keeps the run from doing its work; empty when it is ready."""
    found = ailments(observed)
    if observed.draining:
        found.append("the run is ending")
    found += [f"{plain(flow)}: the flow is stopped after too many restarts" for flow in sorted(observed.failed)]
    return found + list(_of_stages(observed))


def _of_stages(observed: Observed) -> Iterator[str]:
    live = {(view.flow, view.stage): view.live_child for view in observed.views}
    for view in observed.views:
        where = plain(f"{view.flow}/{view.stage}")
        if view.state == "opening":
            yield f"{where}: has not opened yet"
        elif _is_down(view) and not live.get((view.flow, observed.routers.get((view.flow, view.stage), ""))):
            reason = f": {plain(view.last_error)}" if view.last_error else ""
            yield f"{where}: has delivered nothing for {view.down_s:.0f} s{reason}"


def _is_down(view: StageView) -> bool:
    return view.kind == "output" and view.down_s is not None and view.down_s > DOWN_S
