from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from swak.errors import ConfigError
from swak.event import Batch, Block, Dicts, Rows, merge
from swak.formats.rows import row_type
from swak.plugins.filters.reform import Reform
from swak.testing import assert_same_both_ways, batch_of, block_of, drive, drive_batch, event, outcome_of, promise
from tests.records import batches

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


@pytest.mark.parametrize(
    ("options", "record", "made"),
    [
        ({"set": {"b": "x", "n": 5}}, {"a": 1}, {"a": 1, "b": "x", "n": 5}),
        ({"set": {"a": "${a}!"}}, {"a": 1}, {"a": "1!"}),
        ({"set": {"a": "${b}", "b": "${a}"}}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (
            {"set": {"m": {"tag": "${tag}", "all": ["${a}", 5]}}},
            {"a": [1]},
            {"a": [1], "m": {"tag": "test", "all": [[1], 5]}},
        ),
        ({"rename": {"a": "b"}}, {"a": 1, "b": 2, "c": 3}, {"b": 1, "c": 3}),
        ({"rename": {"a": "b", "b": "a"}}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"rename": {"x": "y"}}, {"a": 1}, {"a": 1}),
        ({"delete": ["a", "x"]}, {"a": 1, "b": 2}, {"b": 2}),
        ({"keep": ["b", "x"]}, {"a": 1, "b": 2}, {"b": 2}),
        ({"keep": []}, {"a": 1}, {}),
        ({"delete": ["a.b"]}, {"a": {"b": 1}, "a.b": 2}, {"a": {"b": 1}}),
    ],
)
def test_fields_change(options: dict[str, Any], record: dict[str, Any], made: dict[str, Any]) -> None:
    assert drive(Reform(**options), [event(record)]) == [made]


def test_the_order_is_rename_set_delete_keep() -> None:
    plugin = Reform(set={"a": "set", "was": "${a}"}, rename={"a": "b"}, delete=["c"], keep=["a", "b", "c", "was"])
    assert drive(plugin, [event({"a": 1, "c": 2, "d": 3})]) == [{"a": "set", "b": 1, "was": 1}]


def test_a_new_tag_may_be_made_of_fields() -> None:
    events = [event({"level": "warn"}, tag="app.web"), event({}, tag="app.db")]
    made = drive_batch(Reform(tag="${tag_parts[-1]}.${level}"), batch_of(events))
    assert [one.tag for one in made] == ["web.warn", "db."]


def test_lines_that_only_get_another_tag_stay_bytes() -> None:
    ((body, tag),) = outcome_of(Reform(tag="x.${tag}"), block_of(b"o\xff\r")).parts
    assert isinstance(body, Block)
    assert (body.data, tag) == (b"o\xff\r\n", "x.test")


def test_what_was_set_for_one_event_is_no_other_events() -> None:
    first, second = drive(Reform(set={"m": {"list": []}}), [event({}), event({})])
    assert first["m"] is not second["m"]
    assert first["m"]["list"] is not second["m"]["list"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nothing is to be changed"),
        ({"set": {"a": "${"}}, '"${" at character 0 is not closed'),
        ({"set": {"a": ["x", {"b": "${tag_parts[x]}"}]}}, "'x' is no whole number"),
        ({"tag": "${tag_part[0]}"}, '"${tag_part[0]}" is unknown'),
        ({"set": {"a": 1}, "keep": ["b"]}, 'the new field "a" is taken out again'),
        ({"rename": {"a": "b"}, "delete": ["b"]}, 'the new field "b" is taken out again'),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], said: str) -> None:
    ((what, mend),) = Reform(**options).check()
    assert said in what
    assert mend


def test_a_field_to_delete_that_is_no_list_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r'test_reform\.py:\d+  Reform: option "delete" wants list\[str\]'):
        Reform(delete="a")


