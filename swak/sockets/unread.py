"""What the kernel has received and nobody will read: it is lost when its socket is closed."""

from __future__ import annotations

import socket
import struct
import sys
import time
from contextlib import suppress

if sys.platform != "win32":
    import fcntl
    import termios

COUNT_S = 1.0
"""How long datagrams are counted: more may come all the time."""


def unread_bytes(sock: socket.socket) -> int:
    """Return how many bytes of a stream wait to be read; 0 where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return 0
    try:
        told = fcntl.ioctl(sock, termios.FIONREAD, struct.pack("i", 0))
    except (OSError, ValueError):  # it is closed, with what it had
        return 0
    return int(struct.unpack("i", told)[0])


def unread_datagrams(sock: socket.socket) -> int:
    """Take out the datagrams that wait, and return how many there were. The socket does not block."""
    count, ends_at = 0, time.monotonic() + COUNT_S
    with suppress(OSError):  # BlockingIOError: that were all
        while time.monotonic() < ends_at:
            sock.recv(1, *((socket.MSG_TRUNC,) if sys.platform == "linux" else ()))
            count += 1
    return count
