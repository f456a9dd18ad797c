from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swak.sockets.lines import LineCutter


@given(st.binary(), st.lists(st.integers(0, 200)))
def test_however_bytes_arrive_the_lines_are_the_same(data: bytes, cuts: list[int]) -> None:
    cutter, made, at = LineCutter(1_000), b"", 0
    for size in cuts:
        made += cutter.feed(data[at : at + size])
        at += size
    made += cutter.feed(data[at:]) + cutter.end()
    assert made == (data if data.endswith(b"\n") or not data else data + b"\n")


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 30))
def test_no_line_is_longer_than_the_bound_and_none_is_missing(parts: list[bytes], bound: int) -> None:
    cutter, made = LineCutter(bound), b""
    for part in parts:
        made += cutter.feed(part)
        assert cutter.held_bytes <= bound
    made += cutter.end()
    given_lines = b"".join(parts).split(b"\n")
    given_lines = given_lines if given_lines[-1] else given_lines[:-1]
    made_lines = made.split(b"\n")[:-1]
    assert len(made_lines) == len(given_lines)
    for wanted, line in zip(given_lines, made_lines, strict=True):
        assert wanted.startswith(line)
        assert line == wanted if len(wanted) <= bound else bound - 4 < len(line) <= bound


def test_a_long_line_is_cut_at_a_character_and_counted() -> None:
    cutter = LineCutter(4)
    assert cutter.feed("한글입니다".encode()) == "한\n".encode()
    assert cutter.feed(b"xx\nnext\n") == b"next\n"
    assert cutter.cut_lines == 1


def test_a_long_line_that_comes_whole_is_cut_too() -> None:
    cutter = LineCutter(3)
    assert cutter.feed(b"abcdef\nab\n") == b"abc\nab\n"
    assert cutter.cut_lines == 1


def test_an_unfinished_line_can_be_cut_where_it_is() -> None:
    cutter = LineCutter(100)
    assert cutter.feed(b"half") == b""
    assert cutter.cut() == b"half\n"
    assert cutter.feed(b" of it\nwhole\n") == b"whole\n"
    assert cutter.cut() == b""


def test_a_line_that_comes_byte_by_byte_costs_no_copy_of_it_for_each() -> None:
    cutter = LineCutter(1 << 20)
    before = cutter._rest
    for _ in range(1_000):
        assert cutter.feed(b"x") == b""
    assert cutter._rest is before
    assert cutter.feed(b"\n") == b"x" * 1_000 + b"\n"
