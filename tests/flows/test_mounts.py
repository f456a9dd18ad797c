"""A file system that is unmounted and mounted again under a log that grows: nothing is lost, nothing comes twice."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import last_number
from tests.flows.log_writer import LogWriter
from tests.flows.mounts import Mount, mounted
from tests.flows.numbered import numbers_in
from tests.flows.waiting import WAIT_S, until
from tests.oracle import judge
from tests.tailing.tails import Tail, append

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start
    from tests.flows.mounts import Kind

AWAY_LINES = 300
"""So many are written in 0.7 s. Names are looked at four times a second."""


class Shipping:
    """A log on a mounted file system, and the agent that delivers its lines to another one."""

    def __init__(self, disk: Mount, folder: Path, start: Start) -> None:
        self.disk = disk
        self.log = disk.place / "app.log"
        self._output, self._folder, self._start = folder / "output", folder, start
        (folder / "recipe.py").write_text(
            f'task(in_.FileTailing("{self.log}"), out.File("{self._output}", format="raw", fsync=None))\n'
        )

    def writer(self) -> LogWriter:
        """Start to write, after what was written before."""
        return LogWriter(self.log, self._folder)

    def agent(self, *arguments: str) -> Agent:
        return self._start("recipe.py", "--data-dir", "data", *arguments)

    def wait_beyond(self, number: int) -> None:
        """Wait until that line or a later one was delivered."""
        until(lambda: last_number(self._output) >= number, f"line {number} is delivered")

    def wait_until_told(self, agent: Agent, said_before: str = "") -> None:
        """Wait until the agent says something of the log."""
        until(lambda: str(self.log) in agent.log.removeprefix(said_before), "the log is named")

    def assert_right(self, agent: Agent, *, ordered: bool = True) -> None:
        """Let the rest arrive, stop, look whether a further start brings more, and judge what came."""
        count = LogWriter.written(self._folder)
        deadline = time.monotonic() + WAIT_S  # then the oracle says what is lost
        until(lambda: len(numbers_in(self._output)) >= count or time.monotonic() > deadline, "", 2 * WAIT_S)
        assert agent.end(signal.SIGTERM) == 0, agent.log
        assert self.agent("--once").end() == 0
        judge(range(count), numbers_in(self._output), ordered=ordered).assert_right()


@pytest.fixture
def disk(kind: Kind, tmp_path: Path) -> Iterator[Mount]:
    with mounted(tmp_path, kind) as one:
        yield one


@pytest.fixture
def shipping(disk: Mount, tmp_path: Path, start: Start) -> Shipping:
    return Shipping(disk, tmp_path, start)


persistent = pytest.mark.parametrize("kind", ["bind", "loop"])
patterns = pytest.mark.parametrize("pattern", ["app.log", "*.log", "**/*.log"])
every_kind = pytest.mark.parametrize("kind", ["bind", "loop", "tmpfs"])


@persistent
def test_a_log_is_followed_while_its_file_system_is_away_and_after(shipping: Shipping) -> None:
    agent = shipping.agent()
    with shipping.writer() as writer:
        shipping.wait_beyond(10)
        shipping.disk.unmount()
        writer.wait_for_growth(AWAY_LINES)
        shipping.disk.mount()
        writer.wait_for_growth(AWAY_LINES)
    shipping.assert_right(agent)


@pytest.mark.parametrize("kind", ["bind"])
def test_it_is_told_that_the_file_system_is_away(shipping: Shipping) -> None:
    agent = shipping.agent()
    with shipping.writer():
        shipping.wait_beyond(10)
        said = agent.log
        shipping.disk.unmount()
        shipping.wait_until_told(agent, said)


@every_kind
def test_what_is_written_where_nothing_is_mounted_is_read_as_well(shipping: Shipping) -> None:
    agent = shipping.agent()
    with shipping.writer() as writer:
        shipping.wait_beyond(10)
        shipping.disk.unmount()
        writer.reopen()
        writer.wait_for_growth(AWAY_LINES)
        shipping.disk.mount()
        writer.reopen()
        writer.wait_for_growth(AWAY_LINES)
    shipping.assert_right(agent, ordered=False)  # a file that its writers return to has never been rotated


@every_kind
def test_an_agent_that_starts_without_the_file_system_goes_on_where_it_was(shipping: Shipping, kind: Kind) -> None:
    agent = shipping.agent()
    with shipping.writer() as writer:
        shipping.wait_beyond(10)
        if kind == "tmpfs":  # it takes along what it holds
            writer.end()
            shipping.wait_beyond(writer.count - 1)
        assert agent.end(signal.SIGTERM) == 0, agent.log
    shipping.disk.unmount(lazily=False)
    agent = shipping.agent()
    shipping.wait_until_told(agent)
    shipping.disk.mount()
    with shipping.writer() as writer:
        writer.wait_for_growth()
        shipping.wait_beyond(writer.count)
    shipping.assert_right(agent)


@pytest.mark.parametrize("kind", ["loop"])
def test_a_file_system_may_come_back_on_another_device(shipping: Shipping, tmp_path: Path) -> None:
    agent = shipping.agent()
    with shipping.writer():
        shipping.wait_beyond(10)
        assert agent.end(signal.SIGTERM) == 0, agent.log
    before = shipping.log.stat()
    shipping.disk.unmount(lazily=False)
    with mounted(tmp_path / "other", "loop"):
        shipping.disk.mount()
        after = shipping.log.stat()
        assert after.st_ino == before.st_ino
        assert after.st_dev != before.st_dev, "the other one has taken the number"
        agent = shipping.agent()
        with shipping.writer() as writer:
            writer.wait_for_growth()
        shipping.assert_right(agent)


@persistent
@patterns
def test_no_position_is_forgotten_while_the_file_system_is_away(disk: Mount, pattern: str) -> None:
    path = disk.place / "app.log"
    append(path, b"one\n")
    with Tail(disk.place / pattern) as tail:
        tail.read()
    append(path, b"two\n")
    disk.unmount(lazily=False)
    with Tail(disk.place / pattern, tail.positions) as again:
        assert again.pass_time(70) == b""
        assert again.plugin.gone() == []
        disk.mount()
        assert again.pass_time(6) == b"two\n"


@persistent
@patterns
def test_a_quiet_log_goes_on_after_a_minute_without_its_file_system(disk: Mount, pattern: str) -> None:
    path = disk.place / "app.log"
    append(path, b"one\n")
    with Tail(disk.place / pattern) as tail:
        tail.read()
        disk.unmount()
        assert tail.pass_time(70) == b""
        assert tail.plugin.gone() == []
        disk.mount()
        append(path, b"two\n")
        assert tail.pass_time(6) == b"two\n"