def test_a_value_that_no_text_can_be_made_of_brings_the_event_to_the_dead_letters_as_it_came() -> None:
    dead: list[DeadEvent] = []
    events = [event({"a": {(1, 2): 3}}), event({"a": 1}), event({"a": 10**5_000})]
    assert drive(Reform(set={"b": "${a}!"}, delete=["a"]), events, dead=dead) == [{"b": "1!"}]
    assert [one.event for one in dead] == [events[0], events[2]]
    assert dead[0].reason.startswith("Reform: a value cannot be made text: Only dicts with")
    assert not dead[0].trace


ROWS = [("GET", None, [1]), ("GET", 5, "x"), (True, "5", {"n": 1})]


def rows_of(*fields: str, name: str = "Log") -> Batch:
    row = row_type(name, fields)
    return Batch(Rows([row(*one[: len(fields)]) for one in ROWS], [1, 2, 3]), "app.web", promise(len(ROWS)))


@pytest.mark.parametrize(
    "options",
    [
        {"set": {"host": "${hostname}"}},
        {"set": {"a": "over", "new field": 5, "none": None}},
        {"set": {"copy": "${c}", "text": "${a}/${b}/${missing}", "at": "${time}", "list": ["${a}"]}},
        {"set": {"b": "${a}"}, "rename": {"a": "b", "c": "z"}},
        {"rename": {"c": "last", "missing": "x"}},
        {"delete": ["a", "missing"]},
        {"keep": ["c", "a", "missing"]},
        {"tag": "x.${tag}.${b}"},
        {"set": {"host": "${hostname}"}, "tag": "x"},
    ],
)
def test_rows_stay_rows_and_those_of_other_branches_do_not_change(options: dict[str, Any]) -> None:
    batch = rows_of("a", "b", "c")
    rows, before = batch.body.rows[:], batch.body.records()  # type: ignore[union-attr]  # rows_of() makes Rows
    assert_same_both_ways(Reform(**options), batch)
    assert all(isinstance(body, Rows) for body, _ in outcome_of(Reform(**options), batch).parts)
    assert batch.body.records() == before
    assert all(one is other for one, other in zip(batch.body.rows, rows, strict=True))  # type: ignore[union-attr]


@pytest.mark.parametrize("options", [{"keep": []}, {"set": {'a"': "x"}}])
def test_what_no_row_can_be_goes_on_as_dicts(options: dict[str, Any]) -> None:
    assert_same_both_ways(Reform(**options), rows_of("a", "b"))
    ((body, _),) = outcome_of(Reform(**options), rows_of("a", "b")).parts
    assert isinstance(body, Dicts)


def test_one_filter_takes_rows_of_several_schemas() -> None:
    plugin = Reform({"host": "here", "b": "${a}"}, delete=["a"])
    (mixed,) = merge([rows_of("a", "b"), rows_of("b", "c d", name="Other")])
    plugin.open()
    made = [record for body, _ in plugin.process_batch(mixed).parts for record in body.records()]
    for batch in (rows_of("a", "b"), rows_of("b", "c d", name="Other")):
        ((body, _),) = plugin.process_batch(batch).parts
        assert body.records() == made[: body.count]
        del made[: body.count]
    plugin.close()


def test_an_empty_batch_stays_empty() -> None:
    empty = Batch(Rows([], []), "test", promise())
    assert outcome_of(Reform({"host": "${hostname}"}, tag="${tag}"), empty).parts == []
    assert outcome_of(Reform({"a": "${b}"}), empty).parts == []


@given(batches)
def test_both_ways_agree_on_anything(batch: Batch) -> None:
    assert_same_both_ways(Reform(set={"b": "${a}${message}"}, delete=["a"], tag="x.${n}"), batch)
    fields = {"all": "${a}", "n": ["${a.n}", "${tag}"], "at": "${time}"}
    assert_same_both_ways(Reform(set=fields, rename={"a": "n", "n": "a"}, delete=["message"]), batch)
    assert_same_both_ways(Reform(rename={"message": "a"}, keep=["a", "b c"], tag="x.${tag_suffix[1]}"), batch)
    assert_same_both_ways(Reform(tag="${tag}.${tag_parts[-1]}"), batch)
    assert_same_both_ways(Reform({"host": "${hostname}", "n": 5}, rename={"a": "b"}, tag="x"), batch)
