"""The operations on files that durability rests on, in one place: tests can stop the process, or the disk, in each."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

from swak.durable import lock_file, sync_directory, write_all
from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

STEPS = ("write", "half", "sync", "cut", "rename", "unlink", "folder")
"""Where it can be stopped: before or within a write, before a sync, a cut, a rename, a removal, a sync of names."""


class Fault(NamedTuple):
    """Where the process is to stop dead, and at which pass."""

    point: str
    passes: int


def fault_of(text: str | None) -> Fault | None:
    """Read `SWAK_FAULT=point:n`, such as `spool.sync:10`. ConfigError says what is wrong with it."""
    if not text:
        return None
    point, _, count = text.partition(":")
    if point.rpartition(".")[2] not in STEPS or not (count or "1").isdigit() or count == "0":
        mend = f"write OWNER.STEP:N, with a step out of {', '.join(STEPS)}"
        raise ConfigError([Problem(f"SWAK_FAULT={text} names no step", mend)])
    return Fault(point, int(count or "1"))


class Files:
    """What a store does to its files. `owner` names it in fault points: `spool.sync`, `checkpoint.rename`.

    Descriptors are this object's own: what it opened, only it can read, write and close. Writes append.
    """

    def __init__(self, owner: str, fault: Fault | None = None) -> None:
        self.owner = owner
        self._fault = fault if fault is not None else _ASKED
        self._passes = 0

    def at(self, step: str) -> None:
        """Pass a fault point; the process ends here, as by a kill, when it was asked to."""
        if self._fault is not None and self._fault.point == f"{self.owner}.{step}":
            self._passes += 1
            if self._passes == self._fault.passes:
                self.die()

    def die(self) -> None:
        """Stop dead: nothing is flushed, closed or told."""
        if sys.platform == "win32":
            os._exit(137)
        os.kill(os.getpid(), signal.SIGKILL)

    def open(self, path: Path, *, make: bool = False, fresh: bool = False) -> int:
        """Open for reading and appending; `make` a missing file, and `fresh` empties it."""
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
        flags |= (os.O_CREAT if make or fresh else 0) | (os.O_TRUNC if fresh else 0)
        return os.open(path, flags, 0o600)

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        os.close(descriptor)

    def size(self, descriptor: int) -> int:
        """Return the bytes that the file has."""
        return os.fstat(descriptor).st_size

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only at the end of the file."""
        parts = []
        while size > 0:
            part = (
                os.pread(descriptor, size, offset) if hasattr(os, "pread") else _seek_and_read(descriptor, size, offset)
            )
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def is_at(self, descriptor: int, path: Path) -> bool:
        """Tell whether the open file is the one that the path names now."""
        try:
            return os.path.samestat(os.fstat(descriptor), path.stat())
        except FileNotFoundError:
            return False

    def read_all(self, path: Path) -> bytes:
        """Return what a file holds. FileNotFoundError when there is none."""
        return path.read_bytes()

    def append(self, descriptor: int, data: bytes) -> None:
        """Write all of `data` at the end. After an OSError a part of it may be there."""
        if self._fault is not None:
            self.at("write")
            if self._fault.point == f"{self.owner}.half":
                half = len(data) // 2
                write_all(descriptor, data[:half])
                self.at("half")
                data = data[half:]
        write_all(descriptor, data)

    def cut(self, descriptor: int, size: int) -> None:
        """Take away what stands beyond `size` bytes."""
        self.at("cut")
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Have the content on disk."""
        self.at("sync")
        getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS and Windows have fsync only

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in the place of what had that."""
        self.at("rename")
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Remove a name; it may be gone already."""
        self.at("unlink")
        path.unlink(missing_ok=True)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, in order."""
        return sorted(path.name for path in folder.iterdir())

    def make_folder(self, folder: Path) -> None:
        """Make a folder with those above it, for its owner only."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def sync_folder(self, folder: Path) -> None:
        """Have the names in a folder on disk."""
        self.at("folder")
        sync_directory(folder)

    def lock(self, path: Path) -> int:
        """Make a file and lock it for this opening of it. BlockingIOError when another has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            lock_file(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def write_whole(self, path: Path, data: bytes) -> None:
        """Put `data` into the place of `path`, whole or not at all; its name is on disk after `sync_folder`."""
        temporary = path.with_name(f"{path.name}.tmp")
        self.write_synced(temporary, data)
        self.rename(temporary, path)

    def write_synced(self, path: Path, data: bytes) -> None:
        """Write a file anew, all of it, and have it on disk."""
        descriptor = self.open(path, fresh=True)
        try:
            self.append(descriptor, data)
            self.sync(descriptor)
        finally:
            self.close(descriptor)


def _seek_and_read(descriptor: int, size: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)  # Windows has no pread; each descriptor is used by one thread at a time
    return os.read(descriptor, size)


_ASKED = fault_of(os.environ.get("SWAK_FAULT"))
