"""The sending side of Fluentd's forward protocol: one connection, chunks that are acked, and an end to every wait."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from errno import EACCES, EINPROGRESS, EISCONN, EPROTO, EWOULDBLOCK
from typing import TYPE_CHECKING, Any

from swak.forward.exchange import Exchange
from swak.forward.handshake import Caller, HandshakeError
from swak.forward.tls import client_context, is_tls, receive, send, waits
from swak.sinks.guard import aborted_error
from swak.sockets.address import tune
from swak.sockets.held import Holder

if TYPE_CHECKING:
    import ssl

    from swak.forward.frames import Frame
    from swak.forward.handshake import Secrets
    from swak.forward.tls import Tls

SLICE_S = 0.1
"""How often a wait looks whether `abort` was called."""
PROBE_S = 0.4
_ANSWER_BYTES = 64 * 1024
_CONNECTING = {EINPROGRESS, EWOULDBLOCK, getattr(os, "WSAEWOULDBLOCK", 10035)}

Address = tuple[Any, ...]
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Client(Holder):
    """Delivers frames to one receiver. Every failure is an OSError and closes the connection.

    Frames that were acked before a failure are not sent again, if the next delivery starts with the same ones.
    One thread uses it; `abort` may come from any.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout_s: float,
        ack_timeout_s: float,
        total_s: float,
        *,
        tls: Tls | None = None,
        secrets: Secrets | None = None,
        gzip: bool = False,
        keepalive: bool = True,
    ) -> None:
        """`timeout_s` bounds connecting, and then each of the handshakes, of TLS and of the shared key."""
        super().__init__()
        self._tls, self._secrets, self._gzip = tls, secrets, gzip
        self.keepalive = keepalive
        self._where = f"{host}:{port}"
        self._host, self._port = host, port
        self._timeout_s = timeout_s
        self._ack_timeout_s = ack_timeout_s
        self._total_s = total_s
        self._addresses: list[Address] = []
        self._accepted: list[Frame] = []
        self._unpacker: Any = None
        self._early: deque[Any] = deque()
        """Answers that nobody has looked at."""
        self._goes_on = True
        """Whether the receiver wants to keep the connection."""

    def connect(self) -> None:
        """Connect to the first address that answers within the timeout."""
        self.close()
        self._check()
        failure: OSError | None = None
        try:
            context = None if self._tls is None else client_context(self._tls)
            self._addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            for address in self._addresses:
                try:
                    self._connect(address)
                    if context is not None:
                        self._encrypt(context)
                    self._greet()
                except OSError as error:
                    self._check()
                    self.close()
                    failure = error
                else:
                    return
        except OSError as error:
            failure = error
        raise self._located(failure or OSError("the name has no address"))

    def deliver(self, frames: list[Frame]) -> None:
        """Send all frames and wait until each is acked; reconnects first if the connection is no longer alive."""
        if not self.alive():
            self.connect()
        skip = len(self._accepted) if frames[: len(self._accepted)] == self._accepted else 0
        exchange = Exchange(frames[skip:], gzip=self._gzip)
        try:
            self._run(exchange)
        except OSError as error:
            self._accepted = frames[: skip + exchange.acked()]
            self.close()
            self._check()
            raise self._located(error) from error
        self._accepted = []
        if not (self.keepalive and self._goes_on):
            self.close()

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
        tune(sock)
        self._check()

    def _encrypt(self, context: ssl.SSLContext) -> None:
        with self._lock:
            if self._sock is None:
                raise aborted_error()
            sock = context.wrap_socket(self._sock, server_hostname=self._host, do_handshake_on_connect=False)
            self._sock = sock
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                sock.do_handshake()
                return
            except OSError as error:
                wanted = waits(error)
                if not wanted:
                    self._check()
                    raise OSError(EPROTO, f"TLS: {_tls_reason(error)}") from error
            self._wait(sock, write=wanted == "write", read=wanted == "read")
            if time.monotonic() >= deadline:
                raise TimeoutError(f"no TLS handshake within {self._timeout_s:g} s")

    def _greet(self) -> None:
        """Show the receiver that we know the shared key, and see that it does."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

        self._unpacker = msgpack.Unpacker(max_buffer_size=_ANSWER_BYTES, strict_map_key=False)
        self._early.clear()
        self._goes_on = True
        if self._secrets is None:
            return
        deadline = time.monotonic() + self._timeout_s
        caller = Caller(self._secrets)
        try:
            ping = memoryview(caller.answer(self._answer(deadline)))
            while ping:
                ping = ping[self._send_some(ping, deadline) :]
            caller.check(self._answer(deadline))
        except HandshakeError as error:
            raise OSError(EACCES, str(error)) from error
        self._goes_on = caller.keepalive

    def _answer(self, deadline: float) -> Any:
        while not self._early:
            sock = self._open_sock()
            if self._wait(sock, write=False)[0]:
                self._early.extend(self._read(sock))
            elif time.monotonic() >= deadline:
                raise TimeoutError(f"no shared key handshake within {self._timeout_s:g} s: does the receiver want one?")
        return self._early.popleft()

    def _send_some(self, data: memoryview, deadline: float) -> int:
        sock = self._open_sock()
        if not self._wait(sock, write=True)[1] and time.monotonic() >= deadline:
            raise TimeoutError(f"nothing could be sent within {self._timeout_s:g} s")
        return send(sock, data)

    def _open_sock(self) -> socket.socket:
        sock = self._sock
        if sock is None:
            raise aborted_error()
        return sock

    def alive(self) -> bool:
        """Tell whether the receiver still holds the connection, as far as this side has heard."""
        sock = self._sock
        if sock is None:
            return False
        try:
            if is_tls(sock):  # it cannot be peeked into
                self._early.extend(self._read(sock))
                return True
            return sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _run(self, exchange: Exchange) -> None:
        started = heard = time.monotonic()
        while not exchange.over:
            sock = self._open_sock()
            count = send(sock, exchange.next_bytes()) if exchange.sending else 0
            exchange.sent(count)
            readable = writable = False
            if not (count and exchange.sending):  # else there may be more room: looking costs as much as trying
                readable, writable = self._wait(sock, write=exchange.sending)
            if readable:
                self._early.extend(self._read(sock))
            while self._early:
                exchange.answered(self._early.popleft())
            now = time.monotonic()
            if count or readable or writable:
                heard = now
            elif now - heard >= self._ack_timeout_s:
                raise TimeoutError(f"no ack within {self._ack_timeout_s:g} s")
            if now - started >= self._total_s:
                raise TimeoutError(f"a batch took longer than {self._total_s:g} s")

    def _read(self, sock: socket.socket) -> list[Any]:
        """Return the answers that have arrived."""
        import msgpack  # noqa: PLC0415 - see _greet

        data = receive(sock, _ANSWER_BYTES // 2)
        if data is None:
            return []
        if not data:
            raise ConnectionResetError("the receiver closed the connection before it acked")
        try:
            self._unpacker.feed(data)
            return list(self._unpacker)
        except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
            raise OSError(EPROTO, "the receiver's answer is no msgpack") from error

    def _wait(self, sock: socket.socket, *, write: bool, read: bool = True) -> tuple[bool, bool]:
        """Wait one slice; return whether there is something to read, and room to write."""
        wanted = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        with _Selector() as selector:
            selector.register(sock, wanted)
            waiting = read and is_tls(sock) and sock.pending() > 0  # type: ignore[attr-defined]  # TLS has it
            ready = sum(events for _, events in selector.select(0 if waiting else SLICE_S))
            ready |= selectors.EVENT_READ if waiting else 0
        self._check()
        return bool(ready & selectors.EVENT_READ), bool(ready & selectors.EVENT_WRITE)

    def _located(self, error: OSError) -> OSError:
        if hasattr(error, "library"):  # of ssl: its numbers are no errno
            return OSError(EPROTO, f"{self._where}: TLS: {_tls_reason(error)}")
        if error.errno is None:
            return type(error)(f"{self._where}: {error}")
        return OSError(error.errno, f"{self._where}: {error.strerror}")


def _tls_reason(error: OSError) -> str:
    return getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
