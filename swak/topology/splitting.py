"""Cutting a flow at its buffers on disk: what is behind one is a flow of its own, with its own acks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from swak.plugin import Buffer
from swak.topology.graph import FlowGraph, Stage

if TYPE_CHECKING:
    from swak.topology.findings import Report


def split(flow: FlowGraph, report: Report) -> list[FlowGraph]:
    """Return the flow as far as its buffers on disk, and a flow for what is behind each of them."""
    behind: dict[str, list[Stage]] = {flow.name: []}
    owner: dict[str, str] = {}
    for stage in flow.stages:  # upstream first
        name = owner.get(stage.name, flow.name)
        plugin = stage.plugin
        halves = plugin.halves() if isinstance(plugin, Buffer) and plugin.valid else None
        if halves is None:
            behind[name].append(stage)
        else:
            writer, reader = halves
            behind[name].append(Stage(stage.name, "output", stage.place, writer, spool=plugin))
            name = f"{flow.name}.{stage.name}"
            behind[name] = [Stage(f"{stage.name}.out", "input", stage.place, reader, stage.outlets, spool=plugin)]
        for outlet in stage.downstream():
            if owner.setdefault(outlet, name) != name:
                what = f"{outlet}: one way to it leads through a buffer on disk, another one does not"
                report.problem(what, "end the branch with outputs of its own", flow.stage(outlet).place)
    return [replace(flow, name=name, stages=tuple(stages)) for name, stages in behind.items()]
