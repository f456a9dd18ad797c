from __future__ import annotations

import errno
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from swak.sockets import server as home
from swak.sockets.server import Connection, Server
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[Server]:
    made = Server("127.0.0.1", 0, 100, clock.monotonic)
    yield made
    made.close()


def dial(server: Server) -> socket.socket:
    return socket.create_connection(server.address, timeout=WAIT_S)


def collect(server: Server, size_bytes: int) -> bytes:
    """Poll until so many bytes have come."""
    data, ends_at = b"", time.monotonic() + WAIT_S
    while len(data) < size_bytes and time.monotonic() < ends_at:
        data += b"".join(part or b"" for _, part in server.poll(0.1))
    return data


def accepted(server: Server, count: int) -> list[Connection]:
    ends_at = time.monotonic() + WAIT_S
    while len(server.connections) < count and time.monotonic() < ends_at:
        assert server.poll(0.1) == []
    return server.connections


def test_what_is_sent_arrives_and_the_end_is_told(server: Server) -> None:
    with dial(server) as sock:
        sock.sendall(b"hello")
        assert collect(server, 5) == b"hello"
    ((_, data),) = server.poll(WAIT_S)
    assert data == b""


def test_an_answer_of_any_length_goes_out(server: Server) -> None:
    with dial(server) as sock:
        (connection,) = accepted(server, 1)
        server.send(connection, b"x" * 10_000_000, close=True)
        got = 0
        while data := server.poll(0) == [] and sock.recv(1_000_000):
            got += len(data)
        assert got == 10_000_000


def test_the_last_word_arrives_although_more_was_being_sent(server: Server) -> None:
    with dial(server) as sock:
        sock.sendall(b"x" * 100_000)
        assert collect(server, 1)
        server.send(server.connections[0], b"no", close=True)
        sock.sendall(b"x" * 100_000)
        assert server.poll(WAIT_S) == []
        assert sock.recv(10) == b"no"
        assert sock.recv(10) == b""


def test_who_goes_on_sending_after_the_last_word_is_cut_off(server: Server, clock: FakeClock) -> None:
    with dial(server) as sock:
        (connection,) = accepted(server, 1)
        server.send(connection, b"no", close=True)
        clock.advance(home.LINGER_S + 1)
        sock.sendall(b"more")
        server.poll(WAIT_S)
        server.poll(0)
        assert server.connections == []


def test_nothing_is_read_of_a_paused_connection(server: Server) -> None:
    with dial(server) as sock:
        (connection,) = accepted(server, 1)
        server.pause(connection, paused=True)
        sock.sendall(b"wait")
        assert server.poll(0.05) == []
        server.pause(connection, paused=False)
        assert collect(server, 4) == b"wait"


def test_a_deadline_that_passes_is_told(server: Server, clock: FakeClock) -> None:
    with dial(server):
        (connection,) = accepted(server, 1)
        connection.deadline = clock.monotonic() + 10
        clock.advance(9)
        assert server.poll(0) == []
        clock.advance(2)
        assert server.poll(0) == [(connection, None)]


def test_a_poll_that_waits_can_be_woken_from_another_thread(server: Server) -> None:
    began = time.monotonic()
    thread = threading.Thread(target=server.wake)
    thread.start()
    server.poll(1.0)
    assert time.monotonic() - began < 0.9
    thread.join()


def test_too_many_connections_cost_the_one_that_was_quiet_for_longest(clock: FakeClock) -> None:
    server = Server("127.0.0.1", 0, 2, clock.monotonic)
    with dial(server) as first:
        accepted(server, 1)
        with dial(server) as second:
            accepted(server, 2)
            clock.advance(home.QUIET_S + 1)
            second.sendall(b"x")
            assert collect(server, 1) == b"x"
            with dial(server) as third:
                third.sendall(b"y")
                assert collect(server, 1) == b"y"
                assert first.recv(1) == b""
                assert server.turned_away == 1
    server.close()


def test_a_new_connection_is_turned_away_when_all_others_are_busy(clock: FakeClock) -> None:
    server = Server("127.0.0.1", 0, 1, clock.monotonic)
    with dial(server):
        accepted(server, 1)
        with dial(server) as second:
            server.poll(WAIT_S)
            assert second.recv(1) == b""
    server.close()


def test_without_descriptors_the_others_are_served_and_accepting_goes_on_later(
    server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dial(server) as sock:
        accepted(server, 1)
        with dial(server), monkeypatch.context() as patch:

            def full(_self: socket.socket) -> None:
                raise OSError(errno.EMFILE, "too many open files")

            patch.setattr(socket.socket, "accept", full)
            server.poll(WAIT_S)
            sock.sendall(b"x")
            assert collect(server, 1) == b"x"
            patch.undo()
            assert len(server.connections) == 1
            clock.advance(home.REST_S)
            accepted(server, 2)


def test_a_port_in_use_is_told(server: Server) -> None:
    with pytest.raises(OSError, match=str(server.address[1])):
        Server(*server.address, 1)


def test_closing_and_waking_may_be_repeated(server: Server) -> None:
    with dial(server):
        accepted(server, 1)
        for _ in range(2):
            server.close()
            server.wake()
            server.abort()


def test_of_many_busy_connections_none_starves(server: Server) -> None:
    busy = 3 * home.POLL_BYTES // home.READ_BYTES
    read: Counter[Connection] = Counter()
    with ExitStack() as stack:
        socks = [stack.enter_context(dial(server)) for _ in range(busy)]
        accepted(server, busy)
        for _ in range(12):
            for sock in socks:
                sock.setblocking(False)
                with suppress(BlockingIOError):  # it is full, as it shall be
                    while True:
                        sock.send(bytes(home.READ_BYTES))
            read.update(connection for connection, data in server.poll(WAIT_S) if data)
    assert len(read) == busy
    assert max(read.values()) - min(read.values()) <= 2


def test_of_one_that_is_alone_as_much_is_read_as_of_all(server: Server) -> None:
    with dial(server) as sock:
        accepted(server, 1)
        sock.setblocking(False)
        sent = 0
        with suppress(BlockingIOError):  # it is full
            while sent < 2 * home.POLL_BYTES:
                sent += sock.send(bytes(home.READ_BYTES))
        sizes, ends_at = [0], time.monotonic() + WAIT_S
        while max(sizes) <= home.READ_BYTES and sum(sizes) < sent and time.monotonic() < ends_at:
            sizes += [len(data or b"") for _, data in server.poll(WAIT_S)]
        assert home.READ_BYTES < max(sizes) <= home.POLL_BYTES


def test_a_connection_that_failed_before_it_was_accepted_ends_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unlucky:
        """A listener whose first peer is gone when it is accepted."""

        def __init__(self, listener: socket.socket) -> None:
            self.listener, self.failed = listener, False

        def accept(self) -> tuple[socket.socket, object]:
            if not self.failed:
                self.failed = True
                raise OSError(errno.EPROTO, "Protocol error")
            return self.listener.accept()

    unlucky = Unlucky(server._listener)
    monkeypatch.setattr(server, "_listener", unlucky)
    with dial(server) as sock:
        sock.sendall(b"x")
        server._accept()
        assert unlucky.failed
        monkeypatch.undo()
        assert collect(server, 1) == b"x"


def test_who_dials_in_a_loop_does_not_fill_the_log(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    server = Server("127.0.0.1", 0, 1, clock.monotonic)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(dial(server))
        ends_at = time.monotonic() + WAIT_S
        while server.turned_away < 19 and time.monotonic() < ends_at:
            server.poll(0.1)
        assert server.turned_away == 19
        assert caplog.text.count("turned away") == 1
    server.close()
