"""Read events that others send over HTTP."""

from __future__ import annotations

from collections import deque
from importlib.util import find_spec
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Literal

from swak.event import Chunk
from swak.options import Duration, Size, option
from swak.plugin import Input
from swak.sockets.address import port_problems
from swak.sockets.awaiting import Awaiting
from swak.sockets.codecs import Codec
from swak.sockets.http_content import HttpError, check_text, unpacked
from swak.sockets.http_gate import ASKING, Gate, authorization
from swak.sockets.server import Server

if TYPE_CHECKING:
    from swak.event import Body
    from swak.sockets.http_server import HttpServer, Request

SOURCE = "http"
LOOK_S = 0.25
"""How often late requests are looked for."""


class Http(Input):
    """Take events from POST (or PUT) requests, and answer each when all of its events are safe.

    A body is one JSON object, an array of objects, or JSON objects one a line (NDJSON), plain or in gzip or deflate;
    with `codec="line"` each line is an event with its text in `message`. `@timestamp` (seconds or ISO 8601) becomes the
    event's time, and `host` is the sender's address unless the record has one. A body is taken as a whole or not at
    all: 400 names the line that is wrong. With `tag=None` the path is the tag: `/app/web` makes `app.web`.

    **200** means that every event was delivered: written by the outputs, synced by a durable buffer, dropped on
    purpose, or kept as a dead letter. With `ack_timeout=None` it means that the next stage has the events in memory;
    they are lost then if swak dies, and the receipt names what was lost at a stop. **429** means that `memory` is
    full, because outputs are slower than senders; **503** that events were not delivered within `ack_timeout`, or that
    swak stops. Both come with `Retry-After`: send the same again. After a 503 or a connection that broke, events
    may arrive twice. Others: 400, 401, 404, 405, 408, 411, 413 (`max_body`, before and after unpacking, and a million
    values), 415, 431. GET of `health` is answered with 200, without a token.

    One thread serves all connections. A head that is not there within `timeout` is given up (408), and so is a body
    that comes at less than 16 KiB a second after that. Each connection has one request at a time; that of HTTP/1.0 ends
    with its answer. A body that is read takes up to 20 times its size. There is no TLS: put a proxy in front where
    others listen. Needs `pip install h11`.

    Example:
        `task(in_.Http(8080), out.File("/var/log/all.json"))`
    """

    port: int = option("TCP port to listen on; 0 takes a free one, which the log names.", at_least=0)
    host: str = option('Address to listen on; "0.0.0.0" or "::" for all.', default="127.0.0.1")
    path: str = option('The only path that takes events; "/" takes all.', default="/")
    codec: Literal["json", "line"] = option("What a body holds.", default="json")
    tag: str | None = option("Tag of the events; None: the path, with dots for slashes.", default="http")
    user: str | None = option("Name that senders must give by basic authentication.", default=None)
    password: str = option("Password that goes with it.", default="", secret=True)
    token: str | None = option("What senders must give as `Authorization: Bearer`.", default=None, secret=True)
    health: str = option("Path that tells with GET whether swak is up.", default="/health")
    ack_timeout: Duration | None = option(
        "How long senders wait for their events to be delivered; None: they do not.", default="30s", above=0
    )
    timeout: Duration = option("How long a request may take to come.", default="10s", above=0)
    max_body: Size = option("Bytes that a body may have, also unpacked.", default="16MiB", above=0)
    memory: Size = option("Bytes of all bodies that are on their way or wait.", default="64MiB", above=0)
    connections_max: int = option("Connections at a time.", default=10_000, above=0)
    host_field: str | None = option("Field for the sender's address.", default="host")
    time_field: str | None = option("Field of JSON that holds the event's time.", default="@timestamp")

    _server: Server | None = None
    _interrupted = False

    def check(self) -> list[tuple[str, str]]:
        bad = [] if self.path.startswith("/") else [(f'path "{self.path}" has no slash', f'write "/{self.path}"')]
        if self.user is not None and self.token is not None:
            bad.append(("user and token are both given", "leave one of them out"))
        if find_spec("h11") is None:
            bad.append(("there is no h11, which reads HTTP", "pip install h11"))
        return bad + port_problems(self.port, "8080")

    def patience_s(self) -> float | None:
        return self.ack_timeout

    def listens_on(self) -> list[tuple[str, str, int]]:
        return [("tcp", self.host, self.port)]

    def open(self) -> None:
        from swak.sockets.http_server import IDLE_S, HttpServer  # noqa: PLC0415 - it needs h11, which others do without

        self._codec = Codec(self.codec, host_field=self.host_field, time_field=self.time_field)
        now = self.clock.monotonic
        self._server = Server(self.host, self.port, self.connections_max, now, IDLE_S, berth=self.berth)
        self._http: HttpServer = HttpServer(
            self._server,
            Gate(self.path, self.health, authorization(self.user, self.password, self.token)).admit,
            body_bytes_max=self.max_body,
            memory_bytes=self.memory,
            timeout_s=self.timeout,
            answer_s=inf if self.ack_timeout is None else self.ack_timeout,
            monotonic=now,
        )
        self._look_at = 0.0
        self._ready: deque[Request] = deque()
        self._awaiting = Awaiting(self._server.wake)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, once it is open."""
        return None if self._server is None else self._server.address

    def read(self) -> list[Chunk] | None:
        ends_at = monotonic() + self.wait_s
        self._confirm()
        while not self._interrupted:
            left_s = max(0.0, ends_at - monotonic())
            self._serve(0.0 if self._ready else left_s)
            while self._ready:
                if chunks := self._chunks(self._ready.popleft()):
                    return chunks
            if not left_s:
                break
        self._interrupted = False
        return None

    def answer(self) -> None:
        self._serve(0.0)

    def rest(self) -> None:
        """Nothing is taken any more; what the next stage has accepted is told."""
        self._confirm()
        self._http.stop(self._ready)
        self._ready.clear()

    def notes(self) -> str:
        refused = self._http.refused if self._server is not None else {}
        return ", ".join(f"{count} requests answered with {status}" for status, count in sorted(refused.items()))

    def interrupt(self) -> None:
        self._interrupted = True
        if self._server is not None:
            self._server.wake()

    def close(self) -> None:
        if self._server is not None:
            self._http.stop([*self._ready, *self._awaiting])
            self._http.leave(ended=self.ended)
            self._server.close()

    def abort(self) -> None:
        if self._server is not None:
            self._server.abort()

    def _serve(self, wait_s: float) -> None:
        """Take what comes, answer what is settled, and give up on what is late."""
        for request in self._http.poll(wait_s):
            if request.method in ASKING:
                self._http.answer(request, 200, up=True)
            else:
                self._ready.append(request)
        for request in self._awaiting.settled():
            self._accept(request)
        now = self.clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            for request in [one for one in [*self._ready, *self._awaiting] if one.due_at <= now]:
                if not self._awaiting.forget(request):
                    self._ready.remove(request)
                self._http.answer(request, 503, "not delivered in time; send it again")

    def _confirm(self) -> None:
        """`read` is called again: the next stage has accepted what the last one returned."""
        if self.ack_timeout is None:
            for request in self._awaiting:
                self._awaiting.forget(request)
                self._accept(request)

    def _accept(self, request: Request) -> None:
        self._http.answer(request, 200, events=request.events)

    def _chunks(self, request: Request) -> list[Chunk]:
        try:
            bodies = self._bodies(request)
        except HttpError as error:
            self._http.answer(request, error.status, error.text)
            return []
        request.events, request.body = sum(body.count for body in bodies), b""
        if not bodies:
            self._accept(request)
            return []
        tag = self.tag or request.path.strip("/").replace("/", ".") or SOURCE
        told = self._awaiting.begin(request, len(bodies))
        awaited = self.ack_timeout is not None
        parts = zip(bodies, told, strict=True)
        return [Chunk(body, tag, SOURCE, None, one if awaited else None) for body, one in parts]

    def _bodies(self, request: Request) -> list[Body]:
        body = unpacked(request.body, request.headers.get("content-encoding", ""), self.max_body)
        check_text(body, strict=self.codec == "json")
        try:
            return self._codec.whole(body, request.connection.host, self.clock.time_ns())
        except ValueError as error:
            raise HttpError(400, str(error)) from None
