"""What is still to be done with JSON lines."""

from __future__ import annotations

import pytest

from swak.formats.edits import Edits, Sorted, joined

LINES = b'{"a":1}\n{"a":"}"}\n{"a":3}\n'


def test_nothing_to_do_leaves_the_bytes_as_they_are() -> None:
    assert Edits(LINES).made(3) is LINES


def test_lines_are_picked_of_those_that_are_left() -> None:
    edits = Edits(LINES).picked([True, False, True]).picked([False, True])
    assert edits.made(1) == b'{"a":3}\n'


@pytest.mark.parametrize(("wanted", "count"), [([True, False, True], 2), ([True, True, True], 3)])
def test_text_comes_before_the_brace_that_ends_a_line_and_before_no_other(wanted: list[bool], count: int) -> None:
    made = Edits(LINES).extended(b',"b":{}').picked(wanted).extended(b',"c":0').made(count)
    kept = [line for line, stays in zip(LINES.splitlines(), wanted, strict=True) if stays]
    assert made == b"".join(line[:-1] + b',"b":{},"c":0}\n' for line in kept)


ORDER = Sorted("rule", [False, True, False], b'{"a":1}\n{"a":3}\n')
SORTED = Edits(b'{"a":"}"}\n', ORDER)


def test_sorted_lines_are_all_there_in_their_order() -> None:
    assert SORTED.made(3) == LINES
    assert SORTED.picked([True, False, True]).made(2) == b'{"a":1}\n{"a":3}\n'
    assert SORTED.picked([True, True, False]).picked([False, True]).made(1) == b'{"a":"}"}\n'


def test_who_picks_as_they_were_sorted_finds_it_done() -> None:
    assert SORTED.picked([False, True, False]) == Edits(SORTED.lines)


def test_lines_that_were_sorted_alike_are_joined_sorted() -> None:
    both = joined([SORTED, SORTED])
    assert both is not None
    assert both.sorted is not None
    assert both.sorted.kept == [False, True, False] * 2
    assert both.made(6) == LINES + LINES
    assert joined([Edits(LINES), Edits(LINES)]) == Edits(LINES + LINES)


@pytest.mark.parametrize("other", [Edits(LINES), SORTED.extended(b",1"), Edits(LINES, ORDER._replace(key="other"))])
def test_others_are_not(other: Edits) -> None:
    assert joined([SORTED, other]) is None


def test_what_was_said_of_the_lines_before_a_field_was_added_counts_no_more() -> None:
    order = Sorted("rule", [True, False, True], b"{2}\n")
    edits = Edits(b"{1}\n{3}\n", order).extended(b",4")
    assert edits.sorted == order._replace(key="")
    assert edits.made(3) == b"{1,4}\n{2,4}\n{3,4}\n"
