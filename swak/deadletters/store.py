"""The store of dead letters: appending, synced, within a limit."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from swak.clock import SYSTEM
from swak.deadletters import notes
from swak.deadletters.clearing import remove_unfinished, removed, rewritten
from swak.deadletters.letter import to_line
from swak.deadletters.segments import last_number, next_segment, pieces_at, segments_of, size_of
from swak.files import Files
from swak.log import get

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from swak.clock import Clock
    from swak.deadletters.letter import DeadLetter

SEGMENTS = 8
"""Into how many segments the limit is parted: what is dropped for room, or finished, is one of them."""
NOTES_BYTES = 4096
"""Notes that are larger begin anew when nothing is left of the letters that they are about."""

_log = get("swak.deadletters")


class FullError(OSError):
    """The dead letters have reached their limit; nothing was written."""


class Limit(NamedTuple):
    """How much the dead letters may be on disk."""

    size_bytes: int = 1 << 30
    when_full: Literal["block", "drop_oldest", "grow"] = "block"
    """What happens at the limit: no letter is taken; the oldest segment goes; or there is no limit."""


class DeadLetters:
    """Appends dead letters to a file, one JSON object a line. Any thread may append; see `to_line` for the line.

    For the one process that holds the lock of the data directory. The file may be moved away at any time: a new one is
    made then. At an eighth of the limit it becomes a segment, and a new one is begun. Whatever is in the files, the
    store opens and appends.
    """

    def __init__(
        self,
        path: Path | Callable[[], Path],
        files: Files | None = None,
        limit: Limit | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._files = Files("dead") if files is None else files
        self._limit = limit or Limit()
        self._clock = clock
        self._wanted = path
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        self._written = False
        self._next = 0
        """Number of the next letter; 0 until the files were looked at."""
        self._behind_bytes = 0
        """What the finished segments hold."""
        self._cleared_at = -1
        """How large the notes were when what they name was last cleared away."""
        self.dropped = 0
        """Letters that were dropped for room since this store was made: they are lost."""
        self.dropped_ever = 0
        """The same over all runs, as far as the notes tell; 0 until the first append."""

    @property
    def path(self) -> str:
        """Where the dead letters are; empty while none was written."""
        return str(self._path) if self._written else ""

    def figures(self) -> dict[str, Any]:
        """Return what the ledger says of the store."""
        return {"path": self.path, "dropped": self.dropped}

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Write the letters; they are on disk when this returns.

        OSError (a full disk; FullError at the limit): none of them is, try again.
        """
        if not letters:
            return
        with self._lock:
            self._opened()
            now_ns = self._clock.time_ns()
            dated = [one if one.died_at_ns else one._replace(died_at_ns=now_ns) for one in letters]
            lines = b"".join(to_line(number, one) for number, one in enumerate(dated, self._next))
            self._make_room(len(lines))
            self._next += len(letters)  # also when writing fails: a part of the lines may stand there for good
            self._write(self._opened(), lines)
            self._written = True

    def reclaim(self) -> None:
        """Remove what was taken off, from all files. OSError: some of it is still there."""
        with self._lock:
            self._opened()
            self._clear(whole=True)

    def close(self) -> None:
        """Give the descriptor back. A later append opens the file again."""
        with self._lock:
            self._close()

    def _write(self, descriptor: int, lines: bytes) -> None:
        size = self._files.size(descriptor)
        whole = not size or self._files.read(descriptor, 1, size - 1) == b"\n"  # a killed process leaves half a line
        try:
            self._files.append(descriptor, lines if whole else b"\n" + lines)
            self._files.sync(descriptor)
        except OSError as error:
            self._files.cut(descriptor, size)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._clear(whole=False)  # somebody may have taken letters off to end this
            raise

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._files.close(descriptor)

    def _opened(self) -> int:
        """Return a descriptor of the file that the path names now: somebody may have moved the last one away."""
        path = self._place()
        if self._descriptor is not None and not self._files.is_at(self._descriptor, path):
            self._close()
        if self._descriptor is None:
            self._files.make_folder(path.parent)
            descriptor = self._files.open(path, make=True)
            try:
                self._files.sync_folder(path.parent)
                if not self._next:
                    self._look_around(descriptor)
            except OSError:
                self._files.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _place(self) -> Path:
        if self._path is None:
            self._path = self._wanted if not callable(self._wanted) else self._wanted()
        return self._path

    def _look_around(self, descriptor: int) -> None:
        """Find out how much there is, and the number of the next letter: it is in no file and in no note."""
        path = self._place()
        notes.harden(path, self._files)
        taken = notes.load(path, self._files)
        number = max(taken.last, last_number(descriptor, self._files))
        for segment in segments_of(path, self._files):
            opened = self._files.open(segment)
            try:
                number = max(number, last_number(opened, self._files))
            finally:
                self._files.close(opened)
        self.dropped_ever = taken.dropped
        remove_unfinished(path, self._files)
        self._clear(whole=False)
        self._next = number + 1

    def _measure(self) -> None:
        paths = segments_of(self._place(), self._files)
        self._behind_bytes = sum(size_of(segment, self._files) for segment in paths)

    def _make_room(self, size_bytes: int) -> None:
        """Begin a new file when this one is large enough; at the limit, do what that says. FullError: no room."""
        if self._limit.when_full == "grow":
            return
        active_bytes = self._files.size(self._opened())
        if active_bytes and active_bytes + size_bytes > self._limit.size_bytes // SEGMENTS:
            self._finish()
            active_bytes = 0
        if self._fits(active_bytes + size_bytes):
            return
        if self._cleared_at != self._notes_bytes():
            self._clear(whole=True)
        self._measure()
        if self._limit.when_full == "drop_oldest":
            self._drop_oldest(size_bytes)
        active_bytes = self._files.size(self._opened())
        if not self._fits(active_bytes + size_bytes) and active_bytes + self._behind_bytes:
            raise FullError(_full_text(self._place(), self._limit.size_bytes))

    def _fits(self, size_bytes: int) -> bool:
        return self._behind_bytes + size_bytes <= self._limit.size_bytes

    def _finish(self) -> None:
        """Give the file its last name and begin a new one. What is in it is on disk already."""
        path = self._place()
        self._close()
        self._files.rename(path, next_segment(path, self._files))
        self._opened()
        self._measure()

    def _clear(self, *, whole: bool) -> None:
        """Remove segments of which nothing is left; with `whole`, also what was taken off elsewhere."""
        path, files = self._place(), self._files
        seen = self._notes_bytes()  # before looking: a note that comes meanwhile is looked at the next time
        taken = notes.load(path, files)
        if whole and any(piece.number in taken for piece in pieces_at(path, files)):
            self._finish()
        for segment in segments_of(path, files):
            if not removed(segment, taken, files) and whole:
                rewritten(segment, taken, files)
        self._measure()
        if whole:
            self._cleared_at = seen
        if whole and seen > NOTES_BYTES and not self._behind_bytes + size_of(path, files):
            notes.begin_anew(path, files, taken)

    def _notes_bytes(self) -> int:
        return size_of(notes.notes_path(self._place()), self._files)

    def _drop_oldest(self, size_bytes: int) -> None:
        """Drop segments, the oldest first, until there is room, or nothing. The note comes first: it is how they count.

        Without one, letters that a power cut brings back would be counted again.
        """
        path, files = self._place(), self._files
        if not segments_of(path, files) and files.size(self._opened()):
            self._finish()
        for segment in segments_of(path, files):
            if self._fits(files.size(self._opened()) + size_bytes):
                return
            taken = notes.load(path, files)
            numbers = [piece.number for piece in pieces_at(segment, files) if piece.whole]
            lost = [number for number in numbers if number not in taken]
            if lost:
                notes.note(path, files, [(number, number) for number in lost], len(lost))
                self.dropped += len(lost)
                self.dropped_ever += len(lost)
                _log.error("dead letters were dropped for room: they are lost", letters=len(lost), path=str(segment))
            removed(segment, notes.load(path, files), files)
            self._measure()


def _full_text(path: Path, size_bytes: int) -> str:
    where = f"--data-dir {path.parent}"
    return (
        f"the dead letters in {path.parent} have reached their limit of {size_bytes:,} bytes: look at them with "
        f"`swak dlq ls {where}`, keep them with `swak dlq export FILE {where}`, make room with "
        f"`swak dlq drop --all {where}`, or give a larger --dead-letters-max"
    )
