from __future__ import annotations

from swak.control.thrift import BURST_S, Thrift


class Times:
    """CPU time and clock, moved by the test."""

    def __init__(self) -> None:
        self.used_s = self.now_s = 0.0
        self.thrift = Thrift(0.1, lambda: self.used_s, lambda: self.now_s)

    def work(self, cpu_s: float) -> float:
        self.used_s += cpu_s
        self.now_s += cpu_s
        return self.thrift.rest_s()

    def rest(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_single_request_is_not_put_off() -> None:
    assert Times().work(BURST_S) == 0


def test_whoever_asks_all_the_time_gets_the_share_and_no_more() -> None:
    times = Times()
    for _ in range(1_000):
        times.rest(times.work(0.01))
    assert 0.09 < times.used_s / times.now_s < 0.11


def test_what_was_not_used_is_not_saved_up() -> None:
    times = Times()
    times.rest(3_600)
    assert times.work(1.0) > 8
