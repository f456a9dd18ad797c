from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.forward.connection import Connection
from swak.forward.crowd import LIGHT_BYTES, Crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = msgpack.packb(["tag", [[1, {"message": "x" * 4 * LIGHT_BYTES}]]])


@pytest.fixture
def pair() -> Iterator[list[Connection]]:
    first, second = socket.socketpair()
    with first, second:
        yield [Connection(sock, "peer", None, 1 << 20, 0.0) for sock in (first, second)]


def hold(crowd: Crowd, connection: Connection, size: int, now: float) -> None:
    crowd.connections.add(connection)
    assert list(connection.feed(CHUNK[:size], now)) == []
    crowd.count(connection)


def test_when_too_much_is_held_only_who_began_first_and_who_holds_little_go_on(pair: list[Connection]) -> None:
    crowd = Crowd(LIGHT_BYTES)
    hold(crowd, pair[0], LIGHT_BYTES, 1.0)
    assert not crowd.must_wait(pair[0])
    hold(crowd, pair[1], LIGHT_BYTES, 2.0)
    assert [crowd.must_wait(one) for one in pair] == [False, True]
    crowd.remove(pair[0])
    assert (crowd.held_bytes, crowd.must_wait(pair[1])) == (LIGHT_BYTES, False)


def test_a_connection_is_carried_with_what_has_come_unless_it_waits_for_acks(pair: list[Connection]) -> None:
    crowd = Crowd(1 << 30)
    for one in pair:
        hold(crowd, one, 100, 0.0)
    pair[1].promise("chunk")
    (carried,) = crowd.carried()
    assert (carried.sock, carried.peer, carried.rest, carried.out) == (pair[0].sock, "peer", CHUNK[:100], b"")
    assert (crowd.connections, crowd.held_bytes) == ({pair[1]}, 100)
