from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.forward.connection import BUSY_BYTES, OUT_BYTES, PING_BYTES, RATE_BYTES, Closed, Connection
from swak.forward.handshake import Caller, Lock, Secrets
from swak.forward.tls import RECEIVE_BYTES
from tests.forward.servers import message, packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    Pair = tuple[Connection, socket.socket]

LOCK = Lock("server", "key", {})


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield Connection(ours, "peer", None, 1_000_000, 0), theirs
    ours.close()
    theirs.close()


@pytest.fixture
def locked() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Connection(ours, "peer", LOCK, 1_000_000, 0)
    connection.begin()
    yield connection, theirs
    ours.close()
    theirs.close()


def test_a_promise_is_due_when_all_parts_of_a_whole_chunk_are_settled(pair: Pair) -> None:
    promise = pair[0].promise("x")
    first, second = promise.part(last=False), promise.part(last=True)
    assert not promise.settle(second)
    assert promise.settle(first)
    assert not promise.settle(first), "it is due once"


def test_a_promise_is_not_due_before_the_chunk_is_whole(pair: Pair) -> None:
    promise = pair[0].promise("x")
    assert not promise.settle(promise.part(last=False))
    assert promise.settle(promise.part(last=True))


def test_an_ack_goes_out(pair: Pair) -> None:
    connection, sender = pair
    connection.keep(connection.promise("x"))
    assert msgpack.unpackb(sender.recv(100)) == {"ack": "x"}
    assert connection.idle


def test_a_sender_that_never_reads_its_acks_is_closed(pair: Pair) -> None:
    connection, _ = pair
    while not connection.wants_write:
        connection.send(b"x" * (OUT_BYTES // 4))
    with pytest.raises(Closed) as closed:
        connection.send(b"x" * OUT_BYTES)
    assert closed.value.reason == "does not read its acks"


def test_the_end_of_a_sender_that_waits_for_an_ack_is_no_end_yet(pair: Pair) -> None:
    connection, sender = pair
    sender.shutdown(socket.SHUT_WR)
    connection.promise("x")
    assert connection.receive() == (b"", False)
    assert connection.ended
    assert not connection.idle


def test_an_end_in_the_middle_of_a_chunk_has_a_reason(pair: Pair) -> None:
    connection, sender = pair
    sender.sendall(message()[:3])
    assert [*connection.feed(connection.receive()[0], 0)] == []
    sender.shutdown(socket.SHUT_WR)
    with pytest.raises(Closed) as closed:
        connection.receive()
    assert closed.value.reason == "ended in the middle of a chunk"


def test_a_chunk_that_drips_in_is_late_and_a_slow_one_is_not(pair: Pair) -> None:
    connection, _ = pair
    chunk = packed(range(100_000))
    cut = RATE_BYTES * 10
    assert [*connection.feed(chunk[:cut], 5)] == []
    assert [*connection.feed(chunk[cut : cut + 1], 5 + 29)] == []
    assert connection.late(5 + 39, 30) == ""
    assert connection.late(5 + 41, 30) == "chunk took too long"
    assert sum(len(one.times) for one in connection.feed(chunk[cut + 1 :], 6)) == 100_000
    assert connection.late(1_000, 30) == ""


def test_a_pause_within_a_chunk_is_late_unless_it_was_ours(pair: Pair) -> None:
    connection, _ = pair
    assert [*connection.feed(packed(range(100_000))[:500_000], 5)] == []
    assert connection.late(5 + 29, 30) == ""
    assert connection.late(5 + 31, 30) == "chunk took too long"
    connection.hold(10)
    assert connection.late(1_000, 30) == ""
    connection.go_on(1_010)
    assert connection.late(1_000 + 5 + 29, 30) == ""
    assert connection.late(1_000 + 5 + 31, 30) == "chunk took too long"


def test_who_is_silent_is_late_only_while_a_handshake_is_due(pair: Pair, locked: Pair) -> None:
    assert pair[0].late(1_000, 30) == ""
    assert locked[0].late(31, 30) == "handshake took too long"


def test_what_follows_a_ping_is_read_on(locked: Pair) -> None:
    connection, sender = locked
    caller = Caller(Secrets("client", "key"))
    ping = caller.answer(msgpack.unpackb(sender.recv(1_000)))
    sender.sendall(ping[:10])
    assert connection.receive()[0] == b""
    sender.sendall(ping[10:] + message())
    assert connection.receive()[0] == message()
    caller.check(msgpack.unpackb(sender.recv(1_000)))


@pytest.mark.parametrize(
    "said", [message(), b"\xc1", b"x" * PING_BYTES, b"\xdd\x7f\xff\xff\xff" * PING_BYTES, b"\x91\x81\x80\x00"]
)
def test_who_does_not_show_the_key_is_closed(locked: Pair, said: bytes) -> None:
    connection, sender = locked
    sender.sendall(said)
    with pytest.raises(Closed) as closed:
        connection.receive()
    assert closed.value.reason == "no shared key"


def test_what_is_not_the_protocol_has_a_reason_and_a_detail(pair: Pair) -> None:
    with pytest.raises(Closed) as closed:
        [*pair[0].feed(b"GET / HTTP/1.1\r\n", 0)]
    assert closed.value.reason == "no forward protocol"
    assert "is no frame" in closed.value.detail


def test_of_a_sender_who_has_much_to_say_more_is_received_at_a_time(pair: Pair) -> None:
    connection, sender = pair
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * BUSY_BYTES)
    sender.setblocking(False)
    sender.send(bytes(RECEIVE_BYTES))
    assert len(connection.receive()[0]) == RECEIVE_BYTES
    sent = sender.send(bytes(BUSY_BYTES))
    assert len(connection.receive()[0]) == sent > RECEIVE_BYTES
