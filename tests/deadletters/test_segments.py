from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.deadletters.letter import sealed
from swak.deadletters.segments import TAIL_BYTES, Piece, last_number, next_segment, pieces_at, segments_of, size_of
from swak.files import Files

if TYPE_CHECKING:
    from pathlib import Path

FILES = Files("dead")


def line(number: int) -> bytes:
    return sealed(b'{"id": %d, "x": "%s"}' % (number, b"x" * number))


def last(path: Path) -> int:
    descriptor = FILES.open(path)
    try:
        return last_number(descriptor, FILES)
    finally:
        FILES.close(descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


def test_segments_are_those_with_a_number_in_its_order(path: Path) -> None:
    for name in ("10000", "0002", "9999", "x", "0003.bad", "12"):
        path.with_name(f"dead-letters.{name}.jsonl").touch()
    found = [one.name for one in segments_of(path, FILES)]
    assert found == [f"dead-letters.{number}.jsonl" for number in ("0002", "9999", "10000")]
    assert next_segment(path, FILES).name == "dead-letters.10001.jsonl"


def test_there_are_none_where_there_is_no_folder(path: Path) -> None:
    missing = path.parent / "missing" / path.name
    assert (segments_of(missing, FILES), size_of(missing, FILES), list(pieces_at(missing, FILES))) == ([], 0, [])
    assert next_segment(missing, FILES).name == "dead-letters.0001.jsonl"


def test_damaged_lines_side_by_side_are_one_piece(path: Path) -> None:
    path.write_bytes(line(1) + b"bad\nworse\n\n" + line(2) + b"torn")
    whole = [Piece(line(number)[:-1], whole=True) for number in (1, 2)]
    damaged = [Piece(b"bad\nworse", whole=False), Piece(b"torn", whole=False)]
    assert list(pieces_at(path, FILES)) == [whole[0], damaged[0], whole[1], damaged[1]]
    assert [piece.number for piece in pieces_at(path, FILES)] == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (b"", 0),
        (b"nothing\n" * 3, 0),
        (line(5) + line(9), 9),
        (line(9)[:-1], 9),
        (line(9) + b"torn", 10),
        (line(5) + line(2 * TAIL_BYTES), 2 * TAIL_BYTES),
        (line(5) + b"x" * 3 * TAIL_BYTES, 6),
    ],
)
def test_no_letter_has_a_higher_number_than_the_last(path: Path, content: bytes, number: int) -> None:
    path.write_bytes(content)
    assert number <= last(path) <= number + 1
