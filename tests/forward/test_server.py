from __future__ import annotations

import socket
import struct
import sys
from contextlib import ExitStack, suppress
from threading import Thread

import msgpack  # type: ignore[import-untyped]  # it has no types
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swak.forward.handshake import Caller, Lock, Secrets
from swak.forward.tls import RECEIVE_BYTES, Tls
from tests.forward.servers import Turned, message, packed, turned
from tests.oracle import judge


def test_events_arrive_with_their_tags() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(message(1, "a") + message(2, "b"))
        one.until(lambda: len(one.records()) == 2)
        assert one.chunks[0].tag == ["a", "b"]


def test_a_chunk_is_acked_when_all_of_it_is_settled_and_not_before() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(packed(range(2_500), "id"))
        one.until(lambda: len(one.records()) == 2_500)
        tolds = [chunk.told for chunk in one.chunks]
        assert len(tolds) > 1
        for told in tolds[1:]:
            assert told is not None
            told()
            told()
        one.pass_time(1)
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            sender.recv(1)
        assert tolds[0] is not None
        tolds[0]()
        assert one.answers(sender) == [{"ack": "id"}]


def test_what_wants_no_ack_gets_none() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(message())
        one.until(one.records)
        assert [chunk.told for chunk in one.chunks] == [None]


def test_an_empty_chunk_is_acked_too() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(msgpack.packb(["t", [], {"chunk": "id"}]))
        one.until(lambda: one.chunks)
        one.settle()
        assert one.answers(sender) == [{"ack": "id"}]


def test_a_slow_branch_delays_the_acks_of_nobody_else() -> None:
    with turned() as one, one.connect() as slow, one.connect() as quick:
        slow.sendall(packed(range(10), "slow"))
        one.until(lambda: len(one.records()) == 10)
        held, one.chunks = one.chunks, []
        quick.sendall(packed(range(10), "quick"))
        one.until(lambda: len(one.records()) == 10)
        one.settle()
        assert one.answers(quick) == [{"ack": "quick"}]
        one.chunks = held
        one.settle()
        assert one.answers(slow) == [{"ack": "slow"}]


def test_a_sender_that_has_said_everything_still_gets_its_ack() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(message(1, chunk="id"))
        sender.shutdown(socket.SHUT_WR)
        one.until(one.records)
        one.pass_time(1)
        one.settle()
        assert one.answers(sender) == [{"ack": "id"}]
        one.until(lambda: one.closed(sender))
        assert one.server.connected == 0


def test_settling_after_the_sender_left_is_harmless() -> None:
    with turned() as one:
        with one.connect() as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.sendall(message(1, chunk="id"))
            one.until(one.records)
        one.until(lambda: one.server.connected == 0)
        one.settle()
        one.pass_time(1)
        assert one.server.faults.text() == ""


def test_noise_closes_its_own_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    with turned() as one, one.connect() as good, one.connect() as bad:
        bad.sendall(b"GET / HTTP/1.1\r\n\r\n")
        one.until(lambda: one.closed(bad))
        good.sendall(message())
        one.until(one.records)
        assert one.server.faults.text() == "closed connections: 1 no forward protocol"
    assert f"127.0.0.1:{one.server.port}" not in caplog.text
    assert "a connection was closed" in caplog.text


def test_who_connects_and_leaves_is_no_fault() -> None:
    with turned() as one:
        one.connect().close()
        one.until(lambda: one.server.connected == 0)
        assert one.server.faults.text() == ""


def test_a_chunk_above_the_limit_closes_the_connection() -> None:
    with turned(frame_bytes_max=10_000) as one, one.connect() as sender:
        with suppress(ConnectionError):
            sender.sendall(packed(range(50_000)))
        one.until(lambda: one.closed(sender))
        assert one.records() == []
        assert one.server.faults.text() == "closed connections: 1 no forward protocol"


