"""Agents with worker processes: killed, drained, interrupted with their whole group, started again."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.flows.agent import Lines, swak
from tests.flows.waiting import WAIT_S, until
from tests.oracle import judge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX, and workers")

RECIPE = """
'''Numbered lines, parsed by workers and by a filter of the recipe's own.'''
from swak import Event, Filter

class Whole(Filter):
    '''Passes whole lines on, and takes its time.'''

    def process(self, event: Event) -> Event:
        if event.record["first"] != event.record["last"]:
            raise ValueError("torn")
        return event

task(
    in_.FileTailing("app.log"),
    out.Regex(r"^(?P<first>[0-9]{8}) (?P<text>[a-j]*) (?P<last>[0-9]{8})$"),
    out.Whole(),
    out.File("out.json", fsync="50ms"),
    name="app",
    workers=2,
)
"""
TWO = "Regex+Whole"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.py"
    path.write_text(RECIPE)
    return str(path)


def workers_of(agent: Agent) -> list[psutil.Process]:
    return psutil.Process(agent.pid).children()


def arrived(folder: Path) -> list[int]:
    path = folder / "out.json"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [int(json.loads(line)["first"]) for line in lines]


def until_arrived(folder: Path, count: int, agent: Agent) -> None:
    until(lambda: len(arrived(folder)) >= count, lambda: f"{len(arrived(folder))} arrived; {agent.log}")


def write(folder: Path, first: int, end: int) -> None:
    with (folder / "app.log").open("a") as log:
        log.writelines(f"{Lines.line(number)}\n" for number in range(first, end))


def ended(processes: list[psutil.Process]) -> None:
    """Wait until none of them is left, not even as a zombie."""
    gone, left = psutil.wait_procs(processes, timeout=WAIT_S)
    assert not left, left
    assert len(gone) == len(processes)


def test_workers_that_are_killed_under_load_lose_nothing(start: Start, tmp_path: Path, recipe: str) -> None:
    with Lines(tmp_path / "app.log", 0.002, 200, seed=1) as log:
        agent = start("--data-dir", "data", recipe)
        for kill in range(4):
            until_arrived(tmp_path, 2_000 * (kill + 1), agent)
            until(lambda: len(workers_of(agent)) == 2, lambda: agent.log)
            workers_of(agent)[kill % 2].kill()
        log.stop()
        until_arrived(tmp_path, log.count, agent)
        assert agent.end(signal.SIGTERM) == 0
    judge(range(log.count), arrived(tmp_path)).assert_right(duplicates_max=4 * 8_000)
    assert "was ended by SIGKILL" in agent.log
    assert f"app/{TWO}" in agent.log


def test_a_killed_agent_leaves_no_worker_and_goes_on_from_its_checkpoint(
    start: Start, tmp_path: Path, recipe: str
) -> None:
    for life in range(3):
        write(tmp_path, 5_000 * life, 5_000 * (life + 1))
        agent = start("--data-dir", "data", recipe)
        until(lambda agent=agent: len(workers_of(agent)) == 2, agent.log)  # type: ignore[misc]  # the loop's own
        workers = workers_of(agent)
        until_arrived(tmp_path, len(arrived(tmp_path)) + 100, agent)
        agent.kill()
        ended(workers)
    write(tmp_path, 15_000, 16_000)
    agent = start("--data-dir", "data", recipe)
    until(lambda: arrived(tmp_path)[-1:] == [15_999], lambda: agent.log)
    assert agent.end(signal.SIGTERM) == 0
    judge(range(16_000), arrived(tmp_path)).assert_right(duplicates_max=30_000)  # no life may reach a checkpoint
    audit = swak(tmp_path, "audit", "--data-dir", "data")
    assert audit.returncode == 0, audit.stdout
    assert "every event and every byte is accounted for" in audit.stdout


def test_an_agent_that_is_killed_while_a_filter_hangs_leaves_no_worker(start: Start, tmp_path: Path) -> None:
    hangs = RECIPE.replace(
        'if event.record["first"]', '(lambda: [0 for _ in iter(int, 1)])()\n        if event.record["first"]'
    )
    (tmp_path / "recipe.py").write_text(hangs)
    write(tmp_path, 0, 100)
    agent = start("--data-dir", "data", "recipe.py")
    until(lambda: len(workers_of(agent)) == 2, lambda: agent.log)
    workers = workers_of(agent)
    until(lambda: max(one.cpu_times().user for one in workers) > 0.5, lambda: agent.log)
    agent.kill()
    ended(workers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_drains_and_ends_all(
    start: Start, tmp_path: Path, recipe: str, number: signal.Signals
) -> None:
    write(tmp_path, 0, 40_000)
    agent = start("--data-dir", "data", recipe)
    until(lambda: len(workers_of(agent)) == 2, lambda: agent.log)
    workers = workers_of(agent)
    until_arrived(tmp_path, 1, agent)
    os.killpg(agent.pid, number)
    assert agent.end() == 0, agent.log
    ended(workers)
    found = arrived(tmp_path)
    assert found == list(range(len(found)))
    assert "Traceback" not in agent.log
    assert ", 0 will replay, 0 lost" in agent.log
    assert "seat is replaced" not in agent.log


def test_a_worker_has_nothing_but_its_socket_and_stderr(start: Start, tmp_path: Path, recipe: str) -> None:
    write(tmp_path, 0, 100)
    agent = start("--data-dir", "data", recipe)
    until_arrived(tmp_path, 100, agent)
    for worker in workers_of(agent):
        assert worker.open_files() == [] or {one.fd for one in worker.open_files()} <= {0, 1, 2}
        assert worker.num_fds() <= 5
        assert "app.log" not in str(worker.open_files())


def test_a_recipe_given_as_text_may_have_filters_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, 0, 1_000)
    text = RECIPE.replace('"app.log"', '"app.log", follow=False')
    done = swak(tmp_path, "up", "--no-view", "-e", text)
    assert done.returncode == 0, done.stderr
    assert arrived(tmp_path) == list(range(1_000))


def test_a_filter_beside_the_recipe_is_made_again_in_the_workers(tmp_path: Path) -> None:
    head, _, rest = RECIPE.partition("class Whole")
    body, _, flow = rest.partition("\ntask(")
    (tmp_path / "whole.py").write_text(f"{head}class Whole{body}")
    (tmp_path / "recipe.py").write_text("task(" + flow.replace('"app.log"', '"app.log", follow=False'))
    write(tmp_path, 0, 1_000)
    done = swak(tmp_path, "up", "--no-view", "recipe.py")
    assert done.returncode == 0, done.stderr
    assert arrived(tmp_path) == list(range(1_000))
    assert f"app/{TWO}" in done.stderr


def test_dead_letters_name_their_filter_and_are_replayed_before_it(tmp_path: Path, recipe: str) -> None:
    text = RECIPE.replace('"app.log"', '"app.log", follow=False')
    (tmp_path / "recipe.py").write_text(text)
    (tmp_path / "app.log").write_text("00000001 a 00000001\n00000002 a 00000003\nnonsense\n")
    assert swak(tmp_path, "up", "--no-view", recipe).returncode == 0
    listed = swak(tmp_path, "dlq", "ls", "--json")
    assert {one["stage"] for one in json.loads(listed.stdout)["groups"]} == {"Regex", "Whole"}, listed.stdout
    (tmp_path / "recipe.py").write_text(text.replace('raise ValueError("torn")', "return event"))
    replayed = swak(tmp_path, "dlq", "replay", "--stage", "Whole", recipe)
    assert replayed.returncode == 0, replayed.stderr
    assert arrived(tmp_path) == [1, 2]


def test_check_tells_of_the_workers(tmp_path: Path, recipe: str) -> None:
    told = swak(tmp_path, "check", recipe)
    assert told.returncode == 0
    assert "Regex and Whole run in 2 worker processes" in told.stdout
