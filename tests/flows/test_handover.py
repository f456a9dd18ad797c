"""An agent that another process takes over while thousands of events a second come in, and one that nobody takes over."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.flows.agent import swak
from tests.flows.senders import Acked, Callers, FluentLogger, Lines, Sender
from tests.flows.waiting import WAIT_S, until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets go to other processes on POSIX only")

RAW = 'out.File("out.txt", format="raw")'
LISTENING = re.compile(r"listening.*?(?:127\.0\.0\.1:|port=)(\d+)")
SOME = 5_000
"""Events between one handover and the next."""


class Web:
    """An agent in the background with one network input, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen = 0
        self._count = 0

    def up(self, source: str, extra: str = "") -> int:
        """Start it, and return the port that it listens on."""
        self.recipe(source, extra)
        done = swak(self.folder, "up", "-d", "web.py")
        assert done.returncode == 0, done.stderr
        until(lambda: LISTENING.search(self.log), lambda: self.log)
        found = LISTENING.search(self.log)
        assert found is not None
        return int(found[1])

    def recipe(self, source: str, extra: str = "") -> None:
        (self.folder / "web.py").write_text(
            f"from swak import in_, out, task\n{extra}\ntask({source}, {RAW}, name='web')\n"
        )

    @property
    def log(self) -> str:
        return (self.folder / "home" / "logs" / "web.log").read_text()

    @property
    def pid(self) -> int:
        (one,) = json.loads(swak(self.folder, "ps", "--json").stdout)
        assert one["name"] == "web"
        return int(one["pid"])

    def count(self) -> int:
        """Return how many events have been written."""
        path = self.folder / "out.txt"
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._seen)
                data = file.read()
            self._seen += len(data)
            self._count += data.count(b"\n")
        return self._count

    def more(self, events: int) -> None:
        before = self.count()
        until(
            lambda: self.count() >= before + events, lambda: f"{self.count() - before} of {events}\n{self.log[-3000:]}"
        )

    def numbers(self) -> list[int]:
        lines = (self.folder / "out.txt").read_text().splitlines()
        return [int(json.loads(line)["message"] if line.startswith("{") else line) for line in lines]

    def handed_over(self) -> None:
        """Have a new process take over."""
        before = self.pid
        done = swak(self.folder, "restart", "--handover", "web")
        assert done.returncode == 0, f"{done.stderr}\n{self.log[-3000:]}"
        assert self.pid != before

    def stopped(self) -> None:
        assert swak(self.folder, "stop", "web").returncode == 0, self.log[-3000:]
        audit = swak(self.folder, "audit")
        assert audit.returncode == 0, audit.stdout


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path)
    yield made
    for path in (tmp_path / "home" / "run").glob("*.json"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


def arrived(web: Web, *senders: Sender) -> list[int]:
    """Wait until as much has been written as was sent; return what was sent."""
    sent = sorted(number for sender in senders for number in sender.numbers)
    until(lambda: web.count() >= len(sent), lambda: f"{web.count()} of {len(sent)}\n{web.log[-3000:]}")
    return sent


def test_under_20_000_lines_a_second_nothing_is_lost_or_repeated(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    with Lines(port) as sender:
        web.more(SOME)
        for _ in range(2):
            web.handed_over()
            web.more(SOME)
        sender.stop()
    sent = arrived(web, sender)
    web.stopped()
    judge(sent, web.numbers()).assert_right()


def test_who_connects_meanwhile_waits_and_is_not_refused(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    with Callers(port) as sender:
        web.more(SOME)
        web.handed_over()
        web.more(SOME)
        sender.stop()
    sent = arrived(web, sender)
    web.stopped()
    judge(sent, web.numbers(), ordered=False).assert_right()


def test_a_client_without_acks_loses_nothing(web: Web) -> None:
    port = web.up("in_.Forward(port=0)")
    with FluentLogger(port) as sender:
        web.more(SOME)
        web.handed_over()
        web.more(SOME)
        sender.stop()
    sent = arrived(web, sender)
    web.stopped()
    judge(sent, web.numbers()).assert_right()


def test_a_client_with_acks_repeats_at_most_what_was_not_acked(web: Web) -> None:
    port = web.up("in_.Forward(port=0)")
    with Acked(port) as sender:
        web.more(2_000)
        web.handed_over()
        web.more(2_000)
        sender.stop()
    sent = arrived(web, sender)
    web.stopped()
    judge(sent, web.numbers(), ordered=False).assert_right(duplicates_max=sender.repeats)
