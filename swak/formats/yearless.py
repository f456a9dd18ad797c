"""Times without a year: the day on which they were read tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from swak.formats.times import NS, TimeCache

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_NS = 86_400 * NS

AHEAD_DAYS = 7
"""How far ahead of the day on which it was read a time may lie: clocks differ. Beyond that it is last year's."""

LEAP_YEARS = 8
"""From one 29 February to the next there are at most eight years."""


class YearlessTimes:
    """Times without a year by their text and the day on which they were read, in nanoseconds since 1970.

    The year is the last one that puts the time at most AHEAD_DAYS after that day.
    """

    def __init__(self, read_ns: Callable[[str, int], int]) -> None:
        """`read_ns` reads a text as a time of that year, or raises ValueError."""
        self._read_ns = read_ns
        self._day: int | None = None
        self._known_ns = TimeCache(lambda _: 0)

    def read_at(self, time_ns: int) -> TimeCache:
        """Return the times by text for lines that were read on the day (UTC) of `time_ns`. It holds one day's."""
        day = time_ns // DAY_NS
        if day != self._day:
            self._day, self._known_ns = day, TimeCache(partial(self._latest, day))
        return self._known_ns

    def _latest(self, day: int, text: str) -> int:
        last_day = day + AHEAD_DAYS + 1
        year = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=last_day + 1)).year
        wrong = ValueError("there is no such year")
        for back in range(LEAP_YEARS + 2):
            try:
                time_ns = self._read_ns(text, year - back)
            except ValueError as error:  # no 29 February in that year, or no time at all
                wrong = error
                continue
            if time_ns < last_day * DAY_NS:
                return time_ns
        raise wrong
