"""What is still to be done with JSON lines: whoever only picks or adds need not touch them."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sorted(NamedTuple):
    """Lines that were sorted by a rule when they were made: those that it keeps, and the others apart."""

    key: str
    """The rule's; empty where it may say something else by now."""
    kept: list[bool]
    """What it says of each event, in their order."""
    others: bytes


class Edits(NamedTuple):
    """Lines of one JSON object each, without spaces, and what they are to become."""

    lines: bytes
    sorted: Sorted | None = None
    """When not None, `lines` are those that are kept."""
    wanted: Sequence[bool] | None = None
    """Which of the lines stay; None: all."""
    more: bytes = b""
    """What every object gets before its closing brace; not for empty ones."""

    def picked(self, wanted: Sequence[bool]) -> Edits:
        """Leave out some of the lines that are still there."""
        if self.wanted is not None:
            left = iter(wanted)
            return self._replace(wanted=[stays and next(left) for stays in self.wanted])
        if self.sorted is not None and self.sorted.kept == wanted:
            return self._replace(sorted=None)
        return self._replace(wanted=wanted)

    def extended(self, more: bytes) -> Edits:
        """Add text before each closing brace. What a rule said of the lines before need not hold any more."""
        order = None if self.sorted is None else self.sorted._replace(key="")
        return self._replace(sorted=order, more=self.more + more)

    def made(self, count: int) -> bytes:
        """Return the lines, of which `count` are left.

        One byte is found by leaps, two are not: where lines hold no other braces than the closing ones, putting
        something before each brace takes a tenth of the time that it takes before each brace at a line's end.
        """
        data = self.lines
        if self.sorted is not None:
            kept, others = iter(data.split(b"\n")), iter(self.sorted.others.split(b"\n"))
            data = b"\n".join([*(next(kept if stays else others) for stays in self.sorted.kept), b""])
        if self.wanted is not None:
            data = b"\n".join([*compress(data.split(b"\n"), self.wanted), b""])
        if not self.more:
            return data
        made = data.replace(b"}", self.more + b"}")
        alone = len(made) - len(data) == count * len(self.more)
        return made if alone else data.replace(b"}\n", self.more + b"}\n")


def joined(edits: Sequence[Edits]) -> Edits | None:
    """Join lines that were sorted by the same rule, or not at all. None: something is to be done with some of them."""
    orders = [one.sorted for one in edits]
    keys = {None if one is None else one.key for one in orders}
    if len(keys) > 1 or any(one.wanted is not None or one.more for one in edits):
        return None
    lines = b"".join([one.lines for one in edits])
    found = [one for one in orders if one is not None]
    if not found:
        return Edits(lines)
    kept = [stays for one in found for stays in one.kept]
    return Edits(lines, Sorted(found[0].key, kept, b"".join([one.others for one in found])))
