from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.pairs import Pairs, logfmt, unquoted


def test_a_line_of_logfmt_becomes_a_record() -> None:
    assert logfmt('level=info msg="all is well" done') == {"level": "info", "msg": "all is well", "done": ""}


def test_words_alone_are_no_logfmt() -> None:
    with pytest.raises(ValueError, match=r"^no pair$"):
        logfmt("all is well")


def test_what_is_no_pair_is_shown_with_its_place_and_not_at_any_length() -> None:
    with pytest.raises(ValueError, match=r"^no pair at character 4: '\"x{49}'$"):
        logfmt('a=1 "' + "x" * 1_000)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r"a\nb\tc\rd", "a\nb\tc\rd"),
        (r"\"\\\/\x", '"\\/x'),
        (r"\u00e9\ud83d\ude00", "é😀"),
        (r"\ud800", "\ufffd"),
        (r"\u00e", "u00e"),
        ("\\", "\\"),
    ],
)
def test_escapes_stand_for_characters(text: str, meant: str) -> None:
    assert unquoted(text) == meant


@given(some.dictionaries(some.from_regex(r"[a-z]+", fullmatch=True), some.text(), min_size=1))
def test_values_in_quotes_come_back(record: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    line = " ".join(f"{key}={quoted(value)}" for key, value in record.items())
    assert logfmt(line) == record
    assert Pairs(" ", "=", '"').read(line) == (record, [])


def test_spaces_around_separators_are_no_part_of_keys_and_values() -> None:
    assert Pairs(";", ":", "'").read(" a : 1 ;; b:' x; ' ;word ") == ({"a": "1", "b": " x; "}, ["word"])


@pytest.mark.parametrize(
    ("line", "said"),
    [("a='x", "the quote at character 2 is not closed"), ("a='x'y", "text after the closing quote at character 4")],
)
def test_a_quote_that_does_not_end_a_value_is_refused(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pairs(" ", "=", "'").read(line)
