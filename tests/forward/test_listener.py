from __future__ import annotations

import socket

import pytest

from swak.forward.listener import Listener
from swak.log import get
from tests.flows.ports import free_port

LOG = get("swak.test")


def test_connections_come_with_the_address_of_their_sender() -> None:
    listener = Listener("127.0.0.1", 0, LOG)
    with socket.create_connection(("127.0.0.1", listener.port), 5) as sender:
        ((sock, peer),) = listener.accept()
        assert peer == f"127.0.0.1:{sender.getsockname()[1]}"
        sock.close()
    listener.close()


def test_a_heartbeat_is_answered_with_a_byte() -> None:
    listener = Listener("127.0.0.1", 0, LOG)
    assert listener.heartbeats is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(5)
        sender.sendto(b"\0", ("127.0.0.1", listener.port))
        listener.heartbeats.setblocking(True)
        listener.heartbeats.settimeout(5)
        listener.heartbeats.recvfrom(1, socket.MSG_PEEK)
        listener.heartbeats.setblocking(False)
        listener.beat()
        assert sender.recv(10) == b"\0"
    listener.close()


def test_a_port_that_is_taken_is_an_os_error() -> None:
    first = Listener("127.0.0.1", 0, LOG)
    with pytest.raises(OSError, match="in use"):
        Listener("127.0.0.1", first.port, LOG)
    first.close()


def test_without_heartbeats_it_listens_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", free_port()))
        listener = Listener("127.0.0.1", other.getsockname()[1], LOG)
    assert listener.heartbeats is None
    assert "heartbeats" in caplog.text
    listener.close()
