from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.times import NS
from swak.formats.yearless import AHEAD_DAYS, DAY_NS, YearlessTimes


def of_year(text: str, year: int) -> int:
    return round(datetime.strptime(f"{year} {text}", "%Y %m-%d %H:%M").replace(tzinfo=UTC).timestamp()) * NS


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * NS


@pytest.mark.parametrize(
    ("text", "read", "year"),
    [
        ("11-21 12:00", at(2026, 11, 21), 2026),
        ("11-21 12:00", at(2027, 1, 1), 2026),
        ("12-31 23:59", at(2027, 1, 1, 0), 2026),
        ("01-01 00:00", at(2026, 12, 31, 23), 2027),
        ("02-29 12:00", at(2026, 11, 21), 2024),
        ("02-29 12:00", at(2103, 11, 21), 2096),
    ],
)
def test_the_year_is_the_last_one_that_is_not_far_ahead(text: str, read: int, year: int) -> None:
    assert YearlessTimes(of_year).read_at(read)[text] == of_year(text, year)


@given(some.integers(at(1980, 1, 1), at(2200, 1, 1)), some.integers(-300, AHEAD_DAYS))
def test_a_time_near_the_day_of_reading_is_of_its_own_year(read_ns: int, days: int) -> None:
    moment = datetime.fromtimestamp((read_ns + days * DAY_NS) // NS, UTC).replace(second=0)
    text = moment.strftime("%m-%d %H:%M")
    assert YearlessTimes(of_year).read_at(read_ns)[text] == round(moment.timestamp()) * NS


def test_the_texts_of_one_day_are_remembered_and_those_of_another_are_read_anew() -> None:
    times = YearlessTimes(of_year)
    today = times.read_at(at(2026, 11, 21, 0))
    assert times.read_at(at(2026, 11, 21, 23)) is today
    assert times.read_at(at(2026, 11, 22, 0)) is not today


@pytest.mark.parametrize("text", ["02-30 12:00", "soon", ""])
def test_what_is_a_time_in_no_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|day"):
        YearlessTimes(of_year).read_at(at(2026, 11, 21))[text]
