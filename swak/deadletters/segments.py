"""The files of a dead-letter store: their names, and what is in them line by line, whatever became of the bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from swak.deadletters.letter import number_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.files import Files

BLOCK_BYTES = 1024 * 1024
TAIL_BYTES = 64 * 1024


class Piece(NamedTuple):
    """One line that was wholly written, or bytes that are damaged."""

    line: bytes
    """Without its line feed."""
    whole: bool

    @property
    def number(self) -> int:
        """The letter's number; 0 of what is damaged."""
        return number_of(self.line) if self.whole else 0


def segments_of(path: Path, files: Files) -> list[Path]:
    """Return the finished segments beside the file that is appended to, oldest first."""
    wanted = re.compile(rf"{re.escape(path.stem)}\.(\d{{4,18}}){re.escape(path.suffix)}")
    try:
        names = files.names(path.parent)
    except FileNotFoundError:
        return []
    found = [(int(match[1]), match[0]) for name in names if (match := wanted.fullmatch(name))]
    return [path.with_name(name) for _, name in sorted(found)]


def next_segment(path: Path, files: Files) -> Path:
    """Return the name that the file gets when it is finished; none that there is comes again."""
    last = segments_of(path, files)[-1:]
    number = int(last[0].name[len(path.stem) + 1 :].partition(".")[0]) if last else 0
    return path.with_name(f"{path.stem}.{number + 1:04d}{path.suffix}")


def size_of(path: Path, files: Files) -> int:
    """Return the bytes of a file; 0 when there is none."""
    try:
        descriptor = files.open(path)
    except FileNotFoundError:
        return 0
    try:
        return files.size(descriptor)
    finally:
        files.close(descriptor)


def pieces_at(path: Path, files: Files) -> Iterator[Piece]:
    """Yield what is in a file; nothing when there is none."""
    try:
        descriptor = files.open(path)
    except FileNotFoundError:
        return
    try:
        yield from pieces_in(descriptor, files)
    finally:
        files.close(descriptor)


def pieces_in(descriptor: int, files: Files) -> Iterator[Piece]:
    """Yield what is in an open file. Damaged bytes that stand side by side come as one piece."""
    damaged: list[bytes] = []
    for line in _lines(descriptor, files):
        for part, whole in parts_of(line):
            if not whole:
                damaged.append(part)
                continue
            if damaged:
                yield Piece(b"\n".join(damaged), whole=False)
                damaged = []
            yield Piece(part, whole=True)
    if damaged:
        yield Piece(b"\n".join(damaged), whole=False)


def last_number(descriptor: int, files: Files) -> int:
    """Return a number that no letter in the file is above, from its end; 0 when no letter is whole."""
    size = files.size(descriptor)
    wanted = TAIL_BYTES
    while True:
        begin = max(0, size - wanted)
        lines = files.read(descriptor, size - begin, begin).split(b"\n")
        for passed, line in enumerate(filter(None, reversed(lines[1:] if begin else lines))):
            numbers = [number_of(part) for part, whole in parts_of(line) if whole]
            if any(numbers):
                return max(numbers) + passed  # a line that is damaged had a number, too
        if not begin:
            return 0
        wanted *= 8


def _lines(descriptor: int, files: Files) -> Iterator[bytes]:
    rest: list[bytes] = []
    offset = 0
    while block := files.read(descriptor, BLOCK_BYTES, offset):
        offset += len(block)
        first, *others = block.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            yield from others[:-1]
            rest = [others[-1]]
    yield b"".join(rest)
