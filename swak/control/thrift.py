"""How control stays cheap: a thread may use a small part of one core, whatever it is asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.1
"""Of one core. A flow that uses a whole one can lose a tenth of it to those who watch, and no more."""
BURST_S = 0.05
"""CPU time that may be used at once: single requests are answered at once, many wait for one another."""


class Thrift:
    """Counts the CPU time of the calling thread, and says how long it has to rest."""

    def __init__(
        self,
        share: float = SHARE,
        used_s: Callable[[], float] = time.thread_time,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._used_s = used_s
        self._now_s = now_s
        self._last_used_s = used_s()
        self._last_s = now_s()
        self._debt_s = 0.0

    def rest_s(self) -> float:
        """Return how long to do nothing now, so that the share is kept."""
        used_s, now_s = self._used_s(), self._now_s()
        earned_s = (now_s - self._last_s) * self._share
        self._debt_s = max(0.0, self._debt_s - earned_s) + used_s - self._last_used_s  # idle time is not saved up
        self._last_used_s, self._last_s = used_s, now_s
        return max(0.0, self._debt_s - BURST_S) / self._share
