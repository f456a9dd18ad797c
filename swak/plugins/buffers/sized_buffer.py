"""Release events in groups of one size."""

from __future__ import annotations

import math

from swak.holding import HoldingBuffer
from swak.options import option


class SizedBuffer(HoldingBuffer):
    """Hold events in memory and release them in groups of exactly `count`.

    The last group of a run may be smaller, and so may one that grows beyond 8 MiB before it is full, or that others
    wait for at `--memory-limit`. Order stays. A group leaves as one batch, except where it cannot: above 1,000 parsed
    events or 256 KiB of lines, and where lines of different tags meet, it leaves as several, one right after the other.
    There is no limit on age: with few events a group waits until it is full. Nothing that is held counts as delivered:
    after a crash of the process an input that can replay reads it again.

    Example:
        `task(in_.FileTailing("/var/log/app.log"), out.SizedBuffer(100), out.Fluentd("192.168.0.1"))`
    """

    count: int = option("Events in a group.", above=0)

    def longest_s(self) -> float:
        return math.inf if self.count > 1 else 0.0

    def open(self) -> None:
        super().open()
        self.hold_count = self.count
