"""Chunks that come again: acked, never before they are safe, and not taken twice."""

from __future__ import annotations

import socket
import struct

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.forward.servers import Turned, message, packed, turned

A, B = "a" * 22 + "==", "b" * 22 + "=="


def numbers(one: Turned) -> list[int]:
    return [record["n"] for record in one.records()]


def settle(one: Turned) -> None:
    """Settle what has arrived, and let the server hear of it."""
    one.settle()
    one.chunks += one.server.turn(0)


def is_silent(one: Turned, sock: socket.socket) -> bool:
    """Tell whether the server says nothing to a sender."""
    one.pass_time(1)
    sock.setblocking(False)
    try:
        return not sock.recv(1)
    except BlockingIOError:
        return True


def sent(one: Turned, sock: socket.socket, data: bytes) -> None:
    """Send, and let the server read it."""
    sock.setblocking(True)
    sock.sendall(data)
    one.pass_time(1)


def test_a_chunk_that_was_settled_is_acked_and_not_taken_again() -> None:
    with turned(dedupe=10) as one, one.connect() as first, one.connect() as second:
        sent(one, first, packed(range(3), A))
        settle(one)
        assert one.answers(first) == [{"ack": A}]
        sent(one, second, packed(range(3), A))
        assert one.answers(second) == [{"ack": A}]
        assert numbers(one) == [0, 1, 2]
        assert one.server.repeats.text() == "chunks that came again and were not taken: 1"


def test_it_is_not_taken_again_though_nobody_heard_its_ack() -> None:
    with turned(dedupe=10) as one, one.connect() as second:
        with one.connect() as first:
            sent(one, first, packed(range(3), A))
        one.until(lambda: one.server.connected)
        settle(one)
        sent(one, second, packed(range(3), A))
        assert one.answers(second) == [{"ack": A}]
        assert numbers(one) == [0, 1, 2]


def test_the_ack_of_what_is_under_way_waits_for_the_first_copy() -> None:
    with turned(dedupe=10) as one, one.connect() as first, one.connect() as second, one.connect() as third:
        sent(one, first, packed(range(3), A))
        sent(one, second, packed(range(3), A))
        sent(one, third, packed(range(3), A))
        assert is_silent(one, second)
        settle(one)
        for sender in (first, second, third):
            assert one.answers(sender) == [{"ack": A}]
        assert numbers(one) == [0, 1, 2]


def test_a_large_chunk_is_known_in_all_of_its_parts() -> None:
    many = range(3_500)
    with turned(dedupe=10) as one, one.connect() as first, one.connect() as second, one.connect() as third:
        first.sendall(packed(many, A))
        one.until(lambda: len(one.records()) == len(many))
        second.sendall(packed(many, A))
        one.pass_time(2)
        held, one.chunks = one.chunks, one.chunks[1:]
        settle(one)
        assert is_silent(one, second)
        one.chunks = held
        settle(one)
        third.sendall(packed(many, A))
        for sender in (first, second, third):
            assert one.answers(sender) == [{"ack": A}]
        assert numbers(one) == list(many)


def test_a_chunk_whose_first_copy_broke_off_is_taken() -> None:
    bad = b"".join(msgpack.packb([1, {"n": number}]) for number in range(1_500)) + msgpack.packb([1, 2])
    with turned(dedupe=10) as one, one.connect() as first, one.connect() as second:
        first.sendall(msgpack.packb(["t", bad, {"chunk": A}]))
        one.until(lambda: one.closed(first))
        before = len(numbers(one))
        sent(one, second, packed(range(3), A))
        settle(one)
        assert one.answers(second) == [{"ack": A}]
        assert len(numbers(one)) == before + 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (packed(range(3), A, "t"), packed(range(3), A, "u")),
        (packed(range(3), A), packed(range(3), B)),
        (packed(range(3), "7"), packed(range(3), "7")),
        (packed(range(3), "0123456789abcdef" * 2), packed(range(3), "0123456789abcdef" * 2)),
        (packed(range(3)), packed(range(3))),
    ],
    ids=["another tag", "another id", "a counter", "a hash of the content", "no id"],
)
def test_what_may_be_another_chunk_is_taken(first: bytes, second: bytes) -> None:
    with turned(dedupe=10) as one, one.connect() as sender:
        for chunk in (first, second):
            sent(one, sender, chunk)
            settle(one)
        assert numbers(one) == [0, 1, 2] * 2


def test_without_dedupe_everything_is_taken() -> None:
    with turned() as one, one.connect() as sender:
        for _ in range(2):
            sent(one, sender, packed(range(3), A))
            settle(one)
        assert numbers(one) == [0, 1, 2] * 2


def test_the_oldest_are_forgotten_first() -> None:
    with turned(dedupe=2) as one, one.connect() as sender:
        for number in (0, 1, 2, 0, 2):
            sent(one, sender, message(number, chunk=f"{number:024}"))
            settle(one)
        assert numbers(one) == [0, 1, 2, 0]


def test_no_more_repeats_wait_than_are_remembered() -> None:
    with turned(dedupe=2) as one, one.connect() as sender:
        sent(one, sender, message(7, chunk=A) * 5)
        assert numbers(one) == [7, 7, 7], "the first, and what is too much"
        settle(one)
        assert one.answers(sender, 5) == [{"ack": A}] * 5
        sent(one, sender, message(7, chunk=A) * 5)
        assert one.answers(sender, 5) == [{"ack": A}] * 5
        assert numbers(one) == [7, 7, 7]


def test_an_id_that_is_no_text_is_known_as_well() -> None:
    chunk = msgpack.packb(["t", 1, {"n": 1}, {"chunk": b"\xff" * 20}])
    with turned(dedupe=10) as one, one.connect() as sender:
        for _ in range(2):
            sent(one, sender, chunk)
            settle(one)
        assert numbers(one) == [1]


def test_an_empty_chunk_that_comes_again_is_acked() -> None:
    with turned(dedupe=10) as one, one.connect() as sender:
        for _ in range(2):
            sent(one, sender, msgpack.packb(["t", [], {"chunk": A}]))
            settle(one)
            assert one.answers(sender) == [{"ack": A}]


def test_what_came_again_last_is_acked_when_the_server_closes() -> None:
    with turned(dedupe=10) as one, one.connect() as sender:
        sent(one, sender, message(chunk=A))
        settle(one)
        assert one.answers(sender) == [{"ack": A}]
        sender.setblocking(True)
        sender.sendall(message(chunk=A))
        chunks = one.server.turn(5)
        one.server.close()
        sender.settimeout(5)
        assert chunks == []
        assert msgpack.unpackb(sender.recv(1_000)) == {"ack": A}


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_senders_that_give_up_and_send_again_leave_no_connections_behind(how: str) -> None:
    with turned(dedupe=10) as one:
        for _ in range(30):
            with one.connect() as sender:
                sent(one, sender, message(chunk=A))
                if how == "reset":
                    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.pass_time(1)
        assert one.server.connected <= 2, "the first one, and the last"
        with one.connect() as sender:
            sent(one, sender, message(chunk=A))
            settle(one)
            assert one.answers(sender) == [{"ack": A}]
        assert numbers(one) == [1]
