"""Drawing a Topology: as text for people, as mermaid and dot for documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.topology.graph import FlowGraph, Stage, Topology


class _Strokes(NamedTuple):
    """What lines and arrows are drawn with."""

    arrow: str = " → "
    branch: str = "├─ "
    corner: str = "└─ "
    trunk: str = "│  "


_ASCII = _Strokes(" -> ", "|- ", "`- ", "|  ")


def as_text(topology: Topology, *, ascii_only: bool = False) -> str:
    """Draw each flow: what follows one another on one line, branches below. A join is drawn after its branches."""
    strokes = _ASCII if ascii_only else _Strokes()
    return "\n".join(line for flow in topology.flows for line in _flow(flow, strokes)) + "\n"


def as_mermaid(topology: Topology) -> str:
    """Draw a mermaid flow chart."""
    lines = ["flowchart LR"]
    for number, flow in enumerate(topology.flows):
        lines.append(f'  subgraph f{number}["{_mermaid(f"{flow.name} ({flow.kind})")}"]')
        ids = {stage.name: f"f{number}s{at}" for at, stage in enumerate(flow.stages)}
        for stage in flow.stages:
            left, right = {
                "input": ("([", "])"),
                "output": ("[(", ")]"),
                "tags": ("{", "}"),
                "failover": ("{", "}"),
            }.get(stage.kind, ("[", "]"))
            lines.append(f'    {ids[stage.name]}{left}"{_mermaid(stage.name)}"{right}')
        for source, label, target in _edges(flow):
            arrow = f'-->|"{_mermaid(label)}"|' if label else "-->"
            lines.append(f"    {ids[source]} {arrow} {ids[target]}")
        lines.append("  end")
    return "\n".join(lines) + "\n"


def as_dot(topology: Topology) -> str:
    """Draw a graph in Graphviz' language."""
    lines = ["digraph swak {", "  rankdir=LR;", "  node [shape=box];"]
    for number, flow in enumerate(topology.flows):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_dot(f'{flow.name} ({flow.kind})')};"]
        ids = {stage.name: f"f{number}s{at}" for at, stage in enumerate(flow.stages)}
        for stage in flow.stages:
            shape = {"input": "oval", "output": "cylinder", "tags": "diamond", "failover": "diamond"}.get(
                stage.kind, "box"
            )
            lines.append(f"    {ids[stage.name]} [label={_dot(stage.name)}, shape={shape}];")
        for source, label, target in _edges(flow):
            lines.append(f"    {ids[source]} -> {ids[target]}{f' [label={_dot(label)}]' if label else ''};")
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _edges(flow: FlowGraph) -> Iterator[tuple[str, str, str]]:
    """Yield upstream, label and downstream of every edge."""
    for stage in flow.stages:
        for label, target in _branches(stage):
            yield stage.name, label, target


def _branches(stage: Stage) -> list[tuple[str, str]]:
    """Return label and name of what is downstream of a stage."""
    plain = [("", name) for name in stage.outlets]
    routed = [(pattern, name) for pattern, names in stage.routes for name in names]
    children = [(str(at), name) for at, name in enumerate(stage.children, 1)]
    last = [("last", stage.last)] if stage.last else []
    return plain + routed + children + last


def _flow(flow: FlowGraph, strokes: _Strokes) -> Iterator[str]:
    upstream: dict[str, int] = {}
    for _, _, target in _edges(flow):
        upstream[target] = upstream.get(target, 0) + 1
    joins = {name for name, count in upstream.items() if count > 1}
    yield f"{flow.name} ({flow.kind})"
    for stage in flow.stages:
        if stage.name not in upstream or stage.name in joins:
            yield from _run(flow, stage, joins, strokes, ("  ", "  "))


def _run(flow: FlowGraph, stage: Stage, joins: set[str], strokes: _Strokes, lead: tuple[str, str]) -> Iterator[str]:
    """Draw from `stage` down to where the flow branches, joins or ends; then the branches, each on its own line.

    `lead` is what stands before the first line, and before those of the branches.
    """
    first, indent = lead
    line = first + _label(stage, joins) + (_start(stage) if stage.name in joins else "")
    branches = _branches(stage)
    while len(branches) == 1 and not branches[0][0]:
        stage = flow.stage(branches[0][1])
        line += strokes.arrow + _label(stage, joins)
        branches = [] if stage.name in joins else _branches(stage)
    yield line
    for at, (label, name) in enumerate(branches, 1):
        edge, trunk = (strokes.branch, strokes.trunk) if at < len(branches) else (strokes.corner, "   ")
        begin = indent + edge + (f"{label}: " if label else "")
        if name in joins:
            yield begin + _label(flow.stage(name), joins)
        else:
            yield from _run(flow, flow.stage(name), joins, strokes, (begin, indent + trunk))


def _label(stage: Stage, joins: set[str]) -> str:
    return f"[{stage.name}]" if stage.name in joins else stage.name + _start(stage)


def _start(stage: Stage) -> str:
    if stage.kind == "workers":
        return f" (workers: {getattr(stage.plugin, 'count', 0)})"
    return f" (start: {stage.start})" if stage.kind == "failover" and stage.start != 0 else ""


def _mermaid(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
