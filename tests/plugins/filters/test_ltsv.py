from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.columns import ltsv_line
from swak.plugins.filters.ltsv import Ltsv
from swak.testing import assert_same_both_ways, batch_of, block_of, drive, drive_batch, event, outcome_of

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


def test_labels_become_fields_and_values_may_hold_colons() -> None:
    made = drive_batch(Ltsv(), block_of("time:[21/Nov/2026:01:07:27 +0000]\tua:\tmy-label.x:1"))
    assert made[0].record == {"time": "[21/Nov/2026:01:07:27 +0000]", "ua": "", "my-label.x": "1"}


def test_of_a_label_that_comes_twice_the_last_value_counts() -> None:
    assert drive_batch(Ltsv(), block_of("a:1\ta:2"))[0].record == {"a": "2"}


@pytest.mark.parametrize("line", ["", "hello", "a:1\t", ":1", "a:1\tb"])
def test_what_has_no_label_does_not_fit(line: str) -> None:
    dead: list[DeadEvent] = []
    drive_batch(Ltsv(), block_of(line), dead=dead)
    assert dead[0].reason == "Ltsv: a value has no label"
    assert_same_both_ways(Ltsv(), block_of("a:1", line))


def test_what_swak_writes_as_ltsv_comes_back() -> None:
    record = {"a": "1\t2\n", "b": "\\t", "c": "x:y"}
    line = ltsv_line("tag", 0, record, None).removesuffix("\n")
    assert drive(Ltsv(unescape=True), [event({"message": line})]) == [record]


def test_backslashes_mean_nothing_unless_asked_for() -> None:
    assert drive(Ltsv(), [event({"message": r"a:C:\new"})]) == [{"a": r"C:\new"}]


@given(some.lists(some.text(some.sampled_from("ab:\t\\n\ud800"), max_size=12), max_size=6))
def test_both_ways_agree_on_anything(lines: list[str]) -> None:
    assert_same_both_ways(Ltsv(unescape=True), batch_of([event({"message": line}) for line in lines]))


def test_size_counts_what_pairs_become() -> None:
    ((body, _),) = outcome_of(Ltsv(), block_of("host:web-1\tstatus:200")).parts
    assert body.size_bytes == 8 * 22 + 250
