"""Figures of an agent on their way to those who watch it: the same as in its own view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.stats import Reasons, StageView, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.actors.running import Run

COUNTS = ("into", "made", "out", "merged", "held")


def told_view(view: StageView) -> dict[str, Any]:
    """Return what a stage looks like as an object."""
    tally: dict[str, Any] = {name: getattr(view.tally, name) for name in COUNTS}
    tally |= {"filtered": dict(view.tally.filtered), "dead": dict(view.tally.dead)}
    return {**view._asdict(), "tally": tally, "arrived": dict(view.arrived)}


def read_view(told: Mapping[str, Any]) -> StageView:
    """Return the stage that an object tells of. Fields that a newer agent tells besides are passed over."""
    tally = Tally()
    for name in COUNTS:
        setattr(tally, name, int(told["tally"][name]))
    tally.filtered, tally.dead = Reasons(told["tally"]["filtered"]), Reasons(told["tally"]["dead"])
    known = {name: told[name] for name in StageView._fields if name in told}
    return StageView(**{**known, "tally": tally})


def word_for(run: Run) -> str:
    """Return the one word for how a run is."""
    return "draining" if run.draining else "running"


def state_of(run: Run) -> dict[str, Any]:
    """Return how a run goes, in few figures: what `swak status` shows."""
    views = run.snapshot()
    oldest_s = max((view.oldest_s for view in views if view.oldest_s is not None), default=None)
    return {
        "state": word_for(run),
        "events": sum(view.tally.out for view in views if view.kind == "input"),
        "dead": sum(view.tally.dead.total() for view in views),
        "errors": sum(view.errors for view in views),
        "restarts": sum(view.restarts for view in views),
        "oldest_s": None if oldest_s is None else round(oldest_s, 3),
        "stages": {f"{view.flow}/{view.stage}": view.state for view in views},
    }
