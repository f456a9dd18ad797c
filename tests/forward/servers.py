"""A server of the forward protocol that tests turn by hand, and raw senders that talk to it."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it has no types

from swak.forward.server import Server
from swak.forward.settings import Settings
from swak.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.event import Chunk

DEADLINE_S = 20.0


class Turned:
    """A server on a free port, with a clock that stands still."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.server = Server(Settings("127.0.0.1", 0, **settings), self.clock)
        self.server.open()
        self.chunks: list[Chunk] = []

    def until(self, holds: Callable[[], object]) -> None:
        """Take turns until something holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, "it never happened"
            self.chunks += self.server.turn(0.01)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, taking turns all the while."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.chunks += self.server.turn(0)

    def records(self) -> list[Any]:
        """Return the records that have arrived."""
        return [record for chunk in self.chunks for record in chunk.body.records()]

    def settle(self) -> None:
        """Settle everything that has arrived."""
        for chunk in self.chunks:
            if chunk.told is not None:
                chunk.told()

    def connect(self) -> socket.socket:
        """Return the socket of one more sender that is let in."""
        before = self.server.connected
        sock = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.until(lambda: self.server.connected > before)
        return sock

    def closed(self, sock: socket.socket) -> bool:
        """Tell whether the server has closed a connection. What it said before is lost."""
        sock.setblocking(False)
        with suppress(BlockingIOError, InterruptedError):
            try:
                while sock.recv(65_536):
                    pass
            except ConnectionError:
                return True
            return True
        return False

    def answers(self, sock: socket.socket, count: int = 1) -> list[Any]:
        """Take turns until the server has said something that many times, and return it."""
        unpacker = msgpack.Unpacker()
        said: list[Any] = []

        def heard() -> bool:
            sock.setblocking(False)
            with suppress(BlockingIOError):
                unpacker.feed(sock.recv(65_536))
            said.extend(unpacker)
            return len(said) >= count

        self.until(heard)
        return said


@contextmanager
def turned(**settings: Any) -> Iterator[Turned]:
    one = Turned(**settings)
    try:
        yield one
    finally:
        one.server.close()


def message(number: int = 1, tag: str = "t", chunk: str | None = None) -> bytes:
    return bytes(msgpack.packb([tag, 1, {"n": number}, *([{"chunk": chunk}] if chunk else [])]))


def packed(numbers: range, chunk: str | None = None, tag: str = "t") -> bytes:
    entries = b"".join(msgpack.packb([1, {"n": number}]) for number in numbers)
    return bytes(msgpack.packb([tag, entries, {"chunk": chunk} if chunk else {}]))
