"""Posting bodies to one URL over a connection that is kept: what the server said, and how long it wants us to wait."""

from __future__ import annotations

import email.utils
import http.client
import io
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from swak.sinks.guard import aborted_error
from swak.sockets.address import dialled, located

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

ANSWER_BYTES = 64 * 1024
"""What is read of an answer; a longer one costs the connection."""
ITEMS_BYTES = 8 * 1024 * 1024
"""The same, of an answer in JSON to events that were taken: it may speak of each of them."""
TEXT_CHARS = 300
PROBE_S = 0.4
RETRY_AFTER_MAX_S = 300.0
"""The longest that a server can make us wait: a mistake there must not stop us for a year."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    reason: str
    """Status and text, for people."""
    retry_after_s: float | None
    body: bytes | None
    """What was said in JSON of events that were taken; None when it was too long, b"" when there was nothing."""


class Url(NamedTuple):
    """Where to post to."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def where(self) -> str:
        """Return the address for people."""
        return f"{self.host}:{self.port}"


def read_url(text: str) -> Url:
    """Take a URL apart. ValueError says what is wrong with it."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it begins with http:// or https:// and a host")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("other than ASCII must be written as %xx")
    if parts.username is not None:
        raise ValueError("name and password are options of their own, which are not shown")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(secure, parts.hostname, parts.port or (443 if secure else 80), target)


class _Patient(io.RawIOBase):
    """Reads an answer that has so long to come as a whole: a socket's own timeout begins anew with each byte."""

    def __init__(self, sock: socket.socket, wait_s: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._wait_s = wait_s
        self._ends_at = time.monotonic() + wait_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the answer was not whole within {self._wait_s:g} s")
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is whole within the connection's timeout, or fails."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        timeout_s = sock.gettimeout() or 0.0
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Patient(sock, timeout_s))


class HttpClient:
    """One connection. Failures are OSError and close it. One thread uses it; `abort` may come from any."""

    def __init__(self, url: Url, timeout_s: float, ca: str | None = None) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._ca = ca
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def connect(self) -> None:
        """Connect anew. OSError says where to."""
        self.close()
        self._check()
        url = self._url
        made: http.client.HTTPConnection
        if url.secure:
            made = http.client.HTTPSConnection(url.host, url.port, timeout=self._timeout_s, context=_trusting(self._ca))
        else:
            made = http.client.HTTPConnection(url.host, url.port, timeout=self._timeout_s)
        made.response_class = _Response
        with self._lock:
            self._connection = made
        try:
            made.connect()
        except OSError as error:
            self.close()
            self._check()
            raise _located(error, url) from error
        self._check()

    def post(self, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one body and wait for what the server says, reconnecting first if the connection has ended.

        A connection that was kept may end while the body is on its way: then it is sent once more, at once, and may
        arrive twice.
        """
        if self.alive():
            try:
                return self._ask(method, body, headers)
            except ConnectionError:
                self._check()
        self.connect()
        return self._ask(method, body, headers)

    def _ask(self, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self._check()
        connection = self._connection
        assert connection is not None
        try:
            connection.request(method, self._url.target, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read(ANSWER_BYTES)
            reason = f"{answer.status} {answer.reason}: {_shown(text)}".rstrip(": ")
            items = _items(answer, text)
            made = Answer(answer.status, reason, retry_after_s(answer.headers.get("Retry-After")), items)
            if not answer.isclosed() or answer.will_close:
                answer.close()
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self._check()
            if isinstance(error, OSError):
                raise _located(error, self._url) from error
            raise OSError(f"{self._url.where}: the answer is no HTTP ({type(error).__name__}: {error})") from error
        return made

    def alive(self) -> bool:
        """Tell, at once, whether there is a connection that the server still holds."""
        sock = self._connection.sock if self._connection is not None else None
        if sock is None:
            return False
        try:
            sock.setblocking(False)
            sock.recv(1)  # nobody speaks before he is asked: whatever comes is an end
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            return type(error).__name__ == "SSLWantReadError"
        finally:
            with suppress(OSError):  # it was closed from outside
                sock.settimeout(self._timeout_s)
        return False

    def probe(self) -> bool:
        """Tell, within PROBE_S, whether the server takes connections."""
        try:
            dialled(self._url.host, self._url.port, PROBE_S, self._check).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abort(self) -> None:
        """Make every wait end and every later call fail, from another thread."""
        with self._lock:
            self._aborted = True
            sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with suppress(OSError):  # it was never connected, or is no more
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _check(self) -> None:
        if self._aborted:
            raise aborted_error()


def retry_after_s(value: str | None, now_s: float | None = None) -> float | None:
    """Read `Retry-After`: seconds, or a date. None when there is none that can be read."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), RETRY_AFTER_MAX_S)
    try:
        at_s = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, at_s - (time.time() if now_s is None else now_s)), RETRY_AFTER_MAX_S)


def _trusting(ca: str | None) -> ssl.SSLContext:
    """Return what checks servers' certificates. OSError: `ca` is missing or is no PEM."""
    import ssl  # noqa: PLC0415 - 10 ms that nobody else pays

    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise OSError(f"ca {ca}: it cannot be read as certificates in PEM: {error}") from error


def _located(error: OSError, url: Url) -> OSError:
    """Return the error with the address in front. The numbers of TLS are its own, and would read as the system's."""
    if getattr(error, "library", None) is not None:
        return OSError(f"{url.where}: {error}")
    return located(error, url.host, url.port)


def _items(answer: http.client.HTTPResponse, text: bytes) -> bytes | None:
    """Read on where events were taken and the answer is JSON: it may say that some were not. None: it is too long."""
    if not 200 <= answer.status < 300 or "json" not in answer.headers.get("Content-Type", "").lower():
        return b""
    text += answer.read(ITEMS_BYTES - len(text))
    return None if answer.read(1) else text


def _shown(text: bytes) -> str:
    shown = " ".join(text[: 4 * TEXT_CHARS].decode("utf-8", "replace").split())
    return shown if len(shown) <= TEXT_CHARS else f"{shown[:TEXT_CHARS]}..."
