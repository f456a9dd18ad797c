"""Restart intensity is a sliding window."""

from __future__ import annotations

from swak.actors.restarts import Intensity


def test_one_death_too_many_in_the_window_is_told() -> None:
    intensity = Intensity(2, 60)
    assert [intensity.exceeded_by(at_s) for at_s in (0, 1, 2)] == [False, False, True]


def test_deaths_leave_the_window_with_time() -> None:
    intensity = Intensity(2, 60)
    assert [intensity.exceeded_by(at_s) for at_s in (0, 30, 61, 62)] == [False, False, False, True]


def test_a_task_that_starts_again_begins_with_a_clean_slate() -> None:
    intensity = Intensity(1, 60)
    intensity.exceeded_by(0)
    intensity.clear()
    assert not intensity.exceeded_by(1)
