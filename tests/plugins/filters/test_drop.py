from __future__ import annotations

import pytest
from hypothesis import given

from swak.errors import ConfigError
from swak.event import Batch, Block, Rows
from swak.formats.rows import row_type
from swak.plugins.filters.drop import Drop
from swak.testing import assert_same_both_ways, batch_of, block_of, drive, event, outcome_of, promise
from tests.records import batches


def test_events_under_the_condition_go() -> None:
    events = [event({"status": status}) for status in ("200", 404, None)]
    assert drive(Drop("status >= 400"), events) == [{"status": "200"}, {"status": None}]


def test_a_mapping_names_the_values_of_which_each_field_must_have_one() -> None:
    events = [event({"a": 1, "b": "x"}), event({"a": 2, "b": "x"}), event({"a": 1, "b": "y"}), event({"b": "x"})]
    assert drive(Drop({"a": [1, 3], "b": "x"}), events) == [one.record for one in events[1:]]


def test_what_is_dropped_counts_as_filtered_and_nothing_is_dead() -> None:
    outcome = outcome_of(Drop("n > 1"), batch_of([event({"n": n}) for n in range(5)]))
    assert (outcome.filtered, outcome.dead, sum(body.count for body, _ in outcome.parts)) == (3, [], 2)


def test_a_condition_without_fields_is_the_same_for_all() -> None:
    assert drive(Drop("True"), [event({}), event({"a": 1})]) == []


def test_raw_lines_stay_the_bytes_that_they_are() -> None:
    (body, _), *_ = outcome_of(Drop('message == "x"'), block_of(b"o\xff\r", b"x")).parts
    assert isinstance(body, Block)
    assert body.data == b"o\xff\r\n"


@pytest.mark.parametrize("when", ["status == 404", "missing == 404", "status != None", "status", "status in (5, None)"])
def test_rows_stay_the_rows_that_they_are(when: str) -> None:
    row = row_type("Log", ("status", "path"))
    rows = [row(status, "/") for status in ["404", 404, None, 404.0, True, "", "200", "5"] * 3]
    batch = Batch(Rows(rows, list(range(len(rows)))), "test", promise(len(rows)))
    assert_same_both_ways(Drop(when), batch)
    for body, _ in outcome_of(Drop(when), batch).parts:
        assert isinstance(body, Rows)
        assert {id(one) for one in body.rows} <= set(map(id, rows))


@pytest.mark.parametrize("when", ["status = 5", "open('x')", {}, r'matches(a, "(")', "a.b()"])
def test_a_condition_that_cannot_be_read_is_named(when: object) -> None:
    ((what, mend),) = Drop(when).check()
    assert what.startswith("when=")
    assert mend


def test_a_condition_of_another_kind_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r'test_drop\.py:\d+  Drop: option "when" wants'):
        Drop(bool)


@given(batches)
def test_both_ways_agree_on_anything(batch: Batch) -> None:
    assert_same_both_ways(Drop("message in ('a', 5, '5') or n < 5.5 or matches(a, '[a5]')"), batch)
    assert_same_both_ways(Drop('field("b c") != n and not (a.n == 5) and "a" in message'), batch)
    assert_same_both_ways(Drop({"message": [None, 5], "n": ["5", 0.5]}), batch)
