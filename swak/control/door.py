"""The way in over TCP: TLS with a certificate, then a token, for a few strangers at a time, each for a few seconds."""

from __future__ import annotations

import os
import selectors
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.control.rights import Right
from swak.errors import ConfigError
from swak.forward.tls import receive, waits
from swak.log import Log
from swak.sockets.address import listener, shown, tune

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from swak.control.configured import Guarded

STRANGERS_MAX = 16
"""Who has not shown a right yet. For one more, the oldest goes: who has one is through before that."""
STRANGER_S = 5.0
"""How long a stranger has for the handshake and the first line."""
FIRST_BYTES = 4096
"""How long the first line may be."""
ARRIVALS_A_SECOND, ARRIVALS_AT_ONCE = 10.0, 20.0
"""Handshakes cost milliseconds: more strangers wait in the listen queue, and those on the local socket do not."""
BACKLOG = 64
TELL_S = 10.0
"""How often the log tells that somebody was turned away."""

_log = Log("swak.control")


class Turned(Exception):  # noqa: N818 - it is what happens to a stranger
    """A stranger is turned away; the text is for the log, they hear nothing."""


class Stranger:
    """A connection that has no right yet."""

    def __init__(self, sock: ssl.SSLSocket, address: str, until: float) -> None:
        self.sock = sock
        self.address = address
        self.until = until
        self.is_encrypted = False
        """Whether the handshake is done: their certificate is one of ours."""
        self.given = bytearray()


class Admitted(NamedTuple):
    """Somebody who has a right."""

    sock: ssl.SSLSocket
    right: Right
    given: bytearray
    """What came behind the first line."""


