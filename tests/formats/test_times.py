from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats import times
from swak.formats.times import TimeCache, any_ns, clf_ns, iso_ms, iso_ns, strptime_ns

if TYPE_CHECKING:
    from collections.abc import Callable

NS = 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("21/Nov/2026:01:07:27 +0000", 1_795_223_247),
        ("10/Oct/2000:13:55:36 -0700", 971_211_336),
        ("01/Jan/1970:09:00:00 +0900", 0),
        ("31/Dec/1969:23:59:59 +0000", -1),
        ("29/Feb/2024:00:00:00 +0530", 1_709_145_000),
    ],
)
def test_the_time_of_an_access_log(text: str, seconds: int) -> None:
    assert clf_ns(text) == seconds * NS


@pytest.mark.parametrize(
    ("read_ns", "text", "seconds"),
    [
        (clf_ns, "31/Dec/2016:23:59:60 +0000", 1_483_228_800),
        (clf_ns, "01/Jan/2017:08:59:60 +0900", 1_483_228_800),
        (iso_ns, "2016-12-31T23:59:60Z", 1_483_228_800),
        (iso_ns, "2016-12-31 18:59:60,5-0500", 1_483_228_800.5),
    ],
)
def test_a_leap_second_is_the_first_one_of_the_next_day(
    read_ns: Callable[[str], int], text: str, seconds: float
) -> None:
    assert read_ns(text) == round(seconds * NS)


@pytest.mark.parametrize("text", ["2016-12-31T22:59:60Z", "2016-12-31T23:60:60Z", "2016-13-31T23:59:60Z", "23:59:60"])
def test_another_60th_second_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"there is no time '{text}'"):
        iso_ns(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "29/Feb/2025:00:00:00 +0000",
        "31/Apr/2026:00:00:00 +0000",
        "00/Jan/2026:00:00:00 +0000",
        "01/Jan/0000:00:00:00 +0000",
        "21/Nov/2026:24:00:00 +0000",
        "21/Nov/2026:00:60:00 +0000",
        "21/Nov/2026:00:00:60 +0000",
        "21/Nov/2026:00:00:00 +2400",
        "21/Nov/2026:00:00:00 +0060",
        "21/nov/2026:00:00:00 +0000",
        "21/anF/2026:00:00:00 +0000",
        "21/Nov/2026:00:00:00 +0000\n",
        "٢١/Nov/2026:00:00:00 +0000",
        "21/Nov/1600:00:00:00 +0000",
    ],
)
def test_an_impossible_access_log_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="there is no time") as error:
        clf_ns(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("minute", ["10/Apr/2026:13:59", "11/Apr/2262:23:47", "21/Sep/1677:00:12", "31/Apr/2026:00:00"])
def test_the_seconds_of_a_minute_are_read_like_any_other_time(minute: str) -> None:
    """The first minute is an easy one, in the next two the times end that fit into 64 bits, and the last is none."""
    read = 0
    for second in (0, 1, 16, 17, 43, 44, 59):
        text = f"{minute}:{second:02} +0000"
        seconds = strptime_ns("%d/%b/%Y:%H:%M:%S %z")
        try:
            expected = seconds(text)
        except ValueError:
            with pytest.raises(ValueError, match=re.escape(text)):
                clf_ns(text)
        else:
            read += 1
            assert clf_ns(text) == expected
    assert read == {"2026": 7, "2262": 3, "1677": 2}[minute[7:11]] * (minute[:2] != "31")


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2014-10-31T15:02:10.201+0000", 1_414_767_730_201_000_000),
        ("2014-10-31T15:02:10,201Z", 1_414_767_730_201_000_000),
        ("2014-10-31 15:02:10", 1_414_767_730 * NS),
        ("20141031T150210.5Z", 1_414_767_730_500_000_000),
        ("2014-10-31T15:02:10.123456789Z", 1_414_767_730_123_456_789),
        ("2014-10-31T15:02:10.1234567899Z", 1_414_767_730_123_456_789),
        ("2014-10-31", 1_414_713_600 * NS),
        ("1414767730", 1_414_767_730 * NS),
        (" 1414767730.201 ", 1_414_767_730_201_000_000),
        ("-1.5", -1_500_000_000),
        ("-0.5", -500_000_000),
    ],
)
def test_iso_8601_and_seconds_since_1970(text: str, time_ns: int) -> None:
    assert iso_ns(text) == time_ns


@pytest.mark.parametrize("text", ["", "now", "2014-13-01", "2014-10-31T25:00:00", "9" * 19, "1" * 5_000, "9999-12-31"])
def test_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="there is no time"):
        iso_ns(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e300, 10**400, True, None, [], 1_414_767_730_201])
def test_a_value_that_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="there is no time"):
        any_ns(value)


@given(some.text(max_size=120))
def test_reading_a_time_only_ever_raises_value_error(text: str) -> None:
    for read_ns in (iso_ns, clf_ns, strptime_ns("%Y")):
        try:
            assert -(2**63) <= read_ns(text) < 2**63
        except ValueError as error:
            said = str(error)
        else:
            said = ""
        assert len(said) < 400


@given(some.integers(-(2**63), 2**63 - 1))
def test_written_times_are_read_back_to_the_millisecond(time_ns: int) -> None:
    second_ns = time_ns // 1_000_000 * 1_000_000
    if second_ns >= -(2**63):
        assert iso_ns(iso_ms(time_ns)) == second_ns


def test_written_times_may_end_in_an_offset() -> None:
    assert iso_ms(1_414_767_730_201_999_999, "+0000") == "2014-10-31T15:02:10.201+0000"


def test_a_time_before_the_first_counted_second_is_written() -> None:
    assert iso_ms(-1) == "1969-12-31T23:59:59.999Z"


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="no calendar"):
        iso_ms(10**30)


def test_a_format_of_its_own() -> None:
    assert strptime_ns("%d.%m.%Y %H:%M %z")("31.10.2014 15:02 +0900") == (1_414_767_720 - 32_400) * NS


def test_the_cache_reads_a_text_once() -> None:
    asked: list[str] = []

    def read_ns(text: str) -> int:
        asked.append(text)
        return int(text)

    cache = TimeCache(read_ns)
    assert [cache["1"], cache["2"], cache["1"]] == [1, 2, 1]
    assert asked == ["1", "2"]


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "CACHED_MAX", 3)
    cache = TimeCache(int)
    assert [cache[str(number)] for number in range(10)] == list(range(10))
    assert len(cache) <= 3


def test_what_cannot_be_read_is_not_kept() -> None:
    cache = TimeCache(int)
    with pytest.raises(ValueError, match="invalid literal"):
        cache["x"]
    assert not cache
