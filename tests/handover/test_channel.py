from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from swak.handover.channel import Channel, Parted
from swak.sockets.address import listener
from swak.sockets.kept import Carried, Keep
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets go to other processes on POSIX only")

AT = ("tcp", "127.0.0.1", 0)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel, socket.socket]]:
    """Two ends, and the socket of the first one."""
    first, second = socket.socketpair()
    made = Channel(first), Channel(second), first
    yield made
    for one in made[:2]:
        one.close()


def test_words_arrive_in_order(ends: tuple[Channel, Channel, socket.socket]) -> None:
    ends[0].say("checked", version=1)
    ends[0].say("ready")
    assert ends[1].hear(WAIT_S) == {"word": "checked", "version": 1}
    assert ends[1].hear(WAIT_S, "ready") == {"word": "ready"}


@pytest.mark.parametrize("said", [b"no json\n", b"[]\n", b'{"word": "other"}\n', b"\xff\n"])
def test_nonsense_is_the_end(ends: tuple[Channel, Channel, socket.socket], said: bytes) -> None:
    ends[2].sendall(said)
    with pytest.raises(Parted) as caught:
        ends[1].hear(WAIT_S, "ready")
    assert not caught.value.ended


def test_an_end_is_told_from_silence(ends: tuple[Channel, Channel, socket.socket]) -> None:
    with pytest.raises(Parted, match="too long") as silence:
        ends[1].hear(0.01)
    ends[0].close()
    with pytest.raises(Parted, match="ended") as end:
        ends[1].hear(WAIT_S)
    assert (silence.value.ended, end.value.ended) == (False, True)


def test_sockets_arrive_with_what_has_come_over_them(ends: tuple[Channel, Channel, socket.socket]) -> None:
    given, taken = Keep(), Keep()
    sock = listener("127.0.0.1", 0, 10)
    with socket.create_connection(sock.getsockname(), timeout=WAIT_S) as peer:
        sock.settimeout(WAIT_S)
        one = Carried(sock.accept()[0], "127.0.0.1", b"res\0t\n", b"out", {"skipping": True})
        entry = given.put("web/Tcp", AT, sock, {"dropped": 3})
        entry.carried = [one]
        given.put("web/Udp", ("udp", "::", 1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ends[0].give(given)
        assert ends[1].take(taken) == 1
        given.close()
        first, second = taken.entries()
        assert (first.stage, first.address, first.state) == ("web/Tcp", AT, {"dropped": 3})
        assert (second.stage, second.address, second.carried) == ("web/Udp", ("udp", "::", 1), [])
        (got,) = first.carried
        assert got[1:] == one[1:]
        got.sock.send(b"x")
        assert peer.recv(1) == b"x"
        assert not got.sock.getblocking()
        assert not got.sock.get_inheritable()
    taken.close()


@pytest.mark.parametrize(
    "said",
    [
        b'{"word": "connection", "peer": "p", "state": {}, "rest": 0, "out": 0}\n',
        b'{"word": "listening", "stage": "s", "address": ["tcp"], "state": {}}\n',
        b'{"word": "listening", "stage": "s", "address": ["tcp", "h", "x"], "state": {}}\n',
    ],
)
def test_sockets_that_make_no_sense_are_the_end(ends: tuple[Channel, Channel, socket.socket], said: bytes) -> None:
    ends[2].sendall(said)
    keep = Keep()
    with pytest.raises(Parted):
        ends[1].take(keep)
    keep.close()


def test_a_socket_that_does_not_come_is_the_end(ends: tuple[Channel, Channel, socket.socket]) -> None:
    ends[0].say("listening", stage="s", address=AT, state={})
    ends[2].sendall(b"\0")
    with pytest.raises(Parted, match="not come"):
        ends[1].take(Keep())
