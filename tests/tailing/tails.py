"""What tests of tailing share: a plugin that is driven by hand, and files that are written in small steps."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from swak.errors import EndOfInput
from swak.event import Block
from swak.plugins.inputs.file_tailing import FileTailing
from swak.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    from swak.ack import Position
    from swak.event import Body, Chunk, Record

NOBODY = 65534
WAIT_S = 20.0
"""How long a test waits for something that must happen. Long, because a busy machine is no failure."""


class Tail:
    """A FileTailing with a clock to move by hand, and everything that it handed out."""

    def __init__(
        self,
        path: Path | str | list[str],
        positions: Mapping[str, Any] | None = None,
        *,
        once: bool = False,
        settled: Callable[[str], Position] | None = None,
        later_s: float = 0.0,
        **options: Any,
    ) -> None:
        """`later_s`: how long after now it starts."""
        self.clock = FakeClock(time.time() + later_s)
        self.plugin = FileTailing([str(one) for one in path] if isinstance(path, list) else str(path), **options)
        self.plugin.clock = self.clock
        self.plugin.wait_s = 0.0
        self.plugin.once = once
        self.plugin.settled = settled
        self.handed: list[tuple[str, bytes]] = []
        """Source and bytes of each chunk that had any."""
        self.bodies: list[tuple[str, Body]] = []
        """Source and body of each chunk that had any events."""
        self.steps: list[dict[str, Any]] = [dict(positions or {})]
        """Positions before the first chunk and after each."""
        self.ended = False
        self.plugin.seek(self.positions)
        self.plugin.open()

    @property
    def positions(self) -> dict[str, Any]:
        """What a checkpoint would hold if everything was settled."""
        return self.steps[-1]

    @property
    def text(self) -> bytes:
        """All bytes so far, in the order in which they came."""
        return b"".join(data for _, data in self.handed)

    @property
    def records(self) -> list[Record]:
        """All events so far, in the order in which they came."""
        return [record for _, body in self.bodies for record in body.records()]

    @property
    def messages(self) -> list[str]:
        """The text of all events so far."""
        return [record["message"] for record in self.records]

    def read(self) -> bytes:
        """Take all chunks that are there now; return their bytes."""
        begin = len(self.text)
        while not self.ended:
            try:
                chunk = self.plugin.read()
            except EndOfInput:
                self.ended = True
                break
            if chunk is None:
                due_at = self.plugin.due_at()
                if due_at is None or due_at > self.clock.monotonic():
                    break
                continue
            self._take(chunk)
        return self.text[begin:]

    def read_once(self) -> bool:
        """Take what one read gives; return whether that was anything."""
        chunk = self.plugin.read()
        if chunk is not None:
            self._take(chunk)
        return chunk is not None

    def rest(self) -> None:
        """Take what was held back, as a run does when it stops."""
        while (chunk := self.plugin.rest()) is not None:
            self._take(chunk)

    def _take(self, read: Chunk | list[Chunk]) -> None:
        for chunk in read if isinstance(read, list) else [read]:
            self.steps.append({**self.positions, chunk.source: chunk.position})
            if chunk.body.count:
                self.bodies.append((chunk.source, chunk.body))
            if isinstance(chunk.body, Block) and chunk.body.data:
                assert chunk.body.data.endswith(b"\n")
                self.handed.append((chunk.source, chunk.body.data))

    def pass_time(self, seconds: float) -> bytes:
        """Move the clock in steps as a run would, reading all the while; return the bytes that came."""
        begin = len(self.text)
        while seconds > 0:
            self.clock.advance(min(seconds, 0.25))
            seconds -= 0.25
            self.read()
        return self.text[begin:]

    def calm_down(self) -> None:
        """Let all files become quiet: from now on only notices tell of growth."""
        for _ in range(40):
            self.clock.advance(0.009)
            self.read()

    def close(self) -> None:
        self.plugin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def append(path: Path, data: bytes) -> None:
    """Add bytes to a file, in one write."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def make_room(path: Path, keep: int = 9) -> None:
    """Rename `path.1` to `path.2` and so on, compressed ones and directories as well: `path.1` is free after this."""
    for number in range(keep, 0, -1):
        for suffix in ("", ".gz", ".bz2", ".xz"):
            older = path.with_name(f"{path.name}.{number}{suffix}")
            if older.exists():
                older.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))


def rotate(path: Path, keep: int = 9) -> None:
    """Rename `path` to `path.1`, that one to `path.2` and so on."""
    make_room(path, keep)
    path.rename(path.with_name(f"{path.name}.1"))


def age(path: Path, seconds: float) -> None:
    """Make a file look as if it was last changed that long ago."""
    changed_s = time.time() - seconds
    os.utime(path, (changed_s, changed_s))


@contextlib.contextmanager
def no_permission(path: Path) -> Iterator[None]:
    """Make a file unreadable for this process; root becomes nobody for that long."""
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        for folder in path.parents:  # the folders that pytest made are the owner's alone
            if folder.stat().st_mode & 0o001 == 0:
                folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o055)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)


def until(tail: Tail, wanted: bytes) -> None:
    """Read with real waiting until so many bytes came; fail after a while."""
    deadline = time.monotonic() + WAIT_S
    tail.plugin.wait_s = 0.05
    while tail.text != wanted:
        assert time.monotonic() < deadline, tail.text
        tail.read()
    tail.plugin.wait_s = 0.0


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors of the log."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def open_files(folder: Path) -> set[str]:
    """Return the files in a folder that this process has open, by their present names."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:  # the descriptor of this listing itself
            continue
        if target.startswith(f"{folder}/"):
            found.add(target.removeprefix(f"{folder}/"))
    return found


def count_of_descriptors() -> int:
    """Return how many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))
