"""Every way in which a log is rotated, step by step, and a writer that knows which of its lines a step destroys.

`python -m tests.flows.rotations [SEED ...]` prints what a real agent makes of each of them.
"""

from __future__ import annotations

import bz2
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.flows.numbered import LINE_BYTES, lines
from tests.tailing.tails import append, make_room, rotate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Log:
    """A log and its writer, which goes on with the file that it has open until a step lets it reopen the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        """Lines that were written."""
        self.truncated: set[int] = set()
        self.deleted: set[int] = set()
        """Lines that are in no file any more. A reader that held a deleted file open could read it all the same."""
        self.kept_from = 0
        """The first line that is nowhere but in the writer's file."""
        self._doomed = False
        self._fd = -1

    @property
    def first(self) -> Path:
        """The name of the youngest rotated file."""
        return self.path.with_name(f"{self.path.name}.1")

    def write(self, count: int) -> None:
        if self._fd < 0:
            self.reopen()
        os.write(self._fd, lines(range(self.count, self.count + count)))
        self.count += count

    def reopen(self) -> None:
        """Write to what has the path now; make it when there is nothing."""
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def unlink(self) -> None:
        """Delete the file. What the writer still adds goes with it."""
        self.path.unlink()
        self._doomed = True

    def truncate(self) -> None:
        os.ftruncate(self._fd, 0)
        self.truncated |= set(range(self.kept_from, self.count))
        self.kept_from = self.count

    def close(self) -> None:
        """Let the file go, as the writer ends or reopens the path."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._doomed:
            self.deleted |= set(range(self.kept_from, self.count))
            self._doomed = False
        self.kept_from = self.count


Step = Callable[[Log], object]
"""What happens at once. Between two steps the writer may write, and the agent may be killed."""


def rename(log: Log) -> None:
    rotate(log.path)


def gzip(log: Log) -> None:
    """Let the real program write the compressed file beside the other one and delete that."""
    subprocess.run(["gzip", log.first], check=True)


def compressor(suffix: str, pack: Callable[[bytes], bytes]) -> list[Step]:
    """Compress with a pause in the middle, and one before the file that was compressed is deleted."""

    def first_half(log: Log) -> None:
        packed = pack(log.first.read_bytes())
        append(log.first.with_name(f"{log.first.name}{suffix}"), packed[: len(packed) // 2])

    def second_half(log: Log) -> None:
        packed = pack(log.first.read_bytes())
        append(log.first.with_name(f"{log.first.name}{suffix}"), packed[len(packed) // 2 :])

    return [first_half, second_half, lambda log: log.first.unlink()]


def swap_link(log: Log) -> None:
    """Let the path, a symbolic link, lead to the next of app-1.log, app-2.log and so on."""
    log.path.parent.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(log.path.parent.glob("app-*.log")))
    target = log.path.with_name(f"app-{number}.log")
    target.touch()
    link = log.path.with_name("next")
    link.symlink_to(target.name)
    link.replace(log.path)


def move_away(log: Log) -> None:
    log.path.rename(log.path.parent.parent / "elsewhere.log")


def move_back(log: Log) -> None:
    (log.path.parent.parent / "elsewhere.log").rename(log.path)


def rename_directory(log: Log) -> None:
    folder = log.path.parent
    make_room(folder)
    folder.rename(folder.with_name(f"{folder.name}.1"))


def copy(log: Log) -> None:
    make_room(log.path)
    shutil.copyfile(log.path, log.first)
    log.kept_from = log.count


def rewrite(log: Log) -> None:
    """Truncate the file and fill it at once with as many new bytes."""
    size_bytes = log.path.stat().st_size
    log.truncate()
    log.write(size_bytes // LINE_BYTES)


def link(log: Log) -> None:
    make_room(log.path)
    log.first.hardlink_to(log.path)


WAYS: dict[str, Sequence[Step]] = {
    "rename": [rename, Log.reopen],
    "rename, gzip": [rename, Log.reopen, gzip],
    "rename, bz2": [rename, Log.reopen, *compressor(".bz2", bz2.compress)],
    "rename, xz": [rename, Log.reopen, *compressor(".xz", lzma.compress)],
    "delete, create": [Log.unlink, Log.reopen],
    "symlink swap": [swap_link, Log.reopen],
    "move away and back": [move_away, move_back],
    "directory rename": [rename_directory, Log.reopen],
    "copytruncate": [copy, Log.truncate],
    "truncate": [Log.truncate],
    "truncate, rewrite": [rewrite],
    "hard link, unlink": [link, lambda log: log.path.unlink(), Log.reopen],
}
PREPARED: dict[str, Step] = {"symlink swap": swap_link}
"""What must be there before the first line is."""
NAMELESS = {"delete, create", "symlink swap", "directory rename", "copytruncate"}
"""Ways that leave no name, or no identity, by which a file that came and went before anybody looked can be known."""


if __name__ == "__main__":
    from tests.flows.matrix import table

    sys.stdout.write(table([int(one) for one in sys.argv[1:]] or [1]))
