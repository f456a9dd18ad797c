"""The file that says how control over TCP is guarded: certificate, key, authority, tokens."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.control.grants import Grants
from swak.control.private import check_private, told
from swak.errors import ConfigError, Problem
from swak.forward.tls import Tls, server_context
from swak.options import suggest

if TYPE_CHECKING:
    import ssl

FILES = ("certificate", "key", "ca", "tokens")
ATTACH_WRITE = "attach_write"


class Guarded(NamedTuple):
    """How control over TCP is guarded."""

    tls: Tls
    grants: Grants
    attach_write: bool = False
    """Whether the role `operate` may attach with the real objects in hand."""

    def context(self) -> ssl.SSLContext:
        """Return the TLS that everybody has to speak, with a certificate of their own. OSError names the file."""
        import ssl  # noqa: PLC0415 - costs more than the rest of swak's start

        check_private(self.tls.key)
        context = server_context(self.tls)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        return context


def read_config(path: Path) -> Guarded:
    """Read the file, and look into those that it names. ConfigError tells all that is wrong.

    What is given as a relative path counts from the file's folder.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what = told(error, path) if isinstance(error, OSError) else f"{path}: this is no TOML: {error}"
        raise ConfigError([Problem(what, "see docs/control.md")]) from error
    problems = _problems(given)
    if problems:
        raise ConfigError([Problem(f"{path}: {what}", mend) for what, mend in problems])
    certificate, key, ca, tokens = (str(path.parent / given[name]) for name in FILES)
    guarded = Guarded(Tls(ca, certificate, key), Grants(Path(tokens)), given.get(ATTACH_WRITE, False))
    guarded.grants.now()
    try:
        guarded.context()
    except OSError as error:
        raise ConfigError([Problem(f"{path}: {error.strerror or error}")]) from error
    return guarded


def _problems(given: dict[str, Any]) -> list[tuple[str, str]]:
    problems = []
    known = (*FILES, ATTACH_WRITE)
    problems += [(f'there is no setting "{name}"', suggest(name, known)) for name in given if name not in known]
    for name in FILES:
        if name not in given:
            problems.append((f'"{name}" is missing', f"give {name} = a path"))
        elif not isinstance(given[name], str) or not given[name]:
            problems.append((f'"{name}" wants a path in quotes', ""))
    if not isinstance(given.get(ATTACH_WRITE, False), bool):
        problems.append((f'"{ATTACH_WRITE}" wants true or false', ""))
    return problems
