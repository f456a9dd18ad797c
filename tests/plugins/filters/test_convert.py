from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.errors import ConfigError
from swak.event import Batch, Rows
from swak.formats.rows import row_type
from swak.plugins.filters.convert import Convert
from swak.testing import assert_same_both_ways, batch_of, drive, drive_batch, event, outcome_of, promise
from tests.records import batches

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

KINDS = {"a": "int", "b": "float", "c": "bool", "d": "str"}


def test_fields_get_the_types_that_are_named() -> None:
    record = {"a": "5", "b": "1e3", "c": "Yes", "d": 5, "e": "5"}
    assert drive(Convert(KINDS), [event(record)]) == [{"a": 5, "b": 1000.0, "c": True, "d": "5", "e": "5"}]


def test_missing_fields_stay_missing_and_none_stays_none() -> None:
    assert drive(Convert(KINDS), [event({"a": None})]) == [{"a": None}]


def test_the_texts_of_nulls_become_none() -> None:
    assert drive(Convert(KINDS, nulls=["?"]), [event({"a": "?", "d": "?"})]) == [{"a": None, "d": None}]


def test_a_bad_value_brings_the_whole_event_to_the_dead_letters_as_it_came() -> None:
    dead: list[DeadEvent] = []
    events = [event({"a": "5", "b": "x"}), event({"a": "6"})]
    assert drive(Convert(KINDS), events, dead=dead) == [{"a": 6}]
    assert [(one.event, one.reason) for one in dead] == [(events[0], "Convert: field \"b\": 'x' is no number")]


def test_a_bad_value_may_pass_unchanged_under_another_tag() -> None:
    plugin = Convert(KINDS, on_error="pass", error_tag="bad")
    made = drive_batch(plugin, batch_of([event({"a": "5", "b": "x"}), event({"a": "6"})]))
    assert [(one.tag, one.record) for one in made] == [("bad", {"a": "5", "b": "x"}), ("test", {"a": 6})]


def test_a_bad_value_may_be_dropped_and_counted() -> None:
    outcome = outcome_of(Convert(KINDS, on_error="drop"), batch_of([event({"a": "x"}), event({"a": "6"})]))
    assert (outcome.filtered, outcome.dead) == (1, [])


def test_rows_stay_rows() -> None:
    row = row_type("Line", ("a", "n m"))
    batch = Batch(Rows([row("5", "x"), row(None, "7")], [1, 2]), "t", promise(2))
    ((body, _),) = outcome_of(Convert({"a": "int"}), batch).parts
    assert isinstance(body, Rows)
    assert body.records() == [{"a": 5, "n m": "x"}, {"a": None, "n m": "7"}]


@pytest.mark.parametrize("kind", ["integer", "json", None])
def test_an_unknown_type_is_refused_with_its_place(kind: object) -> None:
    with pytest.raises(ConfigError, match=r"test_convert\.py:\d+  Convert: option \"types\" wants one of 'int', "):
        Convert({"a": kind})


def test_options_that_cannot_work_are_named() -> None:
    assert [what for what, _ in Convert({}, error_tag="x").check()] == [
        'error_tag has a meaning with on_error="pass" only',
        "types names no field",
    ]


@given(batches, some.sampled_from(["dead", "pass", "drop"]))
def test_both_ways_agree_on_anything(batch: Batch, on_error: str) -> None:
    kinds: dict[str, Any] = {"message": "int", "n": "float", "a": "bool", "b c": "str"}
    for name, kind in kinds.items():
        assert_same_both_ways(Convert({name: kind}, on_error=on_error), batch)
    assert_same_both_ways(Convert(kinds, on_error=on_error), batch)
