"""Recipes: what `main(...)`, `task(...)` and `failover(...)` build. Pure values; nothing starts here."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, NamedTuple

from swak.errors import Problem, report

_Kind = Literal["main", "task"]
_PACKAGE = str(Path(__file__).parent) + os.sep


class Place(NamedTuple):
    """Where in a recipe something was written."""

    file: str = ""
    line: int = 0


def calling_place() -> Place:
    """Return the nearest line of the call stack that is not swak's own."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to know the line of a recipe
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


class Pipeable:
    """What may stand in a chain: `a | b` is the same as two arguments."""

    def __or__(self, other: object) -> Chain:
        return Chain(_parts(self) + _parts(other))

    def __ror__(self, other: object) -> Chain:
        return Chain(_parts(other) + _parts(self))


class Chain(Pipeable):
    """Stages that follow one another. A list stands for "side by side", a dict for "by tag"."""

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts


class Failover(Pipeable):
    """One of several outputs at a time: the next when one fails, `last` when all have failed."""

    def __init__(self, children: tuple[Any, ...], last: Any, start: Literal["ip", "random"] | int) -> None:
        self.children = children
        self.last = last
        self.start = start
        self.place = calling_place()


class Flow:
    """One `main(...)` or `task(...)`: an input and what follows it."""

    def __init__(self, kind: _Kind, parts: tuple[Any, ...], name: str | None, workers: int | None = None) -> None:
        self.kind = kind
        self.parts = tuple(one for part in parts for one in _parts(part))
        self.name = name
        self.workers = workers
        self.place = calling_place()


class Recipe(NamedTuple):
    """Everything that one file or text declares, in order."""

    flows: tuple[Flow, ...]
    file: str = ""


COLLECTED: ContextVar[list[Flow] | None] = ContextVar("swak_flows", default=None)
"""While a recipe is loaded, the list that its flows go to."""


def main(*parts: Any, name: str | None = None, workers: int | None = None) -> Flow:
    """Declare a flow whose stages one loop steps on the main thread, downstream first. It can have no `workers`."""
    return _declare(Flow("main", parts, name, workers))


def task(*parts: Any, name: str | None = None, workers: int | None = None) -> Flow:
    """Declare a flow with a thread for each stage. `name` keys its checkpoint (else file and ordinal).

    With `workers=2` the filters that directly follow the input run in two processes of their own, which get whole
    batches by turns; what comes out keeps its order. That pays when parsing is what takes the time. It holds for
    filters up to the first branch, buffer or output, those of the recipe's own file included, which each worker
    therefore runs once. A filter that keeps something from one batch to the next stays in the agent (`Filter.spreads`).
    """
    return _declare(Flow("task", parts, name, workers))


def failover(*children: Any, last: Any = None, start: Literal["ip", "random"] | int = 0) -> Failover:
    """Declare one of several outputs at a time.

    `start` names the preferred one: an index, "ip" (a stable hash of this machine's address, so that many machines
    spread over the outputs), or "random". `last` takes what no child takes; without it the flow waits.
    """
    made = Failover(children, last, start)
    if not children:
        report([Problem("failover: no output is given", "name at least one, e.g. failover(out.Null())", *made.place)])
    if isinstance(start, str):
        known = start in ("ip", "random")
    else:
        known = not isinstance(start, bool) and isinstance(start, int) and 0 <= start < max(1, len(children))
    if not known:
        mend = f'write start="ip", start="random" or an index below {len(children)}'
        report([Problem(f"failover: start={start!r} names no output", mend, *made.place)])
    return made


def as_recipe(given: Recipe | Flow | Chain | list[Flow] | tuple[Flow, ...]) -> Recipe:
    """Return `given` as a Recipe: a bare chain counts as a task."""
    if isinstance(given, Recipe):
        return given
    flows: list[Flow | Chain] = [given] if isinstance(given, Flow | Chain) else [*given]
    return Recipe(tuple(Flow("task", one.parts, None) if isinstance(one, Chain) else one for one in flows))


def _declare(flow: Flow) -> Flow:
    collected = COLLECTED.get()
    if collected is not None:
        collected.append(flow)
    return flow


def _parts(part: object) -> tuple[Any, ...]:
    return part.parts if isinstance(part, Chain) else (part,)
