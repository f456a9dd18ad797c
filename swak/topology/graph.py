"""The compiled topology: a named, immutable, checked DAG of stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from swak.picking import Rule
    from swak.plugin import Plugin
    from swak.recipe import Place

Kind = Literal["input", "filter", "workers", "buffer", "output", "tags", "failover"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `name` is unique in its flow (`Nginx`, `Fluentd`, `Fluentd-2`)."""

    name: str
    kind: Kind
    place: Place
    plugin: Plugin | None = None
    outlets: tuple[str, ...] = ()
    """Stages downstream: each of them gets every batch."""
    routes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of a `tags` stage: pattern and the stages that what matches goes to; the first match wins."""
    children: tuple[str, ...] = ()
    """Of a `failover` stage: the outputs in the order in which they were written."""
    last: str | None = None
    """Of a `failover` stage: the output that takes what no child takes."""
    start: Literal["ip", "random"] | int = 0
    """Of a `failover` stage: which child is preferred."""
    router: str | None = None
    """Of an output under a `failover`: that stage's name."""
    as_json: bool = False
    """Of a filter or input: it hands on JSON lines, since nothing behind it needs the records."""
    columns: tuple[str, ...] = ()
    """Of such a filter: fields whose values it hands on beside the lines, for filters behind that look at them."""
    rule: Rule | None = field(default=None, compare=False)
    """Of such a filter: how the next one picks events. What it has sorted by another rule is right, too."""
    spool: Plugin | None = None
    """Of the two ends of a buffer on disk: that buffer, as the recipe has it."""

    def downstream(self) -> tuple[str, ...]:
        """Return every stage that this one hands batches to."""
        routed = tuple(name for _, names in self.routes for name in names)
        return self.outlets + routed + self.children + ((self.last,) if self.last else ())


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """The stages of one `main` or `task`, upstream first."""

    name: str
    kind: Literal["main", "task"]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """Return the stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def input(self) -> Stage:
        """The one stage that has no upstream."""
        return self.stages[0]


@dataclass(frozen=True, slots=True)
class Topology:
    """All flows of a recipe."""

    flows: tuple[FlowGraph, ...]
    warnings: tuple[str, ...] = field(default=())
    """What `check` tells besides errors, e.g. which branch can block which."""
