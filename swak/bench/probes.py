"""Outputs that tell a benchmark, in files beside, how many events have arrived and how long they took."""

from __future__ import annotations

import time
from array import array
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from swak import option
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
    """Return when a line of `swak.bench.roles.write` was written: parsed, or as it was read."""
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
