"""The view where there is no terminal: the fields of a line of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.view.model import TROUBLED, bottlenecks, key, passed

if TYPE_CHECKING:
    from swak.view.model import Frame


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
    process = frame.look.process
    if process is not None:
        told |= {"cpu_percent": round(process.cpu_percent), "rss_mib": round(process.rss_bytes / 2**20)}
    if causes := bottlenecks(frame.views):
        told["bottleneck"] = ", ".join(f"{flow}/{stage}" for flow, stage in sorted(causes))
    if memory := [f"{view.flow}/{view.stage} {view.memory}" for view in frame.views if view.memory]:
        told["memory"] = ", ".join(memory)
    troubled = [f"{view.flow}/{view.stage} {view.state}" for view in frame.views if view.state in TROUBLED]
    if troubled:
        told["troubled"] = ", ".join(troubled)
    return told
