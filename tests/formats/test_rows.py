from __future__ import annotations

import msgspec
import pytest

from swak.event import EVENTS_MAX, Block, Body, Dicts, Rows, record_of
from swak.formats.found import Found
from swak.formats.rows import bounded, column, in_parts, remade, row_type, selected
from swak.testing import batch_of, block_of, event


@pytest.mark.parametrize("fields", [("a", "b"), ("a b", "f0"), ("", "한"), ("class", "__slots__"), ("_", "self")])
def test_a_row_may_have_fields_of_any_name(fields: tuple[str, ...]) -> None:
    row = row_type("Row", fields)(1, 2)
    assert record_of(row) == dict(zip(fields, (1, 2), strict=True))
    assert msgspec.json.decode(msgspec.json.encode(row)) == record_of(row)


@pytest.mark.parametrize("name", ['a"', "a\\", "a\n", "\0", "\ud800"])
def test_a_name_that_no_struct_can_have_is_shown(name: str) -> None:
    with pytest.raises(ValueError, match="can be no field: it holds a quote, a backslash or a control character"):
        row_type("Row", ("a", name))


def test_the_same_fields_give_the_same_type() -> None:
    assert row_type("Row", ("a", "b")) is row_type("Row", ("a", "b"))


RECORDS = [{"a b": 1, "c": 2}, {"a b": 3, "c": 4}]
ROWS = Rows([row_type("Row", ("a b", "c"))(*record.values()) for record in RECORDS], [1, 2])


@pytest.mark.parametrize("body", [ROWS, Dicts(RECORDS, [1, 2])])
def test_a_column_is_one_field_of_every_event(body: Body) -> None:
    assert (column(body, "a b"), column(body, "c"), column(body, "x")) == ([1, 3], [2, 4], [None, None])


def test_a_column_may_lie_deeper() -> None:
    assert column(Dicts([{"a": {"b": 1}}, {"a": 2}], [1, 2]), "a.b") == [1, None]
    assert column(Rows([row_type("Row", ("a",))({"b": 1})], [1]), "a.b") == [1]


def test_lines_have_one_column() -> None:
    body = Block(b"x\ny\n", 1)
    assert (column(body, "message"), column(body, "x")) == (["x", "y"], [None, None])


def test_selected_lines_stay_bytes_with_their_times() -> None:
    batch = block_of("a", "b", "c")
    batch.body = Block(b"a\nb\nc\n", 1, times=[1, 2, 3])
    ((body, tags),) = selected(batch, [True, False, True])
    assert isinstance(body, Block)
    assert (body.data, list(body.times()), tags) == (b"a\nc\n", [1, 3], "test")


def test_selected_events_keep_their_tags_and_times() -> None:
    batch = batch_of([event({"n": n}, tag=f"t{n}", at_s=n) for n in range(3)])
    ((body, tags),) = selected(batch, [False, True, True])
    assert (body.records(), tags, list(body.times())) == ([{"n": 1}, {"n": 2}], ["t1", "t2"], [10**9, 2 * 10**9])
    assert selected(batch, [False] * 3) == []


def test_bodies_are_cut_into_parts_that_are_not_too_long() -> None:
    body = Dicts([{}] * (EVENTS_MAX + 1), [0] * (EVENTS_MAX + 1))
    assert [(part.count, tags) for part, tags in in_parts(body, "x")] == [(EVENTS_MAX, "x"), (1, "x")]
    assert [part.count for part, _ in in_parts(Dicts([], []), "x")] == []


def test_what_is_handed_on_is_cut_but_for_lines() -> None:
    rows = Found(row_type("Row", ("n",)), [(n,) for n in range(2 * EVENTS_MAX + 1)], range(2 * EVENTS_MAX + 1))
    lines = Block(b"\n" * (EVENTS_MAX + 1), 0)
    parts = bounded([(rows, "a"), (lines, "b"), (Dicts([{}], [0]), ["c"])])
    assert [(part.count, tags) for part, tags in parts] == [
        (EVENTS_MAX, "a"),
        (EVENTS_MAX, "a"),
        (1, "a"),
        (EVENTS_MAX + 1, "b"),
        (1, ["c"]),
    ]
    assert [one["n"] for part, _ in parts[:3] for one in part.records()] == list(range(2 * EVENTS_MAX + 1))


def test_all_of_a_batch_is_the_batch_itself() -> None:
    for batch in (block_of("a", encoding="utf-16-le"), batch_of([event({"n": 1})])):
        assert selected(batch, [True]) == [(batch.body, "test")]


@pytest.mark.parametrize(
    ("layout", "added", "made"),
    [
        ({"a b": 0, "c": 1, "x": 2}, [["v", "w"]], [{"a b": 1, "c": 2, "x": "v"}, {"a b": 3, "c": 4, "x": "w"}]),
        ({"c": 1, "a b": 0}, [], [{"c": 2, "a b": 1}, {"c": 4, "a b": 3}]),
        ({"a b": 0, "d": 1}, [], [{"a b": 1, "d": 2}, {"a b": 3, "d": 4}]),
        ({"c": 2}, [["v", "w"]], [{"c": "v"}, {"c": "w"}]),
    ],
)
def test_rows_are_made_anew_with_other_fields(
    layout: dict[str, int], added: list[list[str]], made: list[dict[str, object]]
) -> None:
    new = remade(ROWS, layout, added)
    assert [list(record.items()) for record in new.records()] == [list(record.items()) for record in made]
    assert (new.times(), ROWS.records()) == ([1, 2], RECORDS)


def test_rows_made_anew_by_the_same_layout_are_of_one_type() -> None:
    first, second = (remade(ROWS, {"a b": 0, "c": 1, "x": 2}, [[one] * 2]) for one in "vw")
    assert type(first.rows[0]) is type(second.rows[0])


def test_a_field_that_no_row_can_have_is_shown() -> None:
    with pytest.raises(ValueError, match="can be no field"):
        remade(ROWS, {'a"': 0}, [])
