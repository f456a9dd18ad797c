from __future__ import annotations

import http.client
import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from swak.metrics import endpoint as module
from swak.metrics.endpoint import CLIENTS_MAX, REQUEST_BYTES_MAX, Answer, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIG = "x" * 5_000_000


def failing() -> Answer:
    raise RuntimeError("a bug of ours")


PAGES: dict[str, Callable[[], Answer]] = {
    "/metrics": lambda: Answer(200, "swak_draining 0\n"),
    "/big": lambda: Answer(200, BIG),
    "/broken": failing,
    "/down": lambda: Answer(503, "reason\n"),
}


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    endpoint = Endpoint("127.0.0.1", 0, PAGES)
    endpoint.start()
    try:
        host, _, port = endpoint.address.rpartition(":")
        yield host, int(port)
    finally:
        endpoint.stop()


def asked(where: tuple[str, int], path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*where, timeout=20)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def answered(where: tuple[str, int], request: bytes) -> bytes:
    """Send raw bytes, and return what comes back until the end."""
    with socket.create_connection(where, timeout=20) as sock:
        sock.sendall(request)
        found = b""
        try:
            while piece := sock.recv(65536):
                found += piece
        except ConnectionResetError:
            pass  # it closed with bytes of ours unread
        return found


def test_a_page_is_served_again_and_again() -> None:
    with serving() as where:
        assert [asked(where, "/metrics") for _ in range(3)] == [(200, "swak_draining 0\n")] * 3


def test_a_query_does_not_matter() -> None:
    with serving() as where:
        assert asked(where, "/metrics?x=1")[0] == 200


def test_head_is_answered_without_a_body() -> None:
    with serving() as where:
        assert asked(where, "/metrics", "HEAD") == (200, "")


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 405), ("/down", "GET", 503)]
)
def test_what_cannot_be_had_is_told(path: str, method: str, status: int) -> None:
    with serving() as where:
        assert asked(where, path, method)[0] == status


def test_a_page_that_fails_does_not_end_the_server() -> None:
    with serving() as where:
        assert asked(where, "/broken")[0] == 500
        assert asked(where, "/metrics")[0] == 200


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"\r\n\r\n"]
)
def test_what_is_no_request_is_refused(request_: bytes) -> None:
    with serving() as where:
        assert answered(where, request_).startswith(b"HTTP/1.1 400 ")


def test_a_request_without_end_is_refused_when_it_is_too_large() -> None:
    with serving() as where:
        assert answered(where, b"a" * (REQUEST_BYTES_MAX * 2))[:12] in {b"HTTP/1.1 431", b""}
        assert asked(where, "/metrics")[0] == 200


def test_a_request_may_come_byte_by_byte() -> None:
    with serving() as where, socket.create_connection(where, timeout=20) as sock:
        for byte in b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n":
            sock.send(bytes([byte]))
        assert sock.recv(12) == b"HTTP/1.1 200"


def test_idle_clients_keep_nobody_out() -> None:
    with serving() as where:
        idle = [socket.create_connection(where, timeout=20) for _ in range(CLIENTS_MAX * 2)]
        try:
            assert asked(where, "/metrics")[0] == 200
        finally:
            for sock in idle:
                sock.close()


def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_S", 1.0)
    with serving() as where, socket.create_connection(where, timeout=20) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        assert asked(where, "/metrics")[0] == 200  # while the other one does not read
        with pytest.raises(ConnectionError):  # noqa: PT012 - it may take any of the sends
            while True:
                sock.send(b"x")


def test_a_client_that_says_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_S", 0.2)
    with serving() as where, socket.create_connection(where, timeout=20) as sock:
        assert sock.recv(1) == b""


def test_a_large_page_comes_whole() -> None:
    with serving() as where:
        assert asked(where, "/big") == (200, BIG)


def test_a_flood_of_requests_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWERS_A_SECOND", 5)
    import time

    with serving() as where:
        began = time.monotonic()
        assert [asked(where, "/metrics")[0] for _ in range(9)] == [200] * 9
        assert time.monotonic() - began > 0.5  # nine answers at five a second, five of them saved up


def test_an_address_that_is_taken_is_named() -> None:
    with serving() as (host, port), pytest.raises(OSError, match=f"{host}:{port}"):
        Endpoint(host, port, PAGES)


def test_it_can_be_stopped_before_it_was_started() -> None:
    Endpoint("127.0.0.1", 0, PAGES).stop()
