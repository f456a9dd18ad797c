"""Laying out the stages of one flow, and noting everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from swak.discovery import builtin
from swak.plugin import Plugin
from swak.recipe import Chain, Failover, Flow, Place
from swak.topology.findings import Report, is_stand_in, no_stage, place_of, title, with_article
from swak.topology.graph import Kind, Stage
from swak.topology.tags import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS: dict[str, Kind] = {"filter": "filter", "buffer": "buffer", "output": "output"}


@dataclass
class _Node:
    """A stage while it is wired."""

    name: str
    kind: Kind
    place: Place
    plugin: Plugin | None = None
    outlets: list[str] = field(default_factory=list)
    routes: list[tuple[str, list[str]]] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    last: str | None = None
    start: Literal["ip", "random"] | int = 0
    router: str | None = None

    def frozen(self) -> Stage:
        routes = tuple((pattern, tuple(names)) for pattern, names in self.routes)
        lists = {"outlets": tuple(self.outlets), "routes": routes, "children": tuple(self.children)}
        return Stage(**vars(self) | lists)


class _End(NamedTuple):
    """Where a branch ends: `slot` takes the names of what follows; None after an output, where nothing can."""

    node: _Node | None
    """None where something that was already reported stands in."""
    slot: list[str] | None


class Wiring:
    """Lays out the stages of one flow in the order of the recipe, so that upstream comes first."""

    def __init__(self, flow: Flow, report: Report) -> None:
        self.flow = flow
        self.report = report
        self.nodes: list[_Node] = []
        self.path: list[int] = []  # the lists, dicts and failovers that are being laid out: none contains itself
        self.names: Counter[str] = Counter()

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages; what is wrong went to the report."""
        if not self.flow.parts:
            mend = f"write {self.flow.kind}(in_.FileTailing(...), out.Stdout())"
            self.report.problem(f"{self.flow.kind} has no stages", mend, self.flow.place)
            return ()
        first, *rest = self.flow.parts
        for end in self._follow(rest, self._begin(first)):
            if end.node is not None and end.slot is not None:
                what = f"{end.node.name}: the flow ends in {with_article(end.node.kind)}, its events go nowhere"
                self.report.problem(what, "end it with an output, e.g. out.Stdout()", end.node.place)
        return tuple(node.frozen() for node in self.nodes)

    def _begin(self, part: Any) -> list[_End]:
        if isinstance(part, Plugin) and part.kind == "input":
            node = self._add(part.name, "input", part.place, part, [])
            return [_End(node, node.outlets)]
        if is_stand_in(part):
            return [_End(None, [])]
        if not isinstance(part, Plugin | list | dict | Failover):
            return self._reject(part)
        mend = "put one in front, e.g. in_.FileTailing(...)"
        if isinstance(part, list | dict):
            mend += "; several inputs are several tasks"
        what = f"{self.flow.kind} begins with {title(part)}, not with an input"
        self.report.problem(what, mend, place_of(part, self.flow.place))
        return self._step(part, [_End(None, [])]) if isinstance(part, Plugin) else [_End(None, [])]

    def _follow(self, parts: Sequence[Any], ends: list[_End]) -> list[_End]:
        """Lay out `parts` one after another behind `ends`, and return where the flow then ends."""
        for part in parts:
            for end in ends:
                if end.node is not None and end.slot is None:
                    what = f"{end.node.name}: its branch ends in an output, yet {title(part)} follows"
                    mend = "put outputs side by side in a list, [a, b], at the end of the flow"
                    self.report.problem(what, mend, end.node.place)
            ends = self._step(part, [end for end in ends if end.slot is not None])
        return ends

    def _step(self, part: Any, ends: list[_End]) -> list[_End]:
        if isinstance(part, Plugin):
            return self._plugin(part, ends)
        if is_stand_in(part):
            return [_End(None, [])]
        if not isinstance(part, list | dict | Failover | Chain):
            return self._reject(part)
        if id(part) in self.path:
            self.report.problem(f"{title(part)} contains itself", "name each part once", self.flow.place)
            return [_End(None, [])]
        self.path.append(id(part))
        try:
            if isinstance(part, Chain):
                return self._follow(part.parts, ends)
            if isinstance(part, Failover):
                return self._failover(part, ends)
            return self._by_tag(part, ends) if isinstance(part, dict) else self._side_by_side(part, ends)
        finally:
            self.path.pop()

    def _plugin(self, plugin: Plugin, ends: list[_End]) -> list[_End]:
        if plugin.kind == "input":
            self.report.meet(plugin)
            mend = "a flow has one input, at its start: write another task for this one"
            self.report.problem(f"{plugin.name}: an input in the middle of a flow", mend, plugin.place)
            return ends
        if plugin.kind not in _KINDS:
            mend = "derive it from Input, Filter, Buffer or Output"
            self.report.problem(f"{plugin.name}: a plugin of no known kind", mend, plugin.place)
            return [_End(None, [])]
        node = self._add(plugin.name, _KINDS[plugin.kind], plugin.place, plugin, ends)
        return [_End(node, None if node.kind == "output" else node.outlets)]

    def _side_by_side(self, branches: list[Any], ends: list[_End]) -> list[_End]:
        if not branches:
            self.report.problem("an empty list has no branches", "leave it out, or name at least one", self.flow.place)
            return [_End(None, [])]
        return self._branches([(branch, ends) for branch in branches], self.flow.place)

    def _by_tag(self, routes: dict[Any, Any], ends: list[_End]) -> list[_End]:
        node = self._add("ByTag", "tags", self.flow.place, None, ends)
        if not routes:
            self.report.problem("an empty dict has no routes", 'name at least one, e.g. {"**": ...}', self.flow.place)
            return [_End(None, [])]
        for pattern in routes:
            try:
                compile_pattern(pattern)
            except ValueError as error:
                self.report.problem(f"{node.name}: {error}", "", self.flow.place)
            if any(before == "**" for before, _ in node.routes):
                what = f'{node.name}: "{pattern}" stands after "**" and is never reached'
                self.report.warn(what, 'put "**" last', self.flow.place)
            node.routes.append((str(pattern), []))
        slots = [[_End(node, slot)] for _, slot in node.routes]
        return self._branches(list(zip(routes.values(), slots, strict=True)), self.flow.place)

    def _branches(self, branches: list[tuple[Any, list[_End]]], place: Place) -> list[_End]:
        """Lay out branches beside each other; those that end in a filter or buffer flow on together."""
        closing: list[_End] = []
        heads: list[_Node] = []
        for branch, ends in branches:
            count = len(self.nodes)
            closing += self._follow([branch], ends)
            heads += self.nodes[count : count + 1]
        blocking = [head for head in heads if not getattr(head.plugin, "decouples", False)]
        if len(heads) > 1 and blocking:
            what = f"a full branch stops the others: {', '.join(head.name for head in blocking)}"
            mend = "out.DiskBuffer(...) at its head lets the others run on" if builtin("out", "DiskBuffer") else ""
            self.report.warn(what, mend, place)
        return closing

    def _failover(self, part: Failover, ends: list[_End]) -> list[_End]:
        node = self._add("Failover", "failover", part.place, None, ends)
        children, node.start = self._ring(part)
        node.children = [child.name for one in children if (child := self._child(one, part, node))]
        if part.last is not None:
            last = self._child(part.last, part, node)
            node.last = last.name if last else None
        return [_End(node, None)]

    def _ring(self, part: Failover) -> tuple[list[Any], Literal["ip", "random"] | int]:
        """Flatten nested failovers into one ring, an inner `last` after the inner children; move `start` along."""
        children: list[Any] = []
        firsts: list[int] = []
        for at, child in enumerate(part.children):
            firsts.append(len(children))
            if not isinstance(child, Failover) or id(child) in self.path:
                children.append(child)
                continue
            self.path.append(id(child))
            inner, start = self._ring(child)
            self.path.pop()
            children += [*inner, *([] if child.last is None else [child.last])]
            if part.start == at and isinstance(start, int):
                firsts[at] += start
            elif child.start != 0:
                what = f"failover: start={child.start!r} of an inner failover is not used: nested ones form one ring"
                self.report.warn(what, "set start= of the outer one", child.place)
        start = part.start
        return children, firsts[start] if isinstance(start, int) and 0 <= start < len(firsts) else start

    def _child(self, part: Any, ring: Failover, router: _Node) -> _Node | None:
        if isinstance(part, Plugin) and part.kind == "output":
            node = self._add(part.name, "output", part.place, part, [])
            node.router = router.name
            return node
        if isinstance(part, Plugin | list | dict | Failover | Chain):
            mend = "it takes outputs; what goes before them stands before failover(...)"
            if isinstance(part, Failover):
                mend = "last= takes one output: give the others as children"
            self.report.problem(f"failover: {title(part)} is no output", mend, place_of(part, ring.place))
        elif not is_stand_in(part):
            self._reject(part, "failover", ring.place)
        return None

    def _add(self, name: str, kind: Kind, place: Place, plugin: Plugin | None, ends: Sequence[_End]) -> _Node:
        self.names[name] += 1
        count = self.names[name]
        node = _Node(name if count == 1 else f"{name}-{count}", kind, place, plugin)
        self.nodes.append(node)
        for end in ends:
            if end.slot is not None:
                end.slot.append(node.name)
        if plugin is not None:
            self.report.meet(plugin)
        return node

    def _reject(self, part: Any, where: str = "", place: Place | None = None) -> list[_End]:
        """Report an argument that is no stage."""
        what, mend = no_stage(part)
        self.report.problem(f"{where or self.flow.kind}: {what}", mend, place or self.flow.place)
        return [_End(None, [])]
