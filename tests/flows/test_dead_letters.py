"""Dead letters of an agent that is at its limit, or stops dead in the middle of what it does to them."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from swak.deadletters import Shelf
from tests.flows.agent import swak

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills and signals of POSIX")

LINES = 3_000
RECIPE = """
task(
    in_.FileTailing("app.log", follow=False),
    out.Regex(r"(?P<n>\\d+) (?P<text>[a-z]+)"),
    out.File("out.jsonl", fsync="1ms"),
    name="app",
)
"""
EVERY = 5
"""Each fifth line is refused."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.py").write_text(RECIPE)
    with (tmp_path / "app.log").open("w") as log:
        log.writelines(f"{n} {'x' * 400 if n % EVERY else 'BAD' * 400}\n" for n in range(LINES))
    return tmp_path


def up(folder: Path, limit: str, full: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    options = ["--once", "--no-view", "--dead-letters-max", limit, "--dead-letters-full", full]
    return swak(folder, "up", *options, "recipe.py", fault=fault)


def shelf(folder: Path) -> Shelf:
    return Shelf(folder / "home" / "data" / "recipe" / "dead-letters.jsonl")


def dead(folder: Path) -> list[int]:
    return [int(kept.letter.event.record["message"].split()[0]) for kept in shelf(folder).letters()]


def arrived(folder: Path) -> list[int]:
    return [int(json.loads(line)["n"]) for line in (folder / "out.jsonl").read_text().splitlines()]


WANTED = set(range(0, LINES, EVERY))


def test_at_the_limit_the_flow_waits_until_somebody_makes_room(folder: Path, start: Start) -> None:
    agent = start("--once", "--no-view", "--dead-letters-max", "700KiB", "recipe.py")
    agent.wait_until_told("dead letters cannot be written; the stage waits")
    assert "have reached their limit of 716,800 bytes: look at them with `swak dlq ls --data-dir" in agent.log
    seen = dead(folder)
    assert 0 < len(seen) < len(WANTED)
    assert shelf(folder).size_bytes <= 716_800
    exported = swak(folder, "dlq", "export", "kept.jsonl")
    assert exported.returncode == 0, exported.stderr
    dropped = swak(folder, "dlq", "drop", "--all", "--yes")
    assert dropped.stdout == f"{len(seen)} dead letters dropped\n"
    assert agent.end() == 0
    assert [*seen, *dead(folder)] == sorted(WANTED)
    assert arrived(folder) == [n for n in range(LINES) if n % EVERY]
    assert (folder / "kept.jsonl").read_bytes().count(b"\n") == len(seen)


def test_a_flow_that_waits_ends_on_demand_and_goes_on_with_a_larger_limit(folder: Path, start: Start) -> None:
    agent = start("--no-view", "--grace", "100ms", "--dead-letters-max", "700KiB", "recipe.py")
    agent.wait_until_told("the stage waits")
    agent.end(signal.SIGTERM)
    assert up(folder, "1GiB", "block").returncode == 0
    assert set(dead(folder)) == WANTED
    assert set(arrived(folder)) == {n for n in range(LINES) if n % EVERY}


def test_the_oldest_go_for_room_where_that_was_chosen(folder: Path) -> None:
    assert "dead letters were dropped for room" in up(folder, "300KiB", "drop_oldest").stderr
    found = dead(folder)
    assert found == sorted(WANTED)[-len(found) :]
    assert shelf(folder).taken.dropped == len(WANTED) - len(found)
    assert shelf(folder).size_bytes <= 300 * 1024


def test_the_environment_may_say_it_too(folder: Path) -> None:
    said = {"SWAK_DEAD_LETTERS_MAX": "300KiB", "SWAK_DEAD_LETTERS_FULL": "drop_oldest"}
    swak(folder, "up", "--once", "--no-view", "recipe.py", said=said)
    assert shelf(folder).taken.dropped > 0


STEPS = ("write", "half", "sync", "rename", "folder")
FAULTS = [f"dead.{step}:{at}" for step in STEPS for at in (1, 2)]


@pytest.mark.parametrize("fault", FAULTS)
def test_killed_while_segments_are_finished_nothing_is_lost(folder: Path, fault: str) -> None:
    assert up(folder, "2MiB", "block", fault).returncode == -signal.SIGKILL
    again = up(folder, "2MiB", "block", fault.partition(":")[0])  # once more while it recovers, or soon after
    last = up(folder, "2MiB", "block") if again.returncode == -signal.SIGKILL else again
    assert (last.returncode, "0 lost" in last.stderr) == (0, True), last.stderr
    assert set(dead(folder)) == WANTED


@pytest.mark.parametrize("fault", ["dead.write:4", "dead.half:5", "dead.sync:6", "dead.unlink:1", "dead.unlink:2"])
def test_killed_while_the_oldest_are_dropped_each_is_there_or_counted(folder: Path, fault: str) -> None:
    assert up(folder, "300KiB", "drop_oldest", fault).returncode == -signal.SIGKILL
    up(folder, "300KiB", "drop_oldest")
    found = dead(folder)
    assert len(WANTED - set(found)) <= shelf(folder).taken.dropped
    assert found[-1] == max(WANTED)
    assert shelf(folder).size_bytes <= 300 * 1024


@pytest.mark.parametrize("step", ["write", "half", "sync", "rename", "unlink", "folder"])
def test_killed_while_letters_are_dropped_by_hand_they_are_there_or_gone(folder: Path, step: str) -> None:
    assert up(folder, "2MiB", "block").returncode == 0
    before = dead(folder)
    assert swak(folder, "dlq", "drop", "--yes", "1-400", fault=f"dead.{step}:1").returncode == -signal.SIGKILL
    assert dead(folder) in (before, before[400:])
    swak(folder, "dlq", "drop", "--yes", "1-400")
    assert dead(folder) == before[400:]
