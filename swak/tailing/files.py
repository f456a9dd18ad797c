"""All files of one input: what they are called now, which of them are followed, and how far each was read."""

from __future__ import annotations

# ruff: noqa: PTH116, PTH120 - a Path changes spellings, and costs ten times as much
import os
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from swak.log import get
from swak.tailing.discovery import Opened, Wanted, close_all, find_known, find_unseen, open_file, vanished
from swak.tailing.follow import Cuts, Follower, Limits
from swak.tailing.identity import Key, Mark, key_of, path_from, path_text
from swak.tailing.lineage import Generation, Lineage, Pace
from swak.tailing.turns import RETRY_S, Taken, Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.clock import Clock

log = get("swak.tailing")

LOOK_S = 0.25
SWEEP_S = 5.0
"""How often the names are looked at, at least and at most, and how often everything is compared although nothing was
noticed: notices get lost when queues overflow and on odd file systems."""
LOOK_SHARE = 200
"""A look that takes long is repeated less often: it costs at most one part in so many of the time."""
CHEAP_S = 0.001
NOTICED_SHARE = 20
"""A look that took less is done at once when a name came or went; a longer one may cost one part in so many then."""
_STEPS_MAX = 64
_GONE_MAX = 1_000


class Files:
    """Reads the files of one input in turns. All for one thread, but `wake`."""

    def __init__(
        self,
        wanted: Wanted,
        marks: Mapping[str, Mark],
        *,
        clock: Clock,
        limits: Limits,
        cuts: Cuts,
        pace: Pace,
        from_end: bool,
    ) -> None:
        """Take up the positions and look for the files. `from_end` skips what is in files that are there now."""
        self.over = False
        """Whether the last `next` found everything read that there is."""
        self.busy = False
        """Whether the last `next` returned nothing, but has more to do: call it again at once."""
        self._cuts = cuts
        self._wanted = wanted
        self._known = dict(marks)
        """How far the files were read that are not open."""
        self._clock = clock
        self._limits = limits
        self._pace = pace
        self._lineages: dict[str, Lineage] = {}
        self._moving: list[Lineage] = []
        """Lineages in which something may be due without any growth."""
        self._open: dict[Key, Generation] = {}
        self._sources: dict[str, Generation] = {}
        self._gone: dict[str, None] = {}
        self._fresh: deque[Generation] = deque()
        """Files whose beginning is told before anything is read from them. So they are found again after a rotation
        and a crash even when nothing of them was settled, and nothing is skipped that came after the first start."""
        self._look_at = self._sweep_at = clock.monotonic()
        self._look_cost_s = 0.0
        self._turns = Turns(clock)
        try:
            self._restore(clock.monotonic())
            self._look(clock.monotonic(), skip=from_end)
        except BaseException:
            self.close()
            raise

    def next(self) -> Taken | None:
        """Return the next whole lines of a file whose turn it is, or None when there are none now. Never waits."""
        now = self._clock.monotonic()
        if self._turns.pass_time(now):
            self._notice(now)  # also when data never ends: other files must not wait for a pause
            if not self._pace.finish:
                self._advance(now)
        if now >= self._sweep_at:
            self._sweep(now)
        if now >= self._look_at:
            self._look(now)
        if self._fresh:
            follower = self._fresh.popleft().follower
            return Taken(b"", follower.source, follower.mark())
        taken = self._turns.take(now)
        steps = 0
        while taken is None and steps < _STEPS_MAX and self._progress(now):
            taken = self._turns.take(now)
            steps += 1
        self.busy = taken is None and (self._turns.busy or steps == _STEPS_MAX)
        self.over = taken is None and not self.busy
        return taken

    def wait(self, timeout_s: float) -> bool:
        """Wait until something may have come, at most so long. Return whether `wake` ended it."""
        return not self.busy and self._turns.wait(timeout_s, self._look_at)

    def wake(self) -> None:
        """End a wait, or the next one. From any thread."""
        self._turns.wake()

    def gone(self) -> list[str]:
        """Name sources that were read to their end and whose file is no longer there."""
        return list(self._gone)

    def close(self) -> None:
        """Close all files."""
        for generation in list(self._open.values()):
            self._drop(generation)
        self._turns.close()

    def _progress(self, now: float) -> bool:
        """Find something to do besides reading hot files; tell whether there is."""
        return self._notice(now) | self._advance(now)

    def _notice(self, now: float) -> bool:
        """Take up what was noticed; tell whether there is anything new."""
        grown, entries = self._turns.notice()
        if any(self._wanted.concerns(entry) for entry in entries):
            if self._look_cost_s < CHEAP_S:
                self._look(now)
                return True
            self._look_at = min(self._look_at, now + self._look_cost_s * NOTICED_SHARE)
        return grown

    def _advance(self, now: float) -> bool:
        """Let rotation go on where it is time; tell whether there is something to read or something was closed."""
        stirred = False
        for lineage in self._moving:
            steps = lineage.advance(now, self._pace)
            for generation in steps.stirred:
                self._turns.stir(generation)
            for generation in steps.over:
                self._known[generation.follower.source] = generation.follower.mark()
                self._drop(generation)
            stirred |= bool(steps.stirred or steps.over)
        return stirred

    def _look(self, now: float, *, skip: bool = False) -> None:
        """Compare what the paths name with what is followed."""
        began = time.monotonic()
        paths = self._wanted.paths()
        named: set[Key] = set()
        for path in paths:
            lineage = self._lineages.get(path)
            if lineage is None:
                lineage = self._lineages[path] = Lineage(path, globbed=path not in self._wanted.plain)
            self._look_at_path(lineage, named, now, skip=skip)
        for key, generation in self._open.items():
            generation.named = key in named
        self._moving = [one for one in self._lineages.values() if self._pace.finish or not one.settled]
        matched = set(paths)
        for path in [one.path for one in self._moving if not one.generations and one.path not in matched]:
            del self._lineages[path]
        self._turns.watch(self._wanted.directories(paths))
        self._look_cost_s = time.monotonic() - began
        self._look_at = now + min(SWEEP_S, max(LOOK_S, self._look_cost_s * LOOK_SHARE))

    def _look_at_path(self, lineage: Lineage, named: set[Key], now: float, *, skip: bool) -> None:
        try:
            key = key_of(os.stat(lineage.path))
            named.add(key)
            if lineage.last is not None and lineage.last.key == key:
                lineage.since_ns = time.time_ns()  # not the clock's: it is compared with times of the file system
            if key not in self._open:
                if now < lineage.retry_at:
                    return
                lineage.at_end |= skip
                named.update(self._take_up(lineage, now))
            self._note(lineage, "")
        except (FileNotFoundError, NotADirectoryError):
            self._note(lineage, "" if lineage.last else "the file is not there")
        except OSError as error:
            lineage.at_end |= skip
            lineage.retry_at = now + RETRY_S
            self._note(lineage, str(error))

    def _take_up(self, lineage: Lineage, now: float) -> list[Key]:
        """Follow the file that the path names, and before it the generations that came and went unseen."""
        newest = open_file(lineage.path, self._known)
        if newest.key in self._open:
            os.close(newest.fd)
            return [newest.key]
        unseen: list[Opened] = []
        try:
            unseen = self._unseen(lineage, newest.source)
        except OSError as error:
            bound = log.bind(path=path_text(lineage.path))
            bound.warning("cannot look for rotated files; one that came and went is not read", error=str(error))
        self._follow_all(lineage, [*unseen, newest], newest.key, now)
        return [newest.key]

    def _unseen(self, lineage: Lineage, newest: str = "") -> list[Opened]:
        since_ns = lineage.successors_since_ns()
        if since_ns is None:
            return []
        return find_unseen(lineage.path, self._known, {*self._sources, newest}, since_ns)

    def _follow_all(self, lineage: Lineage, opened: list[Opened], current: Key | None, now: float) -> None:
        """Follow files, oldest first; all but `current` have lost the path before."""
        for index, one in enumerate(opened):
            try:
                generation = self._follow(lineage, one, now)
                if one.key != current:
                    generation.retired_at = generation.changed_at
            except BaseException:
                close_all(opened[index:])
                raise

    def _follow(self, lineage: Lineage, opened: Opened, now: float) -> Generation:
        follower = Follower(
            opened.fd, opened.source, lineage.path, limits=self._limits, cuts=self._cuts, now_ns=self._clock.time_ns
        )
        if opened.mark is not None:
            follower.resume(opened.mark)
        elif lineage.at_end:
            follower.skip_to_end()
        age_s = (self._clock.time_ns() - opened.touched_ns) / 1_000_000_000
        changed_at, size_bytes = now - max(age_s, 0.0), opened.status.st_size
        generation = Generation(follower, opened.key, lineage, changed_at=changed_at, size_bytes=size_bytes)
        if opened.mark is None:
            self._fresh.append(generation)
        lineage.at_end = False
        lineage.append(generation, now)
        lineage.since_ns = lineage.since_ns or time.time_ns()
        self._open[opened.key] = self._sources[opened.source] = generation
        self._known.pop(opened.source, None)
        self._gone.pop(opened.source, None)
        if lineage.waiting[0] is generation:
            self._turns.stir(generation)
        return generation

    def _drop(self, generation: Generation) -> None:
        self._turns.forget(generation)
        del self._open[generation.key]
        del self._sources[generation.follower.source]
        os.close(generation.follower.fd)

    def _note(self, lineage: Lineage, trouble: str) -> None:
        """Tell once for each change of state why a path cannot be followed."""
        if trouble == lineage.trouble:
            return
        lineage.trouble, path = trouble, path_text(lineage.path)
        if not trouble:
            log.info("file is there now", path=path)
        else:
            log.bind(path=path).warning("file cannot be followed yet; trying again", error=trouble)

    def _sweep(self, now: float) -> None:
        """Compare everything, as notices may be lost, and find out which old files are no longer there."""
        self._sweep_at = now + SWEEP_S
        self._turns.sweep()
        by_directory: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
        for source, mark in self._known.items():
            by_directory[os.path.dirname(path_from(mark.path))][source] = mark
        for directory, known in by_directory.items():
            try:
                gone = vanished(directory, known)
            except OSError as error:
                log.debug("cannot look for old files", directory=path_text(directory), error=str(error))
                continue
            for source in gone:
                del self._known[source]
                self._gone[source] = None
        while len(self._gone) > _GONE_MAX:
            del self._gone[next(iter(self._gone))]

    def _restore(self, now: float) -> None:
        """Find the files of the positions, wherever they were renamed to, and read on where they were left."""
        by_path: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
        for source, mark in self._known.items():
            by_path[path_from(mark.path)][source] = mark
        for path, known in by_path.items():
            lineage = self._lineages[path] = Lineage(path, globbed=path not in self._wanted.plain)
            lineage.since_ns = max(mark.time_ns for mark in known.values()) or None
            missing = set(known)
            try:
                found, missing = find_known(path, known)
                self._restore_lineage(lineage, found, now)
            except OSError as error:
                self._note(lineage, str(error))
            for source in missing:
                log.bind(path=path_text(path), source=source).warning(
                    "a file that was read before is not found; what was added to it since is not read",
                    read_to=known[source].offset,
                )

    def _restore_lineage(self, lineage: Lineage, found: list[Opened], now: float) -> None:
        """Follow, oldest first, what has unread bytes or may still get some, then what nobody read, then the newest."""
        try:
            current = key_of(os.stat(lineage.path))
        except FileNotFoundError:
            current = None
        found.sort(key=lambda one: (one.key == current, one.status.st_mtime_ns, one.mark.time_ns if one.mark else 0))
        young_ns = self._clock.time_ns() - int(self._pace.keep_s * 1_000_000_000)
        unread: list[Opened] = []
        read: list[Opened] = []
        for one in found:
            assert one.mark is not None
            due = one.key == current or one.status.st_size != one.mark.offset or one.touched_ns > young_ns
            (unread if due and one.key not in self._open else read).append(one)
        if found:
            changed_ns = max(one.status.st_mtime_ns for one in found)
            lineage.since_ns = min(lineage.since_ns or changed_ns, changed_ns)
        close_all(read)
        self._follow_all(lineage, unread, current, now)
        if current is None:
            self._follow_all(lineage, self._unseen(lineage), current, now)
