"""What makes another topology different from the one that runs: which stages stay, change, come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from swak.reloading.sameness import class_of
from swak.topology.graph import FlowGraph, Stage, Topology

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from swak.reloading.sameness import Print

Key = tuple[str, str]
"""Flow and stage, by the names that they have while they run."""


class Difference(NamedTuple):
    """From one topology to another."""

    topology: Topology
    """The other one, in which stages that stay have the names that they have already, and new ones have unused names.
    A stage that stays as it is has the plugin that it has already."""
    changed: frozenset[Key] = frozenset()
    """Stages that stay and get a plugin with other options, or of another text."""
    rewired: frozenset[Key] = frozenset()
    """Stages that keep their plugin and hand on to others than before, or in another way."""
    added: frozenset[Key] = frozenset()
    removed: frozenset[Key] = frozenset()
    gates: Mapping[Key, frozenset[Key]] = {}
    """By stage: what must have left before anything comes to it by a new way, or it might overtake."""

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not (self.changed or self.rewired or self.added or self.removed)


def difference(
    old: Topology,
    new: Topology,
    print_of: Callable[[Stage], Print],
    gone: Mapping[str, Sequence[Stage]] | None = None,
) -> Difference:
    """Compare what runs with what is wanted. `gone`: by flow, stages that have left: what comes back takes its place.

    Flows are the same when they have the same name: their positions are kept by it. The flow behind a buffer on disk
    goes with that buffer.
    """
    left = dict(gone or {})
    running = {flow.name: flow for flow in old.flows}
    names: dict[str, dict[str, str]] = {}
    flows, found = [], _Found()
    for flow in new.flows:
        own = _named(flow, names)
        before = running.pop(own.name, FlowGraph(own.name, flow.kind, ()))
        made = _Pair(before, own, left.get(own.name, ()), print_of)
        names[flow.name] = made.names
        flows.append(made.result(found))
    for flow in running.values():
        found.removed |= {(flow.name, stage.name) for stage in flow.stages}
    return Difference(
        Topology(tuple(flows), new.warnings),
        changed=frozenset(found.changed),
        rewired=frozenset(found.rewired),
        added=frozenset(found.added),
        removed=frozenset(found.removed),
        gates=found.gates,
    )


class _Found:
    def __init__(self) -> None:
        self.changed: set[Key] = set()
        self.rewired: set[Key] = set()
        self.added: set[Key] = set()
        self.removed: set[Key] = set()
        self.gates: dict[Key, frozenset[Key]] = {}


def parent_of(flow: FlowGraph) -> tuple[str, str]:
    """Return the flow and the stage that a flow behind a buffer on disk hangs on; of another one, itself."""
    if not flow.stages or flow.input.spool is None:
        return flow.name, ""
    writer = flow.input.name.removesuffix(".out")
    return flow.name.removesuffix(f".{writer}"), writer


def _named(flow: FlowGraph, names: Mapping[str, Mapping[str, str]]) -> FlowGraph:
    """Return a flow by the name that it has while it runs: that of one behind a buffer follows from the buffer's."""
    parent, writer = parent_of(flow)
    for known, stages in names.items():  # a flow's buffers stand in it, or in a flow behind another buffer of it
        if writer and writer in stages and (known == parent or known.startswith(f"{parent}.")):
            source = replace(flow.input, name=f"{stages[writer]}.out")
            return replace(flow, name=f"{parent}.{stages[writer]}", stages=(source, *flow.stages[1:]))
    return flow


