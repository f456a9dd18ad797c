from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from swak.view.cells import Pen, cropped, length, packed, wrapped

PEN, ASCII = Pen(), Pen("ascii")


@given(st.text(), st.integers(0, 40), st.booleans())
def test_text_is_made_to_fit_exactly(text: str, width: int, right: bool) -> None:
    assert cell_len(PEN.fit(PEN.clean(text), width, right=right)) == width


def test_what_is_cut_off_is_shown_as_cut_off() -> None:
    assert [PEN.fit("abcdef", 4), ASCII.fit("abcdef", 4), PEN.fit("ab", 4, right=True)] == ["abc…", "abc~", "  ab"]
    assert PEN.fit("한국어", 4) == "한… "


def test_a_terminal_without_unicode_gets_escapes() -> None:
    assert ASCII.clean("한") == "\\ud55c"
    assert Pen("latin-1").clean("é") == "é"


@pytest.mark.parametrize(
    ("fill", "shown"), [(0, "────"), (0.01, "━───"), (0.5, "━━──"), (1, "━━━━"), (7, "━━━━"), (-1, "────")]
)
def test_a_bar_is_as_long_as_a_mailbox_is_full(fill: float, shown: str) -> None:
    assert "".join(text for text, _ in PEN.bar(fill, 4)) == shown


def test_a_full_bar_is_red_and_a_nan_is_empty() -> None:
    assert PEN.bar(0.95, 4)[0] == ("━━━━", "red")
    assert PEN.bar(float("nan"), 4)[0][0] == ""


def test_a_sparkline_shows_the_shape_of_the_last_seconds() -> None:
    assert PEN.spark([0, 1, 2, 3, 6], 30) == " " * 25 + "▁▂▃▄▇"
    assert PEN.spark([5] * 30, 10) == "▇" * 10
    assert PEN.spark([0] * 30, 10) == "▁" * 10
    assert PEN.spark([], 3) == "   "
    assert ASCII.spark([0, 6], 2) == " #"


@given(st.lists(st.floats(0, 1e9), max_size=30), st.integers(0, 60))
def test_a_sparkline_has_no_more_than_its_cells(values: list[float], cells: int) -> None:
    assert len(PEN.spark(values, cells)) <= cells


def test_a_line_is_cut_within_a_wide_character() -> None:
    line = [("ab", "bold"), ("한국", "red"), ("x", "")]
    assert cropped(line, 3) == [("ab", "bold"), (" ", "red")]
    assert length(cropped(line, 4)) == 4
    assert cropped(line, 99) == line


def test_pieces_stand_side_by_side_as_far_as_there_is_room() -> None:
    lines = packed([[("aaaa", "")], [("bbbb", "")], [("cccc", "")]], 10)
    assert ["".join(text for text, _ in line) for line in lines] == ["aaaa  bbbb", "cccc"]


def test_text_is_broken_between_words() -> None:
    assert wrapped("one two three", 8, 3, PEN) == ["one two", "three"]
    assert wrapped("one two three four", 8, 2, PEN) == ["one two", "three f…"]
    assert wrapped("incomprehensibilities", 8, 2, PEN) == ["incompr…"]
