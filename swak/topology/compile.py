"""From a Recipe to a Topology: names, edges, and everything that is wrong at once."""

from __future__ import annotations

from pathlib import Path

from swak.ahead import encode_ahead
from swak.conflicts import find_conflicts
from swak.errors import ConfigError
from swak.recipe import Place, Recipe
from swak.topology.findings import Report
from swak.topology.graph import FlowGraph, Topology
from swak.topology.splitting import split
from swak.topology.wiring import Wiring
from swak.workers.spreading import spread_out

FLOW_NAME_MAX = 100
"""Characters in a flow's name: it keys checkpoints and stands in every line of the log."""


def compile_recipe(recipe: Recipe, *, spread: bool = True) -> Topology:
    """Return the checked topology. ConfigError names every problem of every flow, with file, line and mend.

    Without `spread` each filter is a stage of its own, whatever `workers=` says.
    """
    report = Report()
    if not recipe.flows:
        mend = "declare one, e.g. task(in_.FileTailing(...), out.Stdout())"
        report.problem("the recipe declares no flow", mend, Place(recipe.file))
    names = _flow_names(recipe, report)
    named = zip(names, recipe.flows, strict=True)
    flows = [FlowGraph(name, flow.kind, Wiring(flow, report).stages()) for name, flow in named]
    declared = zip(flows, recipe.flows, strict=True)
    flows = [spread_out(graph, flow, report) if spread else graph for graph, flow in declared]
    parts = tuple(part for flow in flows for part in split(flow, report))
    find_conflicts(recipe, parts, report)
    if report.problems:
        raise ConfigError(list(dict.fromkeys(report.problems)))
    return Topology(encode_ahead(parts), tuple(report.warnings))


def _flow_names(recipe: Recipe, report: Report) -> list[str]:
    stem = "task" if not recipe.file or recipe.file.startswith("<") else Path(recipe.file).stem
    names = []
    for ordinal, flow in enumerate(recipe.flows, 1):
        name: object = f"{stem}-{ordinal}" if flow.name is None else flow.name
        fits = isinstance(name, str) and name.isprintable() and 0 < len(name.strip()) <= FLOW_NAME_MAX
        if flow.name is not None and (not fits or "/" in str(name) or "\\" in str(name)):
            mend = f"give 1 to {FLOW_NAME_MAX} printable characters without slashes"
            report.problem(f"{flow.kind}: {name!r} is no name for a flow", mend, flow.place)
        elif name in names:
            mend = "give each flow a name of its own: its checkpoint is kept under it"
            report.problem(f'{flow.kind}: there is another flow named "{name}"', mend, flow.place)
        names.append(str(name))
    return names
