"""An agent that is killed, drained and forced while it tails a growing log: what it delivers is right all the same."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import Lines, last_number, settled_bytes, tail_of
from tests.flows.waiting import until
from tests.oracle import judge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

KILLS = 20
ROTATED, TORN = (6, 13), (4, 6, 9)
"""After which kills the log is rotated, and the output has half a line at its end."""
SAFE_AFTER_S = 2.9
"""What an agent has read that long ago is not read again: 0.8 s in the buffer, 1 s to the output's sync, 1 s to the
next checkpoint. An agent that lives for less repeats what the one before it had read."""

RECIPE = """
task(
    in_.FileTailing("app.log"),
    [
        out.File("raw.txt", format="raw"),
        out.TimedBuffer("0.8s") | out.File("json.txt"),
    ],
    name="app",
)
"""


def recipe(folder: Path, text: str = RECIPE) -> str:
    path = folder / "recipe.py"
    path.write_text(text)
    return str(path)


def raw_numbers(folder: Path) -> list[int]:
    """Return the numbers of raw.txt. Fails on a line that is torn or glued."""
    text = (folder / "raw.txt").read_text()
    assert text.endswith("\n")
    return [number_of(line) for line in text.splitlines()]


def json_numbers(folder: Path) -> list[int]:
    lines = (folder / "json.txt").read_text().splitlines()
    return [number_of(json.loads(line)["message"]) for line in lines]


def number_of(line: str) -> int:
    number = int(line[:8])
    assert line == Lines.line(number), f"torn or glued: {line!r}"
    return number


def settled_lines(folder: Path, count: int) -> int:
    """Return how many of the first `count` lines the checkpoint counts as settled. Generations are read in order."""
    ends = list(accumulate(len(Lines.line(number)) + 1 for number in range(count)))
    return bisect_right(ends, settled_bytes(folder / "data", "app"))


def wait_beyond(number: int, folder: Path, agent: Agent) -> None:
    """Wait until a line after that one was delivered."""
    until(lambda: last_number(folder / "raw.txt") > number, lambda: agent.log)


def tear(path: Path) -> None:
    """Leave half a line, as a kill in the middle of a large write does."""
    with path.open("a") as file:
        file.write(Lines.line(0)[:5])


def test_killed_at_twenty_moments_it_delivers_every_line_in_order(start: Start, tmp_path: Path) -> None:
    rng = random.Random(8)
    lives_s = [rng.uniform(0.0, 1.4) for _ in range(KILLS - 7)] + [rng.uniform(1.0, 3.6) for _ in range(7)]
    rng.shuffle(lives_s)
    arguments = (recipe(tmp_path), "--data-dir", str(tmp_path / "data"), "-q")
    explained = 0
    with Lines(tmp_path / "app.log", pause_s=0.005, burst=40, seed=7) as lines:
        for turn, life_s in enumerate(lives_s):
            agent = start(*arguments)
            before = last_number(tmp_path / "raw.txt")
            if life_s > 0.3:  # else it dies somewhere in its start
                wait_beyond(before, tmp_path, agent)
            threading.Event().wait(life_s)
            agent.kill()
            killed_s, settled = time.monotonic(), settled_lines(tmp_path, lines.count)
            explained += lines.count - settled
            if life_s > SAFE_AFTER_S and turn - 1 not in ROTATED:  # an old generation is watched for a second first
                assert settled >= lines.since(killed_s - SAFE_AFTER_S), "the checkpoint is too old"
            if turn in ROTATED:
                lines.rotate()
            if turn in TORN:
                tear(tmp_path / "raw.txt")
        lines.stop()
        agent = start(*arguments)
        wait_beyond(lines.count - 2, tmp_path, agent)
        until(lambda: f"{lines.count - 1:08d}" in tail_of(tmp_path / "json.txt"), lambda: agent.log)
        assert agent.end(signal.SIGTERM) == 0, agent.log
    for numbers in (raw_numbers(tmp_path), json_numbers(tmp_path)):
        verdict = judge(range(lines.count), numbers)
        print(f"{KILLS} kills, {lines.count} lines, {verdict.duplicates} duplicates, {explained} explained")  # noqa: T201 - figures worth seeing
        verdict.assert_right(duplicates_max=explained)


PLAIN = 'task(in_.FileTailing("app.log"), out.File("raw.txt", format="raw"), name="app")'
"""The plainest recipe, with the defaults that everybody runs."""


def test_a_kill_repeats_at_most_what_two_seconds_of_input_explain(start: Start, tmp_path: Path) -> None:
    rng = random.Random(11)
    arguments = (recipe(tmp_path, PLAIN), "--data-dir", str(tmp_path / "data"), "-q")
    began = time.monotonic()
    with Lines(tmp_path / "app.log", pause_s=0.005, burst=40, seed=9) as lines:
        for turn in range(KILLS // 2):
            agent = start(*arguments)
            wait_beyond(last_number(tmp_path / "raw.txt"), tmp_path, agent)
            threading.Event().wait(rng.uniform(0.0, 3.0))
            agent.kill()
            if turn in ROTATED:
                lines.rotate()
        lines.stop()
        lines_per_s = lines.count / (time.monotonic() - began)
        agent = start(*arguments, "--once")
        assert agent.end() == 0, agent.log
    verdict = judge(range(lines.count), raw_numbers(tmp_path))
    explained = round(KILLS // 2 * 2 * lines_per_s)
    print(f"{KILLS // 2} kills, {lines.count} lines, {verdict.duplicates} duplicates, {explained} explained")  # noqa: T201 - figures worth seeing
    verdict.assert_right(duplicates_max=explained)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_repeated_after_a_clean_stop(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    arguments = (recipe(tmp_path), "--data-dir", str(tmp_path / "data"), "-q")
    with Lines(tmp_path / "app.log", pause_s=0.002, burst=20, seed=3) as lines:
        for _ in range(3):
            agent = start(*arguments)
            wait_beyond(lines.count, tmp_path, agent)
            assert agent.end(number) == 0, agent.log
        lines.stop()
        agent = start(*arguments, "--once")
        assert agent.end() == 0, agent.log
    for numbers in (raw_numbers(tmp_path), json_numbers(tmp_path)):
        judge(range(lines.count), numbers).assert_right()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_it_at_once_and_what_is_left_comes_again(
    start: Start, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    text = RECIPE.replace('out.File("json.txt")', 'out.File("pipe")')
    os.mkfifo(tmp_path / "pipe")  # nobody reads it: its branch cannot be drained, and holds the other one up
    arguments = (recipe(tmp_path, text), "--data-dir", str(tmp_path / "data"))
    count = 50_000
    (tmp_path / "app.log").write_text("".join(f"{Lines.line(n)}\n" for n in range(count)))
    agent = start(*arguments, "--grace", "60s")
    wait_beyond(0, tmp_path, agent)
    agent.send(number)
    agent.wait_until_told("draining")
    began_s = time.monotonic()
    assert agent.end(number) == code, agent.log
    assert time.monotonic() - began_s < 5, "at once"
    recipe(tmp_path)
    repeated = last_number(tmp_path / "raw.txt") + 1
    agent = start(*arguments, "--once")
    assert agent.end() == 0, agent.log
    judge(range(count), raw_numbers(tmp_path)).assert_right(duplicates_max=repeated)
    judge(range(count), json_numbers(tmp_path)).assert_right()


STEPS = """
import os, signal, sys

