"""Numbered lines, all of one length: whoever reads them can tell what is lost, repeated, out of order and torn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LINE_BYTES = 32
TORN = -1
"""Stands for a line that is torn or glued: no line has that number."""


def line(number: int) -> bytes:
    """Return the line of that number, with its end."""
    return b"%08d abcdefghijklm %08d\n" % (number, number)


def lines(numbers: Iterable[int]) -> bytes:
    return b"".join(map(line, numbers))


def numbers_in(path: Path) -> list[int]:
    """Return the numbers of a file's lines, in their order; none when it is not there."""
    if not path.exists():
        return []
    return [_number_of(text) for text in path.read_bytes().splitlines(keepends=True)]


def repeated(numbers: Sequence[int]) -> set[int]:
    """Return the numbers that are there more than once."""
    return {number for number, times in Counter(numbers).items() if times > 1}


def _number_of(text: bytes) -> int:
    number = int(text[:8]) if text[:8].isdigit() else TORN
    return number if text == line(number) else TORN