def test_a_chunk_that_never_ends_is_closed_and_an_idle_connection_stays() -> None:
    with turned(timeout_s=30) as one, one.connect() as idle, one.connect() as loris:
        for byte in message()[:-1]:
            loris.send(bytes([byte]))
            one.pass_time(6)
        one.until(lambda: one.closed(loris))
        one.pass_time(1_000)
        idle.sendall(message(7))
        one.until(one.records)
        assert one.server.faults.text() == "closed connections: 1 chunk took too long"


def test_time_in_which_nobody_listened_makes_no_sender_late() -> None:
    with turned(timeout_s=30) as one, one.connect() as sender:
        sender.sendall(message()[:3])
        one.until(lambda: one.server.held_bytes)
        one.clock.advance(1_000)
        one.chunks += one.server.turn(0)
        sender.sendall(message()[3:])
        one.until(one.records)


def test_a_handshake_that_is_never_finished_is_closed() -> None:
    with turned(timeout_s=10, lock=Lock("server", "key", {})) as one, one.connect() as sender:
        one.pass_time(11)
        one.until(lambda: one.closed(sender))
        assert one.server.faults.text() == "closed connections: 1 handshake took too long"


def test_who_knows_the_key_is_let_in_and_others_are_told_why_not() -> None:
    with turned(lock=Lock("server", "key", {})) as one, one.connect() as good, one.connect() as bad:
        caller = Caller(Secrets("client", "key"))
        good.sendall(caller.answer(one.answers(good)[0]))
        caller.check(one.answers(good)[0])
        good.sendall(message())
        one.until(one.records)
        bad.sendall(Caller(Secrets("client", "guess")).answer(one.answers(bad)[0]))
        assert one.answers(bad)[0][:3] == ["PONG", False, "shared key mismatch"]
        one.until(lambda: one.closed(bad))
        assert one.server.faults.text() == "closed connections: 1 no shared key"


def test_who_speaks_no_tls_is_closed(certificates: object) -> None:
    path = certificates.server  # type: ignore[attr-defined]  # a fixture
    with turned(tls=Tls(cert=path)) as one, one.connect() as sender:
        sender.sendall(message())
        one.until(lambda: one.closed(sender))
        assert one.server.faults.text() == "closed connections: 1 no TLS"


def test_one_connection_too_many_is_closed() -> None:
    with turned(connections_max=2) as one, one.connect(), one.connect() as second:
        with socket.create_connection(("127.0.0.1", one.server.port), 5) as third:
            one.until(lambda: one.closed(third))
        second.sendall(message())
        one.until(one.records)
        assert one.server.faults.text() == "closed connections: 1 too many connections"


def test_a_turn_brings_about_a_batch_and_leaves_the_rest_where_it_is() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(packed(range(20_000)))
        while not one.chunks:
            one.chunks += one.server.turn(0.1)
        assert len(one.records()) == 1_000
        one.until(lambda: len(one.records()) == 20_000)
        judge(range(20_000), [record["n"] for record in one.records()]).assert_right()


def test_unfinished_chunks_beyond_the_bound_come_one_after_the_other() -> None:
    chunk = packed(range(60_000))
    with ExitStack() as stack:
        one = stack.enter_context(turned(held_bytes_max=300_000))
        senders = [stack.enter_context(one.connect()) for _ in range(5)]
        for sender in senders:
            sender.sendall(chunk[:100_000])
        one.until(lambda: one.server.held_bytes > 300_000)
        threads = [Thread(target=sender.sendall, args=(chunk[100_000:],)) for sender in senders]
        for thread in threads:
            thread.start()
        most = 0
        while len(one.chunks) < 5 * 60:
            one.chunks += one.server.turn(0.01)
            most = max(most, one.server.held_bytes)
        for thread in threads:
            thread.join(20)
        assert most < 300_000 + len(chunk) + 5 * RECEIVE_BYTES
        assert one.server.faults.text() == ""
        judge(range(60_000), [record["n"] for record in one.records()], ordered=False).assert_right(
            duplicates_max=4 * 60_000
        )


