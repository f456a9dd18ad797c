"""Figures of an agent on their way to those who watch it: the same as in its own view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.stats import Reasons, StageView, Tally
from swak.view.model import Figures, Look, Process, Spool, key
from swak.view.rates import spread_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.actors.running import Run
    from swak.reloading.outcome import Reloads
    from swak.view.model import Key

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
        "stages": {f"{view.flow}/{view.stage}": view.state for view in views if view.state != "removed"},
    }


def told_look(look: Look) -> dict[str, Any]:
    """Return what an agent looks like as an object."""
    process = look.process
    return {
        "uptime_s": look.uptime_s,
        "process": None if process is None else process._asdict(),
        "draining": look.draining,
        "warnings": list(look.warnings),
        "dead_dropped": look.dead_dropped,
        "views": [told_view(view) | {"figures": _told_figures(look.figures.get(key(view)))} for view in look.views],
    }


def _told_figures(figures: Figures | None) -> dict[str, Any]:
    """Return those that tell anything: most stages have none."""
    told: dict[str, Any] = {name: value for name, value in (figures or Figures())._asdict().items() if value}
    if "latency" in told:
        told["latency"] = told["latency"]._asdict()
    if "spool" in told:
        told["spool"] = told["spool"]._asdict()
    return told


def read_look(told: Mapping[str, Any]) -> Look:
    """Return the agent that an object tells of. What an older one does not tell is not shown."""
    views = tuple(read_view(one) for one in told["views"])
    figures: dict[Key, Figures] = {
        key(view): _read_figures(one.get("figures", {})) for view, one in zip(views, told["views"], strict=True)
    }
    process = told.get("process")
    return Look(
        views=views,
        figures=figures,
        uptime_s=float(told["uptime_s"]),
        process=None if process is None else Process(**process),
        draining=bool(told.get("draining")),
        warnings=tuple(told.get("warnings", ())),
        dead_dropped=int(told.get("dead_dropped", 0)),
    )


def _read_figures(told: Mapping[str, Any]) -> Figures:
    known = {name: told[name] for name in Figures._fields if name in told}
    for name in ("children", "down"):
        known[name] = tuple(known.get(name, ()))
    if "latency" in known:
        known["latency"] = spread_of(known["latency"]["counts"], known["latency"]["sum_s"])
    if "spool" in known:
        known["spool"] = Spool(**{name: known["spool"].get(name, 0) for name in Spool._fields})
    return Figures(**known)
