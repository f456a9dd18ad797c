"""Figures of an agent on their way to those who watch it: the same as in its own view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.stats import Reasons, StageView, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.reloading.outcome import Reloads

COUNTS = ("into", "made", "out", "merged", "held")


def told_view(view: StageView) -> dict[str, Any]:
    """Return what a stage looks like as an object."""
    tally: dict[str, Any] = {name: getattr(view.tally, name) for name in COUNTS}
    tally |= {"filtered": dict(view.tally.filtered), "dead": dict(view.tally.dead)}
    return {**view._asdict(), "tally": tally, "arrived": dict(view.arrived), "spans": dict(view.spans)}


def told_reloads(reloads: Reloads) -> dict[str, Any]:
    """Return how reloads went as an object."""
    last = None if reloads.last is None else reloads.last.told()
    counts = dict(reloads.counts)
    return {"counts": counts, "under_way": reloads.under_way, "last": last, "succeeded_at_ns": reloads.succeeded_at_ns}


def read_view(told: Mapping[str, Any]) -> StageView:
    """Return the stage that an object tells of. Fields that a newer agent tells besides are passed over."""
    tally = Tally()
    for name in COUNTS:
        setattr(tally, name, int(told["tally"][name]))
    tally.filtered, tally.dead = Reasons(told["tally"]["filtered"]), Reasons(told["tally"]["dead"])
    known = {name: told[name] for name in StageView._fields if name in told}
    return StageView(**{**known, "tally": tally})
