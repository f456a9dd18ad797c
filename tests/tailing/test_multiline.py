from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.tailing.multiline import BYTES_MAX, Multiline, parse_multiline

LINES = st.lists(st.sampled_from(["S", "c", "E", "SE", "Sc", "cE", "x", "", "x" * 9, "S" + "x" * 30]), max_size=24)
PATTERN = {"start": "S", "continue": "c", "end": "E"}
RULES = st.builds(
    lambda keys, max_bytes: parse_multiline({**{key: PATTERN[key] for key in keys}, "max_bytes": max_bytes}),
    st.lists(st.sampled_from(sorted(PATTERN)), min_size=1, unique=True),
    st.sampled_from([1, 2, 8, 12, 1_000]),
)


def sizes_of(lines: list[str]) -> list[int]:
    return [len(line.encode()) + 1 for line in lines]


def grouped(rule: dict[str, object] | str, *lines: str) -> tuple[list[list[str]], list[str]]:
    """Return the complete events and what may go on."""
    some = list(lines)
    counts, _ = parse_multiline(rule).events(some, sizes_of(some))
    events = []
    for count in counts:
        events.append(some[:count])
        some = some[count:]
    return events, some


def test_a_start_begins_an_event() -> None:
    assert grouped(r"^\d", "1 a", "  b", "2 c", "3 d", "  e") == ([["1 a", "  b"], ["2 c"]], ["3 d", "  e"])


def test_lines_before_the_first_start_are_one_event() -> None:
    assert grouped(r"^\d", "a", "b", "1 c") == ([["a", "b"]], ["1 c"])


def test_a_line_that_does_not_continue_begins_an_event() -> None:
    assert grouped({"continue": r"^\s"}, "a", " b", "c", "d", " e") == ([["a", " b"], ["c"]], ["d", " e"])


def test_an_end_completes_an_event_at_once() -> None:
    assert grouped({"end": ";$"}, "a", "b;", "c;", "d") == ([["a", "b;"], ["c;"]], ["d"])
    assert grouped({"end": ";$"}, "a", "b;") == ([["a", "b;"]], [])


def test_an_end_closes_even_if_the_next_line_continues() -> None:
    assert grouped({"continue": "^ ", "end": ";$"}, "a", " b;", " c", "d") == ([["a", " b;"], [" c"]], ["d"])


def test_a_start_wins_over_a_continuation() -> None:
    rule: dict[str, object] = {"start": "^1", "continue": r"^\d"}
    assert grouped(rule, "1", "2", "1", "2", "x", "2") == ([["1", "2"], ["1", "2"]], ["x", "2"])


def test_lines_between_an_end_and_the_next_start_are_an_event() -> None:
    rule: dict[str, object] = {"start": "^BEGIN", "end": "^END"}
    assert grouped(rule, "BEGIN", "END", "x", "y", "BEGIN", "BEGIN") == (
        [["BEGIN", "END"], ["x", "y"], ["BEGIN"]],
        ["BEGIN"],
    )


def test_an_event_ends_before_the_line_that_makes_it_too_large() -> None:
    rule = parse_multiline({"start": "S", "max_bytes": 6})
    lines = ["S", "a", "b", "c", "d", "e", "f", "S"]
    assert rule.events(lines, sizes_of(lines)) == ([3, 3, 1], 2)


def test_a_line_larger_than_an_event_is_one_by_itself() -> None:
    rule = parse_multiline({"start": "S", "max_bytes": 4})
    lines = ["S", "a" * 9, "b", "c" * 9, "S" * 9, "S"]
    assert rule.events(lines, sizes_of(lines)) == ([1, 1, 1, 1, 1], 3)


def test_an_event_as_large_as_it_may_be_is_no_split() -> None:
    rule = parse_multiline({"start": "S", "max_bytes": 4})
    assert rule.events(["S", "a", "S"], [2, 2, 2]) == ([2], 0)


def test_an_open_event_stays_open() -> None:
    assert parse_multiline("S").events(["S", "a"], [2, 2]) == ([], 0)
    assert parse_multiline("S").events([], []) == ([], 0)


