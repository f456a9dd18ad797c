"""Read lines that others send over TCP."""

from __future__ import annotations

import codecs
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Literal

from swak.event import Chunk
from swak.options import Duration, Size, option
from swak.plugin import Input
from swak.sockets.address import port_problems
from swak.sockets.codecs import Codec
from swak.sockets.lines import LineCutter
from swak.sockets.server import Server
from swak.sockets.unread import unread_bytes

if TYPE_CHECKING:
    from swak.sockets.server import Connection

SOURCE = "tcp"
RESTS = 100
"""How often, at the end, what has already come is looked for: a sender that never stops must not keep us."""


class Tcp(Input):
    """Read lines from whoever connects: an event a line.

    `json` takes each line for a JSON object whose fields become the record's; its `@timestamp` (seconds or ISO 8601)
    becomes the event's time. A line that is no JSON stays an event with its text in `message` and `_jsonparsefailure`
    in `tags`, and is counted. `line` and `plain` keep the text of a line in `message`. The field `host` is the
    sender's address, unless the record has one; with `host_field=None` lines pass untouched, which costs least.

    While no stage looks inside, JSON keeps the bytes it came as, with `host` added at the end. Where a stage looks, of
    a key that comes twice the last value counts, and a number beyond a float's range is text.

    TCP has no acks: what was received and not yet delivered is lost when swak dies. When it stops, the receipt
    names the events that are lost, and the bytes that had come and were not read; senders that must know use
    `in_.Forward` or `in_.Http`. When the stages behind are full, nothing is read, and senders wait. A line longer
    than `max_line` is cut there. So is the unfinished line of a connection when all of them together exceed
    `memory`. The last line of a connection counts without a line end, too.

    One thread serves all connections. A peer that vanished is noticed within a minute; one that is quiet for
    `idle_timeout` is closed. Beyond `connections_max` the one that was quiet for longest gives way to a new one.

    Example:
        `task(in_.Tcp(5000, codec="json"), out.File("/var/log/all.json"))`
    """

    port: int = option("TCP port to listen on; 0 takes a free one, which the log names.", at_least=0)
    codec: Literal["line", "json", "plain"] = option("What a line is.", default="line")
    host: str = option('Address to listen on; "0.0.0.0" or "::" for all.', default="127.0.0.1")
    tag: str = option("Tag of the events.", default="tcp")
    encoding: str = option("Encoding of the text; it must write a line feed as one byte.", default="utf-8")
    max_line: Size = option("Bytes that a line may have.", default="1MiB", above=0)
    memory: Size = option("Bytes of unfinished lines of all connections together.", default="64MiB", above=0)
    connections_max: int = option("Connections at a time.", default=10_000, above=0)
    idle_timeout: Duration | None = option("How long a connection may be quiet.", default=None, above=0)
    host_field: str | None = option("Field for the sender's address.", default="host")
    time_field: str | None = option("Field of JSON that holds the event's time.", default="@timestamp")

    _server: Server | None = None
    _interrupted = False
    _whole = False
    """Whether no call is under way, or was cut off in the middle: what is held of each line is right."""
    _cut_lines = _unread_bytes = 0

    def check(self) -> list[tuple[str, str]]:
        try:
            fits = "\n".encode(self.encoding) == b"\n" and codecs.lookup(self.encoding)
        except (LookupError, UnicodeError):
            fits = None
        bad = [] if fits else [(f'encoding "{self.encoding}" has no lines', 'give one such as "utf-8" or "cp949"')]
        return bad + port_problems(self.port, "5000")

    def listens_on(self) -> list[tuple[str, str, int]]:
        return [("tcp", self.host, self.port)]

    def open(self) -> None:
        self._codec = Codec(self.codec, encoding=self.encoding, host_field=self.host_field, time_field=self.time_field)
        self._held_bytes = 0
        self._rests = RESTS
        self._whole = False
        idle_s = self.idle_timeout or inf
        self._server = Server(
            self.host, self.port, self.connections_max, self.clock.monotonic, idle_s, berth=self.berth
        )
        for connection, left in self._server.arrived():
            connection.state = LineCutter(self.max_line, left.rest, skipping=bool(left.state.get("skipping")))
            self._held_bytes += len(left.rest)
        self._whole = True

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, once it is open."""
        return None if self._server is None else self._server.address

    def read(self) -> list[Chunk] | None:
        chunks: list[Chunk] = []
        ends_at = monotonic() + self.wait_s
        while not chunks:
            left_s = max(0.0, ends_at - monotonic())
            chunks = self._poll(left_s)
            if not left_s or self._interrupted:
                break
        self._interrupted = False
        return chunks or None

    def rest(self) -> list[Chunk] | None:
        """Take what is already here, a bounded number of times, then the lines that nobody has finished."""
        assert self._server is not None
        if not self._rests or self._server.handing:
            return None
        self._rests -= 1
        chunks = self._poll(0.0) if self._rests else []
        if not chunks:
            self._rests = 0
            chunks = self._chunks([(one, b"") for one in self._server.connections])
        return chunks or None

    def _poll(self, wait_s: float) -> list[Chunk]:
        assert self._server is not None
        self._whole = False
        chunks = self._chunks(self._server.poll(wait_s))
        self._whole = True
        return chunks

    def _chunks(self, came: list[tuple[Connection, bytes | None]]) -> list[Chunk]:
        lines = [(self._lines(connection, data), connection.host) for connection, data in came]
        return [Chunk(body, self.tag, SOURCE) for body in self._codec.lines(lines, self.clock.time_ns())]

    def notes(self) -> str:
        if self._server is None:
            return ""
        counts = {
            "bytes left unread": self._unread_bytes,
            "lines cut": self._cut_lines,
            "lines that are no JSON": self._codec.failures,
            "connections turned away": self._server.turned_away,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def losses(self) -> dict[str, int]:
        return {"left unread, bytes": self._unread_bytes, "cut by max_line or memory, lines": self._cut_lines}

    def interrupt(self) -> None:
        self._interrupted = True
        if self._server is not None:
            self._server.wake()

    def close(self) -> None:
        server = self._server
        if server is None:
            return
        goes_on = server.hands_on(ended=self.ended)
        cutters = {one: one.state or LineCutter(self.max_line) for one in server.connections if goes_on and self._whole}
        unread = sum(unread_bytes(one.sock) for one in server.connections if one not in cutters)
        if unread:
            self.log.warning("bytes that had come and that nobody read are lost", bytes=unread)
        self._unread_bytes += unread
        if goes_on:
            server.leave({one: (cutter.rest, {"skipping": cutter.skipping}) for one, cutter in cutters.items()})
        server.close()

    def abort(self) -> None:
        if self._server is not None:
            self._server.abort()

    def _lines(self, connection: Connection, data: bytes | None) -> bytes:
        """Return the whole lines that a connection has made so far; without data it is over."""
        assert self._server is not None
        cutter: LineCutter = connection.state or LineCutter(self.max_line)
        connection.state = cutter
        before_bytes, before_cut = cutter.held_bytes, cutter.cut_lines
        lines = cutter.feed(data) if data else cutter.end()
        if self._held_bytes - before_bytes + cutter.held_bytes > self.memory:
            lines += cutter.cut()
        self._held_bytes += cutter.held_bytes - before_bytes
        if cutter.cut_lines > before_cut:
            self._cut_lines += cutter.cut_lines - before_cut
            self.log.warning("a line is too long and was cut", peer=connection.host, lines_cut=self._cut_lines)
        if not data:
            self._server.close_connection(connection)
        elif self.idle_timeout is not None:
            connection.deadline = self.clock.monotonic() + self.idle_timeout
        return lines
