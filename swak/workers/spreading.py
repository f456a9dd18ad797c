"""Which filters of a flow worker processes take over: the run behind its input, made one stage."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from swak.plugin import Filter, Plugin
from swak.workers.orders import MAKING, CannotTravelError, written
from swak.workers.pool import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.recipe import Flow, Place
    from swak.topology.findings import Report
    from swak.topology.graph import FlowGraph, Stage
    from swak.workers.orders import Orders

WORKERS_MAX = 64
"""More processes than this were meant for something else: each takes some 40 MB."""

_ATTRIBUTE, _GLOBAL = {"STORE_ATTR", "DELETE_ATTR"}, {"STORE_GLOBAL", "DELETE_GLOBAL"}
"""Instructions by which a function keeps something for its next call. What it adds to a list or a dict is not seen."""
_VARIABLE = ("LOAD_FAST", "LOAD_DEREF")
_DECLARE = "write `spreads = True` into the class if copies of it may work side by side, or `spreads = False`"


def spread_out(flow: FlowGraph, declared: Flow, report: Report) -> FlowGraph:
    """Return the flow with one stage in the place of the filters that workers take over; problems go to the report."""
    workers: object = declared.workers
    place = declared.place
    if MAKING.is_set():
        what = "a worker process runs this module again, for the plugins in it, and the module starts a flow"
        report.problem(what, 'start it under `if __name__ == "__main__":`, or in a function', place)
    if workers is None or (type(workers) is int and workers == 0):
        return flow
    count = _count(flow, workers, place, report)
    run = list(_run(flow))
    taken = list(_shareable(run, report))
    if not run and flow.stages and count:
        what = f"{flow.kind}: workers={workers!r}, and no filter follows the input"
        report.problem(what, "put a parser there, e.g. out.Nginx(), or leave workers out", place)
    elif run and not taken and _plugin(run[0]).valid:
        what = f"{run[0].name}: it keeps something from one batch to the next, which workers cannot share"
        report.problem(what, "leave workers out", run[0].place)
    orders = _orders(taken, report)
    if orders is None or not count:
        return flow
    made = Workers(orders, [_plugin(stage) for stage in taken], count, [stage.name for stage in run[len(taken) :]])
    name = "+".join(stage.name for stage in taken)
    whole = replace(taken[-1], name=name, kind="workers", place=taken[0].place, plugin=made)
    source = replace(flow.input, outlets=(name,))
    return replace(flow, stages=(source, whole, *(one for one in flow.stages[1:] if one not in taken)))


def _orders(taken: Sequence[Stage], report: Report) -> Orders | None:
    """Write down how the filters are made again; what cannot be is told, each with its own line."""
    well = bool(taken)
    for stage in taken:
        try:
            written([(stage.name, _plugin(stage))])
        except CannotTravelError as error:
            report.problem(f"{stage.name}: a worker process cannot make it again: {error}", error.mend, stage.place)
            well = False
    return written([(stage.name, _plugin(stage)) for stage in taken]) if well else None


def _count(flow: FlowGraph, workers: object, place: Place, report: Report) -> int:
    """Return how many there are to be; 0 when that is a problem."""
    if flow.kind == "main":
        report.problem("main: workers= is for task(...)", "write task(...), or leave workers out", place)
        return 0
    if type(workers) is not int or not 0 < workers <= WORKERS_MAX:
        mend = f"give a whole number of processes from 1 to {WORKERS_MAX}, or 0 for none"
        report.problem(f"task: workers={workers!r:.50} is no number of processes", mend, place)
        return 0
    if sys.platform == "win32":
        what = "task: workers= needs a system whose processes can inherit a socket, and this one is Windows"
        report.problem(what, "leave workers out", place)
        return 0
    return workers


def _run(flow: FlowGraph) -> Iterator[Stage]:
    """Yield the filters that follow the input one after the other, up to the first branch or other kind of stage."""
    stage = flow.input if flow.stages else None
    while stage is not None and len(stage.outlets) == 1:
        stage = flow.stage(stage.outlets[0])
        if stage.kind != "filter":
            return
        yield stage


def _shareable(run: list[Stage], report: Report) -> Iterator[Stage]:
    """Yield stages up to the first that says it cannot be shared. One that may or may not is a problem."""
    for stage in run:
        plugin = _plugin(stage)
        if not plugin.valid:
            return  # reported when it was made
        declarer = next(one for one in type(plugin).__mro__ if vars(one).get("spreads") is not None or one is Filter)
        if vars(declarer)["spreads"] is False:
            return
        if doubt := _doubt(type(plugin), declarer):
            what = f"{stage.name}: it may keep something from one batch to the next, for it has {doubt}"
            report.problem(what, _DECLARE, stage.place)
        yield stage


def _doubt(cls: type[Plugin], sure: type[Plugin]) -> str:
    """Say where a class may keep something, as far as it is not that of which its author was `sure`; else nothing."""
    for one in cls.__mro__[: cls.__mro__.index(sure)]:
        own = [name for name in ("__init__", "fresh", "open", "close") if name in vars(one)]
        if own:
            return f"`{own[0]}` of its own"
        for name, value in vars(one).items():
            function = getattr(value, "__func__", getattr(value, "fget", value))
            if isinstance(function, FunctionType) and _sets(function.__code__, function.__code__):
                return f"`{name}`, which sets what outlives the call"
    return ""


def _sets(code: CodeType, outermost: CodeType) -> bool:
    """Tell whether a function sets an attribute (but of a variable other than its first), or a name from outside."""
    import dis  # noqa: PLC0415 - few recipes need it

    before: Any = None
    for step in dis.get_instructions(code):
        if step.opname in _GLOBAL or (step.opname == "STORE_DEREF" and step.argval in outermost.co_freevars):
            return True
        if step.opname in _ATTRIBUTE:
            loaded = before.argval if before is not None and before.opname.startswith(_VARIABLE) else None
            owner = loaded[-1] if isinstance(loaded, tuple) else loaded
            if owner is None or owner == outermost.co_varnames[0]:
                return True
        before = step
    return any(isinstance(inner, CodeType) and _sets(inner, outermost) for inner in code.co_consts)


def _plugin(stage: Stage) -> Filter:
    plugin = stage.plugin
    assert isinstance(plugin, Filter)
    return plugin
