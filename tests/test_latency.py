from __future__ import annotations

import time

from swak.latency import BOUNDS_S, Latency


def test_what_took_a_moment_is_in_the_first_class() -> None:
    latency = Latency()
    latency.note(time.monotonic(), 3)
    spread = latency.spread()
    assert spread.counts == (3, *[0] * len(BOUNDS_S))
    assert 0 <= spread.sum_s < 3


def test_what_took_longer_than_every_bound_is_in_the_last_class() -> None:
    latency = Latency()
    latency.note(time.monotonic() - 2 * BOUNDS_S[-1], 2)
    spread = latency.spread()
    assert spread.counts == (*[0] * len(BOUNDS_S), 2)
    assert spread.sum_s >= 4 * BOUNDS_S[-1]