def test_who_fills_the_memory_with_what_never_ends_stops_nobody_who_sends_little() -> None:
    chunk = packed(range(60_000))
    with ExitStack() as stack:
        one = stack.enter_context(turned(held_bytes_max=200_000, timeout_s=30))
        greedy = [stack.enter_context(one.connect()) for _ in range(4)]
        for sender in greedy:
            sender.sendall(chunk[:100_000])
        one.until(lambda: one.server.held_bytes > 200_000)
        modest = stack.enter_context(one.connect())
        for number in range(3):
            modest.sendall(message(number))
            one.until(lambda number=number: {"n": number} in one.records())  # type: ignore[misc]
        for _ in greedy:  # one after the other
            one.pass_time(31)
        one.until(lambda: one.server.connected == 1)
        assert one.server.faults.text() == "closed connections: 4 chunk took too long"
        assert one.server.held_bytes == 0


@pytest.mark.parametrize("count", [2_000])
def test_thousands_of_idle_connections_cost_little_and_nobody_notices(count: int) -> None:
    with turned() as one:
        before = psutil.Process().memory_info().rss
        idle: list[socket.socket] = []
        try:
            for _ in range(count // 50):
                for _ in range(50):
                    idle.append(socket.create_connection(("127.0.0.1", one.server.port), 20))
                    idle[-1].sendall(message()[:1])  # each has begun something
                one.until(lambda: one.server.connected == len(idle))
            one.until(lambda: one.server.held_bytes == count)
            grown = psutil.Process().memory_info().rss - before
            assert grown < count * 5_000, f"{grown / count:.0f} bytes a connection"
            with one.connect() as sender:
                sender.sendall(message(5))
                one.until(one.records)
        finally:
            for sock in idle:
                sock.close()
        one.until(lambda: one.server.connected == 0)
        assert one.server.held_bytes == 0


NOISE = st.binary(max_size=300) | st.sampled_from([message(), packed(range(3)), b"\xdd\x7f\xff\xff\xff", b"\x92\xa1t"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.one_of(NOISE, st.none()), max_size=4), max_size=4))
def test_whatever_is_said_in_whatever_pieces_others_are_served(talks: list[list[bytes | None]]) -> None:
    with turned(frame_bytes_max=100_000, held_bytes_max=1_000) as one, one.connect() as good:
        senders = [one.connect() for _ in talks]
        for step in range(4):
            for sender, talk in zip(senders, talks, strict=True):
                said = talk[step] if step < len(talk) else None
                with suppress(OSError):
                    sender.sendall(said) if said is not None else one.chunks.extend(one.server.turn(0))
        good.sendall(message(4_711))
        one.until(lambda: {"n": 4_711} in one.records())
        for sender in senders:
            sender.close()
        one.until(lambda: one.server.connected == 1)
        assert one.server.held_bytes == 0


def test_what_was_read_in_part_comes_to_its_end_at_rest() -> None:
    with turned() as one, one.connect() as sender:
        sender.sendall(packed(range(3_000), "id"))
        while not one.chunks:
            one.chunks += one.server.turn(0.1)
        while more := one.server.rest():
            one.chunks += more
        assert len(one.records()) == 3_000
        assert one.server.port == 0
        one.settle()
        assert one.answers(sender) == [{"ack": "id"}]


def test_closing_acks_what_is_settled() -> None:
    one = Turned()
    with one.connect() as sender:
        sender.sendall(message(1, chunk="id"))
        one.until(one.records)
        one.settle()
        one.server.close()
        sender.settimeout(5)
        assert msgpack.unpackb(sender.recv(100)) == {"ack": "id"}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_without_a_descriptor_to_spare_it_goes_on_later() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with turned() as one, one.connect() as good:
        waiting = [socket.socket() for _ in range(3)]
        highest = max(sock.fileno() for sock in waiting) + 1
        try:
            for sock in waiting:
                sock.settimeout(5)
                sock.connect(("127.0.0.1", one.server.port))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            one.until(lambda: one.server.faults.counts["no room to accept"])
            good.sendall(message())
            one.until(one.records)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        one.pass_time(2)
        one.until(lambda: one.server.connected == 4)
        for sock in waiting:
            sock.close()
