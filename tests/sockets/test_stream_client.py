from __future__ import annotations

import socket
import struct
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.sockets.stream_client import StreamClient, unacked
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(WAIT_S)
        yield sock


@pytest.fixture
def client(listener: socket.socket) -> Iterator[StreamClient]:
    made = StreamClient("127.0.0.1", listener.getsockname()[1], 5.0)
    made.connect()
    yield made
    made.close()


def test_everything_arrives(listener: socket.socket, client: StreamClient) -> None:
    data = bytes(range(256)) * 20_000
    peer, _ = listener.accept()
    got = bytearray()

    def read() -> None:
        while len(got) < len(data):
            got.extend(peer.recv(100_000))

    thread = threading.Thread(target=read)
    thread.start()
    client.send(data)
    client.settle()
    thread.join(WAIT_S)
    peer.close()
    assert bytes(got) == data


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_the_peer_does_not_take_is_not_settled(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client = StreamClient("127.0.0.1", listener.getsockname()[1], 0.2)
    client.connect()
    peer, _ = listener.accept()
    assert client._sock is not None
    client._sock.send(b"x" * 1_000_000)
    assert unacked(client._sock) > 0
    with pytest.raises(TimeoutError, match=r"acked nothing for 0\.2 s"):
        client.settle()
    peer.close()


def test_a_peer_that_takes_nothing_is_given_up(listener: socket.socket) -> None:
    client = StreamClient("127.0.0.1", listener.getsockname()[1], 0.2)
    client.connect()
    peer, _ = listener.accept()
    with pytest.raises(TimeoutError, match=r"took nothing for 0\.2 s"):
        client.send(b"x" * 100_000_000)
    assert not client.alive()
    peer.close()


def test_a_connection_that_ended_settles_nothing(listener: socket.socket, client: StreamClient) -> None:
    peer, _ = listener.accept()
    client.send(b"x")
    peer.recv(1)
    peer.close()
    until(lambda: not client.alive(), "the end is not seen")
    with pytest.raises(ConnectionResetError, match="closed the connection"):
        client.settle()
    with pytest.raises(ConnectionResetError, match="no connection any more"):
        client.settle()
    with pytest.raises(ConnectionResetError):
        client.send(b"y")


def test_a_reset_is_an_end(listener: socket.socket, client: StreamClient) -> None:
    peer, _ = listener.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    until(lambda: not client.alive(), "the reset is not seen")
    with pytest.raises(OSError, match=r"127\.0\.0\.1:\d+: "):
        client.send(b"y")


def test_what_the_peer_says_is_dropped(listener: socket.socket, client: StreamClient) -> None:
    peer, _ = listener.accept()
    peer.sendall(b"x" * 100_000)
    assert client.alive()
    client.send(b"y")
    assert peer.recv(1) == b"y"
    peer.close()


def test_abort_ends_every_wait(listener: socket.socket, client: StreamClient) -> None:
    peer, _ = listener.accept()
    thread = threading.Thread(target=client.abort)
    thread.start()
    with pytest.raises(OSError, match=r"told to stop|closed|pipe|reset"):
        client.send(b"x" * 100_000_000)
    thread.join()
    with pytest.raises(OSError, match="told to stop"):
        client.connect()
    peer.close()


def test_a_probe_says_whether_somebody_listens(listener: socket.socket, client: StreamClient) -> None:
    assert client.probe()
    listener.close()
    assert not client.probe()
