"""The sending side of Fluentd's forward protocol: one connection, chunks that are acked, and an end to every wait."""

from __future__ import annotations

import base64
import os
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from errno import EINPROGRESS, EISCONN, EPROTO, EWOULDBLOCK
from typing import TYPE_CHECKING, Any

from swak.sinks.guard import aborted_error

if TYPE_CHECKING:
    from swak.forward.frames import Frame

SLICE_S = 0.1
"""How often a wait looks whether `abort` was called."""
PROBE_S = 0.4
_ANSWER_BYTES = 64 * 1024
_CONNECTING = {EINPROGRESS, EWOULDBLOCK, getattr(os, "WSAEWOULDBLOCK", 10035)}
_KEEPALIVE_S = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}

Address = tuple[Any, ...]
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Client:
    """Delivers frames to one receiver. Every failure is an OSError and closes the connection.

    Frames that were acked before a failure are not sent again, if the next delivery starts with the same ones.
    One thread uses it; `abort` may come from any.
    """

    def __init__(self, host: str, port: int, timeout_s: float, ack_timeout_s: float, total_s: float) -> None:
        self._where = f"{host}:{port}"
        self._host, self._port = host, port
        self._timeout_s = timeout_s
        self._ack_timeout_s = ack_timeout_s
        self._total_s = total_s
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._aborted = False
        self._addresses: list[Address] = []
        self._accepted: list[Frame] = []
        self._unpacker: Any = None

    def connect(self) -> None:
        """Connect to the first address that answers within the timeout."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

        self.close()
        self._check()
        failure: OSError | None = None
        try:
            self._addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            for address in self._addresses:
                try:
                    self._connect(address)
                except OSError as error:
                    self._check()
                    self.close()
                    failure = error
                else:
                    self._unpacker = msgpack.Unpacker(max_buffer_size=_ANSWER_BYTES, strict_map_key=False)
                    return
        except OSError as error:
            failure = error
        raise self._located(failure or OSError("the name has no address"))

    def deliver(self, frames: list[Frame]) -> None:
        """Send all frames and wait until each is acked; reconnects first if the connection is no longer alive."""
        if not self.alive():
            self.connect()
        skip = len(self._accepted) if frames[: len(self._accepted)] == self._accepted else 0
        exchange = _Exchange(frames[skip:])
        try:
            self._run(exchange)
        except OSError as error:
            self._accepted = frames[: skip + exchange.acked()]
            self.close()
            self._check()
            raise self._located(error) from error
        self._accepted = []

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def abort(self) -> None:
        """Make every wait end and every later call fail, from another thread. Nothing is sent after this."""
        with self._lock:
            self._aborted = True
            if self._sock is not None:
                with suppress(OSError):  # not connected yet: whoever connects looks at `_aborted` afterwards
                    self._sock.shutdown(socket.SHUT_RDWR)

    def probe(self) -> bool:
        """Tell, within PROBE_S, whether the receiver takes connections at an address that was found before."""
        for family, kind, protocol, _, address in self._addresses or self._numeric():
            with suppress(OSError), socket.socket(family, kind, protocol) as sock:
                sock.settimeout(PROBE_S / max(1, len(self._addresses)))
                sock.connect(address)
                return True
        return False

    def _numeric(self) -> list[Address]:
        with suppress(OSError):
            flags = socket.AI_NUMERICHOST
            return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=flags))
        return []

    def _connect(self, address: Address) -> None:
        family, kind, protocol, _, where = address
        sock = socket.socket(family, kind, protocol)
        with self._lock:
            if self._aborted:
                sock.close()
                raise aborted_error()
            self._sock = sock
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code in _CONNECTING:
            deadline = time.monotonic() + self._timeout_s
            while not self._wait(sock, write=True)[1]:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"no connection within {self._timeout_s:g} s")
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code not in (0, EISCONN):
            raise OSError(code, os.strerror(code))
        _tune(sock)
        self._check()

    def alive(self) -> bool:
        """Tell whether the receiver still holds the connection, as far as this side has heard."""
        if self._sock is None:
            return False
        try:
            return self._sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _run(self, exchange: _Exchange) -> None:
        started = heard = time.monotonic()
        while not exchange.over:
            sock = self._sock
            if sock is None:
                raise aborted_error()
            readable, writable = self._wait(sock, write=exchange.sending)
            if readable:
                self._read(sock, exchange)
            if writable:
                exchange.sent(sock.send(exchange.next_bytes()))
            now = time.monotonic()
            if readable or writable:
                heard = now
            elif now - heard >= self._ack_timeout_s:
                raise TimeoutError(f"no ack within {self._ack_timeout_s:g} s")
            if now - started >= self._total_s:
                raise TimeoutError(f"a batch took longer than {self._total_s:g} s")

    def _read(self, sock: socket.socket, exchange: _Exchange) -> None:
        import msgpack  # noqa: PLC0415 - see connect

        data = sock.recv(_ANSWER_BYTES // 2)
        if not data:
            raise ConnectionResetError("the receiver closed the connection before it acked")
        try:
            self._unpacker.feed(data)
            for answer in self._unpacker:
                exchange.answered(answer)
        except (ValueError, msgpack.exceptions.UnpackException) as error:
            raise OSError(EPROTO, "the receiver's answer is no msgpack") from error

    def _wait(self, sock: socket.socket, *, write: bool) -> tuple[bool, bool]:
        """Wait one slice; return whether there is something to read, and room to write."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0)
        with _Selector() as selector:
            selector.register(sock, wanted)
            ready = sum(events for _, events in selector.select(SLICE_S))
        self._check()
        return bool(ready & selectors.EVENT_READ), bool(ready & selectors.EVENT_WRITE)

    def _check(self) -> None:
        if self._aborted:
            raise aborted_error()

    def _located(self, error: OSError) -> OSError:
        if error.errno is None:
            return type(error)(f"{self._where}: {error}")
        return OSError(error.errno, f"{self._where}: {error.strerror}")


