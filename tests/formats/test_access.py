from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.access import AGENT, COMMON, SPACED_TIME, TIME, AccessLog
from swak.testing import assert_same_both_ways, block_of, drive_batch

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

TAIL = '[21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 5'


class Access(AccessLog):
    """Lines that begin with a name."""

    def open(self) -> None:
        plain, spaced = rf"(?P<name>[^ ]+) {TIME}", rf'(?P<name>[^"]*?) {SPACED_TIME}'
        self.formed((plain,), (spaced,), (COMMON, COMMON + AGENT))


@pytest.mark.parametrize(
    ("line", "name", "asked"),
    [
        (f"bob {TAIL}", "bob", "GET / HTTP/1.1"),
        (f"bob [x {TAIL}", "bob [x", "GET / HTTP/1.1"),
        (f"bob {TAIL}".replace("GET", r"GE\"T"), "bob", r"GE\"T / HTTP/1.1"),
        (f"bob {TAIL}".replace("GET", "GE\\\\\\"), "bob", r"GE\\\ / HTTP/1.1"),
    ],
)
def test_quotes_are_escaped_with_a_backslash_and_names_may_hold_spaces(line: str, name: str, asked: str) -> None:
    for lines in ([line], [f"x {TAIL}", line], [line, f'y z {TAIL} "-" "-"']):
        made = drive_batch(Access(), block_of(*lines))
        assert (made[lines.index(line)].record["name"], made[lines.index(line)].record["request"]) == (name, asked)
        assert_same_both_ways(Access(), block_of(*lines))


@pytest.mark.parametrize("time", ["", "x", "21/Nov/2026:01:07:27 +00000", "21/Nov/2026:01:07:2x +0000"])
def test_a_time_of_any_length_is_named_when_it_is_none(time: str) -> None:
    dead: list[DeadEvent] = []
    drive_batch(Access(), block_of(f"bob {TAIL}".replace("21/Nov/2026:01:07:27 +0000", time)), dead=dead)
    assert dead[0].reason == f"Access: there is no time {time!r}"


@given(some.lists(some.sampled_from(["bob", " ", " [", "] ", '"', r"\"", "\\", TAIL, ' "a" "b"']), max_size=7))
def test_the_line_before_changes_nothing(parts: list[str]) -> None:
    for first in (f"x {TAIL}", f"y z {TAIL}", f'x {TAIL} "-" "-"', f'y z {TAIL} "-" "\\""'):
        assert_same_both_ways(Access(), block_of(first, "".join(parts)))