class Door:
    """Listens on TCP and lets in who has a right. All but `__init__` is called by the control thread."""

    def __init__(self, host: str, port: int, guarded: Guarded, clock: Callable[[], float] = time.monotonic) -> None:
        """Listen. OSError: the address cannot be had, or a file cannot be read."""
        self._guarded = guarded
        self._clock = clock
        self._files = self._stamps()
        self._context = guarded.context()
        self._listener = listener(host, port, BACKLOG)
        self.address = shown(self._listener.getsockname())
        """Where it listens, as people write it."""
        self._selector: selectors.BaseSelector | None = None
        self._listens = False
        self._strangers: dict[int, Stranger] = {}
        self._arrivals = ARRIVALS_AT_ONCE
        self._arrivals_at = self._looked_at = clock()
        self._told_at = self._unusable_at = clock() - TELL_S
        self._turned = 0

    def open(self, selector: selectors.BaseSelector) -> None:
        """Have this selector tell of those who come."""
        self._selector = selector
        self._listen(wanted=True)

    def close(self) -> None:
        """Let nobody in any more."""
        for one in list(self._strangers.values()):
            self._leave(one)
            one.sock.close()
        self._listen(wanted=False)
        self._listener.close()

    @property
    def busy(self) -> bool:
        """Whether it has to be looked at again soon."""
        return bool(self._strangers) or (self._selector is not None and not self._listens)

    def holds(self, right: Right) -> bool:
        """Tell whether the tokens file still has the line that granted a right."""
        try:
            return right.grant in self._guarded.grants.now()
        except ConfigError as error:
            self._tell_unusable(error)
            return False

    def is_due(self, after_s: float) -> bool:
        """Tell whether `holds` was not asked about for so long; it is now."""
        now = self._clock()
        if now - self._looked_at < after_s:
            return False
        self._looked_at = now
        return True

    def listens_at(self, sock: Any) -> bool:
        """Tell whether that is the socket where they come in."""
        return sock is self._listener

    def step(self, *, arrived: bool) -> list[Admitted]:
        """Accept one who has `arrived`; go on with the others, and return who has a right."""
        now = self._clock()
        self._arrivals = min(ARRIVALS_AT_ONCE, self._arrivals + (now - self._arrivals_at) * ARRIVALS_A_SECOND)
        self._arrivals_at = now
        if arrived and self._arrivals >= 1:
            self._accept(now)
        self._listen(wanted=self._arrivals >= 1)
        found = (self._admitted(one, now) for one in list(self._strangers.values()))
        return [one for one in found if one is not None]

    def _listen(self, *, wanted: bool) -> None:
        if self._selector is None or wanted is self._listens:
            return
        if wanted:
            self._selector.register(self._listener, selectors.EVENT_READ, self)
        else:
            self._selector.unregister(self._listener)
        self._listens = wanted

    def _accept(self, now: float) -> None:
        self._arrivals -= 1
        address = "?"
        try:
            sock, peer = self._listener.accept()
        except BlockingIOError:
            return  # gone again
        except OSError as error:  # no descriptors, say: later, when there are arrivals again
            self._arrivals = 0.0
            self._tell_turned(address, str(error))
            return
        try:
            address = shown(peer)
            sock.setblocking(False)
            tune(sock)
            encrypted = self._renewed().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            sock.close()
            self._tell_turned(address, str(error))
            return
        while len(self._strangers) >= STRANGERS_MAX:
            self._turn(next(iter(self._strangers.values())), "there were too many strangers")
        self._strangers[encrypted.fileno()] = Stranger(encrypted, address, now + STRANGER_S)
        assert self._selector is not None
        self._selector.register(encrypted, selectors.EVENT_READ, self)

    def _admitted(self, one: Stranger, now: float) -> Admitted | None:
        try:
            right = self._right_of(one, now)
        except Turned as error:
            self._turn(one, str(error))
            return None
        except Exception as error:  # noqa: BLE001 - a bug with one stranger is no reason to leave the others
            _log.error("control over TCP: a stranger is shut out", exc_info=error)
            self._turn(one, repr(error))
            return None
        if right is None:
            return None
        self._leave(one)
        _log.debug("control over TCP: let in", who=right.who, role=right.role)
        return Admitted(one.sock, right, one.given)

    def _right_of(self, one: Stranger, now: float) -> Right | None:
        """Return their right; None: they have not said all yet. Turned: they have none."""
        if not one.is_encrypted and not self._shaken(one):
            said: bytes | None = None
        else:
            try:
                said = receive(one.sock)
            except OSError as error:
                raise Turned(_reason(error)) from None
        if said == b"":
            raise Turned("hung up before the first line")
        one.given += said or b""
        end = one.given.find(b"\n")
        if end < 0 and len(one.given) <= FIRST_BYTES:
            if now > one.until:
                raise Turned("has not said a whole first line in time" if one.is_encrypted else "no TLS in time")
            return None
        if not 0 <= end <= FIRST_BYTES:
            raise Turned("the first line is too long")
        first = bytes(one.given[:end])
        del one.given[: end + 1]
        return self._right(one, first)

    def _shaken(self, one: Stranger) -> bool:
        try:
            one.sock.do_handshake()
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and waits(error):
                return False
            raise Turned(_reason(error)) from None
        if one.sock.session_reused:
            raise Turned("wants to resume a session")
        one.is_encrypted = True
        return True

    def _right(self, one: Stranger, first: bytes) -> Right:
        """Return what the token of the first line grants or, without a token, the certificate."""
        names = names_of(one.sock.getpeercert() or {})
        certificate = names[0] if names else "without a name"
        try:
            said = msgspec.json.decode(first)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = None
        token = said.get("token", "") if isinstance(said, dict) and set(said) == {"token"} else ""
        if not isinstance(token, str | None):
            token = ""
        try:
            grant = self._guarded.grants.find(token, names) if token != "" else None
        except ConfigError as error:
            self._tell_unusable(error)
            raise Turned("the tokens file cannot be used") from None
        if grant is None:
            what = "its certificate has no role" if token is None else "no token" if not token else "a wrong token"
            raise Turned(f"{what} (certificate {certificate:.100})")
        kind = f"token {grant.name}, " if grant.digest is not None else ""
        writes = grant.role == "operate" and self._guarded.attach_write
        return Right(f"{kind}certificate {certificate:.100}, {one.address}", grant.role, writes, grant)

    def _turn(self, one: Stranger, why: str) -> None:
        self._leave(one)
        one.sock.close()
        self._tell_turned(one.address, why)

    def _leave(self, one: Stranger) -> None:
        self._strangers.pop(one.sock.fileno(), None)
        if self._selector is not None:
            self._selector.unregister(one.sock)

    def _tell_turned(self, address: str, why: str) -> None:
        """Tell of the first one, and later of the last one and how many there were: whoever knocks fills no disk."""
        self._turned += 1
        now = self._clock()
        if now - self._told_at < TELL_S:
            return
        _log.warning("control over TCP: turned away", peer=address, why=why, times=self._turned)
        self._told_at, self._turned = now, 0

    def _tell_unusable(self, error: ConfigError) -> None:
        now = self._clock()
        if now - self._unusable_at >= TELL_S:
            self._unusable_at = now
            _log.error("control over TCP: nobody is let in, the tokens file cannot be used", error=str(error))

    def _renewed(self) -> ssl.SSLContext:
        """Return the TLS context, of what the files hold now. New ones that are wrong change nothing but the log."""
        files = self._stamps()
        if files != self._files:
            self._files = files
            try:
                self._context = self._guarded.context()
            except OSError as error:
                _log.error("control over TCP: new certificates cannot be used; the old ones are", error=str(error))
            else:
                _log.info("control over TCP: new certificates are used")
        return self._context

    def _stamps(self) -> list[object]:
        stamps: list[object] = []
        for path in self._guarded.tls[:3]:
            try:
                found = os.stat(path)  # noqa: PTH116 - text, as TLS takes it
                stamps.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode))
            except OSError as error:
                stamps.append(error.errno)
        return stamps


def names_of(certificate: Any) -> list[str]:
    """Return a certificate's names: its alternative ones (DNS, e-mail, URI), or else its common name.

    `certificate`: as `SSLSocket.getpeercert` returns it.
    """
    names = [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "email", "URI"}]
    common = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return names or [str(one) for one in common]


def _reason(error: Exception) -> str:
    """Return what OpenSSL says in its own words, without numbers and places."""
    verified = getattr(error, "verify_message", "")
    reason = str(getattr(error, "reason", None) or "").replace("_", " ").lower()
    return str(verified or reason or getattr(error, "strerror", "") or error)
