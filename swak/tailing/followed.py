"""The files of one input that are open, and the lineages that they belong to."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from swak.log import get
from swak.tailing.closed import Closed, Spot
from swak.tailing.copies import Copies
from swak.tailing.discovery import Opened, close_all, find_known, find_unseen, open_file, real_place
from swak.tailing.follow import Follower
from swak.tailing.identity import Key, Mark, path_text
from swak.tailing.lineage import Generation, Lineage
from swak.tailing.origins import Twins, mended
from swak.tailing.turns import Taken, Turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from swak.clock import Clock
    from swak.tailing.growth import Growth
    from swak.tailing.shape import Shape

log = get("swak.tailing")

PARKED_AT_ONCE = 64
ROOM_S = 0.1
"""How long it is taken for granted that no file can be closed, after none could be."""
BUSY_S = 5.0
"""After so long without a quiet one, files that still grow are closed for others: all are read in turns."""


class FullError(OSError):
    """As many files are open as may be, and none of them is quiet now."""


class Followed:
    """Opens files, gives them their places in lineages, and closes them. All for one thread."""

    def __init__(
        self,
        marks: Mapping[str, Mark],
        *,
        clock: Clock,
        shape: Shape,
        growth: Growth[Generation],
        open_max: int,
        finish: bool,
    ) -> None:
        """At most `open_max` files are held open. `finish`: half lines at their ends are wanted, too."""
        self.lineages: dict[str, Lineage] = {}
        self.moving: dict[Lineage, None] = {}
        """Lineages in which something may be due without any growth."""
        told = mended(marks)
        self.closed = Closed({**marks, **told})
        self.open: dict[Key, Generation] = {}
        self.sources: dict[str, Generation] = {}
        self.names: dict[str, Key] = {}
        """What each path names."""
        self.fresh: deque[Generation | Taken] = deque(Taken(None, source, mark) for source, mark in told.items())
        """Files whose beginning is told before anything is read from them, and positions to be told as they are. So
        they are found again after a rotation and a crash even when nothing of them was settled, and nothing is skipped
        that came after the first start."""
        self.shortfalls = shape.shortfalls
        self.copies = Copies(self.lineages, self.closed, self.sources, shape.shortfalls, self.fresh)
        self.twins = Twins(self.closed, self.sources, self.fresh)
        event_s = shape.multiline.timeout_s if shape.multiline is not None else None
        self.turns = Turns(clock, growth, event_s=event_s, reopen=self.reopen)
        self._named: Counter[Key] = Counter()
        self._clock = clock
        self._shape = shape
        self._open_max = open_max
        self._finish = finish
        self._room_at: float | None = None
        """When it is worth trying again to make room. None: there was always room so far."""
        self._parked_at = 0.0
        """When room was made last."""

    @property
    def full(self) -> bool:
        """Whether as many files are open as may be."""
        return len(self.open) >= self._open_max

    def close(self) -> None:
        """Close all files."""
        for generation in list(self.open.values()):
            self._drop(generation)
        self.turns.close()

    def open_at(self, path: str, known: Mapping[str, Mark] | None = None) -> Opened:
        """Open a file, when need be in the place of one that is quiet. FullError when there is none now."""
        known = self.closed.marks if known is None else known
        if self.full:
            self._make_room()
        try:
            return open_file(path, known)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self._make_room()
        return open_file(path, known)

    def unseen(self, lineage: Lineage, met: Collection[str] = ()) -> list[Opened]:
        """Open the rotated generations that nobody read or has `met`; only told when they cannot be looked for."""
        since_ns = lineage.successors_since_ns()
        if since_ns is None:
            return []
        try:
            found = find_unseen(lineage.path, self.closed.marks, {*self.sources, *met}, since_ns)
        except OSError as error:
            bound = log.bind(path=path_text(lineage.path))
            bound.warning("cannot look for rotated files; one that came and went is not read", error=str(error))
            return []
        return self.copies.without_copies(found)

    def follow_all(self, lineage: Lineage, opened: list[Opened], current: Key | None, now: float) -> None:
        """Follow files, oldest first; all but `current` have lost the path before."""
        for index, one in enumerate(opened):
            try:
                generation = self.follow(lineage, one, now)
                lineage.append(generation, now)
                self._settle_in(generation, now)
                if one.key != current:
                    generation.retired_at = generation.changed_at
            except BaseException:
                close_all(opened[index:])
                raise

    def follow_late(self, lineage: Lineage, opened: Opened, now: float) -> None:
        """Follow an old file to which something was added after all."""
        generation = self.follow(lineage, opened, now)
        generation.retired_at = now
        lineage.late.append(generation)
        self._settle_in(generation, now)

    def follow(self, lineage: Lineage, opened: Opened, now: float) -> Generation:
        """Make a file one of those that are open. Its place in the lineage is the caller's to give."""
        follower = self._follower(lineage, opened)
        if opened.mark is not None:
            follower.resume(opened.mark)
        elif lineage.at_end:
            follower.skip_to_end()
        age_s = (self._clock.time_ns() - opened.touched_ns) / 1_000_000_000
        changed_at, size_bytes = now - max(age_s, 0.0), opened.status.st_size
        generation = Generation(follower, opened.key, lineage, changed_at=changed_at, size_bytes=size_bytes)
        generation.copied = opened.is_copy or opened.packed or bool(follower.origin)
        generation.named = opened.key in self._named
        if opened.mark is None or opened.is_copy:
            self.fresh.append(generation)
        generation.untouched = follower.offset == 0 and lineage.since_ns is not None and not generation.copied
        lineage.at_end = False
        lineage.since_ns = lineage.since_ns or time.time_ns()
        self.open[opened.key] = self.sources[opened.source] = generation
        self.closed.remove(opened.source)
        return generation

    def _settle_in(self, generation: Generation, now: float) -> None:
        lineage = generation.lineage
        self.note_moving(lineage)
        if generation.follower.truncated is not None:
            self.begin_anew(generation, now)
        elif generation in lineage.late or lineage.waiting[0] is generation:
            self.turns.stir(generation)

    def begin_anew(self, generation: Generation, now: float) -> None:
        """A file was truncated or rewritten: read on in its copies first, if there are any."""
        truncated, generation.follower.truncated = generation.follower.truncated, None
        assert truncated is not None, "only called for files that were truncated"
        generation.untouched, generation.asked = True, None
        copies = self.copies.of_truncated(generation, truncated)
        self.put_before(generation, copies, now)
        self.fresh.append(generation)

    def put_before(self, generation: Generation, copies: list[Opened], now: float) -> None:
        """Read these files before one that is followed."""
        lineage = generation.lineage
        older = [self.follow(lineage, one, now) for one in copies]
        if older:
            self.turns.forget(generation)
            lineage.put_before(generation, older, now)
            generation.untouched, generation.asked = generation.follower.offset == 0, None
        if lineage.waiting[0] in (generation, *older) or generation in lineage.late:
            self.turns.stir(older[0] if older else generation)
        self.note_moving(lineage)

    def set_name(self, path: str, key: Key | None) -> None:
        """Note what a path names now."""
        before = self.names.pop(path, None)
        if key is not None:
            self.names[path] = key
        if before == key:
            return
        for one, step in ((before, -1), (key, 1)):
            if one is not None:
                self._named[one] += step
                if not self._named[one]:
                    del self._named[one]
                if one in self.open:
                    self.open[one].named = one in self._named
                    self.note_moving(self.open[one].lineage)

    def note_moving(self, lineage: Lineage) -> None:
        """Note whether something may be due in a lineage without any growth."""
        if lineage.generations and (self._finish or not lineage.settled):
            self.moving[lineage] = None
        else:
            self.moving.pop(lineage, None)

    def put_away(self, generation: Generation) -> None:
        """Close a file that was read to its end, and remember where it is."""
        follower = generation.follower
        status = os.fstat(follower.fd)
        spot = None
        if self.names.get(generation.lineage.path) == generation.key:
            spot = Spot.of(generation.lineage.path, status)
            if self._has_more(generation):
                spot = spot._replace(size_bytes=-1)  # what was added just now is found by a sweep
        mark = msgspec.structs.replace(follower.mark(), time_ns=generation.handed_ns or follower.mark().time_ns)
        self.closed.add(follower.source, mark, spot, deleted=status.st_nlink == 0)
        self._drop(generation)

    def _make_room(self) -> None:
        """Close files that are quiet for longest and can be found again by their names. FullError when there is none.

        What is added to them is noticed by a sweep.
        """
        now = self._clock.monotonic()
        if self._room_at is None:
            self._room_at = self._parked_at = now
            log.warning(
                "more files than may be open; quiet ones are closed and opened again after they grow, seconds later",
                open_files=len(self.open),
                open_max=self._open_max,
                mend="raise the limit of open files (ulimit -n, LimitNOFILE=), or narrow the patterns",
            )
        parked: list[Generation] = []
        if now >= self._room_at:
            self._room_at = now + ROOM_S
            quiet = (one for one in self.turns.quiet() if self._can_park(one) and not self._has_more(one))
            parked = list(islice(quiet, PARKED_AT_ONCE))
            if not parked and now - self._parked_at >= BUSY_S:
                busy = (one for one in list(self.open.values()) if self._can_park(one))
                parked = list(islice(busy, max(1, min(PARKED_AT_ONCE, self._open_max // 2))))
        if not parked:
            raise FullError(errno.EMFILE, "as many files are open as may be")
        self._parked_at = self._room_at = now
        for generation in parked:
            lineage = generation.lineage
            if generation in lineage.late:
                lineage.late.remove(generation)
            else:
                lineage.waiting.clear()
            self.put_away(generation)
            self.note_moving(lineage)

    @staticmethod
    def _has_more(generation: Generation) -> bool:
        """Tell whether there is something to be read or to be waited for."""
        return generation.follower.holds_lines or generation.changed()

    def _can_park(self, generation: Generation) -> bool:
        """Tell whether a file can be closed without harm to what comes after it."""
        lineage, follower = generation.lineage, generation.follower
        if generation.trouble or generation.unlinked():
            return False
        if follower.half_bytes and (self._finish or generation in lineage.late):
            return False  # it is delivered soon
        return generation in lineage.late or len(lineage.waiting) == 1

    def reopen(self, generation: Generation) -> None:
        """Open a file again whose descriptor may be stale, wherever it is now. Never raises."""
        follower = generation.follower
        try:
            opened = self._find_again(generation)
            if opened is None:
                return
            try:
                self.renew(generation, opened)
            except BaseException:
                if generation.follower.content is not opened.content:
                    opened.close()
                raise
        except OSError as error:
            log.bind(path=path_text(follower.path)).debug("cannot be opened again", error=str(error))

    @staticmethod
    def _find_again(generation: Generation) -> Opened | None:
        follower = generation.follower
        known = {follower.source: follower.mark()}
        if generation.named:
            opened = open_file(generation.lineage.path, known)
            if opened.source == follower.source:
                return opened
            opened.close()
        found, _ = find_known(generation.lineage.path, known)
        return found[0] if found else None

    def renew(self, generation: Generation, opened: Opened) -> None:
        """Go on reading the same file through another descriptor."""
        old = generation.follower
        follower = self._follower(generation.lineage, opened)
        follower.resume(old.mark())
        self.turns.forget(generation)
        del self.open[generation.key]
        old.content.close()
        os.close(old.fd)
        generation.follower, generation.key = follower, opened.key
        generation.named = opened.key in self._named
        self.open[opened.key] = generation
        generation.trouble, generation.stale = "", False
        log.info("file was opened again", path=path_text(follower.path), source=follower.source)
        if follower.truncated is not None:
            self.begin_anew(generation, self._clock.monotonic())
        else:
            self.turns.stir(generation)

    def _follower(self, lineage: Lineage, opened: Opened) -> Follower:
        try:
            real, folder = real_place(opened.path, opened.content.fd)
        except OSError:  # it is renamed right now; the next look finds out where it is
            real = folder = ""
        return Follower(
            opened.content,
            opened.source,
            lineage.path,
            shape=self._shape,
            now_ns=self._clock.time_ns,
            real=real,
            folder=folder,
        )

    def _drop(self, generation: Generation) -> None:
        self.turns.forget(generation)
        del self.open[generation.key]
        del self.sources[generation.follower.source]
        generation.follower.content.close()
        os.close(generation.follower.fd)
