from __future__ import annotations

import socket

import pytest

from swak.sockets.held import Holder


class Client(Holder):
    """A holder that is given its socket."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        super().__init__()
        self._sock = sock

    def check(self) -> None:
        self._check()


def test_closing_ends_the_connection_and_may_be_repeated() -> None:
    left, right = socket.socketpair()
    client = Client(left)
    with right:
        client.close()
        client.close()
        assert right.recv(1) == b""
    client.check()


def test_aborting_shuts_the_socket_and_closes_no_descriptor() -> None:
    left, right = socket.socketpair()
    client = Client(left)
    with right:
        client.abort()
        assert right.recv(1) == b""
        assert left.fileno() >= 0
        with pytest.raises(OSError, match="told to stop"):
            client.check()
        client.close()


def test_without_a_socket_aborting_makes_later_calls_fail() -> None:
    client = Client()
    client.abort()
    with pytest.raises(OSError, match="told to stop"):
        client.check()