class _Exchange:
    """Frames on their way: what is still to be sent, and which ids are still to be acked."""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = deque(frames)
        self._waiting: dict[str, int] = {}
        self._acked: set[int] = set()
        self._number = 0
        self._rest = memoryview(b"")

    @property
    def sending(self) -> bool:
        """Whether bytes are left to be sent."""
        return bool(self._rest or self._frames)

    @property
    def over(self) -> bool:
        """Whether everything was sent and acked."""
        return not (self.sending or self._waiting)

    def acked(self) -> int:
        """Return how many of the first frames were acked without a gap."""
        return next(number for number in range(self._number + 1) if number not in self._acked)

    def next_bytes(self) -> memoryview:
        """Return what to send now."""
        if not self._rest:
            chunk_id = base64.b64encode(os.urandom(16)).decode()
            self._rest = memoryview(self._frames.popleft().packed(chunk_id))
            self._waiting[chunk_id] = self._number
            self._number += 1
        return self._rest

    def sent(self, size_bytes: int) -> None:
        """Note that the first bytes of `next_bytes` are out."""
        self._rest = self._rest[size_bytes:]

    def answered(self, answer: Any) -> None:
        """Note one answer of the receiver. OSError when it is not the ack of something that was sent."""
        chunk_id = answer.get("ack") if isinstance(answer, dict) else None
        if isinstance(chunk_id, str) and chunk_id in self._waiting:
            self._acked.add(self._waiting.pop(chunk_id))
        elif isinstance(answer, list) and answer[:1] == ["HELO"]:
            raise OSError(EPROTO, "the receiver asks for a shared key, which swak cannot give yet; switch it off there")
        else:
            raise OSError(EPROTO, f"the receiver acked what was not sent: {str(answer)[:80]}")


def _tune(sock: socket.socket) -> None:
    """Send at once, and notice a peer that vanished within a minute."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_S.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
