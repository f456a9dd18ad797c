"""How a receiver of the forward protocol is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swak.forward.decoder import FRAME_BYTES

if TYPE_CHECKING:
    from swak.forward.handshake import Lock
    from swak.forward.tls import Tls

HELD_BYTES = 256 * 1024 * 1024
"""Unfinished chunks of all connections together; beyond it only the one that began first is read on."""


class Settings(NamedTuple):
    """Where to listen, whom to let in, and how much to bear."""

    host: str
    port: int
    lock: Lock | None = None
    tls: Tls | None = None
    timeout_s: float = 30.0
    frame_bytes_max: int = FRAME_BYTES
    connections_max: int = 4096
    held_bytes_max: int = HELD_BYTES
    dedupe: int = 0
    """How many settled chunks are remembered, so that they are not taken again."""
