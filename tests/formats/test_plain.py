from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swak.event import Block, Dicts
from swak.formats.plain import is_utf8, plain, readable, utf8, whole


def test_dicts_are_read_without_copying() -> None:
    records = [{"a": 1}]
    assert readable(Dicts(records, [0])) is records


def test_lines_are_read_as_messages() -> None:
    assert readable(Block(b"a\n", 0)) == [{"message": "a"}]


def test_what_formats_differ_about_becomes_plain() -> None:
    value = {1: datetime(2026, 1, 2, tzinfo=UTC), "set": {1}, "raw": b"\xff", "deep": [{"caf\udce9": ("x", None)}]}
    expected = {"1": "2026-01-02T00:00:00Z", "set": [1], "raw": b"\xff", "deep": [{"caf\ufffd": ["x", None]}]}
    assert plain(value) == expected


def test_what_nothing_can_carry_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        plain({"a": object()})


def test_surrogate_pairs_are_joined_and_lone_ones_replaced() -> None:
    assert whole("\ud83d\ude00 \udce9") == "😀 \ufffd"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("한글", "한글".encode()), ("caf\udce9", b"caf\xe9"), ("\ud800x\udce9", b"\xef\xbf\xbdx\xef\xbf\xbd")],
)
def test_text_becomes_the_bytes_that_it_was_made_of(text: str, encoded: bytes) -> None:
    assert utf8(text) == encoded


@pytest.mark.parametrize(("data", "good"), [(b"", True), (b"a", True), ("가".encode(), True), (b"\xff", False)])
def test_good_utf8_is_told_from_other_bytes(data: bytes, good: bool) -> None:
    assert is_utf8(data) is good
