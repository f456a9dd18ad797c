"""The sending side of a TCP connection without acks of its own: what its kernel has acked counts as delivered."""

from __future__ import annotations

import selectors
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from swak.sockets.address import SLICE_S, dialled, located, wait_for
from swak.sockets.held import Holder

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

PIECE_BYTES = 256 * 1024
PROBE_S = 0.4
POLL_FIRST_S, POLL_MAX_S = 0.0005, 0.05
_SIOCOUTQ = 0x5411
"""Linux: bytes that were sent and not yet acked by the peer's kernel (asm-generic/ioctls.h, TIOCOUTQ)."""


class StreamClient(Holder):
    """One connection. Every failure is an OSError and closes it. One thread uses it; `abort` may come from any."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        super().__init__()
        self._host, self._port = host, port
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Connect anew, within the timeout."""
        self.close()
        sock = dialled(self._host, self._port, self._timeout_s, self._check)
        with self._lock:
            self._sock = sock
        self._check()

    def send(self, data: bytes) -> None:
        """Send all of `data`; the peer's kernel may not have it yet. Fails when it takes nothing for the timeout."""
        sock = self._open()
        view, moved_at = memoryview(data), time.monotonic()
        with self._telling():
            self._still_there()
            while view:
                with suppress(BlockingIOError):
                    sent = sock.send(view[:PIECE_BYTES])
                    view, moved_at = view[sent:], time.monotonic()
                    continue
                self._check()
                if not wait_for(sock, selectors.EVENT_WRITE, SLICE_S) and self._late(moved_at):
                    raise TimeoutError(f"the receiver took nothing for {self._timeout_s:g} s")

    def settle(self) -> None:
        """Wait until the peer's kernel has acked all that was sent. Where the system cannot tell, return at once.

        OSError when the connection has ended since: what the peer's program had not read by then, nobody knows.
        """
        sock = self._open()
        left, moved_at, wait_s = unacked(sock), time.monotonic(), POLL_FIRST_S
        pause = threading.Event()
        with self._telling():
            while left:
                self._still_there()
                pause.wait(wait_s)
                wait_s = min(POLL_MAX_S, wait_s * 2)
                now_left = unacked(sock)
                moved_at = time.monotonic() if now_left < left else moved_at
                left = now_left
                if left and self._late(moved_at):
                    raise TimeoutError(f"the receiver acked nothing for {self._timeout_s:g} s")
            self._still_there()

    def alive(self) -> bool:
        """Tell, at once, whether the peer still holds the connection. What it says is read and dropped."""
        try:
            while self._sock is not None:
                if not self._sock.recv(4096):
                    return False
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def probe(self) -> bool:
        """Tell, within PROBE_S, whether the receiver takes connections."""
        try:
            dialled(self._host, self._port, PROBE_S, self._check).close()
        except OSError:
            return False
        return True

    def _open(self) -> socket.socket:
        """Return the connection. It is never renewed here: what was sent over the old one would count as settled."""
        self._check()
        if self._sock is None:
            raise located(ConnectionResetError("there is no connection any more"), self._host, self._port)
        return self._sock

    def _still_there(self) -> None:
        self._check()
        if not self.alive():
            raise ConnectionResetError("the receiver closed the connection")

    def _late(self, moved_at: float) -> bool:
        return time.monotonic() - moved_at >= self._timeout_s

    def _telling(self) -> _Telling:
        return _Telling(self._host, self._port, self.close)


class _Telling:
    """Puts the address in front of every OSError, and gives the connection up."""

    def __init__(self, host: str, port: int, give_up: Callable[[], None]) -> None:
        self._host, self._port, self._give_up = host, port, give_up

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            self._give_up()
            raise located(error, self._host, self._port) from error


def unacked(sock: socket.socket) -> int:
    """Return how many bytes the peer's kernel has not acked yet; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    import fcntl  # noqa: PLC0415 - there is none on Windows

    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0
