from __future__ import annotations

import pytest

from swak.errors import ConfigError
from swak.plugins.buffers.timed_buffer import TimedBuffer
from swak.testing import drive_buffer, event


def test_events_leave_together_when_the_first_is_old_enough() -> None:
    events = [event({"n": number}, at_s=at_s) for number, at_s in enumerate([0, 4, 9.9, 10, 15, 25])]
    assert drive_buffer(TimedBuffer("10s"), events) == [
        [{"n": 0}, {"n": 1}, {"n": 2}],
        [{"n": 3}, {"n": 4}],
        [{"n": 5}],
    ]


@pytest.mark.parametrize("age", ["5M", "5m", 300, "300s"])
def test_five_minutes_may_be_written_in_several_ways(age: str | int) -> None:
    assert float(TimedBuffer(age).age) == 300


@pytest.mark.parametrize("age", ["5k", "5MiB", "", 0, -1, "0s"])
def test_an_age_that_is_none_is_refused(age: str | int) -> None:
    with pytest.raises(ConfigError):
        TimedBuffer(age)


def test_what_is_held_leaves_at_the_end() -> None:
    assert drive_buffer(TimedBuffer("5M"), [event({"n": 1})]) == [[{"n": 1}]]


def test_without_events_nothing_leaves() -> None:
    assert drive_buffer(TimedBuffer("5M"), []) == []
