from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from swak.sockets.http_client import RETRY_AFTER_MAX_S, HttpClient, basic, read_url, retry_after_s
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Peer(BaseHTTPRequestHandler):
    """The standard library's server: says what it was told to say."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    connections: ClassVar[set[object]] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.connections.add(self.client_address)
        status, fields, text = self.answers.pop(0) if self.answers else (200, {}, body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Peer.answers.clear()
    Peer.connections.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(server: ThreadingHTTPServer) -> Iterator[HttpClient]:
    made = HttpClient(read_url(f"http://127.0.0.1:{server.server_port}/x?y=1"), 5.0)
    made.connect()
    yield made
    made.close()


def test_the_connection_is_kept(client: HttpClient) -> None:
    for _ in range(3):
        assert client.post("POST", b"hi", {}).status == 200
    assert len(Peer.connections) == 1


def test_what_the_server_says_is_told(client: HttpClient) -> None:
    Peer.answers.append((429, {"Retry-After": "7"}, b"too\n  much"))
    assert client.post("POST", b"x", {}) == (429, "429 Too Many Requests: too much", 7.0)


def test_a_long_answer_costs_the_connection_and_is_cut(client: HttpClient) -> None:
    Peer.answers.append((400, {}, b"x" * 1_000_000))
    assert len(client.post("POST", b"x", {}).reason) < 400
    assert not client.alive()
    assert client.post("POST", b"x", {}).status == 200


def test_a_connection_that_the_server_closed_is_renewed(client: HttpClient) -> None:
    Peer.answers.append((200, {"Connection": "close"}, b""))
    client.post("POST", b"x", {})
    until(lambda: not client.alive(), "the end is not seen")
    assert client.post("POST", b"x", {}).status == 200
    assert len(Peer.connections) == 2


def test_what_is_no_http_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(read_url(f"http://127.0.0.1:{listener.getsockname()[1]}"), 5.0)
        client.connect()
        peer, _ = listener.accept()
        peer.sendall(b"220 smtp.example.com ESMTP\r\n")
        peer.shutdown(socket.SHUT_WR)
        client.alive = lambda: True  # type: ignore[method-assign] # it speaks before it was asked
        with pytest.raises(OSError, match="the answer is no HTTP"):
            client.post("POST", b"x", {})
        peer.close()


def test_a_silent_server_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(read_url(f"http://127.0.0.1:{listener.getsockname()[1]}"), 0.1)
        with pytest.raises(TimeoutError, match=r"127\.0\.0\.1:\d+: "):
            client.post("POST", b"x", {})
        client.close()


def test_abort_ends_a_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(read_url(f"http://127.0.0.1:{listener.getsockname()[1]}"), WAIT_S)
        client.connect()
        peer, _ = listener.accept()

        def abort() -> None:
            peer.recv(1)
            client.abort()

        thread = threading.Thread(target=abort)
        thread.start()
        with pytest.raises(OSError, match="told to stop"):
            client.post("POST", b"x", {})
        thread.join()
        peer.close()
        with pytest.raises(OSError, match="told to stop"):
            client.connect()


def test_a_probe_says_whether_somebody_listens(client: HttpClient) -> None:
    assert client.probe()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("http://a", (False, "a", 80, "/")),
        ("https://a:1/b?c=d#e", (True, "a", 1, "/b?c=d")),
        ("http://[::1]:2/", (False, "::1", 2, "/")),
    ],
)
def test_a_url_is_taken_apart(text: str, where: tuple[object, ...]) -> None:
    assert read_url(text) == where


@pytest.mark.parametrize(
    "text", ["", "a", "ftp://a", "http://", "http://a:x", "http://a/ b", "http://a/\r\nX: y", "http://u:p@a"]
)
def test_what_is_no_url_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_url(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 0 ", 0.0),
        ("99999999999999", RETRY_AFTER_MAX_S),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now_s=10.0) == seconds


def test_basic_authentication() -> None:
    assert basic("Aladdin:open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
