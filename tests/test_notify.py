from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from swak.metrics.health import STALE_S
from swak.metrics.observed import Observed
from swak.notify import Channel, Notifier, status, watchdog_of
from swak.testing import FakeClock
from tests.metrics.looks import stage

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or sys.platform == "win32", reason="systemd's sockets")

OPENING = Observed((stage("Tail", "input"), stage("File", "output", "opening")))
RUNNING = Observed((stage("Tail", "input"), stage("File", "output", "retrying")))


class Told:
    """A notifier, what it looks at, and what it has said."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        self.said: list[str] = []
        self.observed = OPENING
        self.clock = FakeClock()
        self.notifier = Notifier(self.said.append, lambda: self.observed, watchdog_s, self.clock.monotonic)

    def step(self, observed: Observed, after_s: float = 0.0) -> str:
        self.observed = observed
        self.clock.advance(after_s)
        self.said.clear()
        self.notifier.step()
        return "\n".join(self.said)


def test_ready_comes_once_when_every_stage_had_its_chance_to_open() -> None:
    told = Told()
    assert told.step(OPENING) == ""
    assert told.step(RUNNING).splitlines()[0] == "READY=1"
    assert "READY" not in told.step(RUNNING, 60)


def test_a_stage_that_hung_while_it_opened_has_had_its_chance() -> None:
    assert "READY=1" in Told().step(Observed((stage("File", "output", "opening", restarts=1),)))


def test_stopping_comes_once_when_the_run_is_to_end() -> None:
    told = Told()
    told.step(RUNNING)
    assert told.step(RUNNING._replace(draining=True)) == "STOPPING=1"
    assert told.step(RUNNING._replace(draining=True)) == ""


def test_signs_of_life_come_only_while_the_supervisor_turns() -> None:
    told = Told(watchdog_s=8)
    assert "WATCHDOG=1" in told.step(RUNNING)
    assert "WATCHDOG=1" in told.step(RUNNING, 2)
    assert "WATCHDOG=1" not in told.step(RUNNING._replace(turn_age_s=STALE_S + 1), 5)
    assert "WATCHDOG=1" in told.step(RUNNING, 5)


def test_signs_of_life_come_at_least_twice_in_the_time_that_is_given() -> None:
    told = Told(watchdog_s=8)
    assert told.notifier.pause_s <= 2
    times = [at for at in range(16) if "WATCHDOG=1" in told.step(RUNNING, 1)]
    assert max(later - before for before, later in pairwise(times)) <= 4


def test_without_a_watchdog_there_are_no_signs_of_life() -> None:
    assert "WATCHDOG" not in Told().step(RUNNING, 60)


def test_a_run_that_is_over_before_it_was_ready_has_not_failed() -> None:
    told = Told()
    told.notifier.end()
    assert told.said == ["READY=1\nSTOPPING=1"]


def test_the_status_is_one_line_with_what_is_wrong() -> None:
    found = status(OPENING)
    assert "0 events delivered" in found
    assert "web/File: has not opened yet" in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_ours_or_nobodys(environ: dict[str, str], expected: float | None) -> None:
    assert watchdog_of(environ, 7) == expected


@posix
def test_a_service_manager_that_is_gone_harms_nobody(tmp_path: Path) -> None:
    Channel(str(tmp_path / "gone")).send("READY=1")


ENDLESS = "from swak import in_, out, task\ntask(in_.Memory([], follow=True), out.Null(), name='web')\n"


def receive(sock: socket.socket) -> list[str]:
    return sock.recv(65536).decode().splitlines()


@posix
@pytest.mark.parametrize("abstract", [False, True])
def test_the_real_command_line_tells_systemd_how_it_goes(tmp_path: Path, abstract: bool) -> None:
    if abstract and not sys.platform.startswith("linux"):
        pytest.skip("abstract sockets are Linux's")
    (tmp_path / "web.py").write_text(ENDLESS)
    address = f"@swak-test-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "s")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind("\0" + address[1:] if abstract else address)
        manager.settimeout(30)
        environ = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"}
        command = [sys.executable, "-m", "swak", "up", "--no-view", "--ephemeral", "web.py"]
        with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL) as process:
            try:
                heard: list[str] = []
                while heard.count("WATCHDOG=1") < 3 or "READY=1" not in heard:
                    heard += receive(manager)
                assert any(line.startswith("STATUS=") for line in heard)
                assert "STOPPING=1" not in heard
                process.terminate()
                while "STOPPING=1" not in heard:
                    heard += receive(manager)
                assert process.wait(30) == 0
                assert heard.count("READY=1") == 1
            finally:
                process.kill()
