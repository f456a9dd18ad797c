"""What has arrived in output files, read as they grow: which numbers are there, which came twice or too late."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BLOCK_BYTES = 1 << 20
JSON_LINE = re.compile(rb'^\{"source":"(\w+)","n":"(\d+)".*\}$', re.MULTILINE)
"""A line of `benchmarks.numbered`, parsed and written as JSON."""
RAW_LINE = re.compile(rb"^(\w+) (\d{10}) \d+ GET /.*$", re.MULTILINE)


class Runs:
    """Whole numbers that were seen, as runs without gaps: memory grows with the gaps, not with the numbers."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._at = 0
        """The run that grew last: nearly always the one that grows next."""

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)

    def add(self, number: int) -> bool:
        """Note a number and tell whether it is new."""
        starts, stops, at = self._starts, self._stops, self._at
        if not (at < len(stops) and stops[at] == number):
            at = bisect_right(starts, number) - 1
            if at >= 0 and number < stops[at]:
                return False
            if at < 0 or stops[at] != number:
                at += 1
                starts.insert(at, number)
                stops.insert(at, number)
        stops[at] = number + 1
        if at + 1 < len(starts) and starts[at + 1] == number + 1:
            del starts[at + 1], stops[at]
        self._at = at
        return True

    def gaps(self, stop: int) -> list[range]:
        """Return what is missing below `stop`."""
        edges = zip([0, *self._stops], [*self._starts, stop], strict=True)
        return [range(end, start) for end, start in edges if start > end]

    @property
    def stop(self) -> int:
        """One more than the highest number; 0 without one."""
        return self._stops[-1] if self._stops else 0


class Verdict(NamedTuple):
    """What is wrong about a branch, and how many duplicates there are."""

    lost: int
    unexpected: int
    reordered: int
    torn: int
    duplicates: int
    where: str
    """The first gaps, for people."""

    @property
    def right(self) -> bool:
        """Whether all is there, in order and whole."""
        return not (self.lost or self.unexpected or self.reordered or self.torn)


class Branch:
    """All that came by one branch, into one file or several. A line is one arrival; the first of a number counts.

    Order is judged per file and source: a number that arrives for the first time after a higher one is too late.
    """

    def __init__(self, name: str, paths: Sequence[Path], line: re.Pattern[bytes] = JSON_LINE) -> None:
        self.name = name
        self.seen: dict[str, Runs] = defaultdict(Runs)
        self.duplicates = self.torn = self.reordered = 0
        self._line = line
        self._read_to = dict.fromkeys(paths, 0)
        self._highest: dict[tuple[Path, bytes], int] = {}

    @property
    def arrived(self) -> int:
        """Different lines that have arrived."""
        return sum(map(len, self.seen.values()))

    @property
    def lines(self) -> int:
        """Lines that have arrived, those that came twice among them."""
        return self.arrived + self.duplicates

    def read(self) -> None:
        """Read the whole lines that came since the last call."""
        for path, offset in self._read_to.items():
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(offset)
                while end := (block := file.read(BLOCK_BYTES)).rfind(b"\n") + 1:
                    self._take(path, block[:end])
                    self._read_to[path] += end
                    file.seek(self._read_to[path])

    def _take(self, path: Path, block: bytes) -> None:
        found = self._line.findall(block)
        self.torn += block.count(b"\n") - len(found)
        for source, digits in found:
            number = int(digits)
            if not self.seen[source.decode()].add(number):
                self.duplicates += 1
            elif number < self._highest.get((path, source), -1):
                self.reordered += 1
            else:
                self._highest[path, source] = number

    def judge(self, written: Mapping[str, int]) -> Verdict:
        """Compare with how many lines each source wrote."""
        gaps = {name: self.seen[name].gaps(count) for name, count in written.items()}
        lost = sum(len(gap) for each in gaps.values() for gap in each)
        beyond = sum(len(runs) for name, runs in self.seen.items() if name not in written)
        beyond += sum(max(0, self.seen[name].stop - count) for name, count in written.items())
        where = ", ".join(f"{name} {gap.start}..{gap.stop - 1}" for name, each in gaps.items() for gap in each[:3])
        return Verdict(lost, beyond, self.reordered, self.torn, self.duplicates, where)
