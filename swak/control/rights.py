"""Who may do what: roles, and the verbs of a role."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from swak.control.protocol import RequestError

Role = Literal["read", "operate"]
ROLES: tuple[Role, ...] = get_args(Role)
READS = frozenset({"hello", "status", "snapshot", "tap", "stacks"})
"""What the role `read` may ask for: nothing of it changes anything. `operate` may do all."""


class Grant(NamedTuple):
    """One line of a tokens file: a token, or a certificate, and its role."""

    name: str
    role: Role
    digest: bytes | None
    """SHA-256 of the token; None: the client's certificate has this name."""


class Right(NamedTuple):
    """What one connection may do, and whose it is."""

    who: str
    """As the log names it: a user and a process, or a token and a certificate."""
    role: Role = "operate"
    writes: bool = True
    """Whether its role may attach with the real objects in hand."""
    grant: Grant | None = None
    """Over TCP, the line that grants it: it ends with that line."""

    def check(self, verb: str) -> None:
        """Refuse what the role may not. RequestError."""
        if self.role == "read" and verb not in READS:
            raise RequestError("forbidden", f'the role "read" may only ask for {", ".join(sorted(READS))}')
