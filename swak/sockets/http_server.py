"""An HTTP server for events: requests come out whole, and each is answered when somebody says how."""

from __future__ import annotations

import json
import zlib
from math import inf
from typing import TYPE_CHECKING

from swak.sockets.http_parser import HttpError, RequestParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.sockets.server import Connection, Server

RATE_BYTES = 16 * 1024
"""What a body must come in at, in bytes a second, after its first `timeout_s`."""
IDLE_S = 75.0
"""How long a connection may wait for its next request; most clients give up after 60 s."""
RETRY_AFTER_S = 1
"""When to come again, where nothing better is known."""
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Request:
    """A whole request, and the connection that its answer goes to."""

    __slots__ = ("answered", "body", "connection", "due_at", "events", "headers", "method", "path")

    def __init__(self, connection: Connection, parser: RequestParser, due_at: float) -> None:
        self.connection = connection
        self.method = parser.method
        self.path = parser.target.partition("?")[0]
        self.headers = parser.headers
        self.body = bytes(parser.body)
        self.due_at = due_at
        """When it must be answered, in monotonic seconds."""
        self.answered = False
        self.events = 0


class HttpServer:
    """Reads requests and sends answers. A connection has one request at a time; nothing is read while it waits.

    `admit` is asked when the head of a request is there, with its body still to come; it raises HttpError to refuse it.
    The bodies that are on their way, and those that wait for an answer, are at most `memory_bytes` together: beyond
    that senders are told 429. A head has `timeout_s` to come, a body as long and RATE_BYTES a second.
    """

    def __init__(
        self,
        server: Server,
        admit: Callable[[RequestParser], None],
        *,
        body_bytes_max: int,
        memory_bytes: int,
        timeout_s: float,
        answer_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._server = server
        self._monotonic = monotonic
        self._admit = admit
        self._body_max = body_bytes_max
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._answer_s = answer_s
        self._held: dict[Connection, int] = {}
        self._began: dict[Connection, float] = {}
        self.held_bytes = 0
        """Bytes of bodies that are on their way or wait."""
        self.refused: dict[int, int] = {}
        """Requests by the status of an answer other than 200."""
        self.stopping = False

    def poll(self, wait_s: float) -> list[Request]:
        """Return the requests that are whole now. Waits at most `wait_s` for something to happen."""
        requests = []
        for connection, data in self._server.poll(wait_s):
            request = self._take(connection, data)
            if request is not None:
                requests.append(request)
        return requests

    def answer(self, request: Request, status: int, text: str = "", **fields: object) -> list[Request]:
        """Answer a request, once; `text` is for people. Return the next one, if it has come already."""
        if request.answered:
            return []
        request.answered = True
        connection = request.connection
        self._release(connection)
        if not connection.open:
            return []
        parser: RequestParser = connection.state
        self._send(connection, status, text, close=not parser.keeps_alive or self.stopping, **fields)
        if not connection.open or connection.closing:
            return []
        self._server.pause(connection, paused=False)
        connection.deadline = self._monotonic() + IDLE_S
        self._began.pop(connection, None)
        try:
            parser.next()
        except HttpError as error:
            self._refuse(connection, error)
            return []
        following = self._next(connection) if parser.begun else None
        return [] if following is None else [following]

    def _take(self, connection: Connection, data: bytes | None) -> Request | None:
        parser: RequestParser | None = connection.state
        if parser is None:
            parser = connection.state = RequestParser(self._body_max)
        if data is None:
            if parser.begun:
                self._refuse(connection, HttpError(408, "the request came too slowly"))
            else:
                self._close(connection)
            return None
        if not data:
            self._close(connection)
            return None
        try:
            parser.feed(data)
        except HttpError as error:
            self._refuse(connection, error)
            return None
        return self._next(connection)

    def _next(self, connection: Connection) -> Request | None:
        """Look at what has come of a request: refuse it, wait for more, or hand it out."""
        parser: RequestParser = connection.state
        now = self._monotonic()
        began = self._began.setdefault(connection, now)
        connection.deadline = began + self._timeout_s + len(parser.body) / RATE_BYTES
        if not parser.has_head:
            return None
        try:
            if connection not in self._held:
                self._admit(parser)
                if parser.headers.get("expect", "").lower() == "100-continue" and not parser.complete:
                    self._hold(connection, parser)
                    self._server.send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
            self._hold(connection, parser)
        except HttpError as error:
            self._refuse(connection, error)
            return None
        if not parser.complete or not connection.open:
            return None
        connection.deadline = inf
        self._server.pause(connection, paused=True)
        return Request(connection, parser, now + self._answer_s)

    def _hold(self, connection: Connection, parser: RequestParser) -> None:
        """Count a body's bytes: all that were announced, or what has come."""
        wanted = max(parser.length or 0, len(parser.body))
        more = wanted - self._held.get(connection, 0)
        if more > 0 and self.held_bytes and self.held_bytes + more > self._memory_bytes:
            raise HttpError(429, "too much waits to be delivered; come again")
        self._held[connection] = wanted
        self.held_bytes += more

    def _release(self, connection: Connection) -> None:
        self.held_bytes -= self._held.pop(connection, 0)

    def _refuse(self, connection: Connection, error: HttpError) -> None:
        """Answer and close: what is still to come of the request cannot be told from the next one."""
        self._release(connection)
        self._began.pop(connection, None)
        self._send(connection, error.status, error.text, close=True)

    def _close(self, connection: Connection) -> None:
        self._release(connection)
        self._began.pop(connection, None)
        self._server.close_connection(connection)

    def _send(self, connection: Connection, status: int, text: str, *, close: bool, **fields: object) -> None:
        if status != 200:
            self.refused[status] = self.refused.get(status, 0) + 1
            fields["error"] = text
        body = json.dumps(fields).encode() + b"\n"
        head = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", "Content-Type: application/json"]
        head.append(f"Content-Length: {len(body)}")
        if status in (429, 503):
            head.append(f"Retry-After: {RETRY_AFTER_S}")
        if status == 401:
            head.append('WWW-Authenticate: Bearer realm="swak"')
        if status == 405:
            head.append("Allow: POST, PUT")
        head.append(f"Connection: {'close' if close else 'keep-alive'}")
        self._server.send(connection, "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + body, close=close)


def unpacked(body: bytes, coding: str, size_bytes_max: int) -> bytes:
    """Return a body as it was before `Content-Encoding`. HttpError for one that is broken, or becomes too large."""
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise HttpError(415, "the body is compressed in a way that is not known here; gzip is, and deflate")
    made: list[bytes] = []
    left = size_bytes_max
    while body:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16 if coding != "deflate" else zlib.MAX_WBITS)
        try:
            made.append(unpacker.decompress(body, left + 1))
        except zlib.error as error:
            raise HttpError(400, f"the body is no {coding}: {error}") from None
        left -= len(made[-1])
        if left < 0:
            raise HttpError(413, f"the body is longer than {size_bytes_max} bytes once it is unpacked")
        if not unpacker.eof:
            raise HttpError(400, f"the body's {coding} ends too early")
        body = unpacker.unused_data  # gzip may come in several parts
    return b"".join(made)
