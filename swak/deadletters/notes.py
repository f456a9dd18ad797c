"""The notes beside the dead letters: which were taken off, and how many were dropped for room."""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from swak.deadletters.letter import sealed
from swak.deadletters.segments import pieces_at
from swak.log import get

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from swak.files import Files

Range = tuple[int, int]
"""First and last number."""

_log = get("swak.deadletters")


class Taken:
    """The numbers of letters that are there no more, whether or not their bytes are."""

    def __init__(self, ranges: Iterable[Range] = (), dropped: int = 0) -> None:
        self.ranges = merged(ranges)
        self._firsts = [first for first, _ in self.ranges]
        self.dropped = dropped
        """Letters that were dropped for room, in all runs."""

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self.ranges[at][1]

    @property
    def last(self) -> int:
        """The highest number; 0 when there is none."""
        return self.ranges[-1][1] if self.ranges else 0


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges in order, those that touch as one."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def notes_path(path: Path) -> Path:
    """Return where the notes of a store are."""
    return path.with_name(f"{path.stem}.taken")


def load(path: Path, files: Files) -> Taken:
    """Read the notes of a store. A damaged one is passed over, with a warning: its letters are there again."""
    ranges: list[Range] = []
    dropped = damaged = 0
    for piece in pieces_at(notes_path(path), files):
        told = _told(piece.line) if piece.whole else None
        if told is None:
            damaged += 1
            continue
        ranges += told[0]
        dropped += told[1]
    if damaged:
        _log.warning("notes on dead letters are damaged: letters may come again", path=str(notes_path(path)))
    return Taken(ranges, dropped)


def note(path: Path, files: Files, ranges: Iterable[Range], dropped: int = 0) -> None:
    """Add a note; it is on disk when this returns. OSError: it is not.

    Any process may do it at any time: a note is one write at the end of the file.
    """
    line = _line(merged(ranges), dropped)
    descriptor = files.open(notes_path(path), make=True)
    try:
        size = files.size(descriptor)
        whole = not size or files.read(descriptor, 1, size - 1) == b"\n"
        try:
            files.append(descriptor, line if whole else b"\n" + line)
            files.sync(descriptor)
            files.sync_folder(path.parent)
        except OSError:
            files.cut(descriptor, size)  # nobody may act on what the next power cut takes back
            raise
    finally:
        files.close(descriptor)


def harden(path: Path, files: Files) -> None:
    """Have the notes on disk that a process that was killed may not have synced."""
    try:
        descriptor = files.open(notes_path(path))
    except FileNotFoundError:
        return
    try:
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.sync_folder(path.parent)


def begin_anew(path: Path, files: Files, taken: Taken) -> None:
    """Write one note in the place of all: nothing is left of the letters that they are about."""
    files.write_whole(notes_path(path), _line([(1, taken.last)], taken.dropped))
    files.sync_folder(path.parent)


def _line(ranges: list[Range], dropped: int) -> bytes:
    told: dict[str, Any] = {"taken": ranges} | ({"dropped": dropped} if dropped else {})
    return sealed(json.dumps(told).encode())


def _told(line: bytes) -> tuple[list[Range], int] | None:
    try:
        told = json.loads(line)
        return [(int(first), int(last)) for first, last in told["taken"]], int(told.get("dropped", 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
