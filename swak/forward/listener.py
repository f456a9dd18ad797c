"""Where senders come in: a listening TCP socket, and a UDP socket for heartbeats on the same port."""

from __future__ import annotations

import socket
import sys
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.log import Log

BACKLOG = 1024
AT_ONCE = 64
"""Connections, and heartbeats, that are taken at one time."""
_FULL = {EMFILE, ENFILE, ENOBUFS, ENOMEM}


class NoRoomError(OSError):
    """The system has no descriptor or no memory for one more connection."""


class Listener:
    """Listens from the start to `close`. OSError: the address cannot be had."""

    def __init__(self, host: str, port: int, log: Log) -> None:
        self.heartbeats: socket.socket | None = None
        flags = socket.AI_PASSIVE
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)[0]
        self.sock = socket.socket(family, kind, protocol)
        try:
            self.sock.setblocking(False)
            if sys.platform != "win32":  # where it would let two processes share the port
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(where)
            self.sock.listen(BACKLOG)
        except OSError:
            self.sock.close()
            raise
        self.port = int(self.sock.getsockname()[1])
        self.heartbeats = socket.socket(family, socket.SOCK_DGRAM)
        self.heartbeats.setblocking(False)
        try:
            self.heartbeats.bind(self.sock.getsockname())
        except OSError as error:
            log.warning("heartbeats by UDP get no answer", port=self.port, error=str(error))
            self.heartbeats.close()
            self.heartbeats = None

    def accept(self) -> Iterator[tuple[socket.socket, str]]:
        """Give new connections, each with the address of its sender."""
        for _ in range(AT_ONCE):
            try:
                sock, address = self.sock.accept()
            except OSError as error:  # no more of them, or one that left already
                if error.errno in _FULL:
                    raise NoRoomError(error.errno, error.strerror) from error
                return
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
        """Listen no more."""
        self.sock.close()
        if self.heartbeats is not None:
            self.heartbeats.close()
