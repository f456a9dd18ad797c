"""Files that were read and are not open: how far, where they are now, and whether something was added to them."""

from __future__ import annotations

# ruff: noqa: PTH116, PTH120 - a Path changes spellings, and costs ten times as much
import os
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from swak.log import get
from swak.tailing.discovery import open_file
from swak.tailing.identity import Mark, inode_of, path_from, path_text

if TYPE_CHECKING:
    from collections.abc import Mapping

log = get("swak.tailing")

SWEPT_MAX = 500
"""Files that one sweep compares: a stat costs 2.5 µs. The others come next time."""
YOUNG_NS = 60_000_000_000
"""A position this young is kept though its file is deleted: a compressed copy of it may be met for the first time."""
AWAY_NS = 3_600_000_000_000
"""How long the position is kept of a file that was moved out of its directory, or deleted after it was closed: which
of the two, nobody can tell. One that comes back later is read anew."""
_GONE_MAX = 1_000


class Spot(NamedTuple):
    """Where a closed file was found last, and how it looked when nothing in it was unread."""

    path: str
    inode: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> Spot:
        """Return a file that is at `path` now."""
        return cls(path, status.st_ino, status.st_size, status.st_mtime_ns)


class Closed:
    """The positions of files that are not open."""

    def __init__(self, marks: Mapping[str, Mark]) -> None:
        self.marks = dict(marks)
        self.gone: dict[str, None] = {}
        """Sources whose file is no longer there."""
        self._spots: dict[str, Spot] = {}
        self._deleted: set[str] = set()
        self._sources: dict[str, str] = {}
        """The source of each spot's path."""
        self._missed_ns: dict[str, int] = {}
        """Since when a file is not where it should be, nor beside that."""

    def add(self, source: str, mark: Mark, spot: Spot | None = None, *, deleted: bool = False) -> None:
        """Note a file that was closed, or that need not be opened."""
        self.marks[source] = mark
        if deleted:
            self._deleted.add(source)
        if spot is not None:
            self._set_spot(source, spot)

    def remove(self, source: str) -> None:
        """Forget a file, because it is open now."""
        self.marks.pop(source, None)
        spot = self._spots.pop(source, None)
        if spot is not None and self._sources.get(spot.path) == source:
            del self._sources[spot.path]
        self.gone.pop(source, None)
        self._deleted.discard(source)
        self._missed_ns.pop(source, None)

    def unchanged(self, path: str, status: os.stat_result) -> bool:
        """Tell whether this is a closed file that was seen at this path, and nothing was added to it."""
        source = self._sources.get(path)
        spot = self._spots.get(source) if source is not None else None
        return spot == Spot.of(path, status)

    def of_paths(self, paths: set[str]) -> dict[str, Mark]:
        """Return the positions of files that were followed under one of these paths."""
        return {source: mark for source, mark in self.marks.items() if path_from(mark.path) in paths}

    def sweep(self, now_ns: int) -> dict[str, str]:
        """Compare the closed files with what they were; return those that have grown since, with where they are now.

        Those that are gone are forgotten and named in `gone`.
        """
        grown: dict[str, str] = {}
        missing: list[str] = []
        for source in list(islice(self.marks, SWEPT_MAX)):
            self.marks[source] = self.marks.pop(source)  # to the end: the others come next time
            spot = self._spots.get(source)
            status = None if spot is None else _stat(spot.path)
            if spot is None or status is None or status.st_ino != spot.inode:
                missing.append(source)
            elif spot != Spot.of(spot.path, status):
                grown[source] = spot.path
        self._find(missing, grown, now_ns)
        return grown

    def _find(self, sources: list[str], grown: dict[str, str], now_ns: int) -> None:
        """Look in their directories for files that are not where they were."""
        by_directory: defaultdict[str, list[str]] = defaultdict(list)
        for source in sources:
            spot = self._spots.get(source)
            mark = self.marks[source]
            by_directory[os.path.dirname(spot.path if spot else mark.real or path_from(mark.path))].append(source)
        for directory, missing in by_directory.items():
            try:
                with os.scandir(directory) as entries:
                    names = {entry.inode(): entry.path for entry in entries}
                device = os.stat(directory).st_dev
            except OSError as error:
                log.debug("cannot look for old files", directory=path_text(directory), error=str(error))
                continue
            for source in missing:
                self._place(source, names, device, grown, now_ns)

    def _place(self, source: str, names: dict[int, str], device: int, grown: dict[str, str], now_ns: int) -> None:
        mark = self.marks[source]
        path = names.get(inode_of(source))
        if path is not None:
            try:
                opened = open_file(path, {source: mark})
            except FileNotFoundError:
                return  # renamed or deleted while we looked: the next sweep tells
            except OSError as error:
                log.debug("an old file cannot be read", path=path_text(path), error=str(error))
                return  # unreadable is not gone
            opened.close()
            if opened.source == source:
                self._missed_ns.pop(source, None)
                spot = self._spots.get(source)
                now = Spot.of(path, opened.status)
                if opened.is_read or (spot is not None and opened.packed and now == spot._replace(path=path)):
                    self._set_spot(source, now)
                else:
                    grown[source] = path  # also a half line of a file that was renamed: it is as whole as it gets
                return
        elsewhere = not names or not source.startswith(f"{device:x}:")  # perhaps the bare mount point of a disk
        missed_ns = now_ns - self._missed_ns.setdefault(source, now_ns)
        if elsewhere or missed_ns < (YOUNG_NS if source in self._deleted else AWAY_NS):
            return
        self.forget(source)

    def forget(self, source: str) -> None:
        """Forget a file that is no longer there."""
        self.remove(source)
        self.gone[source] = None
        while len(self.gone) > _GONE_MAX:
            del self.gone[next(iter(self.gone))]

    def _set_spot(self, source: str, spot: Spot) -> None:
        before = self._spots.get(source)
        if before is not None and self._sources.get(before.path) == source:
            del self._sources[before.path]
        self._spots[source] = spot
        self._sources[spot.path] = source


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:  # gone or not to be reached: the directory tells which
        return None
