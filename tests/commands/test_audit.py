from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from swak.checkpoint import Checkpoint
from tests.flows.agent import Agent, swak, tail_of
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECIPE = 'task(in_.FileTailing("app.log"), out.File("out.txt", format="raw"), name="app")'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.py").write_text(RECIPE)
    (tmp_path / "app.log").write_text("".join(f"line {n}\n" for n in range(1_000)))
    return tmp_path


@pytest.fixture
def agent(folder: Path) -> Iterator[Agent]:
    agent = Agent(folder, "recipe.py")
    yield agent
    agent.kill()


def test_where_nothing_ran_there_is_no_ledger(folder: Path) -> None:
    found = swak(folder, "audit")
    assert found.returncode == 74
    assert "there is no ledger; start an agent" in found.stderr


def test_a_run_to_the_end_is_accounted_for(folder: Path) -> None:
    assert swak(folder, "up", "--once", "-q", "recipe.py").returncode == 0
    found = swak(folder, "audit")
    assert found.returncode == 0, found.stdout
    size = (folder / "app.log").stat().st_size
    assert f"app.log: bytes 0..{size} settled" in found.stdout
    assert found.stdout.endswith("every event and every byte is accounted for\n")


def test_the_receipt_has_the_same_figures(folder: Path) -> None:
    receipt = swak(folder, "up", "--once", "recipe.py").stderr.splitlines()
    audit = swak(folder, "audit").stdout.splitlines()
    shared = [line for line in receipt if line.startswith(("stage ", "app/"))]
    assert len(shared) == 4
    assert [line for line in audit if line in shared] == shared


def test_machines_get_all_of_it(folder: Path) -> None:
    assert swak(folder, "up", "--once", "-q", "recipe.py").returncode == 0
    held = json.loads(swak(folder, "audit", "--json").stdout)
    assert (held["state"], held["unaccounted"], held["lost"]) == ("drained", [], [])
    assert held["stages"]["app/File"]["out"] == 1_000
    assert held["inputs"]["app/FileTailing"]["delivered"] == 1_000


@pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")
def test_a_running_and_a_killed_agent_are_told_apart(folder: Path, agent: Agent) -> None:
    until(lambda: "line 999" in tail_of(folder / "out.txt"), lambda: agent.log)
    until(lambda: "1000 delivered" in swak(folder, "audit").stdout, lambda: agent.log)
    assert ": running;" in swak(folder, "audit").stdout
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait(20)
    found = swak(folder, "audit")
    assert (found.returncode, ": killed;" in found.stdout) == (0, True), found.stdout


def test_a_checkpoint_that_runs_ahead_is_found_out(folder: Path) -> None:
    (folder / "app.log").write_text("line 0\n")
    assert swak(folder, "up", "--once", "-q", "recipe.py").returncode == 0
    (file,) = (folder / "home" / "data" / "recipe" / "checkpoints").glob("*.json")
    checkpoint = Checkpoint(file)
    positions = checkpoint.load()
    ((identity, sources),) = positions.items()
    ((source, position),) = sources.items()
    checkpoint.save({identity: {source: {**position, "offset": 14, "head_len": 0, "tail_len": 0}}})
    with (folder / "app.log").open("a") as log:
        log.write("line 1\nline 2\n")
    assert swak(folder, "up", "--once", "-q", "recipe.py").returncode == 0
    found = swak(folder, "audit")
    assert found.returncode == 4
    assert "NOT ACCOUNTED FOR: 7 bytes of" in found.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_was_lost_is_named(folder: Path) -> None:
    recipe = 'task(in_.DummyData(count=100), out.Tcp("127.0.0.1", 1), name="app")'
    agent = Agent(folder, "-e", recipe, "--data-dir", "home/data", "--grace", "0.2s")
    try:
        agent.wait_until_told("output is down")
        assert agent.end(signal.SIGTERM) == 1
    finally:
        agent.kill()
    found = swak(folder, "audit")
    assert (found.returncode, " events of app/DummyData: read, not settled, and" in found.stdout) == (1, True), (
        found.stdout
    )
