"""Reading the log of an agent: its last lines, and what comes, over rotations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE_BYTES = 64 * 1024
FILES_MAX = 11


def last_lines(path: Path, count: int) -> bytes:
    """Return the last lines of a log; where it holds fewer, those before them of the files it was rotated into."""
    found = b""
    for number in range(FILES_MAX):
        older = path if number == 0 else path.with_name(f"{path.name}.{number}")
        try:
            with older.open("rb") as file:
                found = _end(file, count - found.count(b"\n")) + found
        except FileNotFoundError:
            break
        if found.count(b"\n") >= count:
            break
    return found


def _end(file: BinaryIO, count: int) -> bytes:
    if count <= 0:
        return b""
    at = file.seek(0, os.SEEK_END)
    found = b""
    while at and found.count(b"\n") <= count:
        size = min(at, PIECE_BYTES)
        at -= size
        file.seek(at)
        found = file.read(size) + found
    return b"".join(found.splitlines(keepends=True)[-count:])


def follow(path: Path, rest: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what is appended from now on. `rest` waits a moment and returns whether to go on."""
    file: BinaryIO = path.open("rb")
    try:
        file.seek(0, os.SEEK_END)
        while True:
            while part := file.read(PIECE_BYTES):
                yield part
            successor = _successor(path, file)
            if successor is not None:
                yield from iter(lambda: file.read(PIECE_BYTES), b"")  # noqa: B023 - used up before `file` changes
                file.close()
                file = successor
            elif not rest():
                yield from iter(lambda: file.read(PIECE_BYTES), b"")  # noqa: B023 - as above
                return
    finally:
        file.close()


def _successor(path: Path, file: BinaryIO) -> BinaryIO | None:
    """Return the file after one that was rotated: files in between, if it was rotated several times, are in order."""
    now = os.fstat(file.fileno())
    kept = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, FILES_MAX))]
    newer: Path | None = None
    for one in kept:
        try:
            if os.path.samestat(one.stat(), now):
                return None if newer is None else newer.open("rb")
        except FileNotFoundError:
            continue
        newer = one
    try:
        return path.open("rb")  # it was removed, or is older than all that are kept
    except FileNotFoundError:
        return None
