"""Whether a dead output slows its neighbours: `python -m benchmarks.dead_branch [--seconds 60] [--rate 20000]`.

A thread appends lines to one file, which an agent follows. Three branches stand side by side: File, File, and a
DiskBuffer before a receiver, an agent of its own with `in_.Forward`, which is killed after a third of the time, stays
dead for the whole time, and returns. Then its spool is sent while lines still come, for another third.

What is shown is the time from just before the append of a line until the write to the output file has returned. It
includes the append itself, noticing that the file grew, reading, the way through the mailboxes, encoding, and writing;
with `--fsync` also what waits for a sync of the same file. One line in a hundred carries its time. Writer, agent and
receiver share the machine: that the writer is late is not in the figures, that the agent gets no CPU is. The p99 of a
usual second (half of all seconds have a lower one) tells a disturbance by something else from a branch that is slow.

Judged are the two Files: their p99 while the third branch is dead is at most twice that of the healthy time, and 50 ms.
At the end every branch must hold every line in order, and `swak audit` must exit with 0. Exit code 1 if not so.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import threading
import time
from array import array
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.children import Child, free_ports, leave_in_order, size_of
from benchmarks.numbered import Log, Writer
from benchmarks.sequence import RAW_LINE, Branch
from benchmarks.soak import RECEIVER
from swak.bench.agent import Load
from swak.bench.measure import machine
from swak.bench.probes import WHOLE

LINES_PER_WRITE, STAMP_EVERY = 20, 5
WARM_S = 3.0
LONG_S = 10.0
"""Shorter outages are not judged by their latency."""
DRAIN_S = 60.0
LOOK_S = 0.2
RATIO_MAX, P99_MAX_MS = 2.0, 50.0
MESSAGE = re.compile(rb'^\{"message":"(\w+) (\d{10}) .*"\}$', re.MULTILINE)
HEALTHY, DEAD, BACK = "healthy", "third branch dead", "third branch back, its spool is sent"
RECIPE = """
from benchmarks.probes import StampedFile

def receiver():
    return out.Fluentd("127.0.0.1", {port}, shared_key="{key}", hostname="sender")

def file(name):
    return StampedFile("{folder}/" + name, format="raw", fsync={fsync!r}, told="{folder}/" + name + ".ages")

