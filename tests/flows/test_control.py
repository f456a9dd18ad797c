"""The commands that look at a running agent and steer it, and many clients at once while events flow."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, out, running, task
from swak.background.places import socket_path
from swak.control.server import Server
from swak.control.verbs import Agent
from tests.flows.agent import environ, swak, tail_of
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

RECIPE = (
    'task(in_.FileTailing("app.log"), out.Drop("message == \'no\'"), out.File("out.txt", format="raw"), name="web")'
)


def lines(folder: Path, *texts: str) -> None:
    with (folder / "app.log").open("a") as file:
        file.write("".join(f"{text}\n" for text in texts))


def ends_with(folder: Path, text: str) -> None:
    until(lambda: tail_of(folder / "out.txt").endswith(f"{text}\n"), lambda: tail_of(folder / "out.txt"))


def test_an_agent_is_steered_from_another_terminal(start: Start, tmp_path: Path) -> None:
    lines(tmp_path, "one")
    agent = start("-e", RECIPE, "--data-dir", "data")
    ends_with(tmp_path, "one")
    assert swak(tmp_path, "pause", "file").stderr.startswith("web/File: paused; swak resume file")
    lines(tmp_path, "two")
    top = swak(tmp_path, "top").stdout
    assert "paused" in top
    assert swak(tmp_path, "flush", "--wait", "0.2s").returncode == 1
    assert tail_of(tmp_path / "out.txt") == "one\n"
    assert swak(tmp_path, "resume", "File").returncode == 0
    assert swak(tmp_path, "flush").returncode == 0
    assert tail_of(tmp_path / "out.txt") == "one\ntwo\n"
    done = swak(tmp_path, "inject", "Drop", "no", '{"message": "three"}')
    assert (done.returncode, done.stderr) == (0, "2 of 2 accepted, 2 settled\n")
    assert swak(tmp_path, "restart", "--stage", "File").stderr == "web/File: has a fresh plugin\n"
    lines(tmp_path, "four")
    ends_with(tmp_path, "one\ntwo\nthree\nfour")
    assert "--- stage web/Drop\n" in swak(tmp_path, "stacks").stdout
    wrong = swak(tmp_path, "pause", "Fiel")
    assert (wrong.returncode, wrong.stderr) == (1, 'Error: there is no stage "Fiel"; did you mean "File"?\n')
    assert swak(tmp_path, "stop").stdout.endswith("web/(injected) Drop: 2 delivered, 0 will replay, 0 lost\nclean\n")
    assert agent.end() == 0
    assert swak(tmp_path, "audit", "--data-dir", "data").returncode == 0


def test_a_tap_prints_what_passes_until_it_has_enough_or_its_reader_has(start: Start, tmp_path: Path) -> None:
    lines(tmp_path, "start")
    agent = start("-e", RECIPE)
    ends_with(tmp_path, "start")
    command = [sys.executable, "-m", "swak", "tap", "Drop", "--limit", "2", "--where", 'message != "b"']
    tap = subprocess.Popen(command, cwd=tmp_path, env=environ(tmp_path), stdout=subprocess.PIPE, text=True)
    sent = 0
    while tap.poll() is None:
        lines(tmp_path, "a", "b", "no", f"c{sent}")
        sent += 1
        ends_with(tmp_path, f"c{sent - 1}")
    told = [json.loads(line) for line in tap.communicate()[0].splitlines()]
    assert [one["record"]["message"][0] for one in told] == ["a", "c"]
    assert agent.end(signal.SIGTERM) == 0


def test_top_leaves_the_agent_alone_when_it_is_left(start: Start, tmp_path: Path) -> None:
    import os
    import pty

    lines(tmp_path, "start")
    agent = start("-e", RECIPE)
    ends_with(tmp_path, "start")
    until(lambda: swak(tmp_path, "status").returncode == 0, lambda: agent.log)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "swak", "top"]
    top = subprocess.Popen(
        command, cwd=tmp_path, env=environ(tmp_path) | {"TERM": "xterm"}, stdout=theirs, stdin=theirs
    )
    os.close(theirs)
    shown = b""
    while b"Drop" not in shown:
        shown += os.read(ours, 4_096)
    top.send_signal(signal.SIGINT)
    while True:  # it takes its table off first
        try:
            os.read(ours, 4_096)
        except OSError:
            break  # nobody has the terminal open any more
    assert top.wait(WAIT_S) == 0
    os.close(ours)
    lines(tmp_path, "after")
    ends_with(tmp_path, "after")
    assert agent.end(signal.SIGTERM) == 0


COUNT = 1_000_000
CLIENTS = 100


def took_s(folder: Path, clients: int) -> float:
    """Let a million events flow while clients ask all the time and half of them never read. Return how long it took."""
    with running(task(in_.Counter(COUNT), out.Drop("f1 == 0"), out.Null(), name="t")) as run:
        server = Server(socket_path(folder, f"c{clients}"), Agent(run, "t", "t", {}).verbs(), time.monotonic)
        server.start()
        socks = [_asking(server, number) for number in range(clients)]
        over = threading.Event()
        chat = threading.Thread(target=_chat, args=(socks[clients // 2 :], over))
        chat.start()
        began = time.monotonic()
        assert run.wait(50)
        seconds = time.monotonic() - began
        over.set()
        chat.join(WAIT_S)
        for sock in socks:
            sock.close()
        server.close()
        assert [view.tally.into for view in run.snapshot()][-1] == COUNT
        assert run.receipt().clean
    return seconds


def _asking(server: Server, number: int) -> socket.socket:
    verb: dict[str, Any] = {"verb": "tap", "stage": "Drop"} if number % 2 else {"verb": "snapshot"}
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(server.path))
    sock.setblocking(False)
    sock.send((json.dumps(verb) + "\n").encode() * 8)
    return sock


def _chat(socks: list[socket.socket], over: threading.Event) -> None:
    """Read, and ask again, some hundred times a second."""
    while not over.wait(0.01):
        for sock in socks:
            try:
                sock.recv(65_536)
                sock.send(b'{"verb": "snapshot"}\n')
            except BlockingIOError:
                continue


def test_a_hundred_clients_take_nothing_from_a_million_events_but_their_share_of_time(tmp_path: Path) -> None:
    """Control has a tenth of one core, and the clients are threads of this process: together less than the flow."""
    alone_s = took_s(tmp_path, 0)
    watched_s = took_s(tmp_path, CLIENTS)
    assert watched_s < 3 * alone_s + 1, (alone_s, watched_s)
