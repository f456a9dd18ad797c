"""What is still to be done with JSON lines."""

from __future__ import annotations

import pytest

from swak.formats.edits import Edits

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
