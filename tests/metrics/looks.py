"""Runs as tests make them up, seen from outside."""

from __future__ import annotations

from typing import Any

from swak.stats import StageView, Tally


def stage(name: str, kind: str = "filter", state: str = "running", **figures: Any) -> StageView:
    """Return the view of a stage of the flow "web"."""
    given = {"mailbox_batches": 0, "mailbox_bytes": 0, "fill": 0.0, "oldest_s": None, "errors": 0, "restarts": 0}
    return StageView("web", name, kind, state, **{"tally": Tally(), **given, **figures})
