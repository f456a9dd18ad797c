"""The real logrotate in its usual modes, several times, while logs grow and the agent runs or is stopped."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.flows.agent import Agent, last_number, tail_of
from tests.flows.log_writer import LogWriter
from tests.flows.numbered import line, numbers_in
from tests.flows.waiting import WAIT_S, until
from tests.oracle import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOGROTATE = shutil.which("logrotate", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
pytestmark = pytest.mark.skipif(LOGROTATE is None, reason="needs logrotate: apt-get install logrotate")

REOPEN = """
    create
    postrotate
        touch {folder}/reopen
        kill -HUP $(cat {folder}/pid)
        while [ -e {folder}/reopen ]; do sleep 0.01; done
    endscript
"""
PAUSE = """
    copytruncate
    prerotate
        kill -STOP $(cat {folder}/pid)
    endscript
    postrotate
        kill -CONT $(cat {folder}/pid)
    endscript
"""
REOPENING = {
    "create": REOPEN,
    "compress": "compress" + REOPEN,
    "delaycompress": "compress\n delaycompress" + REOPEN,
    "dateext": "dateext\n dateformat -%Y%m%d-%s" + REOPEN,
    "dateext-compress": "compress\n dateext\n dateformat .%Y-%m-%d-%s" + REOPEN,
}
TRUNCATING = {
    "copytruncate-paused": PAUSE,
    "copytruncate-compress": "compress" + PAUSE,
    "copytruncate": "copytruncate\n",
}
"""The last one does not pause its writer: what that adds after the copy was made is truncated with the rest."""
UP = 3
"""Rotations before the agent is stopped. One comes after it has started again, and meanwhile one or two."""


class Rotated:
    """A log that a process of its own writes, and the file that its lines are delivered to."""

    def __init__(self, folder: Path, mode: str) -> None:
        folder.mkdir()
        self.path, self.output = folder / "app.log", folder / "output"
        self.at_risk: set[int] = set()
        """Lines that may have been written between a copy and the truncation of what was copied."""
        self.config = f"{self.path} {{\n rotate 20\n {(REOPENING | TRUNCATING)[mode].format(folder=folder)}}}\n"
        self.task = f'task(in_.FileTailing("{self.path}"), out.File("{self.output}", format="raw"), name="{mode}")\n'
        self.writer = LogWriter(self.path, folder)
        (folder / "pid").write_text(str(self.writer.pid))

    def arrived(self) -> bool:
        """Tell whether the last line was delivered, once the writer has ended."""
        return line(self.writer.count - 1).decode() in tail_of(self.output)

    def verdict(self) -> Verdict:
        """Judge what arrived, leaving out what logrotate itself has lost."""
        arrived = numbers_in(self.output)
        return judge(sorted(set(range(self.writer.count)) - (self.at_risk - set(arrived))), arrived)


class World:
    """One agent, a log for each mode, and logrotate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = {mode: Rotated(folder / mode, mode) for mode in REOPENING | TRUNCATING}
        (folder / "recipe.py").write_text("".join(log.task for log in self.logs.values()))
        self.agent = self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for log in self.logs.values():
            log.writer.end()
        self.agent.kill()

    def start(self, *arguments: str) -> Agent:
        self.agent = Agent(self.folder, "recipe.py", "--data-dir", "data", *arguments)
        return self.agent

    def rotate(self, modes: Iterable[str]) -> None:
        """Let all logs grow and logrotate run, not twice in one second."""
        began_s, logs = int(time.time()), {mode: self.logs[mode] for mode in modes}
        until(lambda: time.time() > began_s + 1, "the next second")
        for log in logs.values():
            log.writer.wait_for_growth()
        config = self.folder / "logrotate.conf"
        config.write_text("".join(log.config for log in logs.values()))
        before = {mode: log.writer.count for mode, log in logs.items()}
        command = [str(LOGROTATE), "-f", "-s", str(self.folder / "state"), str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        for mode in {"copytruncate"} & logs.keys():
            logs[mode].at_risk |= set(range(before[mode], logs[mode].writer.count + 2))


def play(world: World) -> None:
    """Rotate all logs while the agent runs, while it is stopped, and when it runs again."""
    until(lambda: all(last_number(log.output) >= 0 for log in world.logs.values()), lambda: world.agent.log)
    for _ in range(UP):
        world.rotate([*REOPENING, *TRUNCATING])
    assert world.agent.end(signal.SIGTERM) == 0, world.agent.log
    world.rotate(REOPENING)
    world.rotate([*REOPENING, *TRUNCATING])  # of two truncations the first copy would belong to nobody
    world.start()
    world.rotate([*REOPENING, *TRUNCATING])
    for log in world.logs.values():
        log.writer.end()
    deadline = time.monotonic() + WAIT_S  # then the oracle says what is lost
    until(lambda: all(log.arrived() for log in world.logs.values()) or time.monotonic() > deadline, "", 2 * WAIT_S)
    assert world.agent.end(signal.SIGTERM) == 0, world.agent.log
    assert world.start("--once").end() == 0, world.agent.log


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rotated]]:
    """All modes share one run."""
    with World(tmp_path_factory.mktemp("logrotate")) as world:
        play(world)
        yield world.logs


@pytest.mark.parametrize("mode", REOPENING)
def test_nothing_is_lost_or_repeated_when_the_writer_reopens_its_log(logs: dict[str, Rotated], mode: str) -> None:
    logs[mode].verdict().assert_right()


@pytest.mark.parametrize("mode", ["copytruncate-paused", "copytruncate-compress"])
def test_nothing_is_lost_or_repeated_by_copytruncate_while_the_writer_waits(
    logs: dict[str, Rotated], mode: str
) -> None:
    assert not logs[mode].at_risk
    logs[mode].verdict().assert_right()


def test_copytruncate_takes_only_what_was_written_meanwhile(logs: dict[str, Rotated]) -> None:
    assert logs["copytruncate"].at_risk
    logs["copytruncate"].verdict().assert_right()


def test_every_log_was_rotated_each_time(logs: dict[str, Rotated]) -> None:
    rotated = {mode: len(list(log.path.parent.glob("app.log?*"))) for mode, log in logs.items()}
    assert rotated == dict.fromkeys(REOPENING, UP + 3) | dict.fromkeys(TRUNCATING, UP + 2)
