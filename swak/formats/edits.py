"""What is still to be done with JSON lines: whoever only picks or adds need not touch them."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Edits(NamedTuple):
    """Lines of one JSON object each, without spaces, and what they are to become."""

    lines: bytes
    wanted: Sequence[bool] | None = None
    """Which of the lines stay; None: all."""
    more: bytes = b""
    """What every object gets before its closing brace; not for empty ones."""

    def picked(self, wanted: Sequence[bool]) -> Edits:
        """Leave out some of the lines that are still there."""
        if self.wanted is None:
            return self._replace(wanted=wanted)
        left = iter(wanted)
        return self._replace(wanted=[stays and next(left) for stays in self.wanted])

    def extended(self, more: bytes) -> Edits:
        """Add text before each closing brace."""
        return self._replace(more=self.more + more)

    def made(self, count: int) -> bytes:
        """Return the lines, of which `count` are left.

        One byte is found by leaps, two are not: where lines hold no other braces than the closing ones, putting
        something before each brace takes a tenth of the time that it takes before each brace at a line's end.
        """
        data = self.lines
        if self.wanted is not None:
            data = b"\n".join([*compress(data.split(b"\n"), self.wanted), b""])
        if not self.more:
            return data
        made = data.replace(b"}", self.more + b"}")
        alone = len(made) - len(data) == count * len(self.more)
        return made if alone else data.replace(b"}\n", self.more + b"}\n")
