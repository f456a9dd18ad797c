"""How far the delivery of one batch has come, in parts that may be halved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOPELESS = 32
"""Single events that may be refused before it is clear that nothing of the batch is wanted."""


class Delivery:
    """The pieces of a batch: which are still to be sent, and which were refused. It outlives a failure."""

    def __init__(self, pieces: Sequence[bytes], part_bytes_max: int) -> None:
        self.pieces = pieces
        self.refused: dict[int, str] = {}
        """Events that were not wanted, and what was said of them."""
        self.accepted = False
        """Whether something was."""
        self._parts = list(reversed(list(_parts(pieces, part_bytes_max))))

    def same(self, pieces: Sequence[bytes]) -> bool:
        """Tell whether these are the pieces that it was made for."""
        return self.pieces == pieces

    def part(self) -> Sequence[bytes]:
        """Return what to send next, nothing when all is done."""
        return self.pieces[slice(*self._parts[-1])] if self._parts else ()

    def delivered(self) -> None:
        """Note that the part was taken."""
        self._parts.pop()
        self.accepted = True

    def halve(self) -> bool:
        """Go on with the two halves of the part, one after the other; False when it is one event."""
        start, stop = self._parts[-1]
        if stop - start < 2:
            return False
        middle = (start + stop) // 2
        self._parts[-1:] = [(middle, stop), (start, middle)]
        return True

    def refuse(self, reason: str) -> None:
        """Note that no event of the part is wanted."""
        start, stop = self._parts.pop()
        self.refused.update(dict.fromkeys(range(start, stop), reason))

    def sort_out(self, refused: dict[int, str], again: list[int]) -> None:
        """Note that the part was taken but for some events, by their places in it; those in `again` come next."""
        start, _ = self._parts.pop()
        self.accepted = True
        self.refused.update({start + place: reason for place, reason in refused.items()})
        runs: list[tuple[int, int]] = []
        for at in [start + place for place in again]:
            if runs and runs[-1][1] == at:
                runs[-1] = (runs[-1][0], at + 1)
            else:
                runs.append((at, at + 1))
        self._parts += reversed(runs)

    @property
    def hopeless(self) -> bool:
        """Whether so many were refused, and none taken, that there is no use in trying each."""
        return not self.accepted and len(self.refused) >= HOPELESS


def _parts(pieces: Sequence[bytes], part_bytes_max: int) -> list[tuple[int, int]]:
    parts, start, size_bytes = [], 0, 0
    for at, piece in enumerate(pieces):
        if at > start and size_bytes + len(piece) > part_bytes_max:
            parts.append((start, at))
            start, size_bytes = at, 0
        size_bytes += len(piece) + 1
    return [*parts, (start, len(pieces))] if pieces else []
