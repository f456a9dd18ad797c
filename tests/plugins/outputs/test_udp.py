from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import Refused
from swak.plugins.outputs.udp import UDP_BYTES_MAX, Udp
from swak.testing import batch_of, block_of, event
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(WAIT_S)
        yield sock


@contextmanager
def opened(receiver: socket.socket, **options: Any) -> Iterator[Udp]:
    plugin = Udp("127.0.0.1", receiver.getsockname()[1], **options)
    try:
        plugin.open()
        yield plugin
    finally:
        plugin.close()


def test_each_event_is_a_datagram_without_line_feed(receiver: socket.socket) -> None:
    with opened(receiver) as plugin:
        plugin.write(block_of("a", "b"))
    assert [receiver.recv(100) for _ in range(2)] == [b'{"message":"a"}', b'{"message":"b"}']


def test_events_that_are_too_long_are_refused_and_the_others_go_out(receiver: socket.socket) -> None:
    with opened(receiver, max_size=100) as plugin, pytest.raises(Refused, match="above 100 bytes") as caught:
        plugin.write(batch_of([event({"n": 1}), event({"n": "x" * 200}), event({"n": 3})]))
    assert [len(one.record["n"]) for one in caught.value.events] == [200]
    assert [receiver.recv(100) for _ in range(2)] == [b'{"n":1}', b'{"n":3}']


def test_what_is_too_long_for_the_way_is_refused(receiver: socket.socket) -> None:
    with opened(receiver, format="raw") as plugin:
        plugin.write(block_of("x" * UDP_BYTES_MAX))
        with pytest.raises(Refused):
            plugin.write(block_of("x" * (UDP_BYTES_MAX + 1)))
    assert len(receiver.recv(100_000)) == UDP_BYTES_MAX


def test_nothing_is_no_datagram(receiver: socket.socket) -> None:
    with opened(receiver, format="raw") as plugin, pytest.raises(Refused, match="it is empty"):
        plugin.write(block_of(""))


def test_events_wait_for_a_receiver_that_is_not_there(receiver: socket.socket) -> None:
    address = receiver.getsockname()
    batch = block_of("a", "b", "c")
    with opened(receiver, format="raw") as plugin:
        receiver.close()

        def refused() -> bool:
            try:
                plugin.write(batch)
            except ConnectionRefusedError as error:
                return f"{address[1]}: " in str(error)
            return False

        until(refused, "nobody says that nobody is there")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.bind(address)
            back.settimeout(WAIT_S)
            plugin.write(batch)
            assert [back.recv(10) for _ in range(3)] == [b"a", b"b", b"c"]


def test_an_aborted_plugin_cannot_be_opened(receiver: socket.socket) -> None:
    plugin = Udp("127.0.0.1", receiver.getsockname()[1])
    plugin.abort()
    with pytest.raises(OSError, match="told to stop"):
        plugin.open()
    plugin.close()


def test_options_that_cannot_be_are_named() -> None:
    assert [what for what, _ in Udp("", 70_000, max_size="1m").check()] == [
        "host is empty",
        "no datagram holds 1048576 bytes",
        "there is no port 70000",
    ]
