"""Encoding ahead: JSON lines are handed on instead of records where nothing behind looks inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from swak.plugin import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.topology.graph import FlowGraph, Stage


def encode_ahead(flows: Sequence[FlowGraph]) -> tuple[FlowGraph, ...]:
    """Return the flows with `as_json` set for each filter whose outlets do nothing with records but write JSON lines.

    Where several outputs write the same, it is encoded once, therefore also behind an input. What is behind a buffer on
    disk comes after what is before it.
    """
    spools: set[int] = set()
    made: list[FlowGraph] = []
    for flow in reversed(flows):
        suited = {one.name for one in flow.stages if _takes_json(one, spools)}
        for one in flow.stages[:1]:  # a flow without stages has its problem reported
            if one.spool is not None and suited.issuperset(one.outlets):
                spools.add(id(one.spool))
        stages = [replace(one, as_json=_may_encode(one) and suited.issuperset(one.downstream())) for one in flow.stages]
        made.append(replace(flow, stages=tuple(stages)))
    return tuple(reversed(made))


def _may_encode(stage: Stage) -> bool:
    """Tell whether encoding is cheaper there than behind: what an input read may well be JSON or packed already."""
    return stage.kind in {"filter", "workers"} or (stage.kind == "input" and len(stage.outlets) > 1)


def _takes_json(stage: Stage, spools: set[int]) -> bool:
    """Tell whether a stage writes JSON lines as they are, or keeps them for those that do."""
    if stage.kind != "output" or stage.router is not None:
        return False
    if stage.spool is not None:
        return id(stage.spool) in spools
    return isinstance(stage.plugin, Output) and stage.plugin.takes_json()