def test_no_more_events_than_wanted_are_counted() -> None:
    rule = parse_multiline({"start": "S", "max_bytes": 2})
    lines = ["S", "a", "b", "S", "S"]
    assert rule.events(lines, sizes_of(lines), events_max=1) == ([1], 1)
    assert rule.events(lines, sizes_of(lines), events_max=3) == ([1, 1, 1], 2)


def expected(rule: Multiline, lines: list[str], sizes: list[int]) -> tuple[list[int], int]:
    """Say line by line what `events` says for all of them."""
    counts: list[int] = []
    splits = count = size = 0
    for line, line_size in zip(lines, sizes, strict=True):
        begins = rule.start is not None and rule.start.search(line) is not None
        begins |= rule.continue_ is not None and rule.continue_.search(line) is None
        too_large = size + line_size > rule.max_bytes
        if count and (begins or too_large):
            counts.append(count)
            splits += not begins
            count = size = 0
        count, size = count + 1, size + line_size
        if rule.end is not None and rule.end.search(line):
            counts.append(count)
            count = size = 0
    return counts, splits


@given(RULES, LINES)
def test_events_are_what_one_look_at_each_line_makes_them(rule: Multiline, lines: list[str]) -> None:
    assert rule.events(lines, sizes_of(lines)) == expected(rule, lines, sizes_of(lines))


@given(RULES, LINES, st.lists(st.integers(0, 24), max_size=6), st.booleans(), st.sampled_from([None, 1, 2]))
def test_events_do_not_depend_on_when_lines_come(
    rule: Multiline, lines: list[str], cuts: list[int], tells_known: bool, events_max: int | None
) -> None:
    counts: list[int] = []
    splits = known = begin = 0
    for _, end in pairwise(sorted({0, len(lines), *(cut % (len(lines) + 1) for cut in cuts)})):
        while True:
            some = lines[begin:end]
            found, split = rule.events(some, sizes_of(some), known=known if tells_known else 0, events_max=events_max)
            counts, splits, begin, known = counts + found, splits + split, begin + sum(found), 0
            if not found or events_max is None:
                break
        known = end - begin
    assert (counts, splits) == rule.events(lines, sizes_of(lines))


def test_known_lines_are_not_searched_again() -> None:
    rule = parse_multiline("S")
    assert rule.events(["x", "S", "S"], [2, 2, 2], known=2) == ([2], 0)


def test_a_text_is_the_start_pattern() -> None:
    assert parse_multiline(r"^\d") == Multiline(re.compile(r"^\d"), None, None, 1.0, 256 * 1024)


def test_a_mapping_says_it_all() -> None:
    rule = parse_multiline({"start": "a", "continue": "b", "end": "c", "timeout": "5s", "max_bytes": "1m"})
    assert rule == (re.compile("a"), re.compile("b"), re.compile("c"), 5.0, BYTES_MAX)


def test_continue_may_be_written_as_a_name() -> None:
    assert parse_multiline({"continue_": "b"}).continue_ == re.compile("b")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"strat": "a"}, "unknown key 'strat'; did you mean \"start\"?"),
        ({}, 'at least one of the patterns "start", "continue" and "end"'),
        ({"timeout": "1s", "start": None}, "at least one"),
        ({"start": "("}, "start '(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ({"end": "a{99999999999999}"}, "end 'a{99999999999999}' is not a regular expression"),
        ("", "start is empty"),
        ({"start": 5}, "start wants a regular expression, not 5"),
        ({"continue": "a", "continue_": "b"}, "the same"),
        ({"start": "a", "timeout": "soon"}, "timeout wants a duration"),
        ({"start": "a", "timeout": 0}, "timeout wants a duration above 0"),
        ({"start": "a", "max_bytes": 0}, "max_bytes wants a size from 1"),
        ({"start": "a", "max_bytes": "2m"}, "max_bytes wants a size from 1 to 1048576"),
        ({"start": "a", "max_bytes": None}, "max_bytes wants a size"),
        (["a"], "wants a start pattern or a mapping"),
    ],
)
def test_what_is_wrong_is_said(value: Any, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        parse_multiline(value)
