"""Sockets that a service manager has opened: the test plays systemd's side of LISTEN_FDS."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import environ
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are inherited by number on POSIX only")

STARTER = """
import os, sys
pid, count, *command = sys.argv[1:]
given = [int(one) for one in os.environ.pop("TEST_FDS").split()]
high = [os.dup2(one, 100 + at) for at, one in enumerate(given)]
for at, one in enumerate(high):
    os.dup2(one, 3 + at, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid()) if pid == "own" else pid
os.environ["LISTEN_FDS"] = count
os.execv(command[0], command)
"""

CHILD = """
import os
said = [name for name in os.environ if name.startswith("LISTEN_")]
try:
    os.fstat(3)
except OSError:
    open_ = "closed"
else:
    open_ = "open"
print(*said, open_)
"""

RECIPE = f"""
import subprocess, sys
from swak import in_, out, task
with open("child.txt", "w") as file:
    subprocess.run([sys.executable, "-c", {CHILD!r}], stdout=file, close_fds=False, check=True)
"""


class Systemd:
    """Opens sockets, and starts `swak up` with them as descriptors 3 and following."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._socks: list[socket.socket] = []
        self._process: subprocess.Popen[bytes] | None = None

    def opens(self, kind: socket.SocketKind = socket.SOCK_STREAM, *, listens: bool = True) -> int:
        """Open a socket, and return its port."""
        sock = self._stack.enter_context(socket.socket(socket.AF_INET, kind))
        sock.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM and listens:
            sock.listen(10)
        self._socks.append(sock)
        return int(sock.getsockname()[1])

    def starts(self, tasks: str, *, pid: str = "own", names: str | None = None, count: str = "") -> None:
        (self.folder / "web.py").write_text(RECIPE + tasks)
        numbers = [sock.fileno() for sock in self._socks]
        command = [sys.executable, "-m", "swak", "up", "--no-view", "web.py"]
        said = {"TEST_FDS": " ".join(map(str, numbers))} | ({} if names is None else {"LISTEN_FDNAMES": names})
        with (self.folder / "log.txt").open("wb") as log:
            self._process = self._stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", STARTER, pid, count or str(len(numbers)), *command],
                    cwd=self.folder,
                    env=environ(self.folder) | said,
                    pass_fds=numbers,
                    stderr=log,
                )
            )
        self._stack.callback(self._process.kill)

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def told(self, text: str) -> None:
        until(lambda: text in self.log, lambda: self.log)

    def wrote(self, text: str) -> None:
        path = self.folder / "out.txt"
        until(lambda: path.exists() and path.read_text() == text, lambda: self.log)

    def ends(self) -> int:
        """End it, once it listens to signals, and return its exit code."""
        self.told("listening")
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WAIT_S)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with ExitStack() as stack:
        yield Systemd(tmp_path, stack)


def send(port: int, text: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as sock:
        sock.sendall(text.encode())


RAW = 'out.File("out.txt", format="raw")'


def test_a_socket_is_known_by_its_address_and_who_connected_early_has_waited(systemd: Systemd) -> None:
    port = systemd.opens()
    send(port, "early\n")
    systemd.starts(f"task(in_.Tcp({port}, host_field=None), {RAW}, name='web')")
    systemd.wrote("early\n")
    send(port, "late\n")
    systemd.wrote("early\nlate\n")
    assert (systemd.folder / "child.txt").read_text() == "closed\n"
    assert "a socket of the service manager is taken over" in systemd.log
    assert systemd.ends() == 0


def test_a_name_wins_over_the_address(systemd: Systemd) -> None:
    first, second = systemd.opens(), systemd.opens()
    source = f"task(in_.Tcp({first}, host_field=None), {RAW}, name='web')"
    systemd.starts(source, names="other:Tcp")
    send(second, "named\n")
    systemd.wrote("named\n")
    systemd.told(
        f"no input wants a socket of the service manager; it is closed [swak.sockets] address=127.0.0.1:{first}"
    )
    assert systemd.ends() == 0


def test_datagrams_and_forward_take_theirs(systemd: Systemd) -> None:
    stream, beats, packets = systemd.opens(), systemd.opens(socket.SOCK_DGRAM), systemd.opens(socket.SOCK_DGRAM)
    systemd.starts(
        f"task(in_.Forward(port={stream}), out.Null(), name='one')\n"
        f"task(in_.Udp({packets}, host_field=None), {RAW}, name='two')",
        names="Forward:Forward:",
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(WAIT_S)
        sock.sendto(b"packet", ("127.0.0.1", packets))
        sock.sendto(b"?", ("127.0.0.1", beats))
        assert sock.recv(10) == b"\0"
    systemd.wrote("packet\n")
    assert systemd.log.count("is taken over") == 3
    assert systemd.ends() == 0


def test_sockets_for_another_process_are_left_alone(systemd: Systemd) -> None:
    port = systemd.opens()
    systemd.starts("task(in_.Tcp(0), out.Null(), name='web')", pid="1")
    systemd.told("listening")
    assert (systemd.folder / "child.txt").read_text().split()[:-1] == []
    assert str(port) not in systemd.log
    assert systemd.ends() == 0


def test_what_nobody_can_read_is_told_and_closed(systemd: Systemd) -> None:
    unheard = systemd.opens(listens=False)
    systemd.starts("task(in_.Tcp(0), out.Null(), name='web')", names="Tcp")
    systemd.told(f"it is closed [swak.sockets] address=127.0.0.1:{unheard}")
    assert systemd.ends() == 0


@pytest.mark.parametrize("count", ["many", "-1", "99999999999"])
def test_nonsense_is_told(systemd: Systemd, count: str) -> None:
    systemd.opens()
    systemd.starts("task(in_.Tcp(0), out.Null(), name='web')", count=count)
    systemd.told("LISTEN_FDS is no number of sockets")
    assert systemd.ends() == 0


def test_a_descriptor_that_is_no_socket_is_told(systemd: Systemd) -> None:
    port = systemd.opens()
    systemd.starts(f"task(in_.Tcp({port}, host_field=None), {RAW}, name='web')", count="2")
    systemd.told("a descriptor of LISTEN_FDS is no socket")
    send(port, "all the same\n")
    systemd.wrote("all the same\n")
    assert systemd.ends() == 0
