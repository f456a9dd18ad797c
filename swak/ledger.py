"""The ledger: what became of every event and every byte, kept on disk, and the laws that its figures obey."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.errors import Problem, StateError
from swak.files import Files
from swak.log import Log
from swak.sealed import CorruptError, Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from swak.plugin import Extent
    from swak.stats import InputReceipt, StageView

_log = Log("swak.ledger")

Reached = tuple[int, int]
"""Cycle and byte: all cycles before that one, and all bytes before that one in it."""

CHOOSING = frozenset({"tags", "failover"})
"""Kinds of stages that hand an event to one of several stages, not to each."""


class Reading(NamedTuple):
    """What an input of a flow has read of sources that have bytes."""

    flow: str
    identity: str
    settled: Mapping[str, Reached]
    """By source, up to where everything is settled."""
    extents: Mapping[str, Sequence[Extent]]
    """By source, what was read, cycle by cycle."""


class Shortage(NamedTuple):
    """Events or bytes that should be there, and are not."""

    where: str
    missing: int
    unit: str
    why: str

    def __str__(self) -> str:
        return f"{self.missing} {self.unit} of {self.where}: {self.why}"


class Totals(NamedTuple):
    """Bytes of all generations of one input that are done with, by what became of them."""

    generations: int = 0
    settled: int = 0
    skipped: int = 0
    unaccounted: int = 0


def shortages(stages: Sequence[StageView]) -> list[Shortage]:
    """Find events that the stages' counts cannot account for. Holds at any moment, also while events flow.

    Three laws. In a stage: in + made = out + filtered + dead + merged + held. In its mailbox: what arrived is in the
    stage or waits before it. Between stages: what went out has arrived in each stage behind it (behind a stage that
    chooses: in all of them together). A seat that dies repeats its batch, so more may arrive than went out; `stages`
    were looked at in the order of the flow, so that what moved meanwhile only adds to that.
    """
    found = []
    kinds = {(view.flow, view.stage): view.kind for view in stages}
    behind: dict[tuple[str, str], list[tuple[StageView, int]]] = {}
    for view in stages:
        where = f"{view.flow}/{view.stage}"
        if missing := view.tally.unaccounted():
            found.append(Shortage(where, missing, "events", "came in and went nowhere"))
        lent = any(kinds.get((view.flow, edge)) == "failover" for edge in view.arrived)
        missing = sum(view.arrived.values()) - view.tally.into - view.waiting
        if missing > 0 and not lent:  # what a failover lends, it may take back
            found.append(Shortage(where, missing, "events", "arrived in the mailbox and were never seen again"))
        for edge, count in view.arrived.items():
            behind.setdefault((view.flow, edge), []).append((view, count))
    for view in stages:
        ways = behind.get((view.flow, view.stage), [])
        if not ways:
            continue
        out = view.tally.out
        due = [("all", sum(count for _, count in ways), out)]
        if view.kind not in CHOOSING:
            due = [(way.stage, count, _sent(way, view.stage, out)) for way, count in ways]
        for name, count, sent in due:
            if count < sent:
                where = f"{view.flow}/{view.stage}"
                found.append(Shortage(where, sent - count, "events", f"went out and never arrived ({name})"))
    return found


def _sent(way: StageView, edge: str, out: int) -> int:
    """Return how many of the events that went `out` were sent this way."""
    missed, until = way.spans.get(edge, (0, None))
    return (out if until is None else min(out, until)) - missed


class Ledger:
    """One file beside the checkpoints, about the run that goes on or the last one, and the bytes of all runs.

    It is saved before the checkpoints are, each time: what a checkpoint says is settled, the ledger knows of. A flow
    that starts beyond what its ledger knows has bytes that nobody accounts for.
    """

    def __init__(self, path: Path, files: Files | None = None, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._sealed = Sealed("ledger", "ledger", path, Files("ledger") if files is None else files)
        self._clock_ns = clock_ns
        self._held: dict[str, Any] = {}
        self._saved: dict[str, Any] = {}
        self.path = path

    def look(self) -> dict[str, Any]:
        """Return what was saved last, also while somebody saves; empty when there is nothing. StateError: corrupt."""
        try:
            return self._sealed.load(touch=False)
        except CorruptError as error:
            mend = "start the agent: it puts these files aside and begins a new ledger"
            raise StateError(str(Problem(f"the ledger is corrupt: {error}", mend))) from error

    def load(self) -> dict[str, Any]:
        """Return what was saved last; empty when there is nothing, or nothing that can be read: that is told."""
        try:
            return self._sealed.load()
        except CorruptError as error:
            for path in (self._sealed.path, self._sealed.previous):
                self._sealed.set_aside(path)
            _log.error("the ledger is corrupt and begins anew; bytes of earlier runs are not in it", corrupt=str(error))
            return {}

    def begin(self, pid: int, starts: Mapping[tuple[str, str], Mapping[str, Reached]]) -> None:
        """Begin a run. `starts`: by flow and input, where the checkpoint says that each source goes on."""
        held = self.load()
        sources, totals = held.get("sources", {}), held.get("totals", {})
        self._held = {"run": {"pid": pid, "began_ns": self._clock_ns(), "ended": ""}, "sources": sources}
        self._held |= {"totals": totals, "stages": {}, "inputs": {}, "dead_letters": {}}
        for (flow, identity), reached in starts.items():
            known = sources.setdefault(flow, {}).setdefault(identity, {})
            for source, (cycle, byte) in reached.items():
                _go_on(known.setdefault(source, {}), cycle, byte)

    def note(self, stages: Sequence[StageView], inputs: Sequence[InputReceipt], dead: Mapping[str, Any]) -> None:
        """Take down the figures of all stages and inputs."""
        self._held["stages"] = {f"{view.flow}/{view.stage}": _stage(view) for view in stages}
        self._held["inputs"] = {f"{one.flow}/{one.stage}": _input(one) for one in inputs}
        self._held["dead_letters"] = dict(dead)
        self._held["shortages"] = {str(at): one._asdict() for at, one in enumerate(shortages(stages))}

    def note_bytes(self, reading: Reading) -> None:
        """Take down what was read of an input's sources, and what of it is settled."""
        known = self._held["sources"].setdefault(reading.flow, {}).setdefault(reading.identity, {})
        for source, extents in reading.extents.items():
            cycles = known.setdefault(source, {})
            for extent in extents:
                _read_on(cycles, extent)
        for source, reached in reading.settled.items():
            _settle(known.get(source, {}), reached)
        gone = [source for source in known if source not in reading.extents and source not in reading.settled]
        self._fold(reading, known, gone)

    def _fold(self, reading: Reading, known: dict[str, Any], gone: Iterable[str]) -> None:
        """Keep only sums of what is done with: sources that are gone and settled, and cycles before the last."""
        done = []
        for source in list(known):
            cycles = known[source]
            last = max(cycles, key=int, default="")
            over = [one for one in cycles if one != last or source in gone]
            over = [one for one in over if cycles[one]["settled"] >= cycles[one]["read"]]
            done += [cycles.pop(one) for one in over]
            if not cycles:
                del known[source]
        if done:
            sums = self._held["totals"].setdefault(reading.flow, {})
            whole = Totals(*sums.get(reading.identity, Totals()))
            for one in done:
                settled = one["settled"] - one["begin"] - one["skipped"] - one["unaccounted"]
                parts = (1, settled, one["skipped"], one["unaccounted"])
                whole = Totals(*(before + part for before, part in zip(whole, parts, strict=True)))
            sums[reading.identity] = list(whole)

    def save(self, ended: str = "") -> None:
        """Have the figures on disk if they changed, and how the run `ended`. OSError: the last ones stand."""
        self._held["run"]["ended"] = ended
        changed = {name: value for name, value in self._held.items() if name != "run"} | {"ended": ended}
        if changed == self._saved:
            return
        self._held["run"]["saved_ns"] = self._clock_ns()
        self._sealed.save(self._held)
        self._saved = _copied(changed)


