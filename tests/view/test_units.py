from __future__ import annotations

import pytest

from swak.view.units import brief, number, rate, size, span


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.4, "0"), (999, "999"), (999.6, "1.00k"), (12_345, "12.3k"), (123_456, "123k"), (999_600, "1.00M"),
        (4.56e6, "4.56M"), (7.8e9, "7.80G"), (1e12, "1T"), (1e15, "1000T"),
    ],
)  # fmt: skip
def test_figures_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0.0s"), (0.25, "0.2s"), (9.94, "9.9s"), (9.97, "10s"), (59.4, "59s"), (59.6, "1m00s"), (302, "5m02s"),
     (3_600, "1h00m"), (11_040, "3h04m"), (183_600, "2d03h")],
)  # fmt: skip
def test_lengths_of_time_are_short(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0/s"), (0.5, "0.5/s"), (9.94, "9.9/s"), (9.96, "10/s"), (12_345, "12.3k/s")]
)
def test_a_slow_trickle_is_not_nothing(value: float, shown: str) -> None:
    assert rate(value) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (-5, "0 B"), (0, "0 B"), (812, "812 B"), (999.6, "1.0 kB"), (3_412_000, "3.4 MB"), (11_900_000, "12 MB"),
        (999_600_000, "1.0 GB"), (2.5e12, "2.5 TB"), (5e15, "5000 TB"),
    ],
)  # fmt: skip
def test_sizes_have_a_unit(size_bytes: float, shown: str) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.005, "5 ms"), (0.25, "250 ms"), (1.0, "1.0s"), (90, "1m30s")])
def test_delays_may_be_short(seconds: float, shown: str) -> None:
    assert brief(seconds) == shown
