"""Whether an agent stays right and small while everything around it fails: `make soak`, 30 minutes by default.

A writer appends numbered lines to four files at an even pace; one is rotated by rename and one by copytruncate, in
turns. The agent, `swak up`, follows them, parses each line and writes to three branches side by side: a File; a
DiskBuffer before a receiver; a failover of two receivers with a File as `last`. Receivers are agents of their own with
`in_.Forward`, since it acks; they are killed and come back at random times. The agent itself is killed with SIGKILL at
a random moment of each minute and started again. Once a second it is looked at, and what has arrived is read.

At the end the writer stops, all receivers come back, and the agent drains. Then every branch must hold every line, in
order, with no more duplicates than the kills explain; `swak audit` must exit with 0; memory must not have grown. The
table is printed; `soak.json` and `soak.svg` are written. Exit code 1 when something was not as it should be. The work
takes about 2 GB in the folder for temporary files (`TMPDIR`); it stays there when something was wrong.

Lines are rotated away only 3 s after the agent has written some of that file: what comes and goes unseen, a kill
included, nobody can know of. Of rotated files twelve stay.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.children import Child, free_ports, leave_in_order, size_of
from benchmarks.numbered import KEPT, PATTERN, Log, Writer
from benchmarks.sequence import Branch
from benchmarks.soak_report import WARM_SHARE, Outcome, Plan, Sample, as_json, checks, draw, table
from swak.bench.measure import HOME, machine

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_S = 1.0
REPLAY_S = 5.0
"""How much older than a kill the state on disk may be: a sync, the checkpoint, and our own look take a second each."""
READ_S = 3.0
"""How long a file is read in one life of the agent until a checkpoint surely knows it."""
DRAIN_S = 90.0
ROTATE_MIN_S = 0.5
MEMORY_LIMIT = "64MiB"
RECIPE = """
def receiver(port):
    return out.Fluentd("127.0.0.1", port, shared_key="{key}", hostname="sender")

