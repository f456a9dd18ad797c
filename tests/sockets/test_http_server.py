from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from swak.sockets.http_content import HttpError
from swak.sockets.http_server import IDLE_S, RATE_BYTES, HttpServer, Request
from swak.sockets.server import Server
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.sockets.http_exchange import Exchange

POST = b"POST /a?b HTTP/1.1\r\nHost: x\r\n"


class Site:
    """A server that a test polls by hand."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.server = Server("127.0.0.1", 0, 100, self.clock.monotonic, IDLE_S)
        self.refusal: HttpError | None = None
        settings = {"body_bytes_max": 1_000, "memory_bytes": 10_000, "timeout_s": 10.0, "answer_s": 30.0} | options
        self.http = HttpServer(self.server, self.admit, monotonic=self.clock.monotonic, **settings)

    def admit(self, _: Exchange) -> None:
        if self.refusal is not None:
            raise self.refusal

    def dial(self) -> socket.socket:
        return socket.create_connection(self.server.address, timeout=WAIT_S)

    def requests(self, count: int) -> list[Request]:
        found: list[Request] = []
        ends_at = time.monotonic() + WAIT_S
        while len(found) < count and time.monotonic() < ends_at:
            found += self.http.poll(0.05)
        return found

    def answer_to(self, sock: socket.socket) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Poll until an answer has come; return its status, head and body."""
        sock.setblocking(False)
        data, ends_at = b"", time.monotonic() + WAIT_S
        while time.monotonic() < ends_at:
            assert self.http.poll(0.01) == []
            try:
                data += sock.recv(65_536)
            except BlockingIOError:
                continue
            head, found, body = data.partition(b"\r\n\r\n")
            if found:
                lines = head.decode().split("\r\n")
                fields = dict(line.split(": ", 1) for line in lines[1:])
                if len(body) >= int(fields.get("Content-Length", 0)):
                    return int(lines[0].split()[1]), fields, json.loads(body or b"{}")
        raise AssertionError(f"no answer, only {data!r}")


@contextmanager
def running(**options: Any) -> Iterator[Site]:
    site = Site(**options)
    try:
        yield site
    finally:
        site.server.close()


def whole(body: bytes = b"hello", extra: bytes = b"") -> bytes:
    return POST + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_request_comes_out_whole_and_is_answered() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole())
        (request,) = site.requests(1)
        assert (request.method, request.path, request.body) == ("POST", "/a", b"hello")
        assert site.http.held_bytes == 5
        site.http.answer(request, 200, events=3)
        status, fields, body = site.answer_to(sock)
        assert (status, fields.get("Connection"), body) == (200, None, {"events": 3})
        assert site.http.held_bytes == 0


def test_the_connection_is_kept_and_the_next_request_may_have_come_already() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole(b"1") + whole(b"2") + whole(b"3"))
        (request,) = site.requests(1)
        bodies = [request.body]
        while len(bodies) < 3:
            site.http.answer(request, 200)
            (request,) = site.requests(1)
            bodies.append(request.body)
        assert bodies == [b"1", b"2", b"3"]


def test_nothing_more_is_read_while_a_request_waits() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole())
        (request,) = site.requests(1)
        sock.sendall(whole(b"later"))
        assert site.http.poll(0.05) == []
        site.http.answer(request, 200)
        assert [one.body for one in site.requests(1)] == [b"later"]


def test_a_request_is_answered_once() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole())
        (request,) = site.requests(1)
        site.http.answer(request, 200)
        site.http.answer(request, 503, "late")
        assert site.answer_to(sock)[0] == 200
        assert site.http.refused == {}


def test_what_cannot_be_read_is_answered_and_the_connection_closed() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(b"hello\r\n\r\n")
        status, fields, body = site.answer_to(sock)
        assert (status, fields["Connection"], body) == (
            400,
            "close",
            {"error": "illegal request line: bytearray(b'hello')"},
        )
        assert site.http.refused == {400: 1}


def test_a_refusal_comes_before_the_body() -> None:
    with running() as site, site.dial() as sock:
        site.refusal = HttpError(401, "who are you")
        sock.sendall(POST + b"Content-Length: 500\r\n\r\n")
        status, fields, _ = site.answer_to(sock)
        assert (status, "WWW-Authenticate" in fields) == (401, True)


def test_who_asks_before_he_sends_is_told_to_go_on() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert site.answer_to(sock)[0] == 100
        sock.setblocking(True)
        sock.sendall(b"hello")
        assert [one.body for one in site.requests(1)] == [b"hello"]


def test_beyond_the_memory_senders_are_told_to_come_again() -> None:
    with running(memory_bytes=900) as site, site.dial() as first, site.dial() as second, site.dial() as third:
        first.sendall(whole(b"x" * 600))
        (request,) = site.requests(1)
        second.sendall(POST + b"Content-Length: 400\r\n\r\n")
        status, fields, _ = site.answer_to(second)
        assert (status, fields["Retry-After"]) == (429, "1")
        site.http.answer(request, 200)
        third.sendall(whole(b"x" * 400))
        assert len(site.requests(1)) == 1


