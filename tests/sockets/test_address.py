from __future__ import annotations

import socket

import pytest

from swak.sockets.address import bound, dialled, listener, located, plain_host, port_problems, shown, wait_for


def nothing() -> None:
    """Nobody wants the wait to end."""


def test_a_port_that_is_taken_is_told_with_its_address() -> None:
    with bound("127.0.0.1", 0, socket.SOCK_DGRAM) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: "):
            bound("127.0.0.1", port, socket.SOCK_DGRAM)


def test_a_name_that_is_none_is_told() -> None:
    with pytest.raises(OSError, match=r"no\.such\.invalid:1: "):
        bound("no.such.invalid", 1, socket.SOCK_STREAM)
    with pytest.raises(OSError, match=r"no\.such\.invalid:1: "):
        dialled("no.such.invalid", 1, 1, nothing)


def test_who_listens_is_reached() -> None:
    with bound("127.0.0.1", 0, socket.SOCK_STREAM) as listener:
        listener.listen()
        with dialled("localhost", listener.getsockname()[1], 5, nothing) as sock:
            assert wait_for(listener, 1, 5)
            assert not sock.getblocking()


def test_a_refused_connection_is_told_with_its_address() -> None:
    with bound("127.0.0.1", 0, socket.SOCK_STREAM) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionRefusedError, match=f"127.0.0.1:{port}: "):
            dialled("127.0.0.1", port, 5, nothing)


def test_a_wait_for_a_connection_can_be_ended() -> None:
    def stop() -> None:
        raise InterruptedError("stopped")

    with pytest.raises(OSError, match="stopped"):
        dialled("127.0.0.1", 1, 60, stop)


def test_addresses_are_shown_as_people_write_them() -> None:
    assert shown(("::1", 5, 0, 0)) == "[::1]:5"
    assert shown(("1.2.3.4", 5)) == "1.2.3.4:5"
    assert plain_host("::ffff:1.2.3.4") == "1.2.3.4"
    assert plain_host("::ffff:5") == "::ffff:5"


def test_ports_have_an_end() -> None:
    assert port_problems(65_535, "1") == []
    assert port_problems(65_536, "1")


def test_an_error_without_a_number_keeps_its_text() -> None:
    assert str(located(TimeoutError("too slow"), "a", 1)) == "a:1: too slow"


def test_a_port_that_is_taken_is_named() -> None:
    with listener("127.0.0.1", 0, 1) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use"):
            listener("127.0.0.1", port, 1)
