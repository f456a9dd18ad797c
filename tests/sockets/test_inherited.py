from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from swak.sockets import inherited as home
from swak.sockets.inherited import Inherited, adopt, inherited
from swak.sockets.kept import Keep

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are inherited by number on POSIX only")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def opened(stack: ExitStack, kind: socket.SocketKind = socket.SOCK_STREAM, *, listens: bool = True) -> socket.socket:
    sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
    sock.bind(("127.0.0.1", 0))
    if listens and kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_what_is_for_us_is_taken_and_no_child_hears_of_it(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    given = opened(stack)
    descriptor = os.dup(given.fileno())
    os.set_inheritable(descriptor, True)
    monkeypatch.setattr(home, "FIRST_FD", descriptor)
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "7", "LISTEN_FDNAMES": "web", "PATH": "/bin"}
    (one,) = inherited(environ, 7)
    with one.sock:
        assert (one.name, one.protocol, str(one)) == ("web", "tcp", f"127.0.0.1:{port_of(given)}")
        assert not os.get_inheritable(one.sock.fileno())
        assert not one.sock.getblocking()
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "8"},
        {"LISTEN_FDS": "", "LISTEN_PID": "7"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "7"},
        {"LISTEN_FDS": "-1", "LISTEN_PID": "7"},
        {"LISTEN_FDS": "9999999", "LISTEN_PID": "7"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "7"},
    ],
)
def test_what_is_not_for_us_or_nonsense_gives_nothing(environ: dict[str, str]) -> None:
    assert inherited(environ, 7) == []
    assert environ == {}


def test_what_is_no_socket_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    monkeypatch.setattr(home, "FIRST_FD", reads)
    assert inherited({"LISTEN_FDS": "1", "LISTEN_PID": "7"}, 7) == []
    os.close(reads)
    os.close(writes)


def kept(given: list[Inherited], wanted: list[tuple[str, tuple[str, str, int]]]) -> dict[str, int]:
    """Return the ports that stages were given."""
    keep = Keep()
    adopt(given, wanted, keep)
    found = {one.stage: port_of(one.sock) for one in keep.entries()}
    keep.close()
    return found


def test_sockets_are_known_by_name_first_and_then_by_address(stack: ExitStack) -> None:
    named, at, left = opened(stack), opened(stack), opened(stack)
    wanted = [("a/Tcp", ("tcp", "127.0.0.1", port_of(left))), ("b/Tcp-2", ("tcp", "localhost", port_of(at)))]
    given = [Inherited(at, "unknown"), Inherited(left, ""), Inherited(named, "a/Tcp")]
    expected = {"a/Tcp": port_of(named), "b/Tcp-2": port_of(at)}
    assert kept(given, wanted) == expected
    assert left.fileno() < 0


def test_a_name_of_several_goes_by_what_they_speak(stack: ExitStack) -> None:
    beats, stream = opened(stack, socket.SOCK_DGRAM), opened(stack)
    keep = Keep()
    wanted = [("a/Forward", ("tcp", "h", 1)), ("a/Forward", ("udp", "h", 1))]
    adopt([Inherited(beats, "Forward"), Inherited(stream, "Forward")], wanted, keep)
    assert {one.address[0]: one.sock for one in keep.entries()} == {"tcp": stream, "udp": beats}
    keep.close()


def test_what_does_not_fit_is_closed(stack: ExitStack) -> None:
    unheard, packets = opened(stack, listens=False), opened(stack, socket.SOCK_DGRAM)
    local = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    socks = [unheard, packets, local]
    wanted = [("a/Tcp", ("tcp", "127.0.0.1", port_of(sock))) for sock in socks[:2]] + [("a/Tcp", ("tcp", "", 0))]
    assert kept([Inherited(sock, "") for sock in socks], wanted) == {}
    assert [sock.fileno() for sock in socks] == [-1, -1, -1]


def test_a_host_without_an_address_matches_nothing(stack: ExitStack) -> None:
    sock = opened(stack)
    assert kept([Inherited(sock, "")], [("a/Tcp", ("tcp", "no such host!", port_of(sock)))]) == {}
