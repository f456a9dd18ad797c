"""Encoding ahead: JSON lines are handed on instead of records where nothing behind needs these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from swak.picking import Picker
from swak.plugin import Filter, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.topology.graph import FlowGraph, Stage

Columns = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""The stages that can do with JSON lines: fields whose values they want beside them, and those behind them."""


def encode_ahead(flows: Sequence[FlowGraph]) -> tuple[FlowGraph, ...]:
    """Return the flows with `as_json` set for each filter behind which JSON lines are written, picked or added to.

    Where several outputs write the same, it is encoded once, therefore also behind an input. What is behind a buffer on
    disk comes after what is before it.
    """
    spools: set[int] = set()
    made: list[FlowGraph] = []
    for flow in reversed(flows):
        wanted: Columns = {}
        stages: list[Stage] = []
        for one in reversed(flow.stages):
            stages.insert(0, _planned(one, flow, wanted))
            columns = _taken(one, stages[0], spools)
            if columns is not None:
                wanted[one.name] = columns
        for one in flow.stages[:1]:  # a flow without stages has its problem reported
            if one.spool is not None and _only_written(one, flow, wanted):
                spools.add(id(one.spool))
        made.append(replace(flow, stages=tuple(stages)))
    return tuple(reversed(made))


def _planned(stage: Stage, flow: FlowGraph, wanted: Columns) -> Stage:
    behind = stage.downstream()
    if stage.kind == "filter" and behind and wanted.keys() >= set(behind):
        first = flow.stage(behind[0]).plugin
        rule = first.rule() if isinstance(first, Picker) and len(behind) == 1 else None
        columns = {name for one in behind for part in wanted[one][rule is not None :] for name in part}
        return replace(stage, as_json=True, columns=tuple(sorted(columns)), rule=rule)
    encodes = stage.kind == "workers" or (stage.kind == "input" and len(stage.outlets) > 1)
    # What an input has read may well be JSON or packed already; what comes from another process has no columns.
    return replace(stage, as_json=True) if encodes and _only_written(stage, flow, wanted) else stage


def _only_written(stage: Stage, flow: FlowGraph, wanted: Columns) -> bool:
    return all(name in wanted and flow.stage(name).kind == "output" for name in stage.downstream())


def _taken(stage: Stage, planned: Stage, spools: set[int]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the fields that a stage looks at, and that those behind it do. None: it takes no JSON lines."""
    if stage.kind == "filter":
        looks_at = stage.plugin.json_columns() if isinstance(stage.plugin, Filter) and planned.as_json else None
        further = planned.columns if planned.rule is None else (*planned.columns, *planned.rule.names)
        return None if looks_at is None else (tuple(looks_at), further)
    if stage.kind != "output" or stage.router is not None:
        return None
    if stage.spool is not None:
        return ((), ()) if id(stage.spool) in spools else None
    return ((), ()) if isinstance(stage.plugin, Output) and stage.plugin.takes_json() else None
