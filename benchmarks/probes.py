"""Outputs that tell a benchmark, in files beside, how many events have arrived and how long they took."""

from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from io import FileIO
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from swak import option
from swak.event import Block
from swak.plugin import Output
from swak.plugins.outputs.file import File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.event import Batch

WHOLE: Final = "q"
"""Type code of the numbers: whole, of eight bytes."""


class Arrivals:
    """Tells how many events there were, in memory shared by way of a file: that costs no call into the system."""

    def __init__(self, path: str) -> None:
        file = Path(path)
        file.write_bytes(array(WHOLE, [0]).tobytes())
        with file.open("r+b") as shared:
            self._map = mmap(shared.fileno(), 0)
        self._count = memoryview(self._map).cast(WHOLE)
        self._ages = file.with_suffix(".ages").open("ab", buffering=0)

    def count(self, events: int) -> None:
        """Count events."""
        self._count[0] += events

    def tell(self, ages_ns: array[int]) -> None:
        """Count events, and tell the age of each."""
        self._ages.write(ages_ns.tobytes())
        self.count(len(ages_ns))

    def close(self) -> None:
        """Close both files."""
        self._ages.close()
        self._count.release()
        self._map.close()


class TimedFile(File):
    """A File that tells how long before the return of its write each event's line was appended, in nanoseconds.

    Example:
        `task(in_.FileTailing("app.log"), TimedFile("out.log", format="raw", fsync=None, told="arrived"))`
    """

    told: str = option("File for the count; the ages go to the same name with `.ages`.")
    _arrivals: Arrivals | None = None

    def open(self) -> None:
        super().open()
        self._arrivals = Arrivals(self.told)

    def write(self, batch: Batch) -> Any:
        pending = super().write(batch)
        now_ns = time.time_ns()
        assert self._arrivals is not None, "write comes after open"
        self._arrivals.tell(array(WHOLE, [now_ns - written_ns(record) for record in batch.body.records()]))
        return pending

    def close(self) -> None:
        super().close()
        if self._arrivals is not None:
            self._arrivals.close()
            self._arrivals = None


def written_ns(record: Mapping[str, Any]) -> int:
    """Return when a line of `benchmarks.writer` was written: parsed, or as it was read."""
    parsed = record.get("written_ns")
    return int(record["message"].partition(" ")[0] if parsed is None else parsed)


class Counted(Output):
    """Drops everything, and tells how many events there were: what the stages before cost is hardly touched.

    Example:
        `task(in_.FileTailing("app.log"), Counted("arrived"))`
    """

    told: str = option("File for the count.")
    _arrivals: Arrivals | None = None

    def open(self) -> None:
        self._arrivals = Arrivals(self.told)

    def write(self, batch: Batch) -> None:
        assert self._arrivals is not None, "write comes after open"
        self._arrivals.count(batch.count)

    def close(self) -> None:
        if self._arrivals is not None:
            self._arrivals.close()
            self._arrivals = None


class Shares(Counted):
    """A Counted that tells how many lines of each file were there when half of all were.

    Each line begins with a name of its file and a space.

    Example:
        `task(in_.FileTailing("*.log"), Shares("arrived", lines=1_000, shares="shares"))`
    """

    lines: int = option("How many there are in all files.", above=0)
    shares: str = option("File for the figures, separated by spaces.")

    def open(self) -> None:
        super().open()
        self._read: Counter[str] = Counter()

    def write(self, batch: Batch) -> None:
        if self._read.total() * 2 < self.lines:
            self._read.update(record["message"].partition(" ")[0] for record in batch.body.records())
            if self._read.total() * 2 >= self.lines:
                Path(self.shares).write_text(" ".join(map(str, self._read.values())), encoding="ascii")
        super().write(batch)


STAMPED = re.compile(rb"^\w+ \d+ (\d{19}) ", re.MULTILINE)
"""A line of `benchmarks.numbered` that carries the time of its write, in nanoseconds since 1970."""


class StampedFile(File):
    """A File that tells of each line that carries a time both that time and how old the line was when it was written.

    Only blocks of lines as they were read are looked into: one search a block costs next to nothing.

    Example:
        `task(in_.FileTailing("app.log"), StampedFile("out.log", format="raw", told="ages"))`
    """

    told: str = option("File for the numbers: time and age in nanoseconds, in turns.")
    _ages: FileIO | None = None

    def open(self) -> None:
        super().open()
        self._ages = FileIO(self.told, "ab")

    def write(self, batch: Batch) -> Any:
        pending = super().write(batch)
        now_ns = time.time_ns()
        if self._ages is not None and isinstance(batch.body, Block):
            found = [int(digits) for digits in STAMPED.findall(batch.body.data)]
            self._ages.write(array(WHOLE, [value for at_ns in found for value in (at_ns, now_ns - at_ns)]).tobytes())
        return pending

    def close(self) -> None:
        super().close()
        if self._ages is not None:
            self._ages.close()
            self._ages = None
