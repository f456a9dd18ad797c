from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.plugins.filters.json import Json
from swak.testing import assert_same_both_ways, block_of, drive, drive_batch, event, outcome_of

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


def reason(line: str | bytes, plugin: Json | None = None) -> str:
    dead: list[DeadEvent] = []
    assert not drive_batch(plugin or Json(), block_of(line), dead=dead)
    assert_same_both_ways(plugin or Json(), block_of(b'{"good":1}', line, b'{"good":2}'))
    return dead[0].reason


def test_an_object_becomes_the_record() -> None:
    assert drive(Json(), [event({"message": '{"a": [1, {"b": null}]}'})]) == [{"a": [1, {"b": None}]}]


def test_raw_lines_parse_as_the_same_events_do() -> None:
    assert_same_both_ways(Json(), block_of('{"a":1}', "x", '{"b":2}', "", '{"c":"한"}\r'))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "Json: expected object, got array (byte 0)"),
        ('  "x"', "Json: expected object, got str (byte 2)"),
        ("", "Json: the line ends too early (byte 0)"),
        ('{"a":1', "Json: the line ends too early (byte 6)"),
        ('{"a":NaN}', "Json: invalid character (byte 5)"),
        ('{"a":1} x', "Json: trailing characters (byte 9)"),
        ('{"é":1} x', "Json: trailing characters (byte 10)"),
        ('{"a":1}{"b":2}', "Json: trailing characters (byte 8)"),
        ('{"a":1e999}', "Json: Number out of range"),
        ('{"a":' + "9" * 5_000 + "}", "Json: Integer value out of range"),
        (r'{"a":"\ud800","b":"long enough"}', "Json: unexpected end of escaped utf-16 surrogate pair (byte 12)"),
        ('{"a":' + "[" * 3_000 + "]" * 3_000 + "}", "Json: nested deeper than 500 levels"),
        ('{"a":' + "[" * 501 + "]" * 501 + "}", "Json: nested deeper than 500 levels"),
    ],
)
def test_a_bad_line_is_dead_with_what_is_wrong_and_where(line: str, said: str) -> None:
    assert reason(line) == said


def test_the_reason_keeps_the_line() -> None:
    dead: list[DeadEvent] = []
    drive_batch(Json(), block_of("{", at_s=2), dead=dead)
    assert dead[0].event == event({"message": "{"}, at_s=2)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**70), 10**400])
def test_integers_have_any_size(number: int) -> None:
    assert drive_batch(Json(), block_of(f'{{"a":{number}}}'))[0].record == {"a": number}


def test_the_last_of_two_values_of_one_key_counts() -> None:
    assert drive_batch(Json(), block_of('{"a":1,"a":2}'))[0].record == {"a": 2}


def test_many_braces_side_by_side_are_not_deep() -> None:
    line = '{"a":[' + ",".join(["{}"] * 2_000) + "]}"
    assert len(drive_batch(Json(), block_of(line))[0].record["a"]) == 2_000


def test_nesting_is_judged_alike_however_deep_the_caller_stands() -> None:
    line = '{"a":' + "[" * 499 + "]" * 499 + "}"

    def deeper(levels: int) -> object:
        return deeper(levels - 1) if levels else drive_batch(Json(), block_of(line))[0].record["a"]

    assert deeper(50) is not None
    assert sys.getrecursionlimit() >= 1_000


def test_an_object_over_two_lines_does_not_swallow_its_neighbour() -> None:
    dead: list[DeadEvent] = []
    made = drive_batch(Json(), block_of('{"a":', "1}", '{"b":2}{"c":3}', '{"d":4}'), dead=dead)
    assert ([one.record for one in made], len(dead)) == ([{"d": 4}], 3)


def test_undecodable_bytes_become_replacement_characters() -> None:
    assert drive_batch(Json(), block_of(b'{"a":"\xff"}'))[0].record == {"a": "\ufffd"}
    assert_same_both_ways(Json(), block_of(b'{"a":"\xff"}', b'{"b":"ok"}'))


def test_other_encodings_are_decoded() -> None:
    assert drive_batch(Json(), block_of('{"a":"한"}', encoding="cp949"))[0].record == {"a": "한"}
    assert_same_both_ways(Json(), block_of('{"a":"한"}', "x", encoding="cp949"))


def test_lone_surrogates_in_a_record_are_dead_and_no_crash() -> None:
    dead: list[DeadEvent] = []
    drive(Json(), [event({"message": '{"a":"\ud800"}'})], dead=dead)
    assert dead[0].reason == "Json: half of a surrogate pair (character 6)"


@pytest.mark.parametrize(
    ("time", "time_ns"),
    [
        ("1414767730", 1_414_767_730 * 10**9),
        ("1414767730.201", 1_414_767_730_201_000_000),
        ("-0.5", -500_000_000),
        ('"1414767730.201"', 1_414_767_730_201_000_000),
        ('"2014-10-31T15:02:10.201Z"', 1_414_767_730_201_000_000),
        ('"2014-10-31T15:02:10.123456789+09:00"', 1_414_735_330_123_456_789),
        ("null", 7 * 10**9),
    ],
)
def test_the_time_field_sets_the_time(time: str, time_ns: int) -> None:
    lines = block_of(f'{{"ts":{time}}}', at_s=7)
    assert drive_batch(Json(time_field="ts"), lines)[0].time_ns == time_ns
    assert_same_both_ways(Json(time_field="ts"), lines)


def test_without_the_time_field_the_event_keeps_its_time() -> None:
    assert drive_batch(Json(time_field="ts"), block_of("{}", at_s=7))[0].time_ns == 7 * 10**9


@pytest.mark.parametrize("time", ['"soon"', "true", "1e300", "[]", "1414767730201", "9" * 400])
def test_an_impossible_time_is_dead(time: str) -> None:
    assert reason(f'{{"ts":{time}}}', Json(time_field="ts")).startswith('Json: field "ts": there is no time')


def test_other_fields_stay_if_wanted() -> None:
    given = event({"message": '{"a":1}', "a": 0, "host": "h"})
    assert drive(Json(keep=True), [given]) == [{"a": 1, "host": "h"}]


def test_parts_have_at_most_a_thousand_records() -> None:
    outcome = outcome_of(Json(), block_of(*['{"a":1}'] * 2_001))
    assert [part.count for part, _ in outcome.parts] == [1_000, 1_000, 1]


@given(some.lists(some.one_of(some.binary(max_size=30), some.text(max_size=30).map(lambda t: t.encode()))))
def test_no_line_breaks_the_batch_path(lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    if lines:
        assert_same_both_ways(Json(), block_of(b'{"a":"first"}', *lines))
