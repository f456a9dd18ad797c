"""Read datagrams that others send over UDP."""

from __future__ import annotations

import codecs
from time import monotonic
from typing import Literal

from swak.event import Chunk
from swak.options import Size, option
from swak.plugin import Input
from swak.sockets.address import port_problems
from swak.sockets.codecs import Codec
from swak.sockets.datagrams import DATAGRAM_BYTES, Datagrams

SOURCE = "udp"
RESTS = 100
"""How often, at the end, what has already come is looked for: a sender that never stops must not keep us."""
LOOK_S = 5.0
"""How often the kernel is asked what it has dropped."""


class Udp(Input):
    """Read datagrams: an event each, or an event a line.

    `json` takes a datagram for a JSON object, or for several, one a line; their fields become the record's, and
    `@timestamp` (seconds or ISO 8601) the event's time. What is no JSON stays an event with its text in `message` and
    `_jsonparsefailure` in `tags`, and is counted. `plain` keeps the whole text in `message`, JSON or not; `line` makes
    an event of each line. The field `host` is the sender's address, unless the record has one.

    UDP loses: on the way, unseen, and here when nobody reads. When the stages behind are full, nothing is read;
    what comes fills the kernel's buffer (`receive_buffer`), and beyond that it is dropped and counted on Linux: in
    the log, and in the receipt. What was not delivered when swak ends is lost, and the receipt names it: what was
    read, and how many datagrams had come and were not. Datagrams longer than `max_size` are cut there. Anybody can
    send under any address.

    Example:
        `task(in_.Udp(5959, codec="json"), out.Stdout(format="rubydebug"))`
    """

    port: int = option("UDP port to listen on; 0 takes a free one, which the log names.", at_least=0)
    codec: Literal["line", "json", "plain"] = option("What a datagram is.", default="plain")
    host: str = option('Address to listen on; "0.0.0.0" or "::" for all.', default="127.0.0.1")
    tag: str = option("Tag of the events.", default="udp")
    encoding: str = option("Encoding of the text.", default="utf-8")
    max_size: Size = option("Bytes that a datagram may have.", default=DATAGRAM_BYTES, above=0)
    receive_buffer: Size | None = option(
        "Bytes that wait in the kernel; None: its own choice.", default="4MiB", above=0
    )
    host_field: str | None = option("Field for the sender's address.", default="host")
    time_field: str | None = option("Field of JSON that holds the event's time.", default="@timestamp")

    _datagrams: Datagrams | None = None
    _cut = _dropped = _unread = 0

    def check(self) -> list[tuple[str, str]]:
        problems = port_problems(self.port, "5959")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            problems.append((f'there is no encoding "{self.encoding}"', 'give one such as "utf-8" or "cp949"'))
        return problems

    def listens_on(self) -> list[tuple[str, str, int]]:
        return [("udp", self.host, self.port)]

    def open(self) -> None:
        self._codec = Codec(self.codec, encoding=self.encoding, host_field=self.host_field, time_field=self.time_field)
        self._look_at = 0.0
        self._rests = RESTS
        self._dropped, self._unread = self._lost()  # by the socket before, where it was opened anew
        self._datagrams = Datagrams(self.host, self.port, self.receive_buffer, self.berth)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, once it is open."""
        return None if self._datagrams is None else self._datagrams.address

    def read(self) -> list[Chunk] | None:
        assert self._datagrams is not None
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + LOOK_S
            self._datagrams.look()
        return self._chunks(self.wait_s) or None

    def rest(self) -> list[Chunk] | None:
        """Take what is already here, a bounded number of times: more may come all the while."""
        if not self._rests or (self.berth is not None and self.berth.handing):
            return None
        self._rests -= 1
        return self._chunks(0.0) or None

    def _chunks(self, wait_s: float) -> list[Chunk]:
        assert self._datagrams is not None
        before = self._cut
        came = [(self._bounded(data), host) for data, host in self._datagrams.read(wait_s)]
        if self._cut > before:
            self.log.warning("datagrams are too long and were cut", max_size=self.max_size, datagrams_cut=self._cut)
        return [Chunk(body, self.tag, SOURCE) for body in self._codec.texts(came, self.clock.time_ns())]

    def notes(self) -> str:
        if self._datagrams is None:
            return ""
        self._datagrams.look()
        dropped, unread = self._lost()
        counts = {
            "datagrams dropped by the kernel": dropped,
            "datagrams left unread": unread,
            "datagrams cut": self._cut,
            "that are no JSON": self._codec.failures,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def losses(self) -> dict[str, int]:
        """As far as the kernel has told by now: it is asked at every read, and at the end."""
        dropped, unread = self._lost()
        counts = {"dropped by the kernel": dropped, "left unread": unread, "cut by max_size": self._cut}
        return {f"{what}, datagrams": count for what, count in counts.items()}

    def _lost(self) -> tuple[int, int]:
        datagrams = self._datagrams
        if datagrams is None:
            return self._dropped, self._unread
        return self._dropped + datagrams.dropped, self._unread + datagrams.unread

    def interrupt(self) -> None:
        if self._datagrams is not None:
            self._datagrams.wake()

    def close(self) -> None:
        if self._datagrams is not None:
            self._datagrams.close(ended=self.ended)

    def _bounded(self, data: bytes) -> bytes:
        if len(data) <= self.max_size:
            return data
        self._cut += 1
        return data[: self.max_size]
