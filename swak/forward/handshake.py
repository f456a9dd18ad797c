"""How both sides of the forward protocol prove that they know the shared key: HELO, PING, PONG."""

from __future__ import annotations

import hashlib
import hmac
import os
import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENCODER = msgspec.msgpack.Encoder()
SALT_BYTES = 16


class HandshakeError(Exception):
    """The other side is not who it should be, or does not speak as it should."""


class Secrets(NamedTuple):
    """What a sender knows. An empty `user` gives no name."""

    hostname: str
    shared_key: str
    user: str = ""
    password: str = ""


class Lock(NamedTuple):
    """What a receiver asks for: the key, and of `users` (passwords by name) one, unless there are none."""

    hostname: str
    shared_key: str
    users: Mapping[str, str]


class Keeper:
    """The receiver's part of one handshake."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._nonce = os.urandom(SALT_BYTES)
        self._auth = os.urandom(SALT_BYTES) if lock.users else b""

    def helo(self) -> bytes:
        """Return what the receiver says first."""
        return _ENCODER.encode(("HELO", {"nonce": self._nonce, "auth": self._auth, "keepalive": True}))

    def answer(self, ping: Any) -> bytes:
        """Return the PONG for a right PING. HandshakeError says why it is not."""
        if not (isinstance(ping, list) and len(ping) == 6 and ping[0] == "PING" and all(map(_is_text, ping))):
            raise HandshakeError("it sends events without a shared key, or no PING")
        hostname, salt, digest, user, password = (_octets(one) for one in ping[1:])
        expected = _digest(salt, hostname, self._nonce, self._lock.shared_key)
        if not hmac.compare_digest(digest, expected):
            raise HandshakeError("shared key mismatch")
        if self._lock.users:
            known = self._lock.users.get(user.decode(errors="replace"))
            right = _digest(self._auth, user, known or "", b"")
            if known is None or not hmac.compare_digest(password, right):
                raise HandshakeError("username/password mismatch")
        mine = _digest(salt, self._lock.hostname, self._nonce, self._lock.shared_key).decode()
        return _ENCODER.encode(("PONG", True, "", self._lock.hostname, mine))

    def refusal(self, reason: str) -> bytes:
        """Return the PONG that says no."""
        return _ENCODER.encode(("PONG", False, reason, self._lock.hostname, ""))


class Caller:
    """The sender's part of one handshake."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._salt = os.urandom(SALT_BYTES)
        self._nonce = b""
        self.keepalive = True
        """Whether the receiver lets the connection live on after the first delivery."""

    def answer(self, helo: Any) -> bytes:
        """Return the PING for a HELO."""
        option = helo[1] if isinstance(helo, list) and len(helo) == 2 and helo[0] == "HELO" else None
        if not isinstance(option, dict) or not _is_text(option.get("nonce")):
            raise HandshakeError(f"the receiver does not ask for the shared key: {reprlib.repr(helo)[:80]}")
        self._nonce, auth = _octets(option["nonce"]), _octets(option.get("auth") or b"")
        self.keepalive = option.get("keepalive") is not False
        hostname, key, user, password = self._secrets
        if auth and not user:
            raise HandshakeError("the receiver asks for a user and a password; give user= and password=")
        digest = _digest(self._salt, hostname, self._nonce, key).decode()
        proof = _digest(auth, user, password, b"").decode() if auth else ""
        return _ENCODER.encode(("PING", hostname, self._salt, digest, user if auth else "", proof))

    def check(self, pong: Any) -> None:
        """HandshakeError unless the PONG lets us in and proves that the receiver knows the key, too."""
        if not (isinstance(pong, list) and len(pong) == 5 and pong[0] == "PONG" and _is_text(pong[3])):
            raise HandshakeError(f"the receiver does not answer the shared key: {reprlib.repr(pong)[:80]}")
        if pong[1] is not True:
            reason = str(pong[2])[:200] if _is_text(pong[2]) else reprlib.repr(pong[2])[:80]
            raise HandshakeError(f"the receiver refuses the connection: {reason}")
        expected = _digest(self._salt, _octets(pong[3]), self._nonce, self._secrets.shared_key)
        if not _is_text(pong[4]) or not hmac.compare_digest(_octets(pong[4]), expected):
            raise HandshakeError("the receiver does not know the shared key")


def _digest(*parts: str | bytes) -> bytes:
    """Return the protocol's proof: SHA-512 of all parts, as hexadecimal digits."""
    return hashlib.sha512(b"".join(_octets(part) for part in parts)).hexdigest().encode()


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)


def _octets(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
