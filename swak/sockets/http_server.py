"""An HTTP server for events: requests come out whole, and each is answered when somebody says how."""

from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING

from swak.sockets.http_content import HttpError
from swak.sockets.http_exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from swak.sockets.server import Connection, Server

RATE_BYTES = 16 * 1024
"""What a body must come in at, in bytes a second, after its first `timeout_s`."""
IDLE_S = 75.0
"""How long a connection may wait for its next request; most clients give up after 60 s."""
RETRY_AFTER_S = 1
"""When to come again, where nothing better is known."""
STOPS = "swak stops; send it again to its successor"
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

    def __init__(self, connection: Connection, exchange: Exchange, due_at: float) -> None:
        self.connection = connection
        self.method = exchange.method
        self.path = exchange.target.partition("?")[0]
        self.headers = exchange.headers
        self.body = bytes(exchange.body)
        self.due_at = due_at
        """When it must be answered, in monotonic seconds."""
        self.answered = False
        self.events = 0


class HttpServer:
    """Reads requests and sends answers. A connection has one request at a time; nothing is read while it waits, nor
    before its sender has taken the answer.

    `admit` is asked when the head of a request is there, with its body still to come; it raises HttpError to refuse it.
    The bodies that are on their way, and those that wait for an answer, are at most `memory_bytes` together: beyond
    that senders are told 429. A head has `timeout_s` to come, a body as long and RATE_BYTES a second, and an answer
    as long to be taken.
    """

    def __init__(
        self,
        server: Server,
        admit: Callable[[Exchange], None],
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
        self._answered: dict[Connection, None] = {}
        """Those whose answer is on its way: they may not say more before they have taken it."""
        self.held_bytes = 0
        """Bytes of bodies that are on their way or wait."""
        self.refused: dict[int, int] = {}
        """Requests by the status of an answer other than 200."""
        self._stopping = False
        self._resting: list[Connection] = []
        """Those that nothing is read of any more: a successor will."""
        server.arrived()

    def poll(self, wait_s: float) -> list[Request]:
        """Return the requests that are whole now. Waits at most `wait_s` for something to happen."""
        came = self._server.poll(0.0 if self._taken() else wait_s)
        found = [self._take(connection, data) for connection, data in came]
        found += [self._go_on(connection) for connection in self._taken()]
        return [request for request in found if request is not None]

    def answer(self, request: Request, status: int, text: str = "", **fields: object) -> None:
        """Answer a request, once; `text` is for people. What follows it on its connection comes out of `poll`."""
        if request.answered:
            return
        request.answered = True
        connection = request.connection
        self._release(connection)
        if not connection.open:
            return
        self._send(connection, status, text, close=self._stopping, **fields)
        if connection.open and not connection.closing:
            self._answered[connection] = None
            connection.deadline = self._monotonic() + self._timeout_s

    def stop(self, requests: Iterable[Request]) -> None:
        """Take no more requests, and send these to somebody else.

        Where somebody goes on after us, connections that wait for their next request are left alone, and so are those
        that nobody has accepted.
        """
        if not self._stopping and self._server.handing:
            self._resting = self._idle()
            self._server.deafen()
            for connection in self._resting:
                self._server.pause(connection, paused=True)
        self._stopping = True
        for request in requests:
            self.answer(request, 503, STOPS)

    def leave(self, *, ended: bool) -> None:
        """Leave the connections that wait for their next request to a successor, if there is one."""
        if self._server.hands_on(ended=ended):
            self._server.leave({one: (b"", {}) for one in self._resting or self._idle()})

    def _idle(self) -> list[Connection]:
        return [one for one in self._server.connections if one not in self._answered and _is_idle(one)]

    def _taken(self) -> list[Connection]:
        """Return the connections whose answer has gone out, or never will."""
        return [one for one in self._answered if not one.out or not one.open]

    def _go_on(self, connection: Connection) -> Request | None:
        """Read the next request of a connection that has taken its answer; it may have come already."""
        del self._answered[connection]
        if not connection.open:
            return None
        connection.deadline = self._monotonic() + IDLE_S
        exchange: Exchange = connection.state
        try:
            exchange.next()
        except HttpError as error:
            self._refuse(connection, error)
            return None
        request = self._next(connection) if exchange.begun else None
        if request is None and connection.open:
            self._server.pause(connection, paused=False)
        return request

    def _take(self, connection: Connection, data: bytes | None) -> Request | None:
        exchange: Exchange | None = connection.state
        if exchange is None:
            exchange = connection.state = Exchange(self._body_max)
        if data is None:
            if exchange.begun and connection not in self._answered:
                self._refuse(connection, HttpError(408, "the request came too slowly"))
            else:
                self._close(connection)
            return None
        if not data:
            self._close(connection)
            return None
        try:
            exchange.feed(data)
        except HttpError as error:
            self._refuse(connection, error)
            return None
        return self._next(connection) if exchange.begun else None

    def _next(self, connection: Connection) -> Request | None:
        """Look at what has come of a request: refuse it, wait for more, or hand it out."""
        exchange: Exchange = connection.state
        now = self._monotonic()
        began = self._began.setdefault(connection, now)
        connection.deadline = began + self._timeout_s + len(exchange.body) / RATE_BYTES
        if not exchange.has_head:
            return None
        try:
            self._hold(connection, exchange)
        except HttpError as error:
            self._refuse(connection, error)
            return None
        if not exchange.complete:
            if go_on := exchange.go_on():
                self._server.send(connection, go_on)
            return None
        del self._began[connection]
        connection.deadline = inf
        self._server.pause(connection, paused=True)
        request = Request(connection, exchange, now + self._answer_s)
        exchange.body.clear()
        return request

    def _hold(self, connection: Connection, exchange: Exchange) -> None:
        """Let a request in, and count what has come of its body.

        What is announced must have room, but takes none: who announces much and sends nothing keeps nobody out.
        """
        if self._stopping:
            raise HttpError(503, STOPS)
        wanted = come = len(exchange.body)
        if connection not in self._held:
            self._admit(exchange)
            wanted = max(come, exchange.length or 0)
        before = self._held.get(connection, 0)
        if self.held_bytes > before and self.held_bytes - before + wanted > self._memory_bytes:
            raise HttpError(429, "too much waits to be delivered; come again")
        self._held[connection] = come
        self.held_bytes += come - before

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
        self._answered.pop(connection, None)
        self._server.close_connection(connection)

    def _send(self, connection: Connection, status: int, text: str, *, close: bool, **fields: object) -> None:
        if status != 200:
            self.refused[status] = self.refused.get(status, 0) + 1
            fields["error"] = text
        head = [("Content-Type", "application/json")]
        if status in (429, 503):
            head.append(("Retry-After", str(RETRY_AFTER_S)))
        if status == 401:
            head += [("WWW-Authenticate", f'{scheme} realm="swak"') for scheme in ("Bearer", "Basic")]
        if status == 405:
            head.append(("Allow", "GET, HEAD, POST, PUT"))
        if close:
            head.append(("Connection", "close"))
        exchange: Exchange = connection.state
        body = json.dumps(fields).encode() + b"\n"
        data, reusable = exchange.answer(status, _REASONS.get(status, "Error"), head, body)
        self._server.send(connection, data, close=not reusable)


def _is_idle(connection: Connection) -> bool:
    exchange: Exchange | None = connection.state
    return not (connection.paused or connection.out or (exchange is not None and exchange.begun))
