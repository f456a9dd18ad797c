from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.actors.running import Run, Settings
from swak.commands.presence import Given
from swak.commands.succession import succeeding
from swak.datadir import DataDir
from swak.errors import ConfigError
from swak.handover.channel import Channel
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets go to other processes on POSIX only")

HERE = Given("web.py", None, None, None)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


@pytest.fixture
def run() -> Iterator[Run]:
    topology = compile_recipe(as_recipe(task(in_.Tcp(0), out.Null(), name="web")))
    made = Run(topology, Settings(DataDir.resolve(None, ephemeral=True)))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("given", "pid", "why"),
    [
        (HERE, 7, "runs in the foreground"),
        (HERE._replace(background=True), 1, "process 1"),
        (HERE._replace(path="-", background=True), 7, "standard input"),
    ],
)
def test_who_cannot_be_replaced_says_why(  # noqa: PLR0917 - what pytest gives by name
    given: Given, pid: int, why: str, run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: pid)
    with succeeding(given, None) as succession:
        succession.ready(run, None)
        succession.ask()
        until(lambda: why in caplog.text, lambda: caplog.text)
        assert not succession.goes_on()


def test_a_signal_before_the_start_is_not_forgotten(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    with succeeding(HERE, None) as succession:
        os.kill(os.getpid(), signal.SIGUSR2)
        succession.ready(run, None)
        until(lambda: "there is no handover" in caplog.text, lambda: caplog.text)
    assert signal.getsignal(signal.SIGUSR2) is before


def test_a_predecessor_hears_what_is_wrong_with_the_recipe() -> None:
    ours, theirs = socket.socketpair()
    old = Channel(ours)
    with pytest.raises(ConfigError), succeeding(HERE, theirs.detach()):
        raise ConfigError([])
    assert old.hear(WAIT_S)["word"] == "refused"
    old.close()


def test_what_the_new_recipe_does_not_listen_on_is_closed(run: Run) -> None:
    ours, theirs = socket.socketpair()
    old = Channel(ours)
    with succeeding(HERE, theirs.detach()) as succession:
        gone = succession.keep.put("web/Udp", ("udp", "127.0.0.1", 1), socket.socket(type=socket.SOCK_DGRAM))
        kept = succession.keep.put("web/Tcp", ("tcp", "127.0.0.1", 0), socket.socket())
        old.say("all")
        succession.begin(run.topology)
        assert (gone.sock.fileno(), kept.sock.fileno() < 0) == (-1, False)
        old.say("yours")
        succession.ready(run, None)
        assert [old.hear(WAIT_S)["word"] for _ in range(4)] == ["checked", "ready", "mine", "serving"]
    old.close()
