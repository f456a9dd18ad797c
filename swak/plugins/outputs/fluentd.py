"""Send events to Fluentd, Fluent Bit or whatever else takes their forward protocol."""

import socket
from typing import ClassVar

from swak.event import Batch
from swak.forward.client import Client
from swak.forward.frames import frames
from swak.forward.handshake import Secrets
from swak.forward.tls import Tls
from swak.options import Duration, option
from swak.plugin import Output
from swak.spool.places import place_of

TOTAL_S = 240.0
"""How long one write may take in all. Shorter than `hang_after_s`, so that a slow receiver is no hang."""


class Fluentd(Output):
    """Send events to a Fluentd server (forward protocol, version 1) and wait until it acks them.

    An event counts as delivered when the receiver has acked its chunk. A refused connection, a missing or wrong ack,
    a connection that ends: the same events are sent again with growing pauses (`retry_for`); chunks that were acked
    before are left out. A chunk whose ack got lost is sent again under the same id, so that the receiver can tell: ours
    takes it once, Fluentd and Fluent Bit take it twice. After a restart of swak the ids are the same only straight
    behind a `DiskBuffer`: filters may stand between, but nothing that gathers, cuts or fans out, since a part of what
    the spool holds is not named by its place there. Everything else gets random ids, and what was in flight when swak
    was killed may arrive twice.

    Neighbours of one tag travel in one chunk of at most 2 MiB; a single larger event has a chunk of its own, and a
    receiver with a lower limit may never ack it (Fluent Bit: `Buffer_Max_Size`). Times keep their nanoseconds from
    1970 to 2106, and whole seconds outside of that. Bytes stay bytes, dates become ISO text, keys text. What msgpack
    cannot carry (a whole number beyond 64 bits, an object) goes to the dead letters before anything is sent.

    - **Shared key**: `shared_key`, and `user` and `password` where the server asks for them. Both sides prove that
      they know the key; without TLS the events themselves can be read on the way. Servers refuse a sender of their own
      name: `hostname` gives another one than the machine's.
    - **TLS**: `tls=True` checks the server's certificate and name against the system's authorities, or those in the
      file `ca`; `cert` and `key` show a certificate of ours. Files are read at each connection: renewed ones are seen.
    - **Compression**: `gzip=True` sends compressed chunks, an eighth to a third of the bytes for twice the CPU.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.Fluentd("192.168.0.1"))`
    """

    host: str = option("Name or address of the server.")
    port: int = option("Its TCP port.", default=24224, above=0)
    timeout: Duration = option("How long connecting may take.", default="10s", above=0)
    ack_timeout: Duration = option("How long the server may stay silent while an ack is due.", default="30s", above=0)

    gzip: bool = option("Whether to compress chunks.", default=False)
    keepalive: bool = option("Whether one connection serves for many writes.", default=True)
    shared_key: str = option("Key that the server asks for; none if empty.", default="", secret=True)
    user: str = option("Name of the user, where the server wants one.", default="")
    password: str = option("Password of the user.", default="", secret=True)
    hostname: str = option("Name that we give with the key; the machine's if empty.", default="")
    tls: bool = option("Whether to speak TLS.", default=False)
    ca: str = option("PEM file of the authorities that we trust; the system's if empty.", default="")
    cert: str = option("PEM file of our own certificate, if the server wants one.", default="")
    key: str = option("PEM file of its key, if that is not in the same file.", default="")
    verify: bool = option("Whether the server's certificate and name are checked.", default=True)

    hang_after_s: ClassVar[float] = 300.0

    connects = True
    _aborted = False
    _client: Client | None = None
    _batch: Batch | None = None

    def check(self) -> list[tuple[str, str]]:
        problems = []
        if not self.host:
            problems.append(("host is empty", 'name a server, e.g. Fluentd("192.168.0.1")'))
        if self.port > 65_535:
            problems.append((f"there is no port {self.port}", "Fluentd listens on 24224 unless it was told otherwise"))
        if self.timeout + self.ack_timeout > TOTAL_S:
            problems.append((f"timeout and ack_timeout together exceed {TOTAL_S:g} s", "make one of them shorter"))
        if not self.tls and (self.ca or self.cert or self.key or not self.verify):
            problems.append(("ca, cert, key and verify are for TLS, which is off", "add tls=True"))
        if self.key and not self.cert:
            problems.append(("a key without a certificate", "add cert="))
        if (self.user or self.password) and not self.shared_key:
            problems.append(("user and password go with a shared key", "add shared_key="))
        return problems

    def open(self) -> None:
        if self._client is None:
            self._client = Client(
                self.host,
                self.port,
                self.timeout,
                self.ack_timeout,
                TOTAL_S,
                tls=Tls(self.ca, self.cert, self.key, self.verify) if self.tls else None,
                secrets=self._secrets() if self.shared_key else None,
                gzip=self.gzip,
                keepalive=self.keepalive,
            )
        if self._aborted:
            self._client.abort()
        self._client.connect()

    def write(self, batch: Batch) -> None:
        if batch is not self._batch:  # else it comes again, and has its ids
            self._frames = frames(batch, place_of(batch.ack))
            self._batch = batch
        if self._client is not None and self._frames:
            self._client.deliver(self._frames)
        self._batch = None

    def probe(self) -> bool:
        return self._client is not None and self._client.probe()

    def alive(self) -> bool:
        return self._client is not None and (not self.keepalive or self._client.alive())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def abort(self) -> None:
        self._aborted = True
        if self._client is not None:
            self._client.abort()

    def _secrets(self) -> Secrets:
        return Secrets(self.hostname or socket.gethostname(), self.shared_key, self.user, self.password)
