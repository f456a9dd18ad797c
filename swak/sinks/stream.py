"""A pipe, socket, terminal or device that whole lines are written to, as far as its reader lets them in."""

from __future__ import annotations

import os
import re
import select
import socket
import stat
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from swak.errors import Gone, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.sinks.guard import Guard

_INHERITED = re.compile(r"/dev/(?:stdout|stderr|fd/(\d+))")
_NUMBERS = {"/dev/stdout": 1, "/dev/stderr": 2}

Kind = Literal["pipe", "socket", "terminal", "file"]

PIPE_BUF = getattr(select, "PIPE_BUF", 512)
"""Bytes that a pipe takes as a whole or not at all (POSIX: at least 512; Linux: 4096)."""
PIECE_BYTES = 64 * 1024
"""What a terminal or socket is offered at once."""
RETRY_S = 0.1
"""How long the seat may leave a full stream alone before it looks again."""


def kind_of(fd: int) -> Kind:
    """Tell what a descriptor leads to. "file" is what never makes a writer wait; other devices count as terminals."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) or not hasattr(select, "poll"):  # Windows: nothing can be waited for
        return "file"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "terminal"


def is_stream(path: str) -> bool:
    """Tell whether a path leads to a FIFO, a device, or what the process was given as a descriptor."""
    if _INHERITED.fullmatch(path):
        return True
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False  # opening it says why, or makes it
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


class Stream:
    """Writes lines to one descriptor of its own and knows how far it got.

    A line of at most PIPE_BUF bytes is never mixed with those of another writer of the same pipe. No write waits for
    a reader longer than it was told. It is not thread-safe; a Guard makes it fail from outside.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._sent = b""
        self._fd = -1
        self._kind: Kind = "file"
        self._shared = False
        self._inherited = False
        self._socket: socket.socket | None = None
        self._follow: Callable[[], None] | None = None

    @property
    def kind(self) -> Kind:
        """What the stream leads to, once it is open."""
        return self._kind

    def open_inherited(self, number: int, guard: Guard) -> None:
        """Write to what the process was given as descriptor `number`, through a descriptor of our own.

        A pipe or terminal is opened anew where the system has a name for it, so that it can be non-blocking for us
        and stay blocking for everyone else who shares it.
        """
        kind = kind_of(number)
        self._inherited = True
        fd = _reopened(number) if kind in ("pipe", "terminal") else None
        if fd is None:
            self._adopt(os.dup(number), kind, guard, shared=True)
            if kind == "file":  # a log that is rotated: the process then has another file under that number
                self._follow = partial(guard.follow, number, self._fd)
        else:
            self._adopt(fd, kind, guard, shared=False)

    def open(self, path: str, guard: Guard) -> None:
        """Write to a FIFO, a device or /dev/stdout. OSError (ENXIO) while nobody reads a FIFO."""
        match = _INHERITED.fullmatch(path)
        if match is not None:
            self.open_inherited(int(match[1]) if match[1] else _NUMBERS[path], guard)
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = os.open(path, flags)
        self._inherited = False
        self._adopt(fd, kind_of(fd), guard, shared=False)

    def close(self, guard: Guard) -> None:
        """Give the descriptor back. What was sent of an unfinished write stays known."""
        self._follow = None
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            guard.close(fd)

    def ready(self, wait_s: float = 0.0) -> bool:
        """Tell whether there is room now, or within `wait_s`. A reader that went away counts as room."""
        if self._kind == "file" or self._fd < 0:  # closed: opening it says whether there is a reader
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(wait_s * 1000))

    def write(self, data: bytes, wait_s: float) -> None:
        """Write all of `data`. Retry when the reader gives no room for `wait_s`; Gone when it went away.

        After Retry or OSError the next call goes on where this one stopped, if its data starts with what is out
        already; lines that are equal byte for byte stand for one another, so this holds for whatever comes next.
        """
        deadline = time.monotonic() + wait_s
        if self._follow is not None:
            self._follow()
        if self._sent and not data.startswith(self._sent):
            if not self._sent.endswith(b"\n"):
                self._write_from(b"\n", 0, deadline)  # other lines come now: end the torn one
            self._sent = b""
        self._write_from(data, len(self._sent), deadline, keep=True)
        self._sent = b""

    def _write_from(self, data: bytes, at: int, deadline: float, *, keep: bool = False) -> None:
        view = memoryview(data)
        try:
            while at < len(data):
                count = self._send(view[at : self._piece_end(data, at)], deadline)
                if not count:
                    raise Retry(f"{self.name} is full: its reader is slow", RETRY_S)
                at += count
        except BrokenPipeError as error:
            if self._inherited:  # nobody can give us another one; a FIFO may get another reader
                raise Gone(f"{self.name}: the reader went away") from error
            raise
        finally:
            if keep:
                self._sent = data[:at]

    def _piece_end(self, data: bytes, at: int) -> int:
        if self._kind == "file":
            return len(data)
        limit = at + (PIPE_BUF if self._kind == "pipe" else PIECE_BYTES)
        return len(data) if limit >= len(data) else (data.rfind(b"\n", at, limit) + 1 or limit)

    def _send(self, piece: memoryview, deadline: float) -> int:
        """Write once, waiting for room until the deadline; 0 when there was none."""
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            if self._shared and not self.ready(left_s):
                return 0
            with suppress(BlockingIOError):
                if self._socket is not None:
                    return self._socket.send(piece, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                return os.write(self._fd, piece)
            if not self.ready(left_s) or not left_s:
                return 0

    def _adopt(self, fd: int, kind: Kind, guard: Guard, *, shared: bool) -> None:
        self._fd = guard.take(fd)
        self._kind = kind
        self._shared = shared
        self._socket = socket.socket(fileno=fd) if kind == "socket" else None


def _reopened(number: int) -> int | None:
    with suppress(OSError):  # no /proc, or another user's pipe: then we share it, and poll before each write
        return os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return None
