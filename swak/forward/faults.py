"""What goes wrong with connections: counted by kind, and told, but not so often that the log fills the disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.log import Log

AGAIN_S = 10.0
"""How often the same kind is told."""


class ProtocolError(ValueError):
    """What came is not the forward protocol."""


class Faults:
    """Counts connections that were closed for a reason, by the reason's kind: there are few kinds."""

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log
        self._monotonic = monotonic
        self._told_at: dict[str, float] = {}

    def note(self, reason: str, peer: str, detail: str) -> None:
        """Count one, and tell of it unless one of its kind was told of just now."""
        self.counts[reason] += 1
        now = self._monotonic()
        if now - self._told_at.get(reason, -AGAIN_S) >= AGAIN_S:
            self._told_at[reason] = now
            self._log.warning(
                "a connection was closed", reason=reason, peer=peer, detail=detail[:200], so_far=self.counts[reason]
            )

    def text(self) -> str:
        """Return the counts, the most frequent first; empty when there was nothing."""
        told = ", ".join(f"{count} {reason}" for reason, count in self.counts.most_common())
        return f"closed connections: {told}" if told else ""
