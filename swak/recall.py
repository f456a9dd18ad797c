"""A bounded memory of what has been taken already, to tell what comes a second time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Recall:
    """An exact set of the last `count_max` ids: the oldest is forgotten first, and nothing else.

    It is no high-water mark, so what comes late for the first time is new. What was noted last can be taken back until
    it is `kept`: ids of what was written, and is not safe yet. Measured: 130 bytes for an id of 36.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._ids: set[bytes] = set()
        self._order: deque[bytes] = deque()
        """The same ids, oldest first."""
        self._loose = 0
        """How many of the newest can be taken back."""

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, one: bytes) -> bool:
        return one in self._ids

    def note(self, ids: Iterable[bytes]) -> None:
        """Remember these, in their order; those that are known stay where they were."""
        for one in ids:
            if one in self._ids:
                continue
            self._ids.add(one)
            self._order.append(one)
            self._loose += 1
            if len(self._order) > self._count_max:
                self._ids.remove(self._order.popleft())

    def keep(self) -> None:
        """Nothing that was noted so far can be taken back any more."""
        self._loose = 0

    def take_back(self) -> None:
        """Forget what was noted since the last `keep`."""
        for _ in range(min(self._loose, len(self._order))):
            self._ids.remove(self._order.pop())
        self._loose = 0
