from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.errors import ConfigError
from swak.event import Batch, Rows
from swak.formats.rows import row_type
from swak.plugins.filters.time import Time
from swak.testing import assert_same_both_ways, batch_of, drive, drive_batch, event, outcome_of, promise
from tests.records import batches

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

NS = 10**9
FORMATS = [["iso"], ["clf", "ms"], ["%b %d %H:%M:%S", "iso"], ["%Y-%m-%d"], ["us"], ["ns", "%d/%b/%Y:%H:%M:%S %z"]]


def time_ns(plugin: Time, value: object, at_s: float = 0) -> int:
    (one,) = drive_batch(plugin, batch_of([event({"time": value}, at_s=at_s)]))
    return one.time_ns


@pytest.mark.parametrize(
    ("options", "value", "at_ns"),
    [
        ({}, "2014-10-31T15:02:10.123456789Z", 1_414_767_730_123_456_789),
        ({}, 1_414_767_730, 1_414_767_730 * NS),
        ({"format": "ms"}, "1414767730201", 1_414_767_730_201_000_000),
        ({"format": ["clf", "us"]}, 1_414_767_730_201_000, 1_414_767_730_201_000_000),
        ({"format": ["clf", "us"]}, "31/Oct/2014:15:02:10 +0000", 1_414_767_730 * NS),
        ({"format": "%d.%m.%Y %H:%M", "zone": "Asia/Seoul"}, "01.11.2014 00:02", 1_414_767_720 * NS),
        ({"format": "%d.%m.%Y %H:%M", "zone": "-03:30"}, "31.10.2014 11:32", 1_414_767_720 * NS),
        ({"format": "%d.%m.%Y %H:%M %z", "zone": "Asia/Seoul"}, "31.10.2014 15:02 +0000", 1_414_767_720 * NS),
    ],
)
def test_the_event_gets_the_time_of_its_field(options: dict[str, Any], value: object, at_ns: int) -> None:
    assert time_ns(Time(**options), value) == at_ns


def test_the_year_that_a_text_leaves_out_is_that_of_the_day_it_was_read_on() -> None:
    assert time_ns(Time(format="%b %d %H:%M:%S"), "Dec 31 23:59:59", at_s=1_767_225_600) == 1_767_225_599 * NS


def test_the_field_stays_unless_it_is_not_to() -> None:
    events = [event({"time": "1", "a": 2})]
    assert drive(Time(), events) == [{"time": "1", "a": 2}]
    assert drive(Time(keep=False), events) == [{"a": 2}]


def test_an_event_without_the_field_stays_as_it_is() -> None:
    events = [event({"a": 1}, at_s=5), event({"time": None}, at_s=6), event({"time": "7"}, at_s=6)]
    assert [one.time_ns for one in drive_batch(Time(), batch_of(events))] == [5 * NS, 6 * NS, 7 * NS]


@pytest.mark.parametrize("value", ["", "soon", "1700-02-30", "3000-01-01", 2**63, float("nan"), True, [], b"5"])
def test_what_is_no_time_brings_the_event_to_the_dead_letters_as_it_came(value: object) -> None:
    dead: list[DeadEvent] = []
    assert drive(Time(keep=False), [event({"time": value})], dead=dead) == []
    assert dead[0].event == event({"time": value})
    assert dead[0].reason.startswith('Time: field "time": there is no time ')


def test_a_number_too_long_for_text_is_no_time() -> None:
    dead: list[DeadEvent] = []
    assert drive(Time(), [event({"time": 10**5_000})], dead=dead) == []
    assert "there is no time a number of 16610 bits: it lies beyond" in dead[0].reason


def test_what_is_no_time_may_pass_unchanged_under_another_tag() -> None:
    plugin = Time(keep=False, on_error="pass", error_tag="bad")
    assert drive_batch(plugin, batch_of([event({"time": "x"}, at_s=5)])) == [event({"time": "x"}, tag="bad", at_s=5)]


def test_what_is_no_time_may_be_dropped_and_counted() -> None:
    outcome = outcome_of(Time(on_error="drop"), batch_of([event({"time": "x"}), event({"time": "5"})]))
    assert (outcome.filtered, outcome.dead) == (1, [])


def test_rows_stay_rows() -> None:
    row = row_type("Line", ("time", "b c"))
    batch = Batch(Rows([row("5", "x"), row("6", "y")], [1, 2]), "t", promise(2))
    ((body, _),) = outcome_of(Time(), batch).parts
    assert isinstance(body, Rows)
    assert list(body.times()) == [5 * NS, 6 * NS]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"zone": "Nowhere/City"}, 'there is no time zone "Nowhere/City"'),
        ({"zone": "+25:00"}, 'there is no time zone "+25:00"'),
        ({"format": []}, "format is empty"),
        ({"format": "min"}, "'min' is no pattern and none of iso, clf, s, ms, us, ns"),
        ({"format": ["iso", "%Y-%Q"]}, 'strptime does not know "%Q"'),
        ({"format": "%H:%M:%S"}, "'%H:%M:%S' tells no day"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], said: str) -> None:
    ((what, mend),) = Time(**options).check()
    assert what == said
    assert mend


def test_a_format_that_is_no_text_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r'test_time\.py:\d+  Time: option "format" wants'):
        Time("at", 5)


@given(batches, some.sampled_from(FORMATS), some.booleans(), some.sampled_from(["dead", "pass", "drop"]))
def test_both_ways_agree_on_anything(batch: Batch, written: list[str], keep: bool, on_error: str) -> None:
    for field in ("message", "when"):
        assert_same_both_ways(Time(field, written, zone="America/New_York", keep=keep, on_error=on_error), batch)
