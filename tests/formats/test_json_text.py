from __future__ import annotations

import pytest

from swak.event import DICT_BYTES, EVENTS_MAX
from swak.formats.json_text import JsonText, read_wide
from swak.formats.lines import json_lines, raw_lines

DATA = b'{"n": 1, "n": 2}\n{"message":"x"}\n'


def test_what_nobody_reads_keeps_its_bytes() -> None:
    assert json_lines(JsonText(DATA, [1, 2])) == DATA


def test_its_records_are_those_of_the_lines() -> None:
    body = JsonText(DATA, [1, 2])
    assert body.count == 2
    assert list(body.times()) == [1, 2]
    assert body.records() == body.shared == [{"n": 2}, {"message": "x"}]
    assert body.size_bytes == len(DATA) + 2 * DICT_BYTES


def test_each_branch_has_records_of_its_own() -> None:
    body = JsonText(DATA, [1, 2])
    body.records()[0]["n"] = "changed"
    assert body.shared[0] == {"n": 2}
    body.records()[0]["n"] = "changed"
    assert body.records()[0] == {"n": 2}


def test_raw_output_is_that_of_the_records() -> None:
    assert raw_lines(JsonText(DATA, [1, 2])) == b'{"n":2}\nx\n'


def test_a_part_is_cut_out() -> None:
    part = JsonText(DATA, [1, 2]).cut(1, 2)
    assert part.records() == [{"message": "x"}]
    assert list(part.times()) == [2]


def test_bodies_are_bounded() -> None:
    count = 2 * EVENTS_MAX + 1
    parts = list(JsonText(b'{"n":1}\n' * count, list(range(count))).bounded())
    assert [part.count for part in parts] == [EVENTS_MAX, EVENTS_MAX, 1]
    assert [next(iter(part.times())) for part in parts] == [0, EVENTS_MAX, 2 * EVENTS_MAX]
    assert parts[-1].data == b'{"n":1}\n'
    assert next(JsonText(b"", []).bounded()).records() == []


def test_numbers_beyond_every_bound_stay_text() -> None:
    long = "9" * 5_000
    assert read_wide(f'{{"f":1e999,"i":{long},"g":1e3,"j":7}}') == {"f": "1e999", "i": long, "g": 1000.0, "j": 7}


@pytest.mark.parametrize("line", ["[1]", "{", '{"a":NaN}', "5", '{"a":' * 5_000])
def test_what_is_no_object_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_wide(line)


def test_texts_are_joined_as_text() -> None:
    joined = JsonText.joined([JsonText(DATA, [1, 2]), JsonText(b"{}\n", [3])], [1, 2, 3], 99)
    assert isinstance(joined, JsonText)
    assert (joined.data, list(joined.times()), joined.size_bytes) == (DATA + b"{}\n", [1, 2, 3], 99)
