from __future__ import annotations

import socket
import sys

import pytest

from swak.sockets.unread import unread_bytes, unread_datagrams
from tests.flows.waiting import until


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_bytes_that_nobody_read_are_counted() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert unread_bytes(left) == 0
        right.sendall(b"x" * 1_000)
        until(lambda: unread_bytes(left) == 1_000, "they are there")
        left.recv(400)
        assert unread_bytes(left) == 600


def test_a_closed_socket_has_none() -> None:
    left, right = socket.socketpair()
    left.close()
    right.close()
    assert unread_bytes(left) == 0


def test_datagrams_that_nobody_read_are_counted() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        for size in (0, 1, 2_000):
            peer.sendto(b"x" * size, sock.getsockname())
        assert unread_datagrams(sock) == 3
        assert unread_datagrams(sock) == 0
