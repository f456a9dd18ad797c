"""The figures of a benchmark as a table, as JSON and as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from swak.bench.drawing import Bar, Section, bars
from swak.bench.measure import spread
from swak.bench.suite import OURS
from swak.bench.workloads import IDLE_MAX_PERCENT, LATENCY, P99_MAX_MS, PEERS_SHARE, RSS_MAX_MB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.bench.latency import Row
    from swak.bench.suite import Figure, Suite
    from swak.bench.workloads import Workload

BEATEN = ("W1", "W2", "W3")
"""Workloads that are to cost a third of the best peer."""

JUDGED_EVENTS = 100_000
"""With fewer, what is net of start-up is noise: nothing is judged."""


class Verdict(NamedTuple):
    """What a figure is meant to be, and whether it is."""

    target: str
    kept: bool

    def __str__(self) -> str:
        return f"{self.target}: {'kept' if self.kept else '**missed**'}"


class Report:
    """What was measured, put beside what it was meant to be."""

    def __init__(self, machine: str, suite: Suite, rounds: int, latencies: Sequence[Row]) -> None:
        self.machine, self.suite, self.rounds, self.latencies = machine, suite, rounds, latencies
        self._net = {key: figure.net for key, figure in suite.figures.items()}

    def ratios(self, figure: Figure) -> dict[str, float]:
        """Return how many times as much a figure is as each reference, and as each peer at the same workload."""
        name = figure.workload
        beside = {who: self._net["", who] for who in ("cat", "re", f"copy {name}") if ("", who) in self._net}
        if figure.who == OURS:
            beside |= {
                peer.name: self._net[name, peer.name] for peer in self.suite.peers if self._took(name, peer.name)
            }
        mine = self._net[name, figure.who].median
        return {
            who: mine / net.median for who, net in beside.items() if min(mine, net.median) > 0 and who != figure.who
        }

    def verdicts(self, workload: Workload) -> list[Verdict]:
        """Return what is said of swak's figure for a workload, as far as what it is compared with was measured."""
        if self.suite.corpus.events < JUDGED_EVENTS:
            return []
        figure, target, name = self.suite.figures[workload.name, OURS], workload.target, workload.name
        mine, found = figure.net.median, []
        base = ("", target.of) if ("", target.of) in self._net else (target.of, OURS)
        if not target.of or base in self._net:
            bound = target.plus + (target.factor * self._net[base].median if target.of else 0.0)
            found.append(Verdict(f"≤ {target}", mine <= bound))
        peers = [self._net[name, one.name].median for one in self.suite.peers if self._took(name, one.name)]
        if peers and name in BEATEN:
            found.append(Verdict("≤ 1/3 of the best peer", mine <= PEERS_SHARE * min(peers)))
        found.append(Verdict(f"≤ {RSS_MAX_MB:g} MB", figure.rss_mb <= RSS_MAX_MB))
        return found

    def table(self) -> str:
        """Return everything as markdown."""
        events = self.suite.corpus.events
        parts = [f"{self.machine}\n{events:,} events, medians of {self.rounds} rounds [least..most]"]
        if events < JUDGED_EVENTS:
            parts.append(f"Fewer than {JUDGED_EVENTS:,} events: figures are mostly noise, targets are not judged.")
        if self.suite.figures:
            parts.append("\n".join(self._rows()))
        if absent := list(self._absent()):
            parts.append(
                "\n".join(f"- {one['peer']} takes no part in {one['workload']}: {one['why']}" for one in absent)
            )
        if self.latencies:
            parts.append("\n".join(self._latencies()))
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return everything for machines; seconds, megabytes (10^6), milliseconds and ratios."""
        rows = [self._as_dict(figure) for figure in self.suite.figures.values()]
        verdicts = {one.name: [dict(v._asdict()) for v in self.verdicts(one)] for one in self.suite.workloads}
        return {
            "machine": self.machine,
            "events": self.suite.corpus.events,
            "rounds": self.rounds,
            "rows": rows,
            "targets": verdicts,
            "absent": list(self._absent()),
            "latency": [dict(row._asdict()) for row in self.latencies],
        }

    def drawing(self) -> str:
        """Return the CPU of every workload, of swak and of its peers, as SVG."""
        sections = []
        for workload in self.suite.workloads:
            who = [OURS, *(peer.name for peer in self.suite.peers)]
            made = [Bar(one, *self._net[workload.name, one]) for one in who if self._took(workload.name, one)]
            sections.append(Section(f"{workload.name}: {workload.does}", made))
        return bars("CPU-seconds a million events, net of start-up", self.machine, sections)

    def _as_dict(self, figure: Figure) -> dict[str, Any]:
        return {
            "workload": figure.workload or None,
            "who": figure.who,
            "cpu_s_per_million": figure.net._asdict(),
            "start_cpu_s": figure.start._asdict(),
            "events_per_s": figure.events / figure.wall_s,
            "mb_per_s": figure.bytes / 1e6 / figure.wall_s,
            "peak_rss_mb": figure.rss_mb,
            "ratios": self.ratios(figure),
        }

    def _took(self, workload: str, who: str) -> bool:
        return (workload, who) in self._net

    def _rows(self) -> Iterator[str]:
        yield "| work | | CPU-s/M, net | beside | events/s | MB/s | peak MB | target |"
        yield "|---|---|---|---|---|---|---|---|"
        works = {one.name: one for one in self.suite.workloads}
        for (name, who), figure in self.suite.figures.items():
            beside = (
                "" if who == "cat" else ", ".join(f"{times:.2f} x {to}" for to, times in self.ratios(figure).items())
            )
            said = "; ".join(map(str, self.verdicts(works[name]))) if who == OURS else ""
            work = f"{name}: {works[name].does} | {who}" if name else f"{who} |"
            speed = f"{figure.events / figure.wall_s:,.0f} | {figure.bytes / 1e6 / figure.wall_s:,.0f}"
            yield f"| {work} | {figure.net} | {beside} | {speed} | {figure.rss_mb:.0f} | {said} |"
        for who in (OURS, *(peer.name for peer in self.suite.peers)):
            idle = [cost.cpu_s for figure in self.suite.figures.values() if figure.who == who for cost in figure.idle]
            if idle:
                yield f"| start and stop, empty input: CPU-s in all | {who} | {spread(idle)} | | | | | |"

    def _latencies(self) -> Iterator[str]:
        yield f"| {LATENCY}: appended → written | p50 ms | p99 ms | max ms | CPU % of a core | target |"
        yield "|---|---|---|---|---|---|"
        for number, row in enumerate(self.latencies):
            said = [Verdict(f"p99 ≤ {P99_MAX_MS:g} ms", row.p99_ms <= P99_MAX_MS)]
            if number == 0:
                said.append(Verdict(f"≤ {IDLE_MAX_PERCENT:g} %", row.cpu_percent <= IDLE_MAX_PERCENT))
            figures = " | ".join(f"{value:.2f}" for value in row[1:])
            yield f"| {row.name} | {figures} | {'; '.join(map(str, said))} |"

    def _absent(self) -> Iterator[dict[str, str]]:
        for workload in self.suite.workloads:
            for peer in self.suite.peers:
                if why := self.suite.cannot(workload, peer):
                    yield {"peer": peer.name, "workload": workload.name, "why": why}
        if self.latencies:
            for peer in self.suite.peers:
                why = "the moment of its writes cannot be seen from outside"
                yield {"peer": peer.name, "workload": LATENCY, "why": why}