task(
    in_.FileTailing("{folder}/app.log"),
    [file("a"), file("b"), out.DiskBuffer("{folder}/spool") | receiver()],
    name="branches",
)
"""


class Phase(NamedTuple):
    """A part of the run, on the clock that stamps lines."""

    name: str
    begin_ns: int
    end_ns: int
    cpu_percent: float
    """Of the agent, of one core."""


class Run:
    """One run: the agent, its receiver, and what was seen."""

    def __init__(self, folder: Path, rate: float, fsync: str | None) -> None:
        self._folder, self._rate = folder, rate
        port = next(free_ports())
        place = folder / "receiver"
        self._receiver = Child(place, RECEIVER.format(port=port, folder=place, key=folder.name, fsync="100ms"))
        self.agent = Child(folder / "agent", RECIPE.format(folder=folder, fsync=fsync, port=port, key=folder.name))
        self._log = Log(folder / "app.log")
        self.branches = [Branch(name, [folder / name], RAW_LINE) for name in ("a", "b")]
        self._received = place / "got.jsonl"
        self.branches.append(Branch("third", [self._received], MESSAGE))
        self.phases: dict[str, Phase] = {}
        self.spool_mb = 0.0

    def run(self, dead_s: float) -> str:
        """Go through all phases and compare what arrived. Return what was wrong, for people."""
        with ExitStack() as stack:
            for child in (self._receiver, self.agent):
                child.start(leave_with=stack)
            with Writer([self._log], self._rate, LINES_PER_WRITE, STAMP_EVERY) as writer:
                self._pass(min(WARM_S, dead_s))
                self._phase(HEALTHY, dead_s / 3)
                self._receiver.kill()
                self._phase(DEAD, dead_s)
                self.spool_mb = size_of(self._folder / "spool") / 1e6
                self._receiver.start()
                self._phase(BACK, dead_s / 3)
                writer.stop()
                self._drain()
            back_s = self._received.stat().st_mtime - self.phases[BACK].begin_ns / 1e9
            print(f"{self._log.count:,} lines; the spool held {self.spool_mb:.0f} MB when the receiver came back, and")
            print(f"the last line was there {back_s:.1f} s later, {back_s - dead_s / 3:.1f} s after it was written\n")
            code = self.agent.end()
            self._receiver.end()
        return "\n".join([*self._wrong(), *([f"exit code {code} of the agent:\n{self.agent.told()}"] if code else [])])

    def latency(self, branch: str, phase: str) -> tuple[Load, float]:
        """Return the ages of the lines of a phase in a branch's file, and the p99 of a usual second."""
        told = array(WHOLE, (self._folder / f"{branch}.ages").read_bytes())
        _, begin_ns, end_ns, percent = self.phases[phase]
        seconds: dict[int, list[float]] = defaultdict(list)
        for at_ns, age_ns in zip(told[::2], told[1::2], strict=True):
            if begin_ns <= at_ns < end_ns:
                seconds[(at_ns - begin_ns) // 10**9].append(age_ns / 1e6)
        each = [Load(sorted(ages_ms), percent) for ages_ms in seconds.values()]
        if not each:
            raise SystemExit(f"no line came to {branch} while {phase}:\n{self.agent.told()}")
        whole = Load(sorted(age_ms for load in each for age_ms in load.ages_ms), percent)
        return whole, median(load.within_ms(0.99) for load in each)

    def _phase(self, name: str, seconds: float) -> None:
        began_ns, used_s = time.time_ns(), self._used_s()
        self._pass(seconds)
        ended_ns = time.time_ns()
        percent = 1e11 * (self._used_s() - used_s) / (ended_ns - began_ns)
        self.phases[name] = Phase(name, began_ns, ended_ns, percent)

    def _used_s(self) -> float:
        usage = self.agent.usage()
        return usage.cpu_s if usage is not None else 0.0

    @staticmethod
    def _pass(seconds: float) -> None:
        threading.Event().wait(seconds)

    def _drain(self) -> None:
        """Wait until all lines are everywhere, at most for a while."""
        began_s = time.monotonic()
        while time.monotonic() < began_s + DRAIN_S:
            for branch in self.branches:
                branch.read()
            if all(branch.arrived == self._log.count for branch in self.branches):
                break
            self._pass(LOOK_S)

    def _wrong(self) -> list[str]:
        wrong = []
        for branch in self.branches:
            branch.read()
            verdict = branch.judge({self._log.name: self._log.count})
            print(f"branch {branch.name}: {verdict}")
            if not verdict.right:
                wrong.append(f"branch {branch.name} is not whole, or not in order")
        code, told = self.agent.audit()
        print(f"swak audit: exit code {code}: {told.strip().splitlines()[-1]}\n")
        return wrong + ([f"swak audit:\n{told}"] if code else [])


def table(run: Run, *, judged: bool) -> tuple[str, bool]:
    """Return the figures as markdown, and whether the bounds were kept."""
    rows = ["| File | while | p50 ms | p99 ms | max ms | p99 of a usual second | CPU % of a core | |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    all_kept = True
    for branch in ("a", "b"):
        loads = {phase: run.latency(branch, phase) for phase in run.phases}
        for phase, (load, usual) in loads.items():
            p50, p99, most = (load.within_ms(share) for share in (0.5, 0.99, 1.0))
            verdict = ""
            if phase == DEAD:
                ratio = p99 / loads[HEALTHY][0].within_ms(0.99)
                kept = ratio <= RATIO_MAX and p99 <= P99_MAX_MS
                all_kept &= kept or not judged
                said = ("kept" if kept else "**missed**") if judged else "too short to tell"
                verdict = f"p99 {ratio:.2f} x healthy: {said}"
            figures = " | ".join(f"{value:.2f}" for value in (p50, p99, most, usual, load.cpu_percent))
            rows.append(f"| {branch} | {phase} | {figures} | {verdict} |")
    return "\n".join(rows), all_kept


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the third branch is dead")
    parser.add_argument("--rate", type=float, default=20_000.0, help="lines a second")
    parser.add_argument("--fsync", help="as for out.File; without it the Files are not synced")
    given = parser.parse_args()
    leave_in_order()
    folder = Path(tempfile.mkdtemp(prefix="swak-dead-branch-"))
    run = Run(folder, given.rate, given.fsync)
    print(f"{machine()}\n")
    wrong = run.run(given.seconds)
    rows, kept = table(run, judged=given.seconds >= LONG_S)
    print(rows)
    if wrong:
        sys.exit(f"{wrong}\nwhat was written is in {folder}")
    shutil.rmtree(folder)
    if not kept:
        sys.exit("a neighbour was slowed")


if __name__ == "__main__":
    main()