task(
    in_.FileTailing("{folder}/logs/*.log"),
    out.Regex(r"{pattern}"),
    [
        out.File("{folder}/file.jsonl"),
        out.DiskBuffer("{folder}/spool") | receiver({ports[0]}),
        failover(receiver({ports[1]}), receiver({ports[2]}), last=out.File("{folder}/last.jsonl")),
    ],
    name="soak",
)
"""
RECEIVER = """
task(
    in_.Forward(port={port}, shared_key="{key}"),
    out.File("{folder}/got.jsonl", fsync="{fsync}"),
    name="receiver",
)
"""
RECEIVERS = {"behind the spool": "spool", "failover 1": "failover", "failover 2": "failover"}
"""Receivers, and the branch of each."""


class Schedule:
    """What is due when. One thread runs it; actions may add others."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ordinal = itertools.count()
        self._began_s = time.monotonic()
        self._pause = threading.Event()

    @property
    def now_s(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._began_s

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run something that much later."""
        heapq.heappush(self._due, (self.now_s + seconds, next(self._ordinal), action))

    def run(self, until_s: float, over: Callable[[], bool] = lambda: False) -> None:
        """Run what is due until a time, or until something is over, which is looked at after each action."""
        while self._due and self._due[0][0] < until_s and not over():
            self._pause.wait(max(0.0, self._due[0][0] - self.now_s))
            heapq.heappop(self._due)[2]()

    def clear(self) -> None:
        """Forget all that is to come."""
        self._due.clear()


class Soak:
    """One run: who takes part, what is done to them, and what was seen."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.plan, self._folder = plan, folder
        self._rng = random.Random(plan.seed)
        self._schedule = Schedule()
        self._own = psutil.Process()
        (folder / "logs").mkdir()
        ways = {"first": "", "second": "", "renamed": "rename", "copied": "copytruncate"}
        self.logs = [Log(folder / "logs" / f"{name}.log", way) for name, way in ways.items()]  # type: ignore[arg-type]  # each is a Way
        ports = list(itertools.islice(free_ports(), len(RECEIVERS)))
        self._receivers = {
            name: Child(
                place := folder / f"receiver{at}",
                RECEIVER.format(port=ports[at], folder=place, key=folder.name, fsync="1s"),
            )
            for at, name in enumerate(RECEIVERS)
        }
        recipe = RECIPE.format(folder=folder, pattern=PATTERN, ports=ports, key=folder.name)
        self._agent = Child(folder / "agent", recipe, "--memory-limit", MEMORY_LIMIT)
        got = {name: child.folder / "got.jsonl" for name, child in self._receivers.items()}
        self.branches = {
            "file": Branch("file", [folder / "file.jsonl"]),
            "spool": Branch("spool", [got["behind the spool"]]),
            "failover": Branch("failover", [got["failover 1"], got["failover 2"], folder / "last.jsonl"]),
        }
        self.samples: list[Sample] = []
        self.kills: list[float] = []
        self.outages: list[tuple[float, float]] = []
        self.explained: Counter[str] = Counter()
        self.rotations: Counter[str] = Counter()
        self._down: dict[str, float] = {}
        # as many rotated files as there ever will be stand there when the agent begins to be judged
        steady_s = WARM_SHARE * plan.seconds / (KEPT * sum(bool(log.way) for log in self.logs))
        self._rotate_every_s = max(ROTATE_MIN_S, min(plan.kill_every_s / 6, steady_s))
        self._recent: deque[Sample] = deque(maxlen=round(REPLAY_S / LOOK_S) + 1)
        self._turns = itertools.cycle(log for log in self.logs if log.way)
        self._first_seen: dict[tuple[str, int], tuple[int, float]] = {}
        self._known: set[tuple[str, int]] = set()
        """Files of which a checkpoint knows, by the log's name and their first line."""

    def run(self) -> Outcome:
        """Do it all. SystemExit when the agent or a receiver ends by itself."""
        plan, schedule = self.plan, self._schedule
        with ExitStack() as stack:
            for child in [*self._receivers.values(), self._agent]:
                child.start(leave_with=stack)
            self._writer = stack.enter_context(Writer(self.logs, plan.rate, max(1, plan.rate // 200)))
            schedule.after(0.0, self._look_again)
            self._plan_kill()
            schedule.after(self._rotate_every_s, self._rotate)
            for name in self._receivers:
                self._plan_outage(name)
            schedule.run(plan.seconds)
            stopped_s = schedule.now_s
            self._writer.stop()
            schedule.clear()
            for name in self._receivers:
                self._bring_up(name)
            self._agent.start()
            schedule.after(0.0, self._look_again)
            schedule.run(schedule.now_s + DRAIN_S, self._complete)
            return self._ended(schedule.now_s - stopped_s)

    def _ended(self, drained_s: float) -> Outcome:
        """Stop all, and compare."""
        exit_code = self._agent.end()
        for child in self._receivers.values():
            child.end()
        written = {log.name: log.count for log in self.logs}
        for branch in self.branches.values():
            branch.read()
        verdicts = {name: branch.judge(written) for name, branch in self.branches.items()}
        return Outcome(
            plan=self.plan,
            samples=self.samples,
            kills=self.kills,
            outages=self.outages,
            rotations=dict(self.rotations),
            written=sum(written.values()),
            verdicts=verdicts,
            explained=dict(self.explained),
            drained_s=drained_s,
            exit_code=exit_code,
            audit=self._agent.audit(),
            told=self._agent.told(),
        )

    def _complete(self) -> bool:
        return all(branch.arrived == self._writer.written for branch in self.branches.values())

    def _look_again(self) -> None:
        self._schedule.after(LOOK_S, self._look_again)
        self._look()

    def _look(self) -> Sample:
        for branch in self.branches.values():
            branch.read()
        now_s = self._schedule.now_s
        sample = Sample(
            at_s=now_s,
            life=len(self.kills),
            usage=self._agent.usage(),
            spool_mb=size_of(self._folder / "spool") / 1e6,
            written=self._writer.written,
            arrived={name: branch.arrived for name, branch in self.branches.items()},
            lines={name: branch.lines for name, branch in self.branches.items()},
            down=len(self._down),
            own_mb=self._own.memory_info().rss / 1e6,
        )
        self.samples.append(sample)
        self._recent.append(sample)
        for log in self.logs:
            if self.branches["file"].seen[log.name].stop > log.begins_at:
                life, since_s = self._first_seen.setdefault((log.name, log.begins_at), (sample.life, now_s))
                if life != sample.life:
                    self._first_seen[log.name, log.begins_at] = (sample.life, now_s)
                elif now_s - since_s >= READ_S:
                    self._known.add((log.name, log.begins_at))
        return sample

    def _plan_kill(self) -> None:
        every_s = self.plan.kill_every_s
        self._schedule.after(self._rng.uniform(0.0, every_s), self._kill)
        self._schedule.after(every_s, self._plan_kill)

    def _kill(self) -> None:
        """Kill the agent. What was not settled, or not known to be so on disk, may come again to each branch."""
        self._agent.kill()
        before, now = self._recent[0], self._look()
        again = now.written - min(before.arrived[name] for name in ("file", "failover"))
        for name in self.branches:
            self.explained[name] += again
        self.explained["spool"] += now.lines["spool"] - before.lines["spool"]
        self.kills.append(self._schedule.now_s)
        self._schedule.after(self._rng.uniform(0.1, 1.0), self._agent.start)

    def _plan_outage(self, name: str) -> None:
        self._schedule.after(self._rng.uniform(0.2, 0.8) * self.plan.kill_every_s, lambda: self._take_down(name))

    def _take_down(self, name: str) -> None:
        """Kill a receiver. What it had and had not acked comes again."""
        self._receivers[name].kill()
        before, now = self._recent[0], self._look()
        branch = RECEIVERS[name]
        self.explained[branch] += now.lines[branch] - before.lines[branch]
        self._down[name] = self._schedule.now_s
        self._schedule.after(self._rng.uniform(0.1, 0.5) * self.plan.kill_every_s, lambda: self._come_back(name))

    def _come_back(self, name: str) -> None:
        self._bring_up(name)
        self._plan_outage(name)

    def _bring_up(self, name: str) -> None:
        self._receivers[name].start()
        if name in self._down:
            self.outages.append((self._down.pop(name), self._schedule.now_s))

    def _rotate(self) -> None:
        self._schedule.after(self._rotate_every_s, self._rotate)
        log = next(self._turns)
        if (log.name, log.begins_at) in self._known:
            log.rotate()
            self.rotations[log.way] += 1


def main() -> None:
    """Run, print the table, and write the figures and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1_800.0, help="how long lines are written")
    parser.add_argument("--kill-every", type=float, default=60.0, help="seconds, in each of which is one kill")
    parser.add_argument("--rate", type=int, default=4_000, help="lines a second, in all files")
    parser.add_argument("--seed", type=int, default=1, help="when what fails follows from it")
    parser.add_argument("--out", type=Path, default=HOME / "benchmarks" / "results", help="for soak.json and soak.svg")
    given = parser.parse_args()
    leave_in_order()
    plan = Plan(given.seconds, given.kill_every, given.rate, given.seed, machine())
    folder = Path(tempfile.mkdtemp(prefix="swak-soak-"))
    outcome = Soak(folder, plan).run()
    found = checks(outcome)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "soak.json").write_text(as_json(outcome, found), encoding="utf-8")
    (given.out / "soak.svg").write_text(draw(outcome), encoding="utf-8")
    print(table(outcome, found))
    if any(check.ok is False for check in found):
        sys.exit(f"not as it should be; what was written is in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
