from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from swak import out
from swak.errors import ConfigError
from swak.event import Batch, Block
from swak.plugins.filters.grep import Grep
from swak.testing import assert_same_both_ways, batch_of, block_of, drive, event, outcome_of
from tests.records import batches

A, B = {"a": "x"}, {"b": "x"}


@pytest.mark.parametrize(
    ("include", "exclude", "record", "stays"),
    [
        (A, None, {"a": "x"}, True),
        (A, None, {"a": "y"}, False),
        (A, None, {}, False),
        (A, None, {"a": None}, False),
        (A | B, None, {"a": "x", "b": "x"}, True),
        (A | B, None, {"a": "x", "b": "y"}, False),
        (A | B, None, {"a": "x"}, False),
        (None, A, {"a": "x"}, False),
        (None, A, {"a": "y"}, True),
        (None, A, {}, True),
        (None, A, {"a": None}, True),
        (None, A | B, {"a": "y", "b": "x"}, False),
        (None, A | B, {"a": "y", "b": "y"}, True),
        (A, A, {"a": "x"}, False),
        (A, B, {"a": "x", "b": "x"}, False),
        (A, B, {"a": "x", "b": "y"}, True),
        (A, B, {"a": "x"}, True),
        (A, B, {"a": "y", "b": "y"}, False),
        (A, B, {}, False),
    ],
)
def test_all_of_include_and_nothing_of_exclude(
    include: dict[str, str] | None, exclude: dict[str, str] | None, record: dict[str, Any], stays: bool
) -> None:
    assert drive(Grep(include, exclude), [event(record)]) == ([record] if stays else [])


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("RR", "ERROR", True),
        ("^RR", "ERROR", False),
        ("(?i)error", "ERROR", True),
        ("^5..$", 503, True),
        ("^true$", True, True),
        (r'"b":1', {"b": 1}, True),
        ("^a$", b"a", True),
        ("nan", float("nan"), True),
        ("", "", True),
        (r"^\(1, 2\)$", {(1, 2): 3}, False),
    ],
)
def test_a_pattern_is_tried_on_the_text_of_a_value(pattern: str, value: object, matches: bool) -> None:
    assert bool(drive(Grep({"a": pattern}), [event({"a": value})])) is matches


def test_a_number_too_long_for_text_is_no_error() -> None:
    assert drive(Grep({"a": "^<int>$"}), [event({"a": 10**5_000})]) == [{"a": 10**5_000}]


def test_one_pattern_alone_is_for_the_message() -> None:
    assert drive(Grep("o"), [event({"message": "one"}), event({"message": "see"})]) == [{"message": "one"}]


def test_a_path_leads_into_nested_fields() -> None:
    assert drive(Grep({"a.b": "x"}), [event({"a": {"b": "x"}}), event({"a": "x"})]) == [{"a": {"b": "x"}}]


def test_what_is_dropped_counts_as_filtered_and_nothing_is_dead() -> None:
    outcome = outcome_of(Grep("o"), batch_of([event({"message": text}) for text in ("one", "see", "sea")]))
    assert (outcome.filtered, outcome.dead, sum(body.count for body, _ in outcome.parts)) == (2, [], 1)


def test_raw_lines_stay_the_bytes_that_they_are() -> None:
    (body, tag), *_ = outcome_of(Grep("o"), block_of(b"o\xff\r", b"x", b"two")).parts
    assert isinstance(body, Block)
    assert (body.data, tag) == (b"o\xff\r\ntwo\n", "test")


def test_its_other_name_is_filter() -> None:
    assert out.Filter is Grep


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "neither include nor exclude is given"),
        ({"include": "("}, "pattern '(' is not a regular expression"),
        ({"exclude": {"a": "x", "b": "*"}}, "pattern '*' is not a regular expression"),
        ({"include": "\bword\b"}, "holds a backspace"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], said: str) -> None:
    ((what, mend),) = Grep(**options).check()
    assert said in what
    assert mend


def test_a_pattern_that_is_no_text_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r'test_grep\.py:\d+  Grep: option "include" wants'):
        Grep({"a": 5})


@given(batches)
def test_both_ways_agree_on_anything(batch: Batch) -> None:
    assert_same_both_ways(Grep({"message": "[aE5]", "a.n": ""}), batch)
    assert_same_both_ways(Grep({"n": ""}, {"message": "^.?$", "b c": "5"}), batch)
