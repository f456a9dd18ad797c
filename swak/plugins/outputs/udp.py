"""Send events as datagrams."""

import errno
import selectors
import socket
import time

from swak.errors import Refused
from swak.event import Batch
from swak.formats.registry import Format, LineFormat, Shape
from swak.options import Duration, Size, option
from swak.plugin import Output
from swak.sinks.guard import aborted_error
from swak.sockets.address import dialled, located, port_problems, wait_for

NOTHING: tuple[list[bytes], list[int]] = ([], [])
UDP_BYTES_MAX = 65_507
"""What one datagram can carry over IPv4."""


class Udp(Output):
    """Send each event as one datagram, by default as JSON.

    UDP tells nobody what arrives: an event counts as delivered when this machine's kernel has taken it. Use it for
    receivers that speak nothing else. When the receiver's machine answers that nobody listens there (it may, for the
    datagram before), the events from that one on are sent again until somebody does.

    An event longer than `max_size` goes to the dead letters, and so does one that the format cannot carry. The line
    feed at the end is left out. Over networks, datagrams beyond 1,472 bytes travel in pieces, and are lost with any.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.Udp("192.168.0.1", 5959))`
    """

    host: str = option("Name or address of the receiver.")
    port: int = option("Its UDP port.", above=0)
    format: LineFormat = option("How an event looks.", default="json")
    max_size: Size = option("Bytes that a datagram may have.", default=UDP_BYTES_MAX, above=0)
    timeout: Duration = option("How long the system may take no datagram.", default="10s", above=0)
    fields: list[str] | None = option("Columns of csv, tsv and ltsv.", default=None)
    template: str = option('What a line shows, e.g. "{time} {tag} {message}".', default="")
    zone: str = option('Time zone of {time}: "UTC", "local" or a name such as "Asia/Seoul".', default="UTC")

    connects = True
    _aborted = False
    _sock: socket.socket | None = None
    _format: Format | None = None
    _done: tuple[list[bytes], list[int]] = NOTHING
    """Of a write that failed: what was sent, and which of it did not fit."""

    def check(self) -> list[tuple[str, str]]:
        problems = [] if self.host else [("host is empty", 'name a receiver, e.g. Udp("192.168.0.1", 5959)')]
        if self.max_size > UDP_BYTES_MAX:
            problems.append((f"no datagram holds {self.max_size} bytes", f"give at most {UDP_BYTES_MAX}"))
        return problems + port_problems(self.port, "5959") + self._shape().problems()

    def open(self) -> None:
        self._format = self._shape().made()
        self._check()
        self.close()
        self._sock = dialled(self.host, self.port, self.timeout, self._check, socket.SOCK_DGRAM)

    def write(self, batch: Batch) -> None:
        assert self._format is not None
        pieces = [piece.removesuffix(b"\n") for piece in self._format.pieces(batch)]
        done, large = self._done if pieces[: len(self._done[0])] == self._done[0] else NOTHING
        self._done, large = NOTHING, list(large)
        for at in range(len(done), len(pieces)):
            try:
                if not self._fits(pieces[at]):
                    large.append(at)
            except OSError as error:
                before = 1 if isinstance(error, ConnectionRefusedError) else 0  # said of the datagram before
                self._done = (pieces[: max(0, at - before)], large)
                raise located(error, self.host, self.port) from error
        if large:
            events = batch.events()
            raise Refused([events[at] for at in large], f"no datagram: it is empty, or above {self.max_size} bytes")

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()

    def abort(self) -> None:
        self._aborted = True

    def _fits(self, piece: bytes) -> bool:
        """Send one datagram; False when it is too long for us, or for the way."""
        if not 0 < len(piece) <= self.max_size:
            return False
        assert self._sock is not None
        ends_at = time.monotonic() + self.timeout
        while True:
            self._check()
            try:
                self._sock.send(piece)
            except BlockingIOError:
                if not wait_for(self._sock, selectors.EVENT_WRITE, 0.1) and time.monotonic() >= ends_at:
                    raise TimeoutError(f"no datagram was taken for {self.timeout:g} s") from None
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    return False
                raise
            else:
                return True

    def _check(self) -> None:
        if self._aborted:
            raise aborted_error()

    def _shape(self) -> Shape:
        return Shape(self.format, self.fields, self.template, zone=self.zone)