def _copied(value: Any) -> Any:
    """Return a copy that later notes do not change."""
    return {name: _copied(one) for name, one in value.items()} if isinstance(value, dict) else value


def _go_on(cycles: dict[str, Any], cycle: int, byte: int) -> None:
    """Begin a run at `byte`: before what is known as settled, that is repeated; beyond it, bytes are missing."""
    known = cycles.get(str(cycle))
    if known is None:
        cycles[str(cycle)] = _generation("", byte, byte)
        return
    known["unaccounted"] += max(0, byte - known["settled"])
    known["repeated"] += max(0, known["read"] - byte)
    known["settled"] = max(known["settled"], byte)
    known["read"] = max(known["read"], byte)


def _generation(path: str, begin: int, read: int) -> dict[str, Any]:
    figures = ("begin", begin), ("settled", begin), ("read", read), ("size", read)
    return {"path": path, **dict(figures), "skipped": 0, "unaccounted": 0, "repeated": 0, "unit": "bytes"}


def _read_on(cycles: dict[str, Any], extent: Extent) -> None:
    known = cycles.get(str(extent.cycle))
    if known is None:
        known = cycles[str(extent.cycle)] = _generation(extent.path, extent.begin, extent.begin)
    known["path"] = extent.path
    if extent.skipped > known["settled"]:
        known["skipped"] += extent.skipped - known["settled"]
        known["settled"] = extent.skipped
    known["read"] = max(known["read"], extent.read)
    known["size"] = max(extent.size, known["read"])
    known["unit"] = extent.unit


def _settle(cycles: dict[str, Any], reached: Reached) -> None:
    for name, known in cycles.items():
        if int(name) < reached[0]:
            known["settled"] = max(known["settled"], known["read"])
        elif int(name) == reached[0]:
            known["settled"] = max(known["settled"], reached[1])
            known["read"] = max(known["read"], known["settled"])


def _stage(view: StageView) -> dict[str, Any]:
    told = view.tally.as_dict() | {"waiting": view.waiting, "arrived": dict(view.arrived)}
    reasons = {"filtered_by": dict(view.tally.filtered), "dead_by": dict(view.tally.dead)}
    return {"kind": view.kind, "state": view.state, **told, **{name: one for name, one in reasons.items() if one}}


def _input(one: InputReceipt) -> dict[str, Any]:
    figures = {"delivered": one.delivered, "will_replay": one.will_replay, "lost": one.lost, "replays": one.replays}
    return figures | {"losses": {reason: count for reason, count in one.losses.items() if count}, "notes": one.notes}
