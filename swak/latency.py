"""How long things took: a histogram that any thread adds to."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import NamedTuple

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper bounds of the classes; a last one takes what is longer."""


class Spread(NamedTuple):
    """What a histogram held at one moment."""

    counts: tuple[int, ...]
    """By class, in the order of BOUNDS_S, and one more."""
    sum_s: float


class Latency:
    """Counts durations by class. Costs about half a microsecond a note."""

    __slots__ = ("_counts", "_lock", "_sum_s")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def note(self, since_s: float, count: int) -> None:
        """Note that `count` things which began at this monotonic time are done now."""
        took_s = time.monotonic() - since_s
        at = bisect_left(BOUNDS_S, took_s)
        with self._lock:
            self._counts[at] += count
            self._sum_s += took_s * count

    def spread(self) -> Spread:
        """Return what was noted so far."""
        with self._lock:
            return Spread(tuple(self._counts), self._sum_s)
