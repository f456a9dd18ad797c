"""An agent that another process takes over while thousands of events a second come in, or that takes itself back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import sys
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.flows.agent import swak
from tests.flows.senders import Acked, Callers, Datagrams, FluentLogger, Lines, Requests, Sender
from tests.flows.waiting import WAIT_S, until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.conftest import Start
    from tests.servers.certificates import Certificates

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

    def has(self, events: int) -> None:
        """Wait until so many have been written."""
        until(lambda: self.count() >= events, lambda: f"{self.count()} of {events}\n{self.log[-3000:]}")

    def more(self, events: int) -> None:
        """Wait until so many more have been written, while senders send."""
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


@contextlib.contextmanager
def sending(web: Web, sender: Sender, *, ordered: bool = True) -> Iterator[None]:
    """Send meanwhile. In the end all of it has been written, and nothing twice but what had to be sent again."""
    with sender:
        yield
        sender.stop()
    web.has(len(sender.numbers))
    web.stopped()
    judge(sender.numbers, web.numbers(), ordered=ordered).assert_right(duplicates_max=sender.repeats)


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def test_under_20_000_lines_a_second_nothing_is_lost_or_repeated(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    with sending(web, Lines(port)):
        web.more(SOME)
        for _ in range(2):
            web.handed_over()
            web.more(SOME)


def test_who_connects_meanwhile_waits_and_is_not_refused(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    with sending(web, Callers(port), ordered=False):
        web.more(SOME)
        web.handed_over()
        web.more(SOME)


def test_a_client_without_acks_loses_nothing(web: Web) -> None:
    port = web.up("in_.Forward(port=0)")
    with sending(web, FluentLogger(port)):
        web.more(SOME)
        web.handed_over()
        web.more(SOME)


def test_a_client_with_acks_repeats_at_most_what_was_not_acked(web: Web) -> None:
    port = web.up("in_.Forward(port=0)")
    with sending(web, Acked(port), ordered=False):
        web.more(2_000)
        web.handed_over()
        web.more(2_000)


# What goes wrong: the old process goes on

KILLS_ITSELF = """
import os, signal, sys
from pathlib import Path
from swak.handover.channel import Channel

def dies(when, word):
    point = Path("dies.txt")
    if "--handover-fd" in sys.argv and point.exists() and point.read_text() == f"{when} {word}":
        os.kill(os.getpid(), signal.SIGKILL)

def say(channel, word, _say=Channel.say, **fields):
    dies("before", word)
    _say(channel, word, **fields)
    dies("after", word)

def hear(channel, within_s, wanted="", _hear=Channel.hear):
    told = _hear(channel, within_s, wanted)
    dies("hearing", told["word"])
    return told

