"""An agent that stops dead in the middle of what it does to its spool, its checkpoint and its dead letters."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.audit import Audit
from swak.ledger import Ledger
from tests.flows.agent import environ, swak
from tests.oracle import judge

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")

KILLED = -9
LINES = 8_000
FAULTS = [f"spool.{step}:{at}" for step in ("write", "half", "sync") for at in (1, 10)]
FAULTS += [f"spool.{step}:{at}" for step in ("folder", "rename", "unlink") for at in (1, 3)]  # how often, time decides
FAULTS += [f"dead.{step}:{at}" for step in ("write", "half", "sync") for at in (1, 5)] + ["dead.folder:1"]
SAVES = [
    f"{owner}.{step}" for owner in ("checkpoint", "ledger") for step in ("write", "half", "sync", "rename", "folder")
]
FAULTS += [f"{save}:{at}" for save in SAVES for at in (1, 10)]
HURRY = """
import swak.actors.supervisor
from swak.cli import main

swak.actors.supervisor.CHECKPOINT_S = swak.actors.supervisor.TICK_S = 0.01
main()
"""
"""An agent that saves a hundred times a second: a run of a second comes to the tenth pass."""
IN_RECOVERY = [("spool.half:3", "spool.cut:1"), ("dead.half:3", "dead.write:1"), ("spool.half:9", "spool.write:1")]
RECIPE = """
task(
    in_.FileTailing("app.log"),
    out.Regex(r"(?P<n>\\d+) (?P<text>[a-z]+)"),
    out.DiskBuffer("spool", max_size="1MiB", fsync="1ms"),
    out.File("out.jsonl", fsync="1ms"),
    name="app",
)
"""


def up(folder: Path, fault: str = "") -> subprocess.CompletedProcess[str]:
    return swak(folder, "up", "--once", "--no-view", "recipe.py", fault=fault)


def up_while_it_grows(folder: Path, fault: str) -> int:
    """Let the log grow under the agent until that dies; return its exit code. In the end the log is whole."""
    lines = (folder / "app.log").read_bytes().splitlines(keepends=True)
    with (folder / "app.log").open("wb", buffering=0) as log:
        running = subprocess.Popen(
            [sys.executable, "-c", HURRY, "up", "-q", "recipe.py"],
            cwd=folder,
            env=environ(folder, fault),
            stdin=subprocess.DEVNULL,
        )
        try:
            while lines:
                log.write(b"".join(lines[:20]))
                del lines[:20]
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return running.wait(0.02)
            return running.wait(20)
        finally:
            running.kill()
            log.write(b"".join(lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.py").write_text(RECIPE)
    with (tmp_path / "app.log").open("w") as log:
        log.writelines(f"{n} {'x' * 200 if n % 40 else 'BAD'}\n" for n in range(LINES))
    return tmp_path


def assert_all_came(folder: Path) -> None:
    """Every line is in the output, in order, or among the dead letters."""
    arrived = [int(json.loads(line)["n"]) for line in (folder / "out.jsonl").read_text().splitlines()]
    judge([n for n in range(LINES) if n % 40], arrived).assert_right(duplicates_max=2 * LINES)
    letters = (folder / "home" / "data" / "recipe" / "dead-letters.jsonl").read_text().splitlines()
    dead = {int(json.loads(line)["record"]["message"].split()[0]) for line in letters if line.endswith("}")}
    assert dead == {n for n in range(LINES) if not n % 40}


@pytest.mark.parametrize(
    ("first", "second"),
    [*((fault, fault.partition(":")[0]) for fault in FAULTS), *IN_RECOVERY],
    ids=str,
)
def test_nothing_is_lost_wherever_it_stops(folder: Path, first: str, second: str) -> None:
    if first.startswith(tuple(SAVES)) and first.endswith(":10"):
        assert up_while_it_grows(folder, first) == KILLED
    else:
        assert up(folder, first).returncode == KILLED
    again = up(folder, second)  # once more while it recovers, or soon after
    last = up(folder) if again.returncode == KILLED else again
    assert (last.returncode, "0 lost" in last.stderr) == (0, True), last.stderr
    assert_all_came(folder)
    audit = Audit(Ledger(folder / "home" / "data" / "recipe" / "ledger.json").look(), 0)
    assert (audit.state, audit.unaccounted, audit.lost) == ("drained", [], [])
