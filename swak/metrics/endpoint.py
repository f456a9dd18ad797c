"""A small HTTP server for one thread: a few fixed pages, bounded in clients, bytes, time and answers a second."""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from swak.log import get
from swak.sockets.address import listener, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLIENTS_MAX = 16
"""Connections at a time. For one more, the oldest goes: whoever asks at once is answered before that."""
REQUEST_BYTES_MAX = 8 * 1024
REQUEST_S = 5.0
"""How long a request may take to come, and the answer then to be taken."""
ANSWERS_A_SECOND = 50
"""More clients wait in the listen queue: a flood of them must not take the CPU from the flow."""
BACKLOG = 64
REST_S = 1.0

_REQUEST = re.compile(rb"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.[01]\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}
_STATUS |= {431: "Request Header Fields Too Large", 503: "Service Unavailable"}

log = get("swak.metrics")


class Answer(NamedTuple):
    """What a page has to say."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock = sock
        self.until = until
        self.received = bytearray()
        self.rest = memoryview(b"")
        """What is still to be sent, once the request is here."""


class Endpoint:
    """Serves pages from a thread of its own. What happens here reaches nobody else."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Answer]]) -> None:
        """Listen. OSError: the address cannot be had."""
        self._pages = pages
        self._listener = listener(host, port, BACKLOG)
        self.address = shown(self._listener.getsockname())
        """Where it listens, as people write it."""
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._clients: dict[socket.socket, Client] = {}
        self._tokens = float(ANSWERS_A_SECOND)
        self._tokens_at = time.monotonic()
        self._listens = False
        self._over = False
        self._thread = threading.Thread(target=self._run, name="swak-metrics", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Serve nobody any more."""
        self._over = True
        if self._thread.is_alive():
            self._waker.send(b"x")
            self._thread.join(REQUEST_S)
        for sock in (self._listener, self._waker, self._woken, *self._clients):
            sock.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._over:
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - a broken client, or no descriptors left: serve the next one
                log.warning("metrics: a round failed", error=error)
                if not self._listens:
                    self._tokens = 0.0  # a pause, where accepting is what fails

    def _round(self) -> None:
        now = time.monotonic()
        self._tokens = min(float(ANSWERS_A_SECOND), self._tokens + (now - self._tokens_at) * ANSWERS_A_SECOND)
        self._tokens_at = now
        self._listen(wanted=self._tokens >= 1)
        for client in [one for one in self._clients.values() if one.until <= now]:
            self._drop(client)
        for key, _ in self._selector.select(self._patience_s(now)):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is not self._woken:
                self._serve(self._clients[key.fileobj])  # type: ignore[index]  # what we registered is a socket

    def _patience_s(self, now: float) -> float | None:
        ends = [one.until for one in self._clients.values()]
        if not self._listens:
            ends.append(now + 1.0 / ANSWERS_A_SECOND)
        return max(0.0, min(ends) - now) if ends else None

    def _listen(self, *, wanted: bool) -> None:
        if wanted and not self._listens:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._listens and not wanted:
            self._selector.unregister(self._listener)
        self._listens = wanted

    def _accept(self) -> None:
        self._tokens -= 1
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return  # gone again
        except OSError:
            self._listen(wanted=False)
            raise
        sock.setblocking(False)
        while len(self._clients) >= CLIENTS_MAX:
            self._drop(next(iter(self._clients.values())))
        self._clients[sock] = Client(sock, time.monotonic() + REQUEST_S)
        self._selector.register(sock, selectors.EVENT_READ)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.sock, None) is not None:
            self._selector.unregister(client.sock)
            client.sock.close()

    def _serve(self, client: Client) -> None:
        if client.sock not in self._clients:
            return  # dropped for another one in this very round
        try:
            if client.rest:
                self._send(client)
            else:
                self._receive(client)
        except BlockingIOError:
            pass  # told too early: the selector calls again
        except OSError:
            self._drop(client)

    def _receive(self, client: Client) -> None:
        piece = client.sock.recv(REQUEST_BYTES_MAX)
        client.received += piece
        if not piece:
            self._drop(client)
        elif _END.search(client.received) or len(client.received) > REQUEST_BYTES_MAX:
            client.rest = memoryview(self._answered(bytes(client.received)))
            client.until = time.monotonic() + REQUEST_S
            self._selector.modify(client.sock, selectors.EVENT_WRITE)
            self._send(client)

    def _send(self, client: Client) -> None:
        client.rest = client.rest[client.sock.send(client.rest) :]
        if not client.rest:
            self._drop(client)

    def _answered(self, request: bytes) -> bytes:
        """Return the bytes of the answer to a request."""
        found = _REQUEST.match(request)
        if found is None:
            return _bytes_of(Answer(431 if len(request) > REQUEST_BYTES_MAX else 400, "this is no request\n"))
        method, target = found[1].decode(), found[2].decode().partition("?")[0]
        page = self._pages.get(target)
        if method not in ("GET", "HEAD"):
            answer = Answer(405, "only GET and HEAD\n")
        elif page is None:
            answer = Answer(404, "there is " + ", ".join(self._pages) + "\n")
        else:
            try:
                answer = page()
            except Exception as error:  # a bug of a page is no reason to stop serving the others
                log.error("metrics: a page failed", page=target, exc_info=error)
                answer = Answer(500, "failed; the log says why\n")
        return _bytes_of(answer, head=method == "HEAD")


def _bytes_of(answer: Answer, *, head: bool = False) -> bytes:
    body = answer.body.encode("utf-8", "backslashreplace")
    lines = [
        f"HTTP/1.1 {answer.status} {_STATUS[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *(["Allow: GET, HEAD"] if answer.status == 405 else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head else body)
