"""Two agents, one forwarding to the other: whichever is killed, nothing that wanted an ack is lost."""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import Agent, Lines, settled_bytes, tail_of
from tests.flows.ports import free_port
from tests.flows.waiting import until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

KILLS = 8


class Side:
    """One of the two agents, in a folder of its own."""

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.agent: Agent | None = None
        (folder / "recipe.py").write_text(text)

    def start(self) -> Agent:
        self.agent = Agent(self.folder, "recipe.py", "--data-dir", str(self.folder / "data"), "-q")
        return self.agent

    def kill(self) -> None:
        if self.agent is not None:
            self.agent.kill()

    def end(self, number: signal.Signals) -> int:
        """Send a signal to the agent and return its exit code."""
        assert self.agent is not None
        return self.agent.end(number)

    @property
    def log(self) -> str:
        """What the agent has told."""
        return "" if self.agent is None else self.agent.log


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    port = free_port()
    receiving = f'task(in_.Forward(port={port}, shared_key="k"), out.File("got.jsonl"), name="in")'
    sending = 'task(in_.FileTailing("app.log"), out.Fluentd("127.0.0.1", '
    sending += f'{port}, shared_key="k", hostname="sender", gzip=True, ack_timeout="5s"), name="out")'
    pair = Side(tmp_path / "sender", sending), Side(tmp_path / "receiver", receiving)
    yield pair
    for side in pair:
        side.kill()


def numbers(path: Path) -> list[int]:
    return [int(json.loads(line)["message"][:8]) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("killed", ["sender", "receiver", "both"])
def test_killed_again_and_again_nothing_is_lost(sides: tuple[Side, Side], killed: str) -> None:
    sender, receiver = sides
    victims = {"sender": [sender], "receiver": [receiver], "both": [sender, receiver]}[killed]
    rng = random.Random(killed)
    got = receiver.folder / "got.jsonl"
    explained = 0
    with Lines(sender.folder / "app.log", pause_s=0.005, burst=40, seed=3) as lines:
        for side in sides:
            side.start()
        for turn in range(KILLS):
            before = lines.count
            until(lambda before=before: last(got) >= before, lambda: told(sides))  # type: ignore[misc]
            threading.Event().wait(rng.uniform(0, 0.4))
            victim = victims[turn % len(victims)]
            victim.kill()
            explained += lines.count - settled_lines(sender.folder, lines.count)
            victim.start()
        lines.stop()
    until(lambda: last(got) == lines.count - 1, lambda: told(sides))
    for side in sides:
        assert side.end(signal.SIGTERM) == 0, side.log
    verdict = judge(range(lines.count), numbers(got), ordered=False)
    print(f"{killed}: {KILLS} kills, {lines.count} lines, {verdict.duplicates} duplicates, {explained} explained")  # noqa: T201 - worth seeing
    verdict.assert_right(duplicates_max=explained)


def settled_lines(folder: Path, count: int) -> int:
    """Return how many of the first `count` lines the sender counts as delivered."""
    ends = list(accumulate(len(Lines.line(number)) + 1 for number in range(count)))
    return bisect_right(ends, settled_bytes(folder / "data", "out"))


def last(path: Path) -> int:
    """Return the highest number among the last lines, -1 when there is none."""
    found = []
    for line in tail_of(path).split("\n")[:-1]:
        try:
            found.append(int(json.loads(line)["message"][:8]))
        except ValueError:
            continue  # what the tail begins with is no whole line
    return max(found, default=-1)


def told(sides: tuple[Side, Side]) -> str:
    return "\n".join(side.log for side in sides)


def test_a_receiver_that_is_stopped_in_order_leaves_nothing_to_be_sent_twice(sides: tuple[Side, Side]) -> None:
    sender, receiver = sides
    got = receiver.folder / "got.jsonl"
    with Lines(sender.folder / "app.log", pause_s=0.005, burst=40, seed=4) as lines:
        for side in sides:
            side.start()
        for _ in range(3):
            before = lines.count
            until(lambda before=before: last(got) >= before, lambda: told(sides))  # type: ignore[misc]
            assert receiver.end(signal.SIGTERM) == 0, receiver.log
            receiver.start()
        lines.stop()
    until(lambda: last(got) == lines.count - 1, lambda: told(sides))
    judge(range(lines.count), numbers(got)).assert_right()