left = [int(os.environ["DIE_AT"])]

def step(name, arguments):
    if name in ("open", "os.rename", "os.remove") and "checkpoints" in str(arguments[0]) and os.getpid() == me:
        left[0] -= 1
        if not left[0]:
            os.kill(me, signal.SIGKILL)

me = os.getpid()
sys.addaudithook(step)
"""


def test_a_kill_at_any_step_of_saving_a_checkpoint_loses_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--data-dir", str(tmp_path / "data"), "--once")
    count, killed = 0, 0
    for step in range(1, 20):
        for text, die_at in ((RECIPE, 0), (STEPS + RECIPE, step)):
            with (tmp_path / "app.log").open("a") as log:
                log.write("".join(f"{Lines.line(number)}\n" for number in range(count, count + 100)))
            count += 100
            monkeypatch.setenv("DIE_AT", str(die_at))
            code = start(recipe(tmp_path, text), *arguments).end()
        killed += code == -signal.SIGKILL
        if not code:
            break
    assert start(recipe(tmp_path), *arguments).end() == 0
    assert killed >= 5, "load, the new generation, two renames, the directory"
    judge(range(count), raw_numbers(tmp_path)).assert_right(duplicates_max=killed * 100)
    judge(range(count), json_numbers(tmp_path)).assert_right(duplicates_max=killed * 100)
