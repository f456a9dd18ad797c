from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError
from swak.event import Batch, Block, Rows
from swak.formats.lines import json_lines
from swak.formats.registry import Shape
from swak.plugins.filters.regex import Regex
from swak.testing import assert_same_both_ways, block_of, drive, drive_batch, event, outcome_of, promise

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

LEVEL = r"(?P<level>\w+) (?P<message>.*)"


def dead_of(plugin: Regex, line: str) -> str:
    dead: list[DeadEvent] = []
    drive_batch(plugin, block_of(line), dead=dead)
    return dead[0].reason


def test_the_named_groups_become_the_record() -> None:
    assert drive(Regex(LEVEL), [event({"message": "INFO all is well"})]) == [
        {"level": "INFO", "message": "all is well"}
    ]


def test_a_line_of_a_block_parses_as_the_same_event_does() -> None:
    assert_same_both_ways(Regex(LEVEL), block_of("INFO a", "?", "WARN b", ""))


def test_a_block_becomes_rows() -> None:
    ((body, tags),) = outcome_of(Regex(LEVEL), block_of("INFO a", "WARN b", tag="app")).parts
    assert (isinstance(body, Rows), body.count, tags) == (True, 2, "app")


def test_the_pattern_may_match_anywhere() -> None:
    assert drive(Regex(r"user=(?P<user>\w+)"), [event({"message": "at 5 user=ada left"})]) == [{"user": "ada"}]


def test_an_anchored_pattern_turns_other_lines_away() -> None:
    assert dead_of(Regex(r"^user=(?P<user>\w+)$"), "at 5 user=ada") == "Regex: no match"


def test_a_group_that_took_no_part_is_none() -> None:
    assert drive(Regex(r"(?P<a>x)|(?P<b>y)"), [event({"message": "y"})]) == [{"a": None, "b": "y"}]


@pytest.mark.parametrize("pattern", [r"(\d)(?P<a>\w)(\d)", r"(?P<b>\d)(?P<a>\w)(\d)"])
def test_groups_without_a_name_are_left_out(pattern: str) -> None:
    made = drive_batch(Regex(pattern), block_of("1x2"))[0].record
    assert made == {"a": "x"} | ({"b": "1"} if "<b>" in pattern else {})
    assert_same_both_ways(Regex(pattern), block_of("1x2", "y", "3z4"))


def test_keywords_of_python_can_be_fields() -> None:
    assert drive(Regex(r"(?P<class>\w+) (?P<from>\w+)"), [event({"message": "a b"})]) == [{"class": "a", "from": "b"}]


def test_names_that_python_keeps_for_itself_can_be_fields() -> None:
    assert drive_batch(Regex("(?P<__slots__>a)"), block_of("a"))[0].record == {"__slots__": "a"}


def test_another_field_can_hold_the_text() -> None:
    assert drive(Regex(LEVEL, field="log"), [event({"log": "INFO x"})]) == [{"level": "INFO", "message": "x"}]


def test_raw_lines_have_no_other_field() -> None:
    assert dead_of(Regex(LEVEL, field="log"), "INFO x") == 'Regex: field "log" is missing'


def test_other_fields_stay_if_wanted_and_the_parsed_ones_win() -> None:
    given = event({"message": "INFO x", "level": "?", "host": "a"})
    assert drive(Regex(r"(?P<level>\w+)", keep=True), [given]) == [{"level": "INFO", "host": "a"}]


def test_a_field_that_is_no_text_is_dead() -> None:
    dead: list[DeadEvent] = []
    assert not drive(Regex(LEVEL), [event({"message": 5})], dead=dead)
    assert dead[0].reason == 'Regex: field "message" holds int, not text'


def test_the_time_of_an_event_comes_from_the_group_named_for_it() -> None:
    plugin = Regex(r"^(?P<time>\S+) (?P<rest>.*)", time_field="time")
    (made,) = drive_batch(plugin, block_of("2014-10-31T15:02:10.201+0900 x", at_s=1))
    assert (made.time_ns, made.record["time"]) == (1_414_735_330_201_000_000, "2014-10-31T15:02:10.201+0900")


def test_a_time_format_says_how_the_time_is_written() -> None:
    plugin = Regex(r"^\[(?P<time>[^]]+)\]", time_field="time", time_format="%d.%m.%Y %H:%M:%S")
    (made,) = drive_batch(plugin, block_of("[31.10.2014 15:02:10] x"))
    assert made.time_ns == 1_414_767_730 * 10**9


