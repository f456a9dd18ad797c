"""A batch that was given to workers, whole or in pieces, and what came back of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.plugin import Outcome
from swak.stats import Reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swak.event import Batch
    from swak.narrowing import Piece, Suspects

RESULTS_BYTES_MAX = 8 * 1024 * 1024
"""No more batches are given out while so much has come back and waits for its turn."""


class Work:
    """One batch. Its pieces are given out one after the other: where it has several, it is suspected to end workers."""

    def __init__(self, batch: Batch, suspects: Suspects) -> None:
        self.hopeless = suspects.hopeless
        """Whether all of it is given up."""
        self._pieces = [] if self.hopeless else suspects.pieces(batch)
        self.outcome = Outcome()
        self.filtered = Reasons()
        """By stage."""
        self.size_bytes = 0
        """Of what came back."""
        self.complete = False

    def next(self) -> Piece | None:
        """Return what is to be given out next, None when there is no more. Events that are given up need no worker."""
        while self._pieces:
            piece = self._pieces.pop(0)
            if not piece.reason:
                return piece
            self.add(piece.given_up(), {})
        self.complete = True
        return None

    def add(self, outcome: Outcome, filtered: Mapping[str, int], size_bytes: int = 0) -> None:
        """Note what became of the piece that was given out last."""
        self.outcome.parts += outcome.parts
        self.outcome.dead += outcome.dead
        self.outcome.made += outcome.made
        self.size_bytes += size_bytes
        for stage, count in filtered.items():
            self.filtered[stage] += count


def size_of(works: Iterable[Work]) -> int:
    """Return the bytes that have come back and are not passed on."""
    return sum(work.size_bytes for work in works)
