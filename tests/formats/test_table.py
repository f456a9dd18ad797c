from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.event import Rows
from swak.formats.table import Table
from swak.testing import assert_same_both_ways, block_of, drive_batch, outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.plugin import DeadEvent


class Dashed(Table):
    """Values between dashes; one at the end joins the next line."""

    def split(self, lines: Sequence[str]) -> list[list[str]]:
        if any("!" in line for line in lines):
            raise ValueError("loud")
        return [line.split("-") for line in "\n".join(lines).replace("-\n", "-").split("\n")]


def test_values_become_rows_by_the_order_of_columns() -> None:
    ((body, _),) = outcome_of(Dashed(["a", "b"]), block_of("1-2", "3-4")).parts
    assert isinstance(body, Rows)
    assert body.records() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_the_names_of_the_columns_are_left_out_and_counted() -> None:
    outcome = outcome_of(Dashed(["a", "b"]), block_of("a-b", "1-2"))
    assert (outcome.parts[0][0].count, outcome.filtered) == (1, 1)


def test_a_line_never_joins_the_next_one() -> None:
    dead: list[DeadEvent] = []
    made = drive_batch(Dashed(["a", "b"]), block_of("1-", "2", "3-4"), dead=dead)
    assert [one.record for one in made] == [{"a": "1", "b": ""}, {"a": "3", "b": "4"}]
    assert [one.reason for one in dead] == ["Dashed: 1 values for 2 columns"]


def test_a_line_that_cannot_be_cut_leaves_the_others_alone() -> None:
    dead: list[DeadEvent] = []
    batch = block_of("1-2", "!", "3-4-5")
    assert len(drive_batch(Dashed(["a", "b"]), batch, dead=dead)) == 1
    assert [one.reason for one in dead] == ["Dashed: loud", "Dashed: 3 values for 2 columns"]
    assert_same_both_ways(Dashed(["a", "b"]), batch)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([], "columns is empty"),
        (["a", "a"], 'there are two columns "a"'),
        (['a"'], "columns: 'a\"' can be no field: it holds a quote, a backslash or a control character"),
    ],
)
def test_columns_that_cannot_work_are_named(columns: list[str], said: str) -> None:
    assert [what for what, _ in Dashed(columns).check()] == [said]
