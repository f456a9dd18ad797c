"""Reading a store of dead letters, also while a swak appends to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swak.deadletters import notes
from swak.deadletters.clearing import removed
from swak.deadletters.letter import from_line
from swak.deadletters.segments import pieces_at, pieces_in, segments_of, size_of
from swak.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from swak.deadletters.letter import DeadLetter
    from swak.deadletters.notes import Range
    from swak.deadletters.segments import Piece


class Kept(NamedTuple):
    """One letter in a store."""

    number: int
    letter: DeadLetter
    line: bytes
    """As it stands in the file, without its line feed."""


class Shelf:
    """The letters of one store, oldest first. Changes nothing but by `take`; a lock is not needed."""

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self.path = path
        self._files = Files("dead") if files is None else files
        self.taken = notes.load(path, self._files)
        self.damaged = 0
        """Pieces that cannot be read, of those that the last `letters` came by."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._paths())

    @property
    def size_bytes(self) -> int:
        """What all files hold."""
        return sum(size_of(path, self._files) for path in self._paths())

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self._paths())

    def letters(self) -> Iterator[Kept]:
        """Yield every letter that was not taken off. What is damaged is counted and passed over."""
        self.damaged = 0
        for piece in self._pieces():
            if piece.number in self.taken:
                continue
            try:
                number, letter = from_line(piece.line if piece.whole else b"")
            except ValueError:
                self.damaged += 1
            else:
                yield Kept(number, letter, piece.line)

    def take(self, ranges: Iterable[Range]) -> None:
        """Note that letters are there no more; on disk when this returns. OSError: they are there still."""
        ranges = list(ranges)
        if ranges:
            notes.note(self.path, self._files, ranges)
            self.taken = notes.Taken([*self.taken.ranges, *ranges], self.taken.dropped)

    def clear(self) -> None:
        """Remove the finished segments of which nothing is left. OSError: some of them are still there."""
        for segment in segments_of(self.path, self._files):
            removed(segment, self.taken, self._files)

    def _paths(self) -> list[Path]:
        found = segments_of(self.path, self._files)
        try:
            self._files.close(self._files.open(self.path))
        except FileNotFoundError:
            return found
        return [*found, self.path]

    def _pieces(self) -> Iterator[Piece]:
        """Yield what is in all files. The one that grows is opened first: it may become a segment meanwhile."""
        try:
            active: int | None = self._files.open(self.path)
        except FileNotFoundError:
            active = None
        try:
            for segment in segments_of(self.path, self._files):
                if active is None or not self._files.is_at(active, segment):
                    yield from pieces_at(segment, self._files)
            if active is not None:
                yield from pieces_in(active, self._files)
        finally:
            if active is not None:
                self._files.close(active)
