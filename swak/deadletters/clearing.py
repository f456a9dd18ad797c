"""Making room: removing segments of which nothing is left, and rewriting those of which something is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.deadletters.segments import BLOCK_BYTES, Piece, pieces_at
from swak.log import get

if TYPE_CHECKING:
    from pathlib import Path

    from swak.deadletters.notes import Taken
    from swak.files import Files

UNFINISHED = ".tmp"

_log = get("swak.deadletters")


def is_used_up(segment: Path, taken: Taken, files: Files) -> bool:
    """Tell whether every letter of a segment was taken off. Damaged bytes are no letters."""
    return all(piece.number in taken for piece in pieces_at(segment, files) if piece.whole)


def removed(segment: Path, taken: Taken, files: Files) -> bool:
    """Remove a finished segment of which nothing is left; damaged bytes in it are kept beside it as `.bad`.

    Any process may do it at any time: nobody appends to a finished segment. Return whether it is gone.
    """
    if not is_used_up(segment, taken, files):
        return False
    damaged = [piece.line + b"\n" for piece in pieces_at(segment, files) if not piece.whole]
    if damaged:
        kept_as = segment.with_name(f"{segment.name}.bad")
        descriptor = files.open(kept_as, make=True)
        try:
            files.append(descriptor, b"".join(damaged))
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        _log.warning("damaged dead letters were set aside", path=str(kept_as))
    files.unlink(segment)
    files.sync_folder(segment.parent)
    return True


def rewritten(segment: Path, taken: Taken, files: Files) -> bool:
    """Write a finished segment anew without the letters that were taken off. Return whether there were any.

    For the process that holds the lock of the directory.
    """
    if not any(piece.number in taken for piece in pieces_at(segment, files)):
        return False
    temporary = segment.with_name(f"{segment.name}{UNFINISHED}")
    descriptor = files.open(temporary, fresh=True)
    try:
        waiting: list[bytes] = []
        size_bytes = 0
        for piece in pieces_at(segment, files):
            if _stays(piece, taken):
                waiting.append(piece.line + b"\n")
                size_bytes += len(piece.line)
            if size_bytes > BLOCK_BYTES:
                files.append(descriptor, b"".join(waiting))
                waiting, size_bytes = [], 0
        files.append(descriptor, b"".join(waiting))
        files.sync(descriptor)
    except OSError:
        files.unlink(temporary)
        raise
    finally:
        files.close(descriptor)
    files.rename(temporary, segment)
    files.sync_folder(segment.parent)
    return True


def _stays(piece: Piece, taken: Taken) -> bool:
    return not piece.whole or piece.number not in taken


def remove_unfinished(path: Path, files: Files) -> None:
    """Remove what a process that was killed had begun to write anew: the segment itself is still there."""
    for name in files.names(path.parent):
        if name.startswith(f"{path.stem}.") and name.endswith(UNFINISHED):
            files.unlink(path.with_name(name))