Channel.say, Channel.hear = say, hear
"""
"""Put into a recipe, it ends a process that is to take over, at the point that a file names."""

POINTS = [
    "before checked",
    "after checked",
    "hearing listening",
    "hearing all",
    "before ready",
    "after ready",
    "before mine",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_new_process_that_dies_has_taken_nothing_away(web: Web, point: str) -> None:
    port = web.up("in_.Tcp(0, host_field=None)", KILLS_ITSELF)
    pid = web.pid
    (web.folder / "dies.txt").write_text(point)
    with sending(web, Lines(port)):
        web.more(SOME)
        done = swak(web.folder, "restart", "--handover", "web")
        assert done.returncode == 1, done.stderr
        assert f"web runs on, as process {pid}" in done.stderr
        assert web.pid == pid
        web.more(SOME)


def test_a_new_process_that_dies_when_all_is_its_own_leaves_the_port_open(web: Web) -> None:
    port = web.up("in_.Forward(port=0)", KILLS_ITSELF)
    pid = web.pid
    (web.folder / "dies.txt").write_text("after mine")
    with sending(web, Acked(port), ordered=False):
        web.more(2_000)
        done = swak(web.folder, "restart", "--handover", "web")
        assert (done.returncode, web.pid) == (1, pid), done.stderr
        web.more(2_000)
        (web.folder / "dies.txt").unlink()
        web.handed_over()
        web.more(2_000)
        assert "connections are closed: it may have read of them" in web.log


def test_a_recipe_that_is_wrong_changes_nothing(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    pid = web.pid
    (web.folder / "web.py").write_text("task(in_.Tcp(0), out.Nul())\n")
    with dial(port) as sock:
        sock.sendall(b"00000000\n0000")
        web.has(1)
        done = swak(web.folder, "restart", "--handover", "web")
        assert done.returncode == 1
        assert 'did you mean "Null"' in done.stderr
        assert done.stderr.endswith(f"web runs on, as process {pid}\n")
        sock.sendall(b"0001\n")
        web.has(2)
    assert web.pid == pid
    web.stopped()
    assert web.numbers() == [0, 1]


def test_another_recipe_is_served_by_the_new_process(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    web.recipe("in_.Tcp(0, host_field=None, tag='other'), out.Drop(\"message == '00000001'\")")
    with dial(port) as sock:
        sock.sendall(b"00000000\n0000")
        web.has(1)
        web.handed_over()
        sock.sendall(b"0001\n00000002\n")
        web.has(2)
    web.stopped()
    assert web.numbers() == [0, 2]


@pytest.mark.parametrize("ending", ["stop", "signal"])
def test_a_stop_wins_over_a_handover(web: Web, ending: str) -> None:
    port = web.up("in_.Tcp(0, host_field=None), out.TimedBuffer('1h')")
    pid = web.pid
    with dial(port) as sock:
        sock.sendall(b"00000000\n")
        until(lambda: json.loads(swak(web.folder, "status", "--json").stdout)["events"] == 1, lambda: web.log)
        web.recipe("in_.Tcp(0, host_field=None)")
        os.kill(pid, signal.SIGUSR2)
        until(lambda: "a new process is started" in web.log, lambda: web.log)
        if ending == "stop":
            assert swak(web.folder, "stop", "web").returncode == 0
        else:
            os.kill(pid, signal.SIGTERM)
        until(lambda: not _alive(pid), lambda: web.log)
    until(lambda: swak(web.folder, "ps").stderr == "no agent runs\n", lambda: web.log)
    assert web.numbers() == [0]


# How it is asked for, and who may


def test_a_signal_asks_for_it_too(web: Web) -> None:
    web.up("in_.Tcp(0, host_field=None)")
    pid = web.pid
    os.kill(pid, signal.SIGUSR2)
    until(lambda: not _alive(pid), lambda: web.log)
    assert web.pid != pid
    web.stopped()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_after_a_handover_an_ordinary_restart_works_as_ever(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    web.handed_over()
    pid = web.pid
    done = swak(web.folder, "restart", "web")
    assert done.returncode == 0, done.stderr
    assert web.pid != pid
    assert port
    web.stopped()


def test_an_agent_in_the_foreground_is_not_replaced(start: Start, tmp_path: Path) -> None:
    agent = start("-e", "in_.Tcp(0) | out.Null()", "--name", "here")
    agent.wait_until_told("listening")
    until((tmp_path / "home" / "run" / "here.json").exists, lambda: agent.log)
    done = swak(tmp_path, "restart", "--handover", "here")
    assert done.returncode == 1
    assert "runs in the foreground" in done.stderr
    agent.send(signal.SIGUSR2)
    agent.wait_until_told("there is no handover; this process goes on")
    assert agent.end(signal.SIGTERM) == 0


def test_a_service_manager_is_told_which_process_to_look_at(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(WAIT_S)
        agent = start(
            "-e", "in_.Tcp(0) | out.Null()", "--name", "here", said={"NOTIFY_SOCKET": str(tmp_path / "notify")}
        )
        heard = manager.recv(4096).decode()
        while "READY=1" not in heard:
            heard += manager.recv(4096).decode()
        agent.send(signal.SIGUSR2)
        while "MAINPID=" not in heard:
            heard += manager.recv(4096).decode()
        assert agent.end() == 0
        new = int(heard.partition("MAINPID=")[2].split()[0])
        assert new != agent.pid
        assert "STOPPING=1" not in heard
        done = swak(tmp_path, "stop", "here")
        assert done.returncode == 0, done.stderr
        while "STOPPING=1" not in heard:
            heard += manager.recv(4096).decode()


# Other inputs, and seats that change within one process


def test_datagrams_wait_in_the_kernel(web: Web) -> None:
    port = web.up("in_.Udp(0, host_field=None)")
    with sending(web, Datagrams(port)):
        web.more(SOME // 10)
        web.handed_over()
        web.more(SOME // 10)


def test_requests_are_answered_by_one_process_or_the_other(web: Web) -> None:
    port = web.up("in_.Http(0, codec='line', host_field=None)")
    with sending(web, Requests(port), ordered=False):
        web.more(2_000)
        web.handed_over()
        web.more(2_000)


@pytest.mark.parametrize("source", ["in_.Tcp(0, host_field=None)", "in_.Forward(port=0)"])
def test_a_stage_is_renewed_and_no_client_notices(web: Web, source: str) -> None:
    port = web.up(source)
    with sending(web, (Lines if "Tcp" in source else FluentLogger)(port)):
        web.more(SOME)
        for _ in range(5):
            done = swak(web.folder, "restart", "--stage", source[4:].partition("(")[0], "web")
            assert done.returncode == 0, done.stderr
            web.more(SOME)


def test_two_thousand_that_say_nothing_are_handed_over_too(web: Web) -> None:
    port = web.up("in_.Tcp(0, host_field=None)")
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(dial(port)) for _ in range(2000)]
        for number, sock in enumerate(idle):
            sock.sendall(f"{number:08d}\n{number:04d}".encode())
        web.has(len(idle))
        web.handed_over()
        for sock in idle:
            sock.sendall(b"2000\n")
        web.has(2 * len(idle))
    web.stopped()
    assert sorted(web.numbers()) == sorted([*range(2000), *(number * 10_000 + 2000 for number in range(2000))])


def test_over_tls_what_has_come_is_read_and_the_connection_closed_in_order(
    web: Web, certificates: Certificates
) -> None:
    port = web.up(f"in_.Forward(port=0, cert={str(certificates.server)!r})")
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with context.wrap_socket(dial(port), server_hostname="localhost") as sock:
        sock.sendall(
            b"".join(msgpack.packb(["n", 1_700_000_000, {"message": f"{number:08d}"}]) for number in range(1000))
        )
        web.has(1)
        web.handed_over()
        assert sock.recv(1) == b""
    web.has(1000)
    web.stopped()
    assert web.numbers() == list(range(1000))
