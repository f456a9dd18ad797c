"""When to stop restarting: a sliding window over the deaths of one task."""

from __future__ import annotations

from collections import deque


class Intensity:
    """At most `deaths_max` deaths in `window_s` seconds; one more means that the task is failing."""

    def __init__(self, deaths_max: int, window_s: float) -> None:
        self.deaths_max = deaths_max
        self.window_s = window_s
        self._times: deque[float] = deque()

    def exceeded_by(self, now: float) -> bool:
        """Note a death at `now` (monotonic seconds); tell whether it is one too many."""
        self._times.append(now)
        while self._times[0] <= now - self.window_s:
            self._times.popleft()
        return len(self._times) > self.deaths_max

    def clear(self) -> None:
        """Begin anew."""
        self._times.clear()
