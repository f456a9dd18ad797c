"""Numbered lines, appended to files at an even pace while these are rotated."""

from __future__ import annotations

import os
import shutil
import threading
import time
from itertools import cycle
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

REST = b" GET /articles/127.html HTTP/1.1 200 5647\n"
PATTERN = r"(?P<source>\w+) (?P<n>\d+) (?P<written_ns>\d+) (?P<text>.*)"
"""What a line looks like: the name of its file, its number there, the time of its write or 0, something to read."""
KEPT = 12
"""Rotated files of a log. The oldest one goes, so this times the time between two rotations is what a reader has."""
STOP_S = 10.0

Way = Literal["", "rename", "copytruncate"]


def lines(name: str, numbers: range, written_ns: int = 0) -> bytes:
    """Return lines, the first one with the time."""
    head = b"%s " % name.encode()
    rest = b" 0" + REST
    first = b"%s%010d %d%s" % (head, numbers.start, written_ns, REST)
    return b"".join([first, *(b"%s%010d%s" % (head, number, rest) for number in numbers[1:])])


class Log:
    """A file of numbered lines, how it is rotated, and how many lines it had so far. Any thread may call."""

    def __init__(self, path: Path, way: Way = "") -> None:
        self.path, self.way = path, way
        self.name = path.stem
        self.count = 0
        self.begins_at = 0
        """The first number of what the path now holds."""
        self._lock = threading.Lock()
        self._fd = self._opened()

    def write(self, count: int, written_ns: int = 0) -> None:
        """Append lines. OSError when they do not fit."""
        with self._lock:
            numbers = range(self.count, self.count + count)
            text = lines(self.name, numbers, written_ns)
            if os.write(self._fd, text) != len(text):
                raise OSError(f"{self.path}: only a part of {len(text)} bytes was written; make room")
            self.count = numbers.stop

    def rotate(self) -> None:
        """Do what logrotate does. With copytruncate nothing is written meanwhile: those lines would be in no file."""
        with self._lock:
            for number in range(KEPT - 1, 0, -1):
                if (older := self._rotated(number)).exists():
                    older.replace(self._rotated(number + 1))
            if self.way == "rename":
                self.path.rename(self._rotated(1))
                os.close(self._fd)
                self._fd = self._opened()
            else:
                shutil.copyfile(self.path, self._rotated(1))
                os.ftruncate(self._fd, 0)
            self.begins_at = self.count

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


class Writer:
    """A thread that appends to logs in turn, until it is stopped."""

    def __init__(self, logs: Sequence[Log], lines_per_s: float, lines_per_write: int, stamp_every: int = 0) -> None:
        """With `stamp_every` the first line of each so-manieth write carries the time."""
        self._logs = logs
        self._lines_per_write, self._stamp_every = lines_per_write, stamp_every
        self._pause_s = lines_per_write / lines_per_s
        self._stop = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for log in self._logs:
            log.close()

    @property
    def written(self) -> int:
        """Lines that were written to all logs."""
        return sum(log.count for log in self._logs)

    def stop(self) -> None:
        """Write nothing more. OSError when writing failed, TimeoutError when a write does not end."""
        self._stop.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            raise TimeoutError(f"a write has not ended in {STOP_S:g} s")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        turns = cycle(self._logs)
        due_s, writes = time.monotonic(), 0
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            stamped = self._stamp_every and writes % self._stamp_every == 0
            try:
                next(turns).write(self._lines_per_write, time.time_ns() if stamped else 0)
            except OSError as error:
                self._error = error
                return
            due_s += self._pause_s
            writes += 1
