"""Asking an agent that runs."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from swak.errors import Problem, SwakError
from swak.forward.tls import Tls, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.background.naming import Found

ANSWER_S = 10.0
"""How long an answer may take besides what the request itself waits for."""
CLOSED = "has closed the connection: it has ended, or was stopped"
HUNG_UP = "has hung up without a word: it knows neither our token nor our certificate"
TLS_END = "SSLEOFError"
"""How TLS says that the other side has closed the connection; by name, as whoever speaks no TLS does not import it."""
LINE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
LOOK_S = 0.2
"""How long one call waits for bytes. A signal that comes just before it does not end it: it is heeded after so long."""


class ControlError(SwakError):
    """An agent cannot be asked, or has refused."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Away(NamedTuple):
    """An agent that is reached over TCP."""

    host: str
    port: int
    tls: Tls
    """Our certificate and key, and the authority whose agents we trust."""
    token: str | None = None
    """None: our certificate says who we are."""


class Connection:
    """A connection to one agent. Not for several threads."""

    def __init__(self, to: str | Away, name: str = "the agent") -> None:
        """Connect, to a path on this machine or to an agent away. ControlError says why that cannot be."""
        self.name = name
        self._sock = _local(to, name) if isinstance(to, str) else _away(to, name)
        self._come = bytearray()
        """What has come and is not taken yet."""
        self._serial = 0
        self._silent = CLOSED if isinstance(to, str) else HUNG_UP
        """What it means when it closes the connection now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave. What is under way for us ends."""
        self._sock.close()

    def hang_up(self) -> None:
        """Have everything that another thread waits for here end with a ControlError. `close` is still due."""
        with contextlib.suppress(OSError):  # the other end was quicker
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # also of TLS, which would forget its state

    def ask(self, verb: str, *, within_s: float = 0.0, **given: Any) -> dict[str, Any]:
        """Return the answer to a request that itself waits `within_s` at most. ControlError: it was refused."""
        told: dict[str, Any] = {}
        for told in self.stream(verb, within_s=within_s, **given):  # noqa: B007 - the last one counts
            pass  # what comes before the last line is for those who stream
        return told

    def tell(self, verb: str, **given: Any) -> int:
        """Send a request and do not wait: what is answered is passed over. Returns its id. OSError: it has gone."""
        self._serial += 1
        wanted = {name: value for name, value in given.items() if value is not None}
        self._sock.settimeout(ANSWER_S)
        self._sock.sendall(json.dumps({"id": self._serial, "verb": verb, **wanted}).encode() + b"\n")
        return self._serial

    def _line(self, within_s: float | None) -> bytes:
        """Return the next line, or nothing when the connection ends before. TimeoutError: it has not come in time."""
        deadline = None if within_s is None else time.monotonic() + within_s
        seen = 0
        while (end := self._come.find(b"\n", seen)) < 0:
            seen = len(self._come)
            chunk = self._chunk(deadline)
            if not chunk or seen > LINE_BYTES:
                return b""
            self._come += chunk
        line = bytes(self._come[:end])
        del self._come[: end + 1]
        return line

    def _chunk(self, deadline: float | None) -> bytes:
        while True:
            self._sock.settimeout(LOOK_S)
            try:
                return self._sock.recv(CHUNK_BYTES)
            except TimeoutError:
                if deadline is not None and time.monotonic() > deadline:
                    raise

    def stream(self, verb: str, *, within_s: float | None = None, **given: Any) -> Iterator[dict[str, Any]]:
        """Yield each line that comes, the answer last. `within_s` None: they may come at any time."""
        answer_s = None if within_s is None else within_s + ANSWER_S
        try:
            serial = self.tell(verb, **given)
            while True:
                line = self._line(answer_s)
                if not line:
                    raise ControlError(f"{self.name} {self._silent}")
                self._silent = CLOSED
                told: dict[str, Any] = json.loads(line)
                if told.get("id") not in (serial, None):
                    continue  # of a request that nobody waits for any more
                if told.get("ok") is False:
                    raise ControlError(str(told.get("error")), str(told.get("code")))
                yield told
                if "ok" in told:
                    return
        except TimeoutError as error:
            raise ControlError(f"{self.name} does not answer") from error
        except (OSError, ValueError) as error:
            if isinstance(error, BrokenPipeError | ConnectionResetError) or type(error).__name__ == TLS_END:
                raise ControlError(f"{self.name} {self._silent}") from error
            raise ControlError(f"{self.name}: {_told(error)}") from error


def connect(found: Found) -> Connection:
    """Connect to an agent that runs. ControlError when it has no socket, or does not listen."""
    path = found.details.get("socket")
    if not path:
        what = f'"{found.name}" (process {found.pid}) has no control socket'
        raise ControlError(str(Problem(what, "it is just beginning, or its log says why: swak logs")))
    return Connection(str(path), f'"{found.name}"')


def _local(path: str, name: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ControlError(str(Problem("this system has no Unix sockets", "agents can be controlled over TCP: --at")))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(ANSWER_S)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        mend = "look at its log: swak logs"
        raise ControlError(str(Problem(f"{name} cannot be reached at {path}: {error}", mend))) from error
    return sock


def _away(to: Away, name: str) -> socket.socket:
    """Connect, encrypt, and say who we are. Whether we are let in shows with the first answer."""
    try:
        context = client_context(to.tls)
        sock = socket.create_connection((to.host, to.port), ANSWER_S)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            encrypted = context.wrap_socket(sock, server_hostname=to.host)
        except BaseException:
            sock.close()
            raise
        try:
            encrypted.sendall(json.dumps({"token": to.token}).encode() + b"\n")
        except OSError as error:
            encrypted.close()
            told = _told(error) if "ALERT" in str(error) else HUNG_UP
            raise ControlError(f"{name} {told}") from error
    except (OSError, ValueError) as error:
        raise ControlError(f"{name} cannot be reached: {_told(error)}") from error
    return encrypted


def _told(error: Exception) -> str:
    """Return an error in words. TLS names its own with an underscored sign, e.g. of an alert that was sent to us."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    verified, reason = getattr(error, "verify_message", ""), str(getattr(error, "reason", None) or "")
    if verified:
        return f"its certificate is not accepted here: {verified}"
    if "ALERT" in reason:
        return f"it does not accept our certificate ({reason.partition('ALERT_')[2].replace('_', ' ').lower()})"
    return str(reason or getattr(error, "strerror", None) or error).replace("_", " ")
