from __future__ import annotations

from typing import TYPE_CHECKING

from swak.formats.columns import tsv_line
from swak.formats.tabbed import unescaped
from swak.plugins.filters.tsv import Tsv
from swak.testing import assert_same_both_ways, block_of, drive, drive_batch, event, outcome_of

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


def test_values_between_tabs_become_fields() -> None:
    assert drive_batch(Tsv(["a", "b c"]), block_of('1\t"2'))[0].record == {"a": "1", "b c": '"2'}


def test_backslashes_mean_nothing_unless_asked_for() -> None:
    line = r"C:\new" + "\t" + r"a\\b\x"
    assert drive(Tsv(["a", "b"]), [event({"message": line})]) == [{"a": r"C:\new", "b": r"a\\b\x"}]
    assert drive(Tsv(["a", "b"], unescape=True), [event({"message": line})]) == [{"a": "C:\new", "b": r"a\b\x"}]


def test_what_swak_writes_as_tsv_comes_back() -> None:
    values = ["a\tb", "c\nd\r", "\\t", "\\", ""]
    record = dict(zip("vwxyz", values, strict=True))
    line = tsv_line(values).removesuffix("\n")
    assert drive(Tsv(list("vwxyz"), unescape=True), [event({"message": line})]) == [record]


def test_the_head_of_a_file_is_left_out() -> None:
    outcome = outcome_of(Tsv(["a", "b"]), block_of("a\tb", "1\t2"))
    assert (outcome.parts[0][0].count, outcome.filtered) == (1, 1)


def test_another_number_of_values_does_not_fit() -> None:
    dead: list[DeadEvent] = []
    drive_batch(Tsv(["a", "b"]), block_of("1", "1\t2\t3", ""), dead=dead)
    assert [one.reason.removeprefix("Tsv: ") for one in dead] == [f"{n} values for 2 columns" for n in (1, 3, 1)]
    assert_same_both_ways(Tsv(["a", "b"]), block_of("1\t2", "1", ""))


def test_unknown_escapes_stay_as_they_are() -> None:
    assert unescaped(r"\N\\N\\\t\ ") == "\\N\\N\\\t\\ "
