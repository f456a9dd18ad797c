"""Receive events from Fluentd, Fluent Bit and whatever else speaks their forward protocol."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from swak.errors import EndOfInput
from swak.forward.handshake import Lock
from swak.forward.server import Server
from swak.forward.settings import Settings
from swak.forward.tls import Tls
from swak.options import Duration, Size, option
from swak.plugin import Input

if TYPE_CHECKING:
    from swak.event import Chunk


class Forward(Input):
    """Receive events from Fluentd, Fluent Bit, a logger's library or another swak (forward protocol, version 1).

    Every mode is taken: single events, lists, packed and compressed chunks, times of whole seconds or nanoseconds,
    entries with Fluent Bit's metadata (which is dropped) and without. Tag and time are the sender's.
    Packed entries with EventTime that no stage looks at keep the bytes they came as, on disk and to the next receiver.

    A chunk is acked only when all of its events are settled: written and synced, dropped on purpose, or safe among the
    dead letters. A sender that asks for acks sends what was not acked again, so a crash on either side loses nothing;
    it may come twice. **Without acks** (a plain `fluent-logger`) what was in flight when swak dies is lost, and the
    receipt counts it so. When swak stops, no more is read, and connections stay open until what was read is acked.

    When the stages below are full, nothing is read: senders wait. That holds for all connections alike.

    - **Whom it lets in**: everybody who reaches `host`, unless there is a `shared_key` (senders must prove that they
      know it) or `ca` (senders must show a certificate by one of its authorities). `users` also wants a name and a
      password. Without TLS, `cert` that is, everybody on the way can read the events.
    - **What it refuses**: what is not the protocol, or larger than `chunk_max` (unpacked: four times that), who takes
      longer than `timeout` for a handshake, pauses for as long within a chunk or sends it at less than 16 KiB/s, who
      ends in the middle of a chunk or never reads its acks. That connection is closed, counted in the receipt and told
      in the log; no other one notices. Large chunks on their way take 256 MiB of memory: beyond that they are received
      one after the other. Of compression it takes gzip only; other kinds are refused by their name.
    - **Heartbeats** by TCP and by UDP are answered.
    - **What comes again**: a chunk whose sender never got the ack is sent again under its id. Where one of that tag
      and id was settled already it is acked at once and not taken, and while it is under way its ack waits for the
      first one; the receipt counts both. The last `dedupe` ids are known, 130 bytes each, until a restart. What has no
      wish for an ack, ids of less than 16 characters, and those of Fluent Bit are never refused: its ids are hashes of
      the content, which two chunks may share.

    A buffer in memory keeps events unsettled: where it may do so for longer than `ack_timeout`, `swak check` refuses
    it, because senders would send everything again and again.

    Example:
        `task(in_.Forward("0.0.0.0", shared_key="..."), out.File("/var/log/all.jsonl"))`
    """

    host: str = option("Address to listen on; 0.0.0.0 and :: are all of them.", default="127.0.0.1")
    port: int = option("TCP port, and UDP port of heartbeats; 0 takes any that is free.", default=24224, at_least=0)
    shared_key: str = option("Key that senders must know; none if empty.", default="", secret=True)
    users: dict[str, str] = option("Passwords by name of users; none if empty.", default={}, secret=True)
    hostname: str = option("Name that we give with the key; the machine's if empty.", default="")
    cert: str = option("PEM file of our certificate: switches TLS on.", default="")
    key: str = option("PEM file of its key, if that is not in the same file.", default="")
    ca: str = option("PEM file of authorities: senders must show a certificate by one of them.", default="")
    ack_timeout: Duration | None = option(
        "How long senders wait for an ack; None: they want none. Fluentd's default.", default="190s", above=0
    )
    timeout: Duration = option("How long a handshake, or a pause within a chunk, may take.", default="30s", above=0)
    chunk_max: Size = option("Largest chunk that is taken.", default="64MiB", above=0)
    connections_max: int = option("Connections at a time; more are closed at once.", default=4096, above=0)
    dedupe: int = option("Settled chunks that are known when they come again; 0: none.", default=10_000, at_least=0)

    _server: Server | None = None
    _noted = ""
    _interrupted = False
    _whole = False
    """Whether no turn is under way, or was cut off in the middle: what is held of each connection is right."""

    def check(self) -> list[tuple[str, str]]:
        problems = []
        if not self.host:
            problems.append(("host is empty", 'give an address, e.g. "0.0.0.0" for all'))
        if self.port > 65_535:
            problems.append((f"there is no port {self.port}", "senders expect 24224"))
        if self.users and not self.shared_key:
            problems.append(("users go with a shared key", "add shared_key="))
        if (self.key or self.ca) and not self.cert:
            problems.append(("key and ca are for TLS, which needs a certificate", "add cert="))
        return problems

    def patience_s(self) -> float | None:
        return self.ack_timeout

    @property
    def bound_port(self) -> int:
        """The port that it listens on; 0 while it does not."""
        return 0 if self._server is None else self._server.port

    def listens_on(self) -> list[tuple[str, str, int]]:
        return [("tcp", self.host, self.port), ("udp", self.host, self.port)]

    def open(self) -> None:
        hostname = self.hostname or socket.gethostname()
        settings = Settings(
            self.host,
            self.port,
            Lock(hostname, self.shared_key, self.users) if self.shared_key else None,
            Tls(self.ca, self.cert, self.key) if self.cert else None,
            self.timeout,
            self.chunk_max,
            self.connections_max,
            dedupe=self.dedupe,
        )
        self._interrupted = False
        self._server = Server(settings, self.clock, self.log, self.berth)
        self._pending = self._server.open()
        self._whole = True
        self.log.info("listening", host=self.host, port=self._server.port)

    def read(self) -> list[Chunk] | None:
        assert self._server is not None, "read comes after open"
        if self._pending:
            pending, self._pending = self._pending, []
            return pending
        until = time.monotonic() + self.wait_s
        while True:
            self._whole = False
            chunks = self._server.turn(max(0.0, until - time.monotonic()))
            self._whole = True
            self.coming = self._server.waiting
            if chunks:
                return chunks
            if (self._interrupted and not self.once) or time.monotonic() >= until:
                break  # with `once` what has been sent by now gets that time to come in
        self._interrupted = False
        if self.once and not self._server.waiting:
            raise EndOfInput
        return None

    def rest(self) -> list[Chunk] | None:
        return None if self._server is None else self._server.rest() or None

    def answer(self) -> None:
        if self._server is not None:
            self._server.answer()

    def notes(self) -> str:
        return self._noted if self._server is None else _notes_of(self._server)

    def interrupt(self) -> None:
        self._interrupted = True
        server = self._server
        if server is not None:
            server.wake()

    def abort(self) -> None:
        self.interrupt()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close(ended=self.ended, whole=self._whole)
            self._noted = _notes_of(server)


def _notes_of(server: Server) -> str:
    return "; ".join(filter(None, (server.faults.text(), server.repeats.text())))
