"""Rows that are not made yet."""

from __future__ import annotations

import json

import pytest

from swak.event import EVENTS_MAX, ROW_BYTES, Dicts, Rows
from swak.formats.found import Found, each_row, kind_of
from swak.formats.lines import json_lines
from swak.formats.rows import column, columns_of, in_parts, remade, row_type, selected
from swak.testing import batch_of, event

PLAIN = row_type("Found", ("a b", "c"))
SHARING = row_type("Found", ("a b", "c", "host", "n"), "web", 1)
VALUES: list[tuple[object, ...]] = [("x", None), ("y", "2"), ("z", "3")]


def found() -> Found:
    return Found(SHARING, VALUES, [1, 2, 3])


def test_they_are_events_like_any_rows() -> None:
    body = found()
    assert (body.count, list(body.times()), body.size_bytes) == (3, [1, 2, 3], 3 * ROW_BYTES)
    assert body.records()[0] == {"a b": "x", "c": None, "host": "web", "n": 1}
    assert [type(row) for row in body.rows] == [SHARING] * 3
    assert body.rows is body.rows


def test_they_are_written_as_the_rows_that_they_become() -> None:
    body = found()
    assert json_lines(body) == json_lines(Rows(body.rows, [1, 2, 3]))
    assert [json.loads(line) for line in json_lines(body).splitlines()] == body.records()


def test_half_a_surrogate_pair_is_written_as_in_other_rows() -> None:
    assert json_lines(Found(PLAIN, [("\ud800", None)], [1])) == '{"a b":"\ufffd","c":null}\n'.encode()


def test_a_column_is_one_field_be_it_shared_or_not() -> None:
    body = found()
    assert [column(body, name) for name in ("a b", "c", "host", "n", "x")] == [
        ["x", "y", "z"],
        [None, "2", "3"],
        ["web"] * 3,
        [1] * 3,
        [None] * 3,
    ]
    assert [list(one) for one in columns_of(body)] == [list(one) for one in columns_of(Rows(body.rows, [1, 2, 3]))]


def test_a_part_has_the_times_and_the_size_of_a_part() -> None:
    part = found().cut(1, 3)
    assert (part.records(), list(part.times()), part.size_bytes) == (found().records()[1:], [2, 3], 2 * ROW_BYTES)


def test_some_are_selected_without_making_any() -> None:
    batch = batch_of([event({})] * 3)
    batch.body = found()
    ((body, _),) = selected(batch, [True, False, True])
    assert isinstance(body, Found)
    assert (body.records(), list(body.times())) == ([*found().records()[:1], *found().records()[2:]], [1, 3])
    assert not body._rows or len(body._rows) == 2


def test_they_get_other_times() -> None:
    body = found().timed([7, 8, 9])
    assert (body.records(), list(body.times())) == (found().records(), [7, 8, 9])


def test_many_are_cut_into_parts() -> None:
    count = EVENTS_MAX + 1
    parts = in_parts(Found(PLAIN, [("x", "y")] * count, [1] * count), "t")
    assert [(type(body), body.count) for body, _ in parts] == [(Found, EVENTS_MAX), (Found, 1)]


def test_what_all_share_is_added_without_touching_any() -> None:
    body = Found(PLAIN, VALUES, [1, 2, 3])
    new = remade(body, {"a b": 0, "c": 1, "host": 2}, [["web"] * 3], alike=True)
    assert isinstance(new, Found)
    assert new.values is body.values
    more = remade(new, {"a b": 0, "c": 1, "host": 2, "n": 3}, [[True] * 3], alike=True)
    assert more.records() == [record | {"host": "web", "n": True} for record in body.records()]


@pytest.mark.parametrize("value", [1, True, 1.0, "1", b"1", None])
def test_values_that_python_takes_for_equal_stay_what_they_are(value: object) -> None:
    remade(Found(PLAIN, VALUES, [1, 2, 3]), {"a b": 0, "c": 1, "n": 2}, [[1] * 3], alike=True)
    new = remade(Found(PLAIN, VALUES, [1, 2, 3]), {"a b": 0, "c": 1, "n": 2}, [[value] * 3], alike=True)
    assert [(one["n"], type(one["n"])) for one in new.records()] == [(value, type(value))] * 3


@pytest.mark.parametrize(
    ("layout", "added", "alike"),
    [
        ({"a b": 0, "c": 1, "host": 2, "n": 3, "x": 4}, [["p", "q", "r"]], False),
        ({"n": 3, "a b": 0}, [], True),
        ({"a b": 4, "c": 1, "host": 2, "n": 3}, [["same"] * 3], True),
        ({"other": 2}, [], False),
    ],
)
def test_whatever_is_changed_they_become_what_rows_become(
    layout: dict[str, int], added: list[list[str]], alike: bool
) -> None:
    rows = Rows(found().rows, [1, 2, 3])
    new, same = remade(found(), layout, added, alike=alike), remade(rows, layout, added)
    assert (new.records(), list(new.times())) == (same.records(), list(same.times()))
    assert column(new, next(iter(layout))) == column(same, next(iter(layout)))
    assert new.cut(1, 2).records() == same.records()[1:2]


def test_rows_are_handed_out_to_read_once() -> None:
    body = found()
    rows = each_row(body)
    assert rows is not None
    assert list(rows) == body.rows
    assert each_row(Rows(body.rows, [1, 2, 3])) is body.rows
    assert each_row(Dicts([], [])) is None
    assert kind_of(body) is kind_of(Rows(body.rows, [1, 2, 3]))
