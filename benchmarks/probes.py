"""Outputs that tell a benchmark more than those of `swak.bench.probes` do."""

from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swak import option
from swak.bench.probes import WHOLE, Counted
from swak.event import Block
from swak.plugins.outputs.file import File

if TYPE_CHECKING:
    from swak.event import Batch


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
