"""All senders that are connected, and the memory that their unfinished chunks take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.sockets.kept import Carried

if TYPE_CHECKING:
    from swak.forward.connection import Connection

LIGHT_BYTES = 16 * 1024
"""What a connection may hold of an unfinished chunk and be read on all the same: who sends little never waits."""


class Crowd:
    """The connections of one server."""

    def __init__(self, held_bytes_max: int) -> None:
        self._held_bytes_max = held_bytes_max
        self.connections: set[Connection] = set()
        self.paused: set[Connection] = set()
        """Those that nothing is read of, until there is memory."""
        self.held_bytes = 0
        """Bytes of chunks that are not complete."""

    def count(self, connection: Connection) -> None:
        """Count what a connection holds now."""
        if connection in self.connections:
            self.held_bytes += connection.held_bytes - connection.counted_bytes
            connection.counted_bytes = connection.held_bytes

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.remove(connection)
        self.paused.discard(connection)
        self.held_bytes -= connection.counted_bytes

    def must_wait(self, connection: Connection) -> bool:
        """Tell whether nothing is to be read of a connection for now. The one whose chunk began first never waits."""
        over = self.held_bytes > self._held_bytes_max
        return over and connection.held_bytes >= LIGHT_BYTES and connection is not self._oldest()

    def carried(self) -> list[Carried]:
        """Give away the connections that somebody else can go on with, as they are now."""
        left = []
        for one in list(self.connections):
            rest = one.rest
            if rest is not None:
                self.remove(one)
                left.append(Carried(one.sock, one.peer, rest, one.out))
        return left

    def _oldest(self) -> Connection | None:
        """Return the connection whose chunk began first."""
        began = [(one.begun_at, id(one), one) for one in self.connections if one.held_bytes]
        return min(began, key=lambda one: (one[0] or 0.0, one[1]))[2] if began else None
