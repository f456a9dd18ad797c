"""All rounds of a benchmark: everything is run in turns, every output is judged, the figures are kept."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from swak.bench.child import no_room
from swak.bench.corpus import Corpus, digest
from swak.bench.faults import Wrong
from swak.bench.measure import Cost, Spread, spread
from swak.bench.place import Place, swak
from swak.bench.runs import REFERENCES, reference, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from swak.bench.peers import Peer
    from swak.bench.place import Agent
    from swak.bench.workloads import Workload

OURS = "swak"
EVENT_BYTES = {"log": 250, "many": 500, "json": 350, "frames": 600}
"""At most, of an input of ours with what it is made of, a generated event."""
OUT_BYTES = 400


class Figure(NamedTuple):
    """What one agent, or one reference, used for one workload in all rounds."""

    workload: str
    who: str
    events: int
    bytes: int
    full: list[Cost]
    idle: list[Cost]
    """The same with an empty input."""

    @property
    def net(self) -> Spread:
        """CPU-seconds a million events, less what the empty input costs."""
        nothing_s = self.start.median
        return spread([(cost.cpu_s - nothing_s) * 1e6 / self.events for cost in self.full])

    @property
    def start(self) -> Spread:
        """CPU-seconds of the same with an empty input."""
        return spread([cost.cpu_s for cost in self.idle])

    @property
    def wall_s(self) -> float:
        """Seconds from the start of the process until all is written."""
        return spread([cost.wall_s for cost in self.full]).median

    @property
    def rss_mb(self) -> float:
        """Peak memory."""
        return spread([cost.rss_mb for cost in self.full]).median


class Suite:
    """One benchmark: inputs, who takes part, and what was measured so far."""

    def __init__(self, folder: Path, corpus: Corpus, workloads: Sequence[Workload], peers: Sequence[Peer]) -> None:
        self.workloads, self.peers, self._folder, self.corpus = workloads, peers, folder, corpus
        nothing = Corpus(folder / "nothing", 0)
        self._full, self._none = Place(folder / "run", corpus), Place(folder / "run", nothing)
        self.figures: dict[tuple[str, str], Figure] = {}
        self._right: dict[tuple[str, str], list[str]] = {}

    def make_room(self) -> None:
        """Raise StateError unless the disk has room for every input, and for the largest output."""
        made = {one.source for one in self.workloads} | {"log"}
        outs = max((one.outs + (one.name == "W6") for one in self.workloads), default=1)
        event = sum(EVENT_BYTES[one] for one in made) + outs * OUT_BYTES
        needed = event * self.corpus.events
        if shutil.disk_usage(self._folder).free < needed:
            raise no_room(self._folder, needed)

    def round(self, tell: Callable[[str], None]) -> None:
        """Run everything once."""
        for name in self.references():
            tell(name)
            costs = reference(name, self._full), reference(name, self._none)
            self._keep(("", name), getattr(self.corpus, REFERENCES[name]), costs)
        for workload in self.workloads:
            tell(f"{workload.name} {OURS}")
            self._one(workload, OURS, partial(swak, workload))
            for peer in self.peers:
                if self.cannot(workload, peer):
                    continue
                tell(f"{workload.name} {peer.name}")
                self._one(workload, peer.name, partial(peer.agent, workload))

    def references(self) -> list[str]:
        """Return what is measured beside the workloads."""
        chosen = {"cat", "re", *(f"copy {one.name}" for one in self.workloads)}
        return [name for name in REFERENCES if name in chosen]

    @staticmethod
    def cannot(workload: Workload, peer: Peer) -> str:
        """Return why a peer does not take part in a workload; empty if it does."""
        return "" if peer.config(workload.name) else f"no configuration of {peer.name} does {workload.name}"

    def _one(self, workload: Workload, who: str, agent: Callable[[Place, int], Agent]) -> None:
        full = run(workload, self._full, lambda port: agent(self._full, port), self._wanted(workload))
        self._judge(workload, who)
        idle = run(workload, self._none, lambda port: agent(self._none, port), 0)
        source = self._full.input(workload)
        self._keep((workload.name, who), self.corpus.log if workload.source == "many" else source, (full, idle))

    def _keep(self, key: tuple[str, str], source: Path, costs: tuple[Cost, Cost]) -> None:
        made = Figure(*key, self.corpus.events, source.stat().st_size, [], [])
        figure = self.figures.setdefault(key, made)
        figure.full.append(costs[0])
        figure.idle.append(costs[1])

    def _wanted(self, workload: Workload) -> int:
        """Return how many lines a workload writes."""
        return self.corpus.kept if workload.filtered else self.corpus.events

    def _judge(self, workload: Workload, who: str) -> None:
        """Check every record; in later rounds the bytes, where those are the same each time."""
        outs = self._full.outs(workload)
        written = [digest(out) for out in outs] if workload.same else []
        if written and self._right.get((workload.name, who)) == written:
            return
        try:
            workload.judge(self.corpus, outs)
        except Wrong as error:
            raise Wrong(f"{workload.name}, {who}: {error}") from error
        self._right[workload.name, who] = written
