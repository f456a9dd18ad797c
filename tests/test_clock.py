from __future__ import annotations

import time

from swak.clock import SYSTEM


def test_the_systems_clock_tells_the_systems_times() -> None:
    before, before_ns = time.monotonic(), time.time_ns()
    assert before <= SYSTEM.monotonic() <= time.monotonic()
    assert before_ns <= SYSTEM.time_ns() <= time.time_ns()
