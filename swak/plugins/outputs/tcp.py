"""Send events over TCP."""

from swak.event import Batch
from swak.formats.registry import Format, LineFormat, Shape
from swak.options import Duration, option
from swak.plugin import Output, Pending
from swak.sockets.address import port_problems
from swak.sockets.stream_client import StreamClient

SETTLE_S = 0.1
"""How long what was sent may wait until it is asked for."""


class Tcp(Output):
    """Send each event over a TCP connection, by default as a line of JSON.

    TCP has no acks of its own. On Linux an event counts as delivered when the receiver's kernel has acked its bytes;
    elsewhere when ours has taken them. What the receiving program loses of that when it dies is lost: where that
    matters, use a protocol with acks (`out.Fluentd`, `out.Http`). When the connection breaks, everything since the
    last look (0.1 s) is sent again, so some events may arrive twice, and the receiver may see a torn line at the end
    of the old connection. A refused connection, or a receiver that takes nothing for `timeout`: the same events are
    sent again with growing pauses (`retry_for`). What the receiver says is ignored.

    Formats are those of `out.File`; csv and tsv come without a header. A record that the format cannot carry goes to
    the dead letters. There is no TLS yet.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.Tcp("192.168.0.1", 5000))`
    """

    host: str = option("Name or address of the receiver.")
    port: int = option("Its TCP port.", above=0)
    format: LineFormat = option("How an event looks.", default="json")
    timeout: Duration = option("How long connecting may take, and the receiver take nothing.", default="10s", above=0)
    fields: list[str] | None = option("Columns of csv, tsv and ltsv.", default=None)
    template: str = option('What a line shows, e.g. "{time} {tag} {message}".', default="")
    zone: str = option('Time zone of {time}: "UTC", "local" or a name such as "Asia/Seoul".', default="UTC")

    connects = True
    _aborted = False
    _client: StreamClient | None = None
    _format: Format | None = None
    _pending_since: float | None = None

    def check(self) -> list[tuple[str, str]]:
        problems = [] if self.host else [("host is empty", 'name a receiver, e.g. Tcp("192.168.0.1", 5000)')]
        return problems + port_problems(self.port, "5000") + self._shape().problems()

    def takes_json(self) -> bool:
        return self.format == "json"

    def open(self) -> None:
        self._format = self._shape().made()
        if self._client is None:
            self._client = StreamClient(self.host, self.port, self.timeout)
        if self._aborted:
            self._client.abort()
        self._client.connect()

    def write(self, batch: Batch) -> type[Pending] | None:
        assert self._format is not None
        assert self._client is not None
        data = self._format.encode(batch)
        if not data:
            return None
        self._client.send(data)
        if self._pending_since is None:
            self._pending_since = self.clock.monotonic()
        return Pending

    def sync(self) -> None:
        self._pending_since = None
        if self._client is not None:
            self._client.settle()

    def due_at(self) -> float | None:
        return None if self._pending_since is None else self._pending_since + SETTLE_S

    def probe(self) -> bool:
        return self._client is not None and self._client.probe()

    def alive(self) -> bool:
        return self._client is not None and self._client.alive()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def abort(self) -> None:
        self._aborted = True
        if self._client is not None:
            self._client.abort()

    def _shape(self) -> Shape:
        return Shape(self.format, self.fields, self.template, zone=self.zone)
