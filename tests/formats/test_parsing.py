"""What all parsers have in common: the line's field, what becomes of what does not fit, parts and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak.event import EVENTS_MAX, Block, Dicts
from swak.formats.parsing import LineParser, Lines, Part, Read
from swak.plugins.filters.apache import Apache
from swak.plugins.filters.csv import Csv
from swak.plugins.filters.json import Json
from swak.plugins.filters.kv import Kv
from swak.plugins.filters.logfmt import Logfmt
from swak.plugins.filters.ltsv import Ltsv
from swak.plugins.filters.nginx import Nginx
from swak.plugins.filters.regex import Regex
from swak.plugins.filters.syslog import Syslog
from swak.plugins.filters.tsv import Tsv
from swak.plugins.filters.w3c import W3C
from swak.testing import assert_same_both_ways, batch_of, block_of, drive_batch, event, events_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Batch
    from swak.plugin import DeadEvent

ACCESS = '1.2.3.4 - bob [21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 5'
PARSERS: dict[str, tuple[Callable[..., LineParser], str]] = {
    "Apache": (lambda **more: Apache("common", **more), ACCESS),
    "Nginx": (lambda **more: Nginx("common", **more), ACCESS),
    "W3C": (lambda **more: W3C(["a", "b"], **more), "1 2"),
    "Csv": (lambda **more: Csv(["a", "b"], **more), "1,2"),
    "Tsv": (lambda **more: Tsv(["a", "b"], **more), "1\t2"),
    "Ltsv": (Ltsv, "a:1"),
    "Logfmt": (Logfmt, "a=1"),
    "Kv": (Kv, "a=1"),
    "Syslog": (Syslog, "<34>1 - web app - - - text"),
    "Json": (Json, '{"a":1}'),
    "Regex": (lambda **more: Regex("^(?P<a>[0-9]+)$", **more), "1"),
}
BAD = "?"
every = pytest.mark.parametrize("name", PARSERS)


def as_block(*lines: str) -> Batch:
    return block_of(*lines, tag="app", at_s=5)


def as_events(*lines: str) -> Batch:
    return batch_of([event({"message": line}, tag="app", at_s=5) for line in lines])


either = pytest.mark.parametrize("batch", [as_block, as_events])


class Upper(LineParser):
    """Takes letters, makes them large; "drop" is left out."""

    def read_line(self, line: str, time_ns: int, tag: str) -> Read | None:
        if not line.isalpha():
            raise ValueError("no letters")
        return None if line == "drop" else ({"text": line.upper(), "of": tag}, time_ns + 1)


@every
@either
@pytest.mark.parametrize("each", [False, True])
def test_what_does_not_fit_is_dead_with_a_reason(name: str, batch: Callable[..., Batch], each: bool) -> None:
    made, good = PARSERS[name]
    outcome = outcome_of(made(), batch(good, BAD, good), each=each)
    assert len(events_of(outcome)) == 2
    (dead,) = outcome.dead
    assert dead.event == event({"message": BAD}, tag="app", at_s=5)
    assert dead.reason.startswith(f"{name}: ")
    assert (dead.trace, outcome.filtered) == ("", 0)


@every
@either
@pytest.mark.parametrize("each", [False, True])
def test_what_does_not_fit_is_dropped_and_counted_if_wanted(name: str, batch: Callable[..., Batch], each: bool) -> None:
    made, good = PARSERS[name]
    outcome = outcome_of(made(on_error="drop"), batch(good, BAD, good), each=each)
    assert (len(events_of(outcome)), outcome.dead, outcome.filtered) == (2, [], 1)


@every
@either
@pytest.mark.parametrize("each", [False, True])
def test_what_does_not_fit_passes_in_its_place_with_a_tag_if_wanted(
    name: str, batch: Callable[..., Batch], each: bool
) -> None:
    made, good = PARSERS[name]
    outcome = outcome_of(made(on_error="pass", error_tag="bad"), batch(good, BAD, good), each=each)
    events = events_of(outcome)
    assert ([one.tag for one in events], outcome.dead, outcome.filtered) == (["app", "bad", "app"], [], 0)
    assert events[1] == event({"message": BAD}, tag="bad", at_s=5)


@every
def test_what_passes_keeps_its_tag_unless_another_is_given(name: str) -> None:
    made, good = PARSERS[name]
    assert [one.tag for one in drive_batch(made(on_error="pass"), as_block(BAD, good))] == ["app", "app"]
    assert [one.tag for one in drive_batch(made(on_error="pass", error_tag="x"), as_block(BAD, BAD))] == ["x", "x"]


@every
def test_a_tag_for_what_never_passes_is_named(name: str) -> None:
    made, _ = PARSERS[name]
    assert [what for what, _ in made(error_tag="x").check()] == ['error_tag has a meaning with on_error="pass" only']


@every
def test_lines_travel_in_one_part_and_the_same_both_ways(name: str) -> None:
    made, good = PARSERS[name]
    assert len(outcome_of(made(), as_block(good, good)).parts) == 1
    assert_same_both_ways(made(), as_block(good, BAD, "", good, "\0", good + "\r"))


@every
def test_windows_line_ends_are_no_part_of_a_line(name: str) -> None:
    made, good = PARSERS[name]
    assert drive_batch(made(), as_block(good + "\r")) == drive_batch(made(), as_block(good))


@every
def test_an_empty_line_does_not_fit(name: str) -> None:
    dead: list[DeadEvent] = []
    drive_batch(PARSERS[name][0](), as_block(""), dead=dead)
    assert [one.event.record for one in dead] == [{"message": ""}]


def test_a_line_may_be_left_out() -> None:
    outcome = outcome_of(Upper(), as_block("a", "drop", "b"))
    assert ([one.record["text"] for one in events_of(outcome)], outcome.filtered) == (["A", "B"], 1)


@pytest.mark.parametrize(
    ("record", "said"),
    [({}, 'field "message" is missing'), ({"message": 5}, 'field "message" holds int, not text')],
)
def test_an_event_without_text_does_not_fit(record: dict[str, Any], said: str) -> None:
    batch = batch_of([event({"message": "a"}), event(record)])
    assert [one.reason for one in outcome_of(Upper(), batch).dead] == [f"Upper: {said}"]
    assert_same_both_ways(Upper(), batch)


@pytest.mark.parametrize("keep", [False, True])
def test_the_line_may_lie_in_a_field_of_a_field(keep: bool) -> None:
    plugin = Upper(field="a.b", keep=keep)
    batch = batch_of([event(record) for record in ({"a": {"b": "x"}}, {"a": 1}, {"a": {"b": 5}}, {"a.b": "y"})])
    good = batch_of([event({"a": {"b": "x"}}), event({"a.b": "y"})])
    assert [one.record["text"] for one in drive_batch(plugin, good)] == ["X", "Y"]
    said = [one.reason for one in outcome_of(plugin, batch).dead]
    assert said == ['Upper: field "a.b" is missing', 'Upper: field "a.b" holds int, not text']
    for one in (batch, good):
        assert_same_both_ways(plugin, one)


def test_events_of_several_tags_are_read_with_their_own() -> None:
    batch = batch_of([event({"message": "a"}, tag="one"), event({"message": "b"}, tag="two")])
    assert [one.record["of"] for one in drive_batch(Upper(), batch)] == ["one", "two"]


def test_other_fields_go_unless_they_are_to_stay() -> None:
    batch = batch_of([event({"message": "a", "text": "old", "host": "h"})])
    assert drive_batch(Upper(), batch)[0].record == {"text": "A", "of": "test"}
    assert drive_batch(Upper(keep=True), batch)[0].record == {"text": "A", "host": "h", "of": "test"}


def test_no_part_is_longer_than_a_batch_may_be() -> None:
    outcome = outcome_of(Upper(), as_block(*["a"] * (EVENTS_MAX + 1)))
    assert [body.count for body, _ in outcome.parts] == [EVENTS_MAX, 1]


def test_what_did_not_fit_counts_for_no_size() -> None:
    ((body, _),) = outcome_of(Upper(), as_block("aaaa", "1234")).parts
    assert isinstance(body, Dicts)
    assert body.size_bytes == 5 + Upper.row_bytes


def test_a_part_shows_its_share_of_the_lines() -> None:
    part = Part(Lines(Block(b"a\n" * EVENTS_MAX + b"b\n", 7), "tag", "message"), EVENTS_MAX)
    assert (part.lines, part.raw, part.times, part.tag) == (["b"], [b"b"], [7], "tag")


def test_lines_are_raw_only_where_they_are_utf_8() -> None:
    assert Lines(Block("한\n".encode("cp949"), 0, "cp949"), "tag", "message").raw is None
    assert Lines(as_events("a").body, "tag", "message").raw is None


def test_lines_tell_what_they_may_hold() -> None:
    for batch in (as_block("ab", "c"), as_events("ab", "c")):
        lines = Lines(batch.body, "tag", "message")
        assert (lines.may_hold("b"), lines.may_hold("x")) == (True, False)


@pytest.mark.parametrize("starts", [0, 1, 5, 100])
def test_a_text_is_found_among_many_that_begin_like_it(starts: int) -> None:
    data = b"a\\b " * starts + b"x" * 300 + b"\n"
    assert Lines(Block(data + b'\\"\n', 0), "x", "message").may_hold('\\"')
    assert not Lines(Block(data, 0), "x", "message").may_hold('\\"')
    assert Lines(Block('a\\b\\"\n'.encode("utf-16"), 0, "utf-16"), "x", "message").may_hold('\\"')
    assert not Lines(Block('a\\b"\n'.encode("utf-16"), 0, "utf-16"), "x", "message").may_hold('\\"')
