from __future__ import annotations

import re

import pytest

from swak.formats.patterns import PatternFilter, Schema, schema
from swak.formats.times import TimeCache
from swak.testing import assert_same_both_ways, block_of, drive_batch, outcome_of

WORD, NUMBER = re.compile(r"(?P<word>[a-z]+)"), re.compile(r"(?P<number>\d+)")


class WordsAndNumbers(PatternFilter):
    """Two schemas, the first of which fits more often."""

    def open(self) -> None:
        self.times = TimeCache(int)

    def choose(self, first: str, *, alone: bool, escaped: bool) -> tuple[Schema, ...]:
        del first, alone, escaped
        return schema("Word", WORD, whole=True), schema("Number", NUMBER, whole=True, time_field="number")


def test_the_first_schema_that_fits_counts() -> None:
    made = drive_batch(WordsAndNumbers(), block_of("abc", "12", "d"))
    assert [one.record for one in made] == [{"word": "abc"}, {"number": "12"}, {"word": "d"}]


def test_each_schema_has_its_own_time() -> None:
    assert [one.time_ns for one in drive_batch(WordsAndNumbers(), block_of("abc", "12"))] == [0, 12]


def test_both_ways_agree_on_lines_of_several_schemas() -> None:
    assert_same_both_ways(WordsAndNumbers(), block_of("abc", "12", "?", "d", "12x"))


def test_whole_wants_the_line_from_end_to_end() -> None:
    assert schema("Row", WORD, whole=True).find("abc1") is None


def test_otherwise_a_match_may_be_anywhere() -> None:
    assert schema("Row", WORD, whole=False).find("1abc") is not None


def test_the_same_pattern_gives_the_same_row_type() -> None:
    assert schema("Row", WORD, whole=True).row is schema("Row", WORD, whole=True).row


def test_a_time_field_that_is_no_group_is_refused() -> None:
    with pytest.raises(ValueError, match="not in list"):
        schema("Row", WORD, whole=True, time_field="time")


def test_a_block_of_no_good_line_has_no_part() -> None:
    outcome = outcome_of(WordsAndNumbers(), block_of("?", "!"))
    assert (outcome.parts, len(outcome.dead)) == ([], 2)
