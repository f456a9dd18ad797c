"""What durable writing needs of the system."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

LOCK_AT = 1 << 30
"""Windows locks bytes, and locked bytes cannot be read: this one is far behind what a lock file holds."""


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls the system wants for it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(path: Path) -> None:
    """Have the names in a directory on disk. Windows offers no way and needs none: its renames are journalled."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if sys.platform == "win32":

    def lock_file(descriptor: int) -> None:
        """Lock a file for this opening of it. BlockingIOError when another has it."""
        os.lseek(descriptor, LOCK_AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

    def is_locked(descriptor: int) -> bool:
        """Tell whether another opening of the file has locked it."""
        try:
            lock_file(descriptor)
        except BlockingIOError:
            return True
        os.lseek(descriptor, LOCK_AT, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return False
else:

    def lock_file(descriptor: int) -> None:
        """Lock a file for this opening of it. BlockingIOError when another has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_locked(descriptor: int) -> bool:
        """Tell whether another opening of the file has locked it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who look are not in each other's way
        except BlockingIOError:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
