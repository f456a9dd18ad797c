"""What ends the wait of a selector from another thread."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Bell:
    """A socket that can be read as soon as somebody rings. To be registered with a selector."""

    def __init__(self) -> None:
        self._in, self._out = socket.socketpair()
        for end in (self._in, self._out):
            end.setblocking(False)
        self._rung = threading.Event()

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._in.fileno()

    def ring(self) -> None:
        """End a wait. Any thread, at any time, also after `close`."""
        if not self._rung.is_set():
            self._rung.set()
            with suppress(OSError):  # full: it will wake anyway; closed: nobody waits
                self._out.send(b"\0")

    def reset(self) -> None:
        """Let the next ring be heard. To be called before what it tells of is looked at."""
        self._rung.clear()

    def hear(self) -> None:
        """Take the ring out."""
        with suppress(BlockingIOError):  # heard already
            self._in.recv(4096)

    def close(self) -> None:
        """Ring no more. May be repeated."""
        self._in.close()
        self._out.close()
