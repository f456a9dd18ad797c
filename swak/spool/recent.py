"""What was appended to a spool last, as long as it is in memory: then the disk is not read for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from swak.spool.frames import Frame
    from swak.spool.segments import Segment

RECENT_BYTES = 4 * 1024 * 1024
"""Resident bytes that are kept at most."""


class Recent(NamedTuple):
    """What was appended, and where it lies."""

    segment: Segment
    frame: Frame
    what: object
    size_bytes: int


class Recents:
    """The last ones, oldest first. One that is larger than the bound is not kept."""

    def __init__(self) -> None:
        self.bound_bytes = RECENT_BYTES
        self._held: deque[Recent] = deque()
        self._size_bytes = 0

    def has_room(self, size_bytes: int) -> bool:
        """Tell whether so much more can be kept without letting anything go, or can never be kept."""
        return self._size_bytes + size_bytes <= self.bound_bytes or size_bytes > self.bound_bytes

    def add(self, recent: Recent) -> None:
        """Keep it, and let the oldest ones go."""
        self._held.append(recent)
        self._size_bytes += recent.size_bytes
        while self._size_bytes > self.bound_bytes:
            self._let_go()

    def take(self, number: int) -> Recent | None:
        """Return the one of that number, if it is here; those before it are done with."""
        while self._held and self._held[0].frame.number < number:
            self._let_go()
        return self._let_go() if self._held and self._held[0].frame.number == number else None

    def forget(self) -> None:
        """Let all go."""
        self._held.clear()
        self._size_bytes = 0

    def _let_go(self) -> Recent:
        gone = self._held.popleft()
        self._size_bytes -= gone.size_bytes
        return gone
