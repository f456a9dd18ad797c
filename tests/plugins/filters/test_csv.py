from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.event import Rows
from swak.plugins.filters.csv import Csv
from swak.testing import assert_same_both_ways, batch_of, block_of, drive, drive_batch, event, outcome_of

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


def reason(line: str, **options: Any) -> str:
    dead: list[DeadEvent] = []
    plugin = Csv(["a", "b"], **options)
    assert drive(plugin, [event({"message": line})], dead=dead) == []
    assert_same_both_ways(plugin, batch_of([event({"message": one}) for one in ("1,2", line, "3,4")]))
    return dead[0].reason


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("1,2", ["1", "2"]),
        (",", ["", ""]),
        ('"1,5","a ""b"" c"', ["1,5", 'a "b" c']),
        (" 1 , 2 ", [" 1 ", " 2 "]),
        ("한,\ufeff", ["한", "\ufeff"]),
        ("1,\0", ["1", "\0"]),
    ],
)
def test_values_become_fields_by_the_order_of_columns(line: str, values: list[str]) -> None:
    assert drive_batch(Csv(["a", "b"]), block_of(line))[0].record == dict(zip("ab", values, strict=True))


def test_lines_travel_as_rows_whatever_the_columns_are_called() -> None:
    ((body, _),) = outcome_of(Csv(["a b", "c-d"]), block_of("1,2", "3,4")).parts
    assert isinstance(body, Rows)
    assert body.records() == [{"a b": "1", "c-d": "2"}, {"a b": "3", "c-d": "4"}]


def test_the_head_of_a_file_is_left_out_wherever_it_stands() -> None:
    outcome = outcome_of(Csv(["a", "b"]), block_of("a,b", "1,2", '"a",b', "b,a"))
    assert (outcome.parts[0][0].count, outcome.filtered, outcome.dead) == (2, 2, [])


def test_a_separator_and_a_quote_of_ones_own() -> None:
    assert drive(Csv(["a", "b"], ";", "'"), [event({"message": "'1;2';\"3"})]) == [{"a": "1;2", "b": '"3'}]


def test_without_a_quote_quotes_mean_nothing() -> None:
    assert drive(Csv(["a", "b"], quote=None), [event({"message": '"1,2"'})]) == [{"a": '"1', "b": '2"'}]


def test_a_value_with_line_ends_in_one_event() -> None:
    assert drive(Csv(["a", "b"]), [event({"message": '"1\n2",3'})]) == [{"a": "1\n2", "b": "3"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "0 values for 2 columns"),
        ("1", "1 values for 2 columns"),
        ("1,2,3", "3 values for 2 columns"),
        ('1,"2', "a quote is not closed"),
        ('"1"x,2', "',' expected after '\"'"),
        ('1,x"y', "a quote inside a value without quotes"),
        ('1, "2"', "a quote inside a value without quotes"),
        ("1,2\n3,4", "new-line character seen in unquoted field"),
        ("1," + "x" * 131_073, "field larger than field limit (131072)"),
    ],
)
def test_what_does_not_fit_is_named(line: str, said: str) -> None:
    assert reason(line) == f"Csv: {said}"


def test_a_record_that_was_cut_inside_its_quotes_is_dead_in_all_its_parts_and_swallows_no_neighbour() -> None:
    dead: list[DeadEvent] = []
    lines = ["1,2", '3,"4', '5,6"', "7,8"]
    made = drive_batch(Csv(["a", "b"]), block_of(*lines), dead=dead)
    assert [one.record["a"] for one in made] == ["1", "7"]
    assert [one.event.record["message"] for one in dead] == ['3,"4', '5,6"']


@given(some.lists(some.text(some.sampled_from('ab,"\r\n\0 \ud800한'), max_size=12), max_size=6))
def test_both_ways_agree_on_anything(lines: list[str]) -> None:
    assert_same_both_ways(Csv(["a", "b"]), batch_of([event({"message": line}) for line in lines]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": []}, "columns is empty"),
        ({"columns": ["a", "a"]}, 'there are two columns "a"'),
        ({"columns": ["a"], "separator": ""}, "separator '' is not one character"),
        ({"columns": ["a"], "separator": "\n"}, "separator '\\n' is not one character"),
        ({"columns": ["a"], "quote": "''"}, "quote \"''\" is not one character"),
        ({"columns": ["a"], "separator": '"'}, "separator and quote are the same"),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], said: str) -> None:
    assert [what for what, _ in Csv(**options).check()] == [said]
