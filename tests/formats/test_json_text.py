from __future__ import annotations

import pytest

from swak.event import DICT_BYTES, EVENTS_MAX, Block, Dicts, Rows
from swak.formats.json_text import JsonText, encoded, encoded_parts, read_wide
from swak.formats.lines import json_lines, raw_lines
from swak.formats.rows import row_type

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


def test_records_and_rows_are_encoded_with_their_times_and_a_size_without_dicts() -> None:
    row = row_type("Row", ("c-ip", "note"))
    for body in (Rows([row("::1", None)], [7]), Dicts([{"c-ip": "::1", "note": None}], [7])):
        text = encoded(body)
        assert isinstance(text, JsonText)
        assert (text.data, list(text.times())) == (b'{"c-ip":"::1","note":null}\n', [7])
        assert len(text.data) < text.size_bytes < DICT_BYTES


def test_lines_and_texts_are_encoded_already() -> None:
    for body in (Block(b"a\n", 0), JsonText(DATA, [1, 2])):
        assert encoded(body) is body


@pytest.mark.parametrize("value", [object(), {object(): 1}, 1j])
def test_what_json_cannot_carry_stays_as_it_is(value: object) -> None:
    body = Dicts([{"a": 1}, {"a": value}], [1, 2])
    assert encoded(body) is body


def test_half_a_surrogate_pair_is_replaced_as_in_every_output() -> None:
    text = encoded(Dicts([{"a": "\ud800"}], [1]))
    assert isinstance(text, JsonText)
    assert text.data == '{"a":"\ufffd"}\n'.encode()


def test_neighbours_of_one_tag_are_encoded_to_one_body() -> None:
    def part(number: int) -> Dicts:
        return Dicts([{"n": number}], [number])

    lines, odd = Block(b"a\n", 0), Dicts([{"n": object()}], [7])
    made = encoded_parts(
        [(part(1), "a"), (part(2), "a"), (part(3), "b"), (lines, "b"), (part(4), ["b"]), (part(5), ["b"]), (odd, "b")]
    )
    joined = made[0][0]
    assert isinstance(joined, JsonText)
    assert (joined.data, list(joined.times())) == (b'{"n":1}\n{"n":2}\n', [1, 2])
    counts = [(body.count, tags) for body, tags in made]
    assert counts == [(2, "a"), (1, "b"), (1, "b"), (1, ["b"]), (1, ["b"]), (1, "b")]
    assert (made[2][0], made[5][0]) == (lines, odd)


def test_nothing_is_encoded_to_nothing() -> None:
    assert encoded_parts([]) == []
