"""A UDP socket that is read in batches, and the count of what the kernel dropped because nobody read."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from swak import log
from swak.sockets.address import bound, plain_host, shown
from swak.sockets.kept import alone
from swak.sockets.unread import unread_datagrams

if TYPE_CHECKING:
    from swak.sockets.kept import Berth

LOG = log.get("sockets")

DATAGRAM_BYTES = 65_535
"""The longest there is."""
COUNT_MAX = 1_000
READ_BYTES = 1024 * 1024
"""Datagrams, and about how many bytes of them, that are read at a time."""
_RCVBUFFORCE = 33
_RXQ_OVFL = 40
"""Linux's numbers (asm-generic/socket.h); Python does not name them."""
_COUNTER = struct.Struct("=I")
_LINUX = sys.platform == "linux"


class Datagrams:
    """Reads datagrams. What is not read waits in the kernel, and beyond its buffer is dropped there, and counted.

    All calls but `wake` come from one thread.
    """

    def __init__(self, host: str, port: int, buffer_bytes: int | None, berth: Berth | None = None) -> None:
        """Bind. OSError when the address cannot be had. `berth`: where a predecessor may have left its socket."""
        self._berth, self._at = berth or alone(), ("udp", host, port)
        self._sock, left = self._berth.listening(self._at, lambda: bound(host, port, socket.SOCK_DGRAM))
        self._counted_before = int(left.get("dropped", 0))
        self.address: tuple[str, int] = self._sock.getsockname()[:2]
        self.dropped = 0
        """Datagrams that the kernel dropped because its buffer was full, as far as it has told."""
        self.unread = 0
        """Datagrams that were there at the end and are lost, as nobody read them."""
        self._told = 0
        self._wrapped = 0
        if _LINUX:
            self._sock.setsockopt(socket.SOL_SOCKET, _RXQ_OVFL, 1)
        if buffer_bytes is not None:
            self._enlarge(buffer_bytes)
        self._woken, self._waker = socket.socketpair()
        self._waking = threading.Lock()
        for sock in (self._woken, self._waker):
            sock.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._sock, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        LOG.info("listening", address=shown(self.address), protocol="udp")

    def read(self, wait_s: float) -> list[tuple[bytes, str]]:
        """Return what has come, with the sender's address; waits for something at most `wait_s`."""
        came = self._drain()
        if not came and self._selector.select(wait_s):
            with suppress(BlockingIOError):  # nobody woke us
                self._woken.recv(4096)
            came = self._drain()
        return came

    def look(self) -> int:
        """Ask the kernel how much it has dropped so far, and return that. Told in the log when it grew."""
        if _LINUX and self._sock.fileno() >= 0:
            self._note(_dropped_of(self._sock))
        if self.dropped > self._told:
            self._told = self.dropped
            mend = "read faster, or give a larger receive_buffer"
            LOG.warning("the kernel dropped datagrams: its buffer was full", dropped=self.dropped, mend=mend)
        return self.dropped

    def wake(self) -> None:
        """Let a `read` that waits return at once. From any thread, also after `close`."""
        with self._waking:
            if self._waker.fileno() >= 0:
                with suppress(BlockingIOError):  # it is full: that wakes as well
                    self._waker.send(b"\0")

    def close(self, *, ended: bool = True) -> None:
        """Close everything; where an input that has not `ended` has a successor, its socket is left to that.

        May be repeated.
        """
        self.look()
        if self._sock.fileno() >= 0 and self._berth.hands_on(ended=ended):
            self._berth.leave(self._at, state={"dropped": self._counted_before + self.dropped})
        elif self._sock.fileno() >= 0:
            self._berth.drop(self._at)
            self.unread = unread_datagrams(self._sock)
        if self.unread:
            LOG.warning("datagrams that nobody had read are lost", address=shown(self.address), datagrams=self.unread)
        self._selector.close()
        self._sock.close()
        with self._waking:
            self._waker.close()
        self._woken.close()

    def _drain(self) -> list[tuple[bytes, str]]:
        came: list[tuple[bytes, str]] = []
        with suppress(BlockingIOError):  # all is read
            if _LINUX:  # one look at the counter a round: it only grows
                data, extra, _, address = self._sock.recvmsg(DATAGRAM_BYTES, socket.CMSG_SPACE(_COUNTER.size))
                for level, kind, value in extra:
                    if level == socket.SOL_SOCKET and kind == _RXQ_OVFL:
                        self._note(_COUNTER.unpack(value[: _COUNTER.size])[0])
                came.append((data, plain_host(address[0])))
            receive, left_bytes = self._sock.recvfrom, READ_BYTES
            for _ in range(COUNT_MAX):
                data, address = receive(DATAGRAM_BYTES)
                came.append((data, plain_host(address[0])))
                left_bytes -= len(data)
                if left_bytes <= 0:
                    break
        return came

    def _note(self, counter: int) -> None:
        """Take a counter of 32 bits that may begin anew."""
        counter = (counter - self._counted_before) % 2**32
        if counter < self.dropped - self._wrapped:
            if self.dropped - self._wrapped - counter < 2**31:
                return  # an older reading
            self._wrapped += 2**32
        self.dropped = self._wrapped + counter

    def _enlarge(self, buffer_bytes: int) -> None:
        """Ask for a receive buffer of that size, and say so when there is less."""
        if _LINUX:
            with suppress(PermissionError):  # only root may pass the system's limit
                self._sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, buffer_bytes)
                return
        with suppress(OSError):  # BSDs refuse what is beyond the limit
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        granted = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // (2 if _LINUX else 1)
        if granted < buffer_bytes:
            mend = "raise net.core.rmem_max (kern.ipc.maxsockbuf), or ask for less"
            LOG.warning("the receive buffer is smaller than asked for", asked=buffer_bytes, granted=granted, mend=mend)


def _dropped_of(sock: socket.socket) -> int:
    """Return the last column of the socket's line in /proc/net/udp: drops since it was made. 0 where there is none."""
    inode = str(os.fstat(sock.fileno()).st_ino)
    for name in ("udp", "udp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines[1:]:
            columns = line.split()
            if len(columns) > 12 and columns[9] == inode:
                return int(columns[12])
    return 0
