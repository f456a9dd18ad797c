"""Every way of rotation at once: one agent with a task for each, rotated while it runs, is stopped or was killed."""

from __future__ import annotations

import random
import re
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from tests.flows.agent import Agent, settled_bytes, tail_of
from tests.flows.numbered import LINE_BYTES, TORN, line, numbers_in, repeated
from tests.flows.rotations import NAMELESS, PREPARED, WAYS, Log
from tests.flows.waiting import until
from tests.oracle import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.flows.rotations import Step

State = Literal["up", "down", "killed"]
Watch = Literal["auto", "poll"]
STATES: tuple[State, ...] = ("up", "down", "killed")
WATCHES: tuple[Watch, ...] = ("auto", "poll")
CYCLES = 2
HEAD_LINES = 40
"""More than the KiB by which a copy is known to be one."""
BURST = 20
PAUSES_S = (0.0, 0.0, 0.02, 0.3)
"""Between two steps: nothing is noticed, some of it, everything."""
ARRIVE_S = 15.0
"""How long the last line may take. A rotated file is watched for a second, at most for ten, before the next one."""


class Cell(NamedTuple):
    """What one way of rotation did to the lines of one log."""

    verdict: Verdict
    repeated: set[int]
    settled: int
    """Lines of which the checkpoint said before the rotation that they need not come again."""
    destroyed: set[int]
    """Lines that did not arrive, and that no reader can have: they are not in `verdict.lost`."""
    dropped_bytes: int
    """What the agent says that it saw and could not read."""
    log: str
    """Warnings of that task."""

    def assert_right(self) -> None:
        """Fail with what is wrong. What was not settled may come again."""
        self.verdict.assert_right(duplicates_max=self.verdict.duplicates)
        again = sorted(number for number in self.repeated if number < self.settled)
        assert not again, f"repeated although settled, {len(again)}: {again[:10]}"


class World:
    """An agent that tails one log for each way of rotation into a file of its own."""

    def __init__(self, folder: Path, watch: Watch, seed: int) -> None:
        self.folder = folder
        self.logs = {name: Log(folder / slug(name) / "logs" / "app.log") for name in WAYS}
        self.rng = random.Random(f"{watch} {seed}")
        self.agent: Agent | None = None
        self.told: list[str] = []
        """The log of each agent that ran."""
        option = "" if watch == "auto" else f', watch="{watch}"'
        tasks = [
            f'task(in_.FileTailing("{log.path}"{option}),'
            f' out.File("{self.output(name)}", format="raw", fsync=None), name="{slug(name)}")\n'
            for name, log in self.logs.items()
        ]
        (folder / "recipe.py").write_text("".join(tasks))
        for name, prepare in PREPARED.items():
            prepare(self.logs[name])
        for log in self.logs.values():
            log.write(HEAD_LINES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for log in self.logs.values():
            log.close()
        if self.agent is not None:
            self.agent.kill()

    def output(self, name: str) -> Path:
        return self.folder / f"{slug(name)}.out"

    def write(self) -> None:
        """Add some lines to each log."""
        for log in self.logs.values():
            log.write(self.rng.randint(1, BURST))

    def play(self, plans: Mapping[str, Sequence[Step]]) -> None:
        """Take the steps of all ways side by side, each log growing in between."""
        for turn in range(max(map(len, plans.values()), default=0)):
            for name, plan in plans.items():
                for step in plan[turn : turn + 1]:
                    step(self.logs[name])
            self.write()
            threading.Event().wait(self.rng.choice(PAUSES_S))

    def start(self, *arguments: str) -> Agent:
        self.agent = Agent(self.folder, "recipe.py", "--data-dir", "data", *arguments)
        return self.agent

    @property
    def told_so_far(self) -> str:
        """What the agent that runs has told."""
        return self.agent.log if self.agent is not None else ""

    def end(self, number: signal.Signals | None = None) -> None:
        """End the agent by a signal, or wait until it ends by itself."""
        assert self.agent is not None
        code = self.agent.end(number)
        assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0), self.told_so_far
        self.told.append(self.told_so_far)

    def arrived(self) -> bool:
        """Tell whether the last line of each log was delivered."""
        return all(line(log.count - 1).decode() in tail_of(self.output(name)) for name, log in self.logs.items())

    def all_settled(self) -> bool:
        """Tell whether the checkpoints hold the end of each log. Before the first rotation only."""
        data = self.folder / "data"
        return all(settled_bytes(data, slug(name)) == log.count * LINE_BYTES for name, log in self.logs.items())

    def let_arrive(self) -> None:
        """Wait for the last line of each log. When the time is over, the oracle says what is lost."""
        deadline = time.monotonic() + ARRIVE_S
        until(lambda: self.arrived() or time.monotonic() > deadline, "", ARRIVE_S + 5)

    def finish(self) -> None:
        """Let everything arrive that can, stop, and look whether a further start brings anything."""
        self.write()
        self.let_arrive()
        self.end(signal.SIGTERM)
        self.start("--once")
        self.end()

    def cell(self, name: str, settled: int | None, *, held: bool) -> Cell:
        """Judge one log. `settled` lines were settled, None for all; `held` says that the agent ran all the time."""
        log, arrived = self.logs[name], numbers_in(self.output(name))
        destroyed = (log.truncated if held else log.truncated | log.deleted) - set(arrived)
        told = [[one for one in text.splitlines() if f"stage={slug(name)}/" in one] for text in self.told]
        counts = [[int(count) for count in re.findall(r"\bbytes_dropped=(\d+)", "\n".join(one))] for one in told]
        return Cell(
            judge(sorted(set(range(log.count)) - destroyed), arrived),
            repeated(arrived) - {TORN},
            log.count if settled is None else settled,
            destroyed,
            sum(max(one, default=0) for one in counts),
            "\n".join(one for lines in told for one in lines if "[warning]" in one),
        )