class _Pair:
    """One flow, before and after."""

    def __init__(
        self, old: FlowGraph, new: FlowGraph, gone: Sequence[Stage], print_of: Callable[[Stage], Print]
    ) -> None:
        self.old, self.new, self.gone = old, new, gone
        self.print_of = print_of
        self.prints = {id(stage): print_of(stage) for stage in (*old.stages, *new.stages, *gone)}
        self.matched = self._match()
        """Name of the old stage by that of the new one."""
        self._part_ways()
        self.names = self._name()

    # Which old stage a new one is

    def _match(self) -> dict[str, str]:
        old, new = self.old.stages, self.new.stages
        matched = {
            new[there].name: old[here].name
            for here, there in _longest_shared([self._print(one) for one in old], [self._print(one) for one in new])
        }
        self._match_ends(matched, self._print)
        self._match_gaps(matched)
        self._match_ends(matched, class_of, self._may_change)
        return matched

    def _print(self, stage: Stage) -> Print:
        return self.prints[id(stage)]

    def _free(self, matched: Mapping[str, str]) -> tuple[list[Stage], list[Stage]]:
        taken = set(matched.values())
        return (
            [one for one in self.old.stages if one.name not in taken],
            [one for one in self.new.stages if one.name not in matched],
        )

    def _match_ends(
        self,
        matched: dict[str, str],
        key: Callable[[Stage], object],
        fits: Callable[[Stage, Stage], bool] = lambda _old, _new: True,
    ) -> None:
        """Match outputs, of which the order does not matter: nothing is behind them."""
        old, new = self._free(matched)
        for wanted in new:
            ends = (one for one in old if wanted.kind == one.kind == "output" and key(one) == key(wanted))
            like = sorted((one for one in ends if fits(one, wanted)), key=lambda one: one.name != wanted.name)
            if like:
                matched[wanted.name] = like[0].name
                old.remove(like[0])

    def _match_gaps(self, matched: dict[str, str]) -> None:
        """Match stages of one class with other options, where they stand between the same neighbours that stay."""
        old, new = self.old.stages, self.new.stages
        place = {one.name: at for at, one in enumerate(old)}
        middle = {name: here for name, here in matched.items() if self.new.stage(name).kind != "output"}
        for at, wanted in enumerate(new):
            if wanted.name in matched or wanted.kind == "output":
                continue
            low = max((place[middle[one.name]] for one in new[:at] if one.name in middle), default=-1)
            high = min((place[middle[one.name]] for one in new[at:] if one.name in middle), default=len(old))
            taken = set(matched.values())
            between = [one for one in old[low + 1 : high] if one.name not in taken and self._may_change(one, wanted)]
            if between:
                matched[wanted.name] = middle[wanted.name] = between[0].name

    def _may_change(self, old: Stage, new: Stage) -> bool:
        return old.kind == new.kind and class_of(old) == class_of(new)

    def _part_ways(self) -> None:
        """Take stages apart whose mailbox holds events for a stage that stays, and that they do not lead to any more.

        What they hold goes the old way to its end then, and a new stage takes their place.
        """
        for name, was in list(self.matched.items()):
            stage = self.new.stage(name)
            if stage.kind in {"input", "output"}:
                continue
            stays = {here: there for there, here in self.matched.items()}
            led = {stays[one] for one in _behind(self.old, was) if one in stays}
            if not led <= _behind(self.new, name):
                del self.matched[name]

    # What that makes of the new flow

    def _name(self) -> dict[str, str]:
        """Return the name while it runs, by the name in the new recipe."""
        names = dict(self.matched)
        left = list(self.gone)
        used = {one.name for one in (*self.old.stages, *self.gone)} | set(names.values())
        for stage in self.new.stages:
            if stage.name in names:
                continue
            back = next((one for one in left if self._comes_back(one, stage)), None)
            if back is not None and back.name not in names.values():
                left.remove(back)
                names[stage.name] = back.name
            else:
                names[stage.name] = _unused(stage.name, used)
            used.add(names[stage.name])
        return names

    def _comes_back(self, gone: Stage, stage: Stage) -> bool:
        """Tell whether a stage takes the place of one that has left. An input does for its positions."""
        if stage.kind == "input":
            return gone.kind == "input" and class_of(gone) == class_of(stage)
        return self._print(gone) == self._print(stage)

    def result(self, found: _Found) -> FlowGraph:
        """Return the new flow by the names that it has while it runs; note what is different."""
        flow = self.old.name
        before = {one.name: one for one in self.old.stages}
        stages = []
        for one in self.new.stages:
            was = before.get(self.matched.get(one.name, ""))
            stage = renamed(one, self.names)
            key = (flow, stage.name)
            if was is None:
                found.added.add(key)
            elif self._print(one) != self._print(was):
                found.changed.add(key)
            else:
                stage = replace(stage, plugin=was.plugin, spool=was.spool)
                if replace(stage, place=was.place) != was:
                    found.rewired.add(key)
            stages.append(stage)
        made = replace(self.new, name=flow, stages=tuple(stages))
        staying = set(self.matched.values())
        removed = [one for one in self.old.stages if one.name not in staying]
        found.removed |= {(flow, one.name) for one in removed}
        found.gates |= self._gates(made, [one.name for one in removed if one.kind != "input"])
        return made

    def _gates(self, made: FlowGraph, removed: Iterable[str]) -> dict[Key, frozenset[Key]]:
        leads = {name: _behind(self.old, name) for name in removed}
        edges = {one.name: {up.name for up in self.old.stages if one.name in up.downstream()} for one in made.stages}
        gates = {}
        for stage in made.stages:
            ways = {up.name for up in made.stages if stage.name in up.downstream()}
            before = frozenset((made.name, name) for name, behind in leads.items() if stage.name in behind)
            if before and ways - edges[stage.name] and stage.name in self.matched.values():
                gates[made.name, stage.name] = before
        return gates


def renamed(stage: Stage, names: Mapping[str, str]) -> Stage:
    """Return the stage with other names for itself and its neighbours."""
    return replace(
        stage,
        name=names[stage.name],
        outlets=tuple(names[one] for one in stage.outlets),
        routes=tuple((pattern, tuple(names[one] for one in ways)) for pattern, ways in stage.routes),
        children=tuple(names[one] for one in stage.children),
        last=stage.last and names[stage.last],
        router=stage.router and names[stage.router],
    )


def _unused(name: str, used: Collection[str]) -> str:
    """Return the name itself, or `Fluentd-2` and so on."""
    stem, dash, number = name.rpartition("-")
    stem = stem if dash and number.isdecimal() else name
    if name not in used:
        return name
    count = 2
    while f"{stem}-{count}" in used:
        count += 1
    return f"{stem}-{count}"


def _behind(flow: FlowGraph, name: str) -> set[str]:
    """Return every stage that events come to from this one."""
    ways = {one.name: one.downstream() for one in flow.stages}
    found: set[str] = set()
    todo = [name]
    while todo:
        fresh = set(ways[todo.pop()]) - found
        found |= fresh
        todo += fresh
    return found


def _longest_shared(old: Sequence[Print], new: Sequence[Print]) -> list[tuple[int, int]]:
    """Return the pairs of a longest common subsequence, the earliest ones."""
    rows, columns = len(old), len(new)
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for here in reversed(range(rows)):
        for there in reversed(range(columns)):
            if old[here] == new[there]:
                longest[here][there] = 1 + longest[here + 1][there + 1]
            else:
                longest[here][there] = max(longest[here + 1][there], longest[here][there + 1])
    pairs, here, there = [], 0, 0
    while here < rows and there < columns:
        if old[here] == new[there] and longest[here][there] == 1 + longest[here + 1][there + 1]:
            pairs.append((here, there))
            here, there = here + 1, there + 1
        elif longest[here + 1][there] >= longest[here][there + 1]:
            here += 1
        else:
            there += 1
    return pairs