def test_who_announces_much_and_sends_nothing_keeps_nobody_out() -> None:
    with running(memory_bytes=1_000) as site, site.dial() as first, site.dial() as second:
        first.sendall(POST + b"Content-Length: 900\r\n\r\n")
        site.http.poll(0.05)
        site.http.poll(0.05)
        second.sendall(whole(b"x" * 900))
        (request,) = site.requests(1)
        first.sendall(b"x" * 200)
        assert site.answer_to(first)[0] == 429
        site.http.answer(request, 200)
        assert site.http.held_bytes == 0


def test_chunks_count_as_they_come() -> None:
    with running(memory_bytes=900) as site, site.dial() as first, site.dial() as second:
        first.sendall(whole(b"x" * 600))
        site.requests(1)
        second.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n190\r\n" + b"y" * 400)
        assert site.answer_to(second)[0] == 429


def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    with running() as site, site.dial() as sock:
        for byte in b"POST /":
            sock.sendall(bytes([byte]))
            assert site.http.poll(0.05) == []
            site.clock.advance(3)
        assert site.answer_to(sock)[0] == 408


def test_a_body_may_take_longer_when_it_comes_steadily() -> None:
    with running(body_bytes_max=10 * RATE_BYTES, memory_bytes=20 * RATE_BYTES) as site, site.dial() as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % (8 * RATE_BYTES))
        for _ in range(7):
            sock.sendall(b"x" * RATE_BYTES)
            for _ in range(3):
                assert site.http.poll(0.02) == []
            site.clock.advance(2)
        sock.sendall(b"x" * RATE_BYTES)
        assert len(site.requests(1)) == 1


def test_a_body_that_trickles_is_given_up() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(POST + b"Content-Length: 500\r\n\r\n")
        for _ in range(6):
            sock.sendall(b"x")
            site.http.poll(0.05)
            site.clock.advance(3)
        assert site.answer_to(sock)[0] == 408
        assert site.http.held_bytes == 0


def test_a_connection_that_never_says_anything_is_closed() -> None:
    with running() as site, site.dial():
        assert site.http.poll(0.5) == []
        assert len(site.server.connections) == 1
        site.clock.advance(IDLE_S + 2)
        assert site.http.poll(0.05) == []
        assert site.server.connections == []


def test_an_idle_connection_is_closed_without_a_word() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole())
        (request,) = site.requests(1)
        site.http.answer(request, 200)
        site.answer_to(sock)
        site.clock.advance(IDLE_S + 2)
        assert site.http.poll(0.05) == []
        assert site.server.connections == []


def test_a_sender_that_leaves_in_the_middle_leaves_nothing_behind() -> None:
    with running() as site:
        with site.dial() as sock:
            sock.sendall(POST + b"Content-Length: 500\r\n\r\nxyz")
            site.http.poll(0.05)
            site.http.poll(0.05)
            assert site.http.held_bytes == 3
        site.http.poll(0.5)
        assert site.http.held_bytes == 0
        assert site.server.connections == []


def test_an_answer_to_who_has_left_is_harmless() -> None:
    with running() as site:
        with site.dial() as sock:
            sock.sendall(whole())
            (request,) = site.requests(1)
        site.http.answer(request, 200)
        site.http.poll(0.05)
        assert site.http.held_bytes == 0


def test_when_it_stops_connections_end_with_their_answer() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(whole())
        (request,) = site.requests(1)
        site.http.stop([])
        site.http.answer(request, 200)
        assert site.answer_to(sock)[1]["Connection"] == "close"


def test_when_it_stops_those_who_wait_are_sent_to_somebody_else() -> None:
    with running() as site, site.dial() as waiting, site.dial() as sending:
        waiting.sendall(whole())
        (request,) = site.requests(1)
        sending.sendall(POST + b"Content-Length: 500\r\n\r\n")
        site.http.poll(0.05)
        site.http.stop([request])
        sending.sendall(b"x")
        assert [site.answer_to(sock)[0] for sock in (waiting, sending)] == [503, 503]


def test_who_does_not_read_his_answers_is_not_heard_and_then_given_up() -> None:
    with running() as site, site.dial() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.setblocking(False)
        question = whole(b"")
        ends_at = time.monotonic() + WAIT_S
        connection = None
        while (connection is None or not connection.out) and time.monotonic() < ends_at:
            with suppress(BlockingIOError):  # nothing of it is read any more
                sock.send(question * 10)
            for request in site.http.poll(0.0):
                connection = request.connection
                site.http.answer(request, 200, events="x" * 100_000)
        assert connection is not None
        assert len(connection.out) < 200_000
        assert site.http.poll(0.0) == []
        site.clock.advance(12)
        site.http.poll(0.0)
        assert site.server.connections == []


def test_the_head_of_an_answer_is_all_that_head_asks_for() -> None:
    with running() as site, site.dial() as sock:
        sock.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        (request,) = site.requests(1)
        site.http.answer(request, 200)
        site.http.poll(0.05)
        assert sock.recv(10_000).endswith(b"\r\n\r\n")