def run(folder: Path, state: State, watch: Watch, seed: int = 1) -> dict[str, Cell]:
    """Rotate in every way in that state, and say for each what became of its lines."""
    plans = {name: list(way) * (1 if name in NAMELESS else CYCLES) for name, way in WAYS.items()}
    settled: dict[str, int] | None = None
    with World(folder, watch, seed) as world:
        world.start()
        until(world.arrived, lambda: world.told_so_far)
        if state == "up":
            world.play(plans)
            world.let_arrive()
            world.play(WAYS)
        elif state == "down":
            world.end(signal.SIGTERM)
            world.play(plans)
            world.start()
        else:
            until(world.all_settled, "a checkpoint of everything")
            settled = {name: log.count for name, log in world.logs.items()}
            points = {name: world.rng.randint(0, len(plan)) for name, plan in plans.items()}
            world.write()
            world.play({name: plan[: points[name]] for name, plan in plans.items()})
            world.end(signal.SIGKILL)
            world.play({name: plan[points[name] :] for name, plan in plans.items()})
            world.start()
        world.finish()
        return {name: world.cell(name, settled[name] if settled else None, held=state == "up") for name in WAYS}


def table(seeds: Sequence[int]) -> str:
    """Return the whole matrix as text; killed once for each seed."""
    row = "{:20} {:8} {:5} {:>5} {:>9} {:>8} {:>9} {:>13}\n".format
    text = row("rotation", "state", "watch", "lost", "destroyed", "repeated", "reordered", "dropped bytes")
    for state, watch, seed in cases(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name, cell in run(Path(folder), state, watch, seed).items():
                shown = f"{state} {seed}" if state == "killed" else state
                verdict = cell.verdict
                lost, reordered = len(verdict.lost) + len(verdict.unexpected), len(verdict.reordered)
                text += row(
                    name, shown, watch, lost, len(cell.destroyed), len(cell.repeated), reordered, cell.dropped_bytes
                )
    return text


def cases(seeds: Sequence[int]) -> list[tuple[State, Watch, int]]:
    """Return state, watch and seed of each run."""
    return [
        (state, watch, seed)
        for state in STATES
        for watch in WATCHES
        for seed in (seeds if state == "killed" else seeds[:1])
    ]


def slug(name: str) -> str:
    """Return the name without what a path or a task's name should not hold."""
    return re.sub(r"\W+", "-", name)
