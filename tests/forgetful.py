"""Files in memory that forget at a crash what was never synced, as a machine that loses its power does."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from swak.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Node:
    """One file: what it holds, and what of that is on disk."""

    def __init__(self) -> None:
        self.data = b""
        self.synced = b""


class ForgetfulFiles(Files):
    """A file system of one process. `crash` leaves what was synced, and of the rest what `pick` says.

    Names change in order, as a journal has it: a crash keeps the first so many changes of a folder since its last
    sync. Of data that was not synced it keeps a beginning, or as many zeros.
    """

    def __init__(self) -> None:
        super().__init__("forgetful")
        self.names_now: dict[Path, Node] = {}
        self.names_synced: dict[Path, Node] = {}
        self.changes: list[tuple[Path, Node | None]] = []
        self.opened: dict[int, Node] = {}
        self.locks: dict[int, Path] = {}
        self.room: int | None = None
        """How much more can be written, whatever is removed."""
        self.capacity: int | None = None
        """How much all files together can hold."""
        self.sync_fails = False
        self.crashed = False
        self._serial = 100

    def open(self, path: Path, *, make: bool = False, fresh: bool = False) -> int:
        node = self.names_now.get(path)
        if node is None:
            if not make and not fresh:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            node = Node()
            self._name(path, node)
        if fresh:
            node.data = b""
        self._serial += 1
        self.opened[self._serial] = node
        return self._serial

    def close(self, descriptor: int) -> None:
        if self.locks.pop(descriptor, None) is None:
            del self.opened[descriptor]

    def size(self, descriptor: int) -> int:
        return len(self.opened[descriptor].data)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        return self.opened[descriptor].data[offset : offset + size]

    def is_at(self, descriptor: int, path: Path) -> bool:
        return self.names_now.get(path) is self.opened[descriptor]

    def read_all(self, path: Path) -> bytes:
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.names_now[path].data

    @property
    def full(self) -> bool:
        """Whether there may be no room."""
        return self.room is not None or self.capacity is not None

    def heal(self) -> None:
        """Let everything work again."""
        self.room = self.capacity = None
        self.sync_fails = False

    @property
    def used(self) -> int:
        """What all files together hold."""
        return sum(len(node.data) for node in dict.fromkeys(self.names_now.values()))

    def append(self, descriptor: int, data: bytes) -> None:
        node = self.opened[descriptor]
        if self.capacity is not None and self.used + len(data) > self.capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.room is not None and len(data) > self.room:
            node.data += data[: self.room]
            self.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room = None if self.room is None else self.room - len(data)
        node.data += data

    def cut(self, descriptor: int, size: int) -> None:
        self.opened[descriptor].data = self.opened[descriptor].data[:size]

    def sync(self, descriptor: int) -> None:
        if self.sync_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        node = self.opened[descriptor]
        node.synced = node.data

    def rename(self, old: Path, new: Path) -> None:
        node = self.names_now[old]
        self._name(new, node)
        self._name(old, None)

    def unlink(self, path: Path) -> None:
        if path in self.names_now:
            self._name(path, None)

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self.names_now if path.parent == folder)

    def make_folder(self, folder: Path) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:  # noqa: ARG002 - one folder is all there is
        self._make_real(len(self.changes))

    def lock(self, path: Path) -> int:
        if path in self.locks.values():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._serial += 1
        self.locks[self._serial] = path
        return self._serial

    def crash(self, pick: Callable[[int], int]) -> None:
        """Lose the power. `pick(n)` returns a number from 0 to n: how much of what was not synced is there."""
        self._make_real(pick(len(self.changes)))
        self.changes.clear()
        self.names_now = dict(self.names_synced)
        self.opened.clear()
        self.locks.clear()
        self.heal()
        for node in dict.fromkeys(self.names_now.values()):
            node.data = node.synced = self._left(node, pick)

    def _left(self, node: Node, pick: Callable[[int], int]) -> bytes:
        if not node.data.startswith(node.synced):
            return (node.synced, node.data)[pick(1)]
        rest = node.data[len(node.synced) :]
        kept = pick(len(rest))
        return node.synced + (rest[:kept] if pick(2) else bytes(kept))

    def _name(self, path: Path, node: Node | None) -> None:
        self.changes.append((path, node))
        if node is None:
            del self.names_now[path]
        else:
            self.names_now[path] = node

    def _make_real(self, count: int) -> None:
        for path, node in self.changes[:count]:
            if node is None:
                self.names_synced.pop(path, None)
            else:
                self.names_synced[path] = node
        del self.changes[:count]
