"""Where time comes from: the system, or a test's own clock."""

from __future__ import annotations

import time


class Clock:
    """The system's clocks. Tests hand in one that they move themselves (`swak.testing.FakeClock`)."""

    def monotonic(self) -> float:
        """Return seconds that never go back: for delays and ages."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Return nanoseconds since 1970 (UTC): for the time of events."""
        return time.time_ns()


SYSTEM = Clock()
