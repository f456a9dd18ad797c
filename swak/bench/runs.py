"""Running one workload once, with whatever agent, in child processes."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from swak.bench.child import Child, listens
from swak.bench.measure import Cost, python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from swak.bench.place import Agent, Place
    from swak.bench.workloads import Workload

LISTENS = re.compile(r"listening.*(?:port=|:)(\d+)\s|^port=(\d+)\n")
READY_S = 20.0
QUIET_S = 0.5
STUCK_S = 6.0
"""An agent that writes nothing and uses no CPU for so long will write no more: its output is judged as it is."""

BLOCK_BYTES = 1 << 20

REFERENCES = {"cat": "log", "re": "log", "copy W4": "json", "copy W5a": "log", "copy W5b": "frames"}
"""What the workloads are compared with, and which input each of them reads."""


def run(workload: Workload, place: Place, agent: Callable[[int], Agent], wanted: int) -> Cost:
    """Run a workload to its end and return what the agent cost.

    `agent` gets the port of the receiver, if there is one; `wanted` is how many lines it will write, 0 for an input
    that is empty. BenchError when a child fails or does not get on.
    """
    place.clear()
    limit_s = 120 + wanted / 5_000
    with ExitStack() as stack:
        sink = None
        if workload.to == "sink":
            sink = stack.enter_context(Child(roles("sink", place.out / "out"), place.folder / "sink.log"))
        one = agent(0 if sink is None else told_port(sink))
        child = stack.enter_context(Child(one.command, place.folder / "agent.log", limit_s=limit_s))
        if workload.listens:
            sender = Child(*sending(workload, place, one.port or told_port(child)), limit_s=limit_s)
            if one.port:
                child.await_("it listens", lambda: listens(one.port), READY_S)
            if wanted or workload.source == "json":
                stack.enter_context(sender).cost()
        if one.ends:
            cost = child.cost()
        else:
            reached = Growth(child, place.outs(workload), wanted)
            child.await_(f"{wanted} lines", reached)
            began_s = child.began_s
            wall_s = time.perf_counter() - began_s
            cost = child.stop()._replace(wall_s=wall_s)
        if sink is not None:
            sink.cost()
    for out in place.outs(workload):
        out.touch()
    return cost


def roles(role: str, *arguments: object) -> list[str]:
    """Return the command of what stands beside an agent."""
    return python("swak.bench.roles", role, *map(str, arguments))


def sending(workload: Workload, place: Place, port: int) -> tuple[list[str], Path]:
    """Return the command that sends what a workload receives, and where its log goes."""
    source = place.input(workload)
    if workload.source == "json":
        command = roles("copy-out", port, source)
    else:
        command = roles("send", port, source, place.corpus.chunks)
    return command, place.folder / "sender.log"


def told_port(child: Child) -> int:
    """Return the port that a child says it listens on."""
    child.await_("it listens", lambda: LISTENS.search(child.said()) is not None, READY_S)
    found = LISTENS.search(child.said())
    assert found is not None, "it was waited for"
    return int(found[1] or found[2])


def reference(name: str, place: Place) -> Cost:
    """Run what the workloads are compared with: `cat`, `re`, or a copy of what W4, W5a and W5b move."""
    place.clear()
    log, out = place.folder / "agent.log", place.out / "out"
    path: Path = getattr(place.corpus, REFERENCES[name])
    if name == "cat":
        with Child(["cat", str(path)], log, out) as child:
            return child.cost()
    if name == "re":
        with Child(roles("match", path), log) as child:
            return child.cost()
    with Child(roles("copy-in", out), log) as taker:
        with Child(roles("copy-out", told_port(taker), path), place.folder / "sender.log") as giver:
            given = giver.cost()
        taken = taker.cost()
    return given if name == "copy W5a" else taken


class Growth:
    """A test that holds when the outputs have so many lines, or when nothing more will come."""

    def __init__(self, child: Child, outs: list[Path], wanted: int) -> None:
        self._wanted = wanted
        self._read = dict.fromkeys(outs, 0)
        self._lines = dict.fromkeys(outs, 0)
        self._quiet = child.quiet(STUCK_S if wanted else QUIET_S)

    def __call__(self) -> bool:
        for path in self._read:
            if path.exists():
                with path.open("rb") as file:
                    file.seek(self._read[path])
                    while block := file.read(BLOCK_BYTES):
                        self._read[path] += len(block)
                        self._lines[path] += block.count(b"\n")
        if self._wanted and min(self._lines.values()) >= self._wanted:
            return True
        return self._quiet()