def test_a_time_group_that_took_no_part_leaves_the_time_alone() -> None:
    plugin = Regex(r"^(?:at (?P<time>\S+) )?(?P<rest>\w+)$", time_field="time")
    lines = block_of("at 7 x", "y", "at never z", at_s=5)
    dead: list[DeadEvent] = []
    assert [one.time_ns for one in drive_batch(plugin, lines, dead=dead)] == [7 * 10**9, 5 * 10**9]
    assert dead[0].reason == "Regex: there is no time 'never'"
    assert_same_both_ways(plugin, lines)


def test_lines_of_a_joined_block_keep_their_own_times() -> None:
    batch = block_of("INFO a", "x", "WARN b")
    batch.body = Block(b"INFO a\n?\nWARN b\n", 1, times=[1, 2, 3])
    dead: list[DeadEvent] = []
    assert [one.time_ns for one in drive_batch(Regex(LEVEL), batch, dead=dead)] == [1, 3]
    assert dead[0].event.time_ns == 2


def test_parts_have_at_most_a_thousand_rows() -> None:
    outcome = outcome_of(Regex(LEVEL), block_of(*["INFO x"] * 2_100))
    assert [part.count for part, _ in outcome.parts] == [1_000, 1_000, 100]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"pattern": "(?P<a>"}, "is not a regular expression"),
        ({"pattern": "abc"}, "has no named group"),
        ({"pattern": LEVEL, "time_field": "when"}, 'time_field "when" is no group'),
        ({"pattern": LEVEL, "time_format": "%d"}, "time_format without time_field"),
    ],
)
def test_a_pattern_that_cannot_work_is_named(options: dict[str, str], what: str) -> None:
    ((said, _),) = Regex(**options).check()
    assert what in said


def test_a_good_pattern_has_no_problem() -> None:
    assert Regex(LEVEL).check() == []


def test_the_pattern_is_required() -> None:
    with pytest.raises(ConfigError, match='option "pattern" is missing'):
        Regex()


def test_copies_of_a_plugin_make_rows_that_travel_together() -> None:
    plugin = Regex(LEVEL)
    rows = [
        body.rows[0]
        for made in (plugin, plugin.fresh())
        for body, _ in outcome_of(made, block_of("INFO x")).parts
        if isinstance(body, Rows)
    ]
    assert type(rows[0]) is type(rows[1])


GREEDY = (
    r"(?P<remoteaddr>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}) - (?P<remoteuser>\S+) \[(?P<timelocal>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<url>.+)HTTP/1\.[01]" (?P<statuscode>\d{3}) (?P<bytessent>\d+) '
    r'(["](?P<refferer>(\-)|(.+))["]) (["](?P<useragent>.+)["])'
)
"""The pattern of a pipeline that people have: its last group takes the forwarded address for a part of the agent."""
FORWARDED = (
    '172.22.0.1 - - [27/May/2020:08:23:31 +0000] "GET / HTTP/1.1" 304 0 "-" '
    '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) AppleWebKit/537.36 (KHTML, like Gecko) '
    'Chrome/83.0.4103.61 Safari/537.36" "-"'
)
SPACED = (
    r'{"remoteaddr": "172.22.0.1", "remoteuser": "-", "timelocal": "27/May/2020:08:23:31 +0000", "method": "GET", '
    r'"url": "/ ", "statuscode": "304", "bytessent": "0", "refferer": "-", '
    r'"useragent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) AppleWebKit/537.36 (KHTML, like Gecko) '
    r'Chrome/83.0.4103.61 Safari/537.36\" \"-"}'
)
"""What that pipeline writes, byte for byte."""


def test_a_greedy_pattern_gives_the_json_that_others_give() -> None:
    ((body, tags),) = outcome_of(Regex(GREEDY), block_of(FORWARDED, FORWARDED)).parts
    batch = Batch(body, tags, promise())
    assert Shape("json_spaced").made().encode(batch).decode() == f"{SPACED}\n{SPACED}\n"
    assert json_lines(body).splitlines()[0] == SPACED.replace('": "', '":"').replace('", "', '","').encode()
    assert_same_both_ways(Regex(GREEDY), block_of(FORWARDED, FORWARDED))
