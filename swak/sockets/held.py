"""One socket of one thread, that another thread may shut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from swak.sinks.guard import aborted_error


class Holder:
    """Holds a socket, or none. Who uses it closes it; `abort` may come from any thread, and closes no descriptor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._aborted = False

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def abort(self) -> None:
        """Make every wait end and every later call fail, from another thread."""
        with self._lock:
            self._aborted = True
            if self._sock is not None:
                with suppress(OSError):  # not connected yet: whoever connects looks at `_aborted` afterwards
                    hang_up(self._sock)

    def _check(self) -> None:
        if self._aborted:
            raise aborted_error()


def hang_up(sock: socket.socket) -> None:
    """Shut both ways, under TLS, too, where `SSLSocket.shutdown` would free what another thread is using."""
    socket.socket.shutdown(sock, socket.SHUT_RDWR)
