from __future__ import annotations

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, Self

import pytest

from swak.sockets.http_client import ITEMS_BYTES, RETRY_AFTER_MAX_S, HttpClient, read_url, retry_after_s
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.certificates import Certificates


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
    assert client.post("POST", b"x", {}) == (429, "429 Too Many Requests: too much", 7.0, b"")


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


class Scripted:
    """A peer that says its lines, one a connection, after it has heard a request."""

    def __init__(self, *lines: list[bytes] | None) -> None:
        self._lines = list(lines)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.heard: list[bytes] = []
        self.url = read_url(f"http://127.0.0.1:{self._listener.getsockname()[1]}/")
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(WAIT_S)
        self._listener.close()

    def _run(self) -> None:
        for lines in self._lines:
            peer, _ = self._listener.accept()
            with peer:
                self.heard.append(self._request(peer))
                if lines is not None:
                    self._say(peer, lines)

    def _request(self, peer: socket.socket) -> bytes:
        heard = b""
        while not heard.endswith(b"!"):
            heard += peer.recv(65_536)
        return heard

    def _say(self, peer: socket.socket, lines: list[bytes]) -> None:
        pause = threading.Event()
        try:
            for line in lines:
                peer.sendall(line)
                pause.wait(0.02)
        except OSError:
            self.heard.append(b"")  # it was hung up on


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_kept_connection_that_ends_under_a_body_is_renewed_and_the_body_sent_again() -> None:
    with Scripted(None, [OK]) as peer:
        client = HttpClient(peer.url, WAIT_S)
        client.connect()
        assert client.post("POST", b"1!", {}).status == 200
        client.close()
    assert [heard[-2:] for heard in peer.heard] == [b"1!", b"1!"]


def test_a_new_connection_that_ends_under_a_body_is_an_error() -> None:
    with Scripted(None) as peer:
        client = HttpClient(peer.url, WAIT_S)
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:\d+: "):
            client.post("POST", b"1!", {})


@pytest.mark.parametrize(
    "lines",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 90],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100,
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 100],
        [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 100],
    ],
)
def test_an_answer_that_does_not_end_is_given_up(lines: list[bytes]) -> None:
    with Scripted(lines) as peer:
        client = HttpClient(peer.url, 0.2)
        with pytest.raises(TimeoutError):
            client.post("POST", b"1!", {})
        client.close()


def test_an_answer_in_json_to_events_that_were_taken_is_read_as_a_whole(client: HttpClient) -> None:
    body = b'{"x": "' + b"x" * 500_000 + b'"}'
    Peer.answers.append((200, {"Content-Type": "application/json"}, body))
    Peer.answers.append((200, {"Content-Type": "application/json"}, b" " * (ITEMS_BYTES + 1)))
    Peer.answers.append((200, {"Content-Type": "text/plain"}, body))
    assert client.post("POST", b"x", {}).body == body
    assert client.alive()
    assert client.post("POST", b"x", {}).body is None
    assert client.post("POST", b"x", {}).body == b""


def test_tls_checks_the_servers_certificate(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    with ThreadingHTTPServer(("127.0.0.1", 0), Peer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = read_url(f"https://127.0.0.1:{server.server_port}/")
        known, stranger = HttpClient(url, WAIT_S, certificates.ca), HttpClient(url, WAIT_S, certificates.stranger)
        assert [known.post("POST", b"x", {}).status for _ in range(2)] == [200, 200]
        assert known.alive()
        with pytest.raises(OSError, match=r"^127\.0\.0\.1:\d+: .*certificate verify failed"):
            stranger.connect()
        known.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_without_certificates_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    client = HttpClient(read_url("https://127.0.0.1:1/"), WAIT_S, str(path))
    with pytest.raises(OSError, match=r"^ca .*ca\.pem: it cannot be read"):
        client.connect()


def test_no_proxy_is_used_that_nobody_asked_for(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client.connect()
    assert client.post("POST", b"x", {}).status == 200


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
