from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak.event import Rows
from swak.formats import w3c
from swak.plugins.filters.w3c import TAGS_MAX, W3C
from swak.testing import assert_same_both_ways, batch_of, block_of, drive_batch, event, events_of, outcome_of

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

SAMPLE = (Path(__file__).parent / "samples" / "u_ex261121.log").read_text(encoding="utf-8").splitlines()
HEAD = "#Fields: date time c-ip cs(User-Agent)"
AT_NS = 1_795_219_208 * 10**9
NO_FIELDS = "W3C: no #Fields before it, and the option fields names none"


def reasons(*lines: str, plugin: W3C | None = None) -> list[str]:
    dead: list[DeadEvent] = []
    drive_batch(plugin or W3C(), block_of(*lines), dead=dead)
    assert_same_both_ways(plugin or W3C(), block_of(*lines))
    return [one.reason for one in dead]


def test_a_file_of_iis_parses_and_its_fields_may_change_on_the_way() -> None:
    outcome = outcome_of(W3C(), block_of(*SAMPLE))
    made = events_of(outcome)
    assert (len(made), outcome.filtered, outcome.dead) == (4, 8, [])
    assert made[1].record["cs-username"] == "CONTOSO\\ada"
    assert made[1].record["cs(Referer)"] == "https://shop.example/cart"
    assert made[3].record == {
        "date": "2026-11-21",
        "time": "06:30:01",
        "c-ip": "203.0.113.9",
        "cs-method": "GET",
        "cs-uri-stem": "/health",
        "sc-status": "200",
    }
    assert_same_both_ways(W3C(), block_of(*SAMPLE))


def test_the_event_gets_the_time_of_the_line() -> None:
    assert drive_batch(W3C(), block_of(*SAMPLE, at_s=5))[0].time_ns == AT_NS


def test_lines_without_directives_travel_as_rows() -> None:
    lines = ["2026-11-21 00:00:08 1.2.3.4 x"] * 5
    ((body, _),) = outcome_of(W3C(fields=HEAD.split()[1:]), block_of(*lines)).parts
    assert isinstance(body, Rows)
    assert body.records()[0]["cs(User-Agent)"] == "x"


def test_fields_are_remembered_from_batch_to_batch_for_each_tag() -> None:
    plugin = W3C()
    plugin.open()
    plugin.process_batch(block_of("#Fields: a b", tag="one"))
    plugin.process_batch(block_of("#Fields: c", tag="two"))
    assert [one.record for one in events_of(plugin.process_batch(block_of("1 2", tag="one")))] == [{"a": "1", "b": "2"}]
    assert [one.record for one in events_of(plugin.process_batch(block_of("3", tag="two")))] == [{"c": "3"}]


def test_values_between_tabs_may_hold_spaces() -> None:
    made = drive_batch(W3C(), block_of("#Fields: a b", "one two\tthree"))
    assert made[0].record == {"a": "one two", "b": "three"}


def test_values_in_quotes_may_hold_spaces_and_doubled_quotes() -> None:
    made = drive_batch(W3C(), block_of("#Fields: a b c", '"one two" "a ""b""" x"y'))
    assert made[0].record == {"a": "one two", "b": 'a "b"', "c": 'x"y'}


def test_decoding_makes_dashes_none_and_pluses_of_headers_spaces() -> None:
    lines = ["#Fields: cs-uri-query cs(User-Agent) c-ip", "a+b Moz+1 -", "- - x"]
    made = [one.record for one in drive_batch(W3C(decode=True), block_of(*lines))]
    assert made[0] == {"cs-uri-query": "a+b", "cs(User-Agent)": "Moz 1", "c-ip": None}
    assert made[1] == {"cs-uri-query": None, "cs(User-Agent)": None, "c-ip": "x"}
    rows = block_of(*lines[1:])
    assert_same_both_ways(W3C(lines[0].split()[1:], decode=True), rows)


def test_a_time_alone_is_of_the_day_that_the_last_date_names() -> None:
    lines = ["#Date: 2026-11-20 23:00:00", "#Fields: time x", "00:00:08 a", "#Date: 2026-11-21 00:00:00", "00:00:08 b"]
    made = drive_batch(W3C(), block_of(*lines))
    assert [one.time_ns for one in made] == [AT_NS - 86_400 * 10**9, AT_NS]


def test_without_any_time_the_event_keeps_its_own() -> None:
    assert drive_batch(W3C(), block_of("#Fields: time", "00:00:08", at_s=3))[0].time_ns == 3 * 10**9


def test_lines_that_do_not_fit_are_named() -> None:
    assert reasons("x") == [NO_FIELDS]
    assert reasons(HEAD, "a b c") == ["W3C: 3 values for 4 fields"]
    assert reasons(HEAD, "2026-02-30 00:00:00 a b")[0].startswith("W3C: there is no time '2026-02-30 00:00:00'")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#Fields:", "W3C: #Fields names no field"),
        ("#Fields: a b a", "W3C: #Fields names a twice"),
        ("#Fields:" + " a" * 1_001, "W3C: #Fields names 1001 fields"),
    ],
)
def test_fields_that_cannot_be_told_apart_do_not_fit_nor_do_their_lines(line: str, said: str) -> None:
    assert reasons("#Fields: x", "1", line, "2") == [said, NO_FIELDS]


def test_the_tag_that_came_first_is_forgotten_first() -> None:
    plugin = W3C()
    plugin.open()
    for number in range(TAGS_MAX + 1):
        plugin.process(event({"message": "#Fields: a"}, tag=str(number)))
    assert len(plugin._told) == TAGS_MAX
    assert "0" not in plugin._told


def test_events_of_several_tags_find_their_fields() -> None:
    lines = [("#Fields: a", "x"), ("#Fields: b", "y"), ("1", "x"), ("2", "y")]
    batch = batch_of([event({"message": line}, tag=tag) for line, tag in lines])
    assert [one.record for one in drive_batch(W3C(), batch)] == [{"a": "1"}, {"b": "2"}]


def test_fields_given_must_differ() -> None:
    ((said, _),) = W3C(["a", "a"]).check()
    assert said == "fields: #Fields names a twice"


def test_an_unclosed_quote_is_part_of_a_value() -> None:
    assert w3c.split('"a b" "c d') == ["a b", '"c', "d"]


def test_after_a_restart_in_the_middle_of_a_file_lines_are_dead_until_the_next_fields_come() -> None:
    head, *lines = [line for line in SAMPLE if line.startswith("#Fields") or not line.startswith("#")]
    plugin = W3C()
    plugin.open()
    plugin.process_batch(block_of(head, lines[0]))
    plugin.close()
    plugin.open()
    outcome = plugin.process_batch(block_of(*lines))
    assert [one.event.record["message"] for one in outcome.dead] == lines[:3]
    assert {one.reason for one in outcome.dead} == {NO_FIELDS}
    assert [one.record["cs-uri-stem"] for one in events_of(outcome)] == ["/health"]


def test_fields_that_were_given_read_a_file_on_in_its_middle() -> None:
    head, *lines = [line for line in SAMPLE if line.startswith("#Fields") or not line.startswith("#")]
    made = drive_batch(W3C(head.split()[1:]), block_of(*lines))
    assert made == drive_batch(W3C(), block_of(head, *lines))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\x01"])
def test_a_field_that_cannot_be_named_so_is_shown(name: str) -> None:
    said, *others = reasons(f"#Fields: {name} c", "1 2")
    assert said == f"W3C: {name!r} can be no field: it holds a quote, a backslash or a control character"
    assert others == [NO_FIELDS]
