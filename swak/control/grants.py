"""The tokens file: who may come in over TCP, and in which role."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING

from swak.control.private import read_private, told
from swak.control.rights import ROLES, Grant, Role
from swak.durable import write_all
from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CERTIFICATE = "certificate"
"""In place of a token's hash: whoever has a certificate of this name."""
MARK = "swak_"
"""What tokens begin with, so that those that were published by mistake can be looked for."""
TOKEN_BYTES = 32

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_NAME = re.compile(r"[!-~]{1,100}")
_FORM = f"wants NAME ROLE SHA256-HEX, or NAME ROLE {CERTIFICATE}"


class Grants:
    """A tokens file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: object = None
        self._grants: tuple[Grant, ...] = ()

    def now(self) -> tuple[Grant, ...]:
        """Return what it grants now. ConfigError: it cannot be read, or a line of it is wrong; nobody has a right then.

        A change that keeps size, time and inode is not noticed; appending and replacing are.
        """
        try:
            found = self.path.stat()
            seen = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_uid)
            if seen != self._seen:
                self._seen, self._grants = None, ()
                self._grants = read_grants(read_private(self.path), str(self.path))
                self._seen = seen
        except OSError as error:
            self._seen, self._grants = None, ()
            raise ConfigError([Problem(f"tokens: {told(error, self.path)}")]) from error
        return self._grants

    def find(self, token: str | None, names: Sequence[str]) -> Grant | None:
        """Return what a token grants or, where none is given, a certificate of these names. ConfigError as of `now`."""
        grants = self.now()
        if token is None:
            return next((one for one in grants if one.digest is None and one.name in names), None)
        digest = digest_of(token)
        found = None
        for one in grants:  # each of them, so that the time tells nothing
            if hmac.compare_digest(one.digest or b"", digest):
                found = one
        return found


def digest_of(token: str) -> bytes:
    """Return what is kept of a token. Tokens are random and long, so that a plain hash cannot be turned around."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def read_grants(text: str, file: str) -> tuple[Grant, ...]:
    """Read the lines of a tokens file; empty ones and those that begin with # say nothing. ConfigError names all."""
    grants: dict[tuple[str, bool], Grant] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            grant = _grant(line)
        except ValueError as error:
            problems.append(Problem(str(error), "", file, number))
            continue
        if grants.setdefault((grant.name, grant.digest is None), grant) is not grant:
            problems.append(Problem(f'"{grant.name}" stands here twice', "take one line off", file, number))
    if problems:
        raise ConfigError(problems)
    return tuple(grants.values())


def _grant(line: str) -> Grant:
    """Read one line. Nothing of it is told: somebody may have put the token itself there."""
    words = line.split()
    if len(words) != 3:
        raise ValueError(f"{_FORM}, and {len(words)} words are here")
    name, role, third = words
    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise ValueError(f"{_FORM}; ROLE is one of {', '.join(ROLES)}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{_FORM}; NAME has at most 100 plain characters")
    if third == CERTIFICATE:
        return Grant(name, known, None)
    if not _DIGEST.fullmatch(third):
        raise ValueError(f"{_FORM}; the hash has 64 hexadecimal digits, and is not the token itself")
    if bytes.fromhex(third) == digest_of(""):
        raise ValueError("this is the hash of an empty text, and no token")
    return Grant(name, known, bytes.fromhex(third))


def add_token(path: Path, name: str, role: Role) -> str:
    """Make a token, append its hash to a tokens file, and return it. ConfigError: the file or the name is wrong."""
    if not _NAME.fullmatch(name) or name.startswith("#"):
        raise ConfigError([Problem(f"{name!r} is no name of a token", "at most 100 plain characters, no spaces")])
    try:
        before = read_private(path) if path.exists() else ""
        if any(one.name == name and one.digest is not None for one in read_grants(before, str(path))):
            raise ConfigError([Problem(f'"{name}" has a token in {path}', "choose another name, or take its line off")])
        token = MARK + secrets.token_urlsafe(TOKEN_BYTES)
        line = f"{name} {role} {digest_of(token).hex()}\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            write_all(descriptor, ("\n" * bool(before and not before.endswith("\n")) + line).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError([Problem(f"tokens: {told(error, path)}")]) from error
    return token
