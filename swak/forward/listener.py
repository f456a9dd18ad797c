"""Where senders come in: a listening TCP socket, and a UDP socket for heartbeats on the same port."""

from __future__ import annotations

import socket
import sys
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING, Any

from swak.sockets.address import tune
from swak.sockets.kept import alone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from swak.log import Log
    from swak.sockets.kept import Berth, Carried

BACKLOG = 1024
AT_ONCE = 64
"""Connections, and heartbeats, that are taken at one time."""
_FULL = {EMFILE, ENFILE, ENOBUFS, ENOMEM}


class NoRoomError(OSError):
    """The system has no descriptor or no memory for one more connection."""


class Listener:
    """Listens from the start to `close`. OSError: the address cannot be had.

    `berth`: where a predecessor may have left its sockets.
    """

    def __init__(self, host: str, port: int, log: Log, berth: Berth | None = None) -> None:
        self._berth = berth or alone()
        self._at, self._beats_at = ("tcp", host, port), ("udp", host, port)
        self.heartbeats: socket.socket | None = None
        self.sock, _ = self._berth.listening(self._at, lambda: _listening(host, port))
        self.port = int(self.sock.getsockname()[1])
        try:
            self.heartbeats, _ = self._berth.listening(self._beats_at, lambda: _heartbeats(self.sock))
        except OSError as error:
            log.warning("heartbeats by UDP get no answer", port=self.port, error=str(error))

    def arrived(self) -> list[Carried]:
        """Return the connections that a predecessor has left."""
        return self._berth.arrived(self._at)

    def hands_on(self, *, ended: bool) -> bool:
        """Tell whether somebody else goes on where we end."""
        return self._berth.hands_on(ended=ended)

    def pending(self) -> list[Any]:
        """Return what a predecessor has read and could not hand out."""
        return self._berth.pending(self._at)

    def leave(self, carried: Iterable[Carried], pending: Iterable[Any] = ()) -> None:
        """Leave what listens to a successor, with these connections, and with what could not be handed out."""
        self._berth.leave(self._at, carried, pending=pending)
        self._berth.leave(self._beats_at)

    def accept(self) -> Iterator[tuple[socket.socket, str]]:
        """Give new connections, which do not block, each with the address of its sender."""
        for _ in range(AT_ONCE):
            try:
                sock, address = self.sock.accept()
            except OSError as error:  # no more of them, or one that left already
                if error.errno in _FULL:
                    raise NoRoomError(error.errno, error.strerror) from error
                return
            try:
                sock.setblocking(False)
                tune(sock)
            except OSError:  # it has left
                sock.close()
                continue
            yield sock, f"{address[0]}:{address[1]}"

    def beat(self) -> None:
        """Answer heartbeats, as older senders want it: a byte for a byte."""
        assert self.heartbeats is not None
        for _ in range(AT_ONCE):
            try:
                _, where = self.heartbeats.recvfrom(16)
                self.heartbeats.sendto(b"\0", where)
            except OSError:  # no more of them, or nobody to answer to
                return

    def close(self) -> None:
        """Listen no more. What was left to a successor stays open."""
        self._berth.drop(self._at)
        self._berth.drop(self._beats_at)
        self.sock.close()
        if self.heartbeats is not None:
            self.heartbeats.close()


def _listening(host: str, port: int) -> socket.socket:
    flags = socket.AI_PASSIVE
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if sys.platform != "win32":  # where it would let two processes share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _heartbeats(listening: socket.socket) -> socket.socket:
    sock = socket.socket(listening.family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    try:
        sock.bind(listening.getsockname())
    except OSError:
        sock.close()
        raise
    return sock
