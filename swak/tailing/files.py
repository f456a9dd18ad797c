"""All files of one input: what they are called now, which of them are followed, and how far each was read."""

from __future__ import annotations

# ruff: noqa: PTH116 - a Path changes spellings, and costs ten times as much
import os
import time
from collections import ChainMap
from typing import TYPE_CHECKING

from swak.log import get
from swak.tailing.followed import Followed, FullError
from swak.tailing.identity import Mark, key_of, path_from, path_text
from swak.tailing.lineage import Generation, Lineage, Pace
from swak.tailing.restoring import restore
from swak.tailing.turns import CROWD, RETRY_S, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from swak.clock import Clock
    from swak.tailing.discovery import Opened
    from swak.tailing.growth import Growth
    from swak.tailing.shape import Shape
    from swak.tailing.tree import Tree

log = get("swak.tailing")

LOOK_S = 0.25
SWEEP_S = 5.0
"""How often the names are looked at where no notices of them are to be had, and how often everything is compared
although nothing was noticed: notices get lost when queues overflow and on odd file systems."""
LOOK_SHARE = 200
"""A look that takes long is repeated less often: it costs at most one part in so many of the time."""
GATHERED_BYTES = 64 * 1024
GATHERED_MAX = 64
"""How much of a crowd of growing files is handed out together."""
_STEPS_MAX = 64
_WATCHES_MAX = 3


class Files:
    """Reads the files of one input in turns. All for one thread, but `wake`."""

    def __init__(
        self,
        tree: Tree,
        marks: Mapping[str, Mark],
        *,
        clock: Clock,
        shape: Shape,
        growth: Growth[Generation],
        pace: Pace,
        from_end: bool,
        open_max: int,
        settled: Callable[[str], Mark | None] | None = None,
    ) -> None:
        """Take up the positions and look for the files. `from_end` skips what is in files that are there now.

        At most `open_max` files are held open. `settled` tells up to where a source is safe; without it everything is
        that was handed out.
        """
        self.over = False
        """Whether the last `next` found everything read that there is."""
        self.busy = False
        """Whether the last `next` returned nothing, but has more to do: call it again at once."""
        self._tree = tree
        self._clock = clock
        self._shortfalls = shape.shortfalls
        self._pace = pace
        self._settled = settled
        self._followed = Followed(marks, clock=clock, shape=shape, growth=growth, open_max=open_max, finish=pace.finish)
        self._lineages = self._followed.lineages
        self._closed = self._followed.closed
        self._turns = self._followed.turns
        self._again: dict[str, None] = {}
        """Paths to look at again, whether or not anything happened to them."""
        self._look_at = self._sweep_at = clock.monotonic()
        self._looked_ns = 0
        """When the paths were last known to name what they are known to name."""
        self._crowded = False
        """Whether some files are not open for want of room."""
        self._watched = -1
        """The revision of the tree whose directories are watched."""
        self._noticed = False
        """Whether all of them are."""
        try:
            for path, trouble in restore(self._followed, tree.plain, pace, clock).items():
                self._note(self._lineages[path], trouble)
                self._again[path] = None
            self._look(clock.monotonic(), skip=from_end)
        except BaseException:
            self.close()
            raise

    def next(self) -> Taken | None:
        """Return the next events of a file whose turn it is, or None when there are none now. Never waits."""
        now = self._clock.monotonic()
        if self._turns.pass_time(now):
            self._notice(now)  # also when data never ends: other files must not wait for a pause
            if not self._pace.finish:
                self._advance(now)
        if now >= self._sweep_at:
            self._sweep(now)
        if now >= self._look_at:
            self._look(now)
        if self._followed.fresh:
            fresh = self._followed.fresh.popleft()
            return fresh if isinstance(fresh, Taken) else Taken(None, fresh.follower.source, fresh.hand())
        taken = self._take(now)
        steps = 0
        while taken is None and not self._followed.fresh and steps < _STEPS_MAX and self._progress(now):
            taken = self._take(now)
            steps += 1
            if self._turns.resting:
                break
        resting = self._turns.resting
        more = (self._turns.busy or steps == _STEPS_MAX) and not resting
        self.busy = taken is None and (more or bool(self._followed.fresh))
        self.over = taken is None and not self.busy and not resting and not self._crowded
        return taken

    def more(self, taken: Taken) -> list[Taken]:
        """Return what was taken, and more of other files if many are growing: each way costs more than a read."""
        few = [taken]
        size_bytes = taken.size_bytes
        while self._turns.hot_count >= CROWD and size_bytes < GATHERED_BYTES and len(few) < GATHERED_MAX:
            another = self.next()
            if another is None:
                break
            few.append(another)
            size_bytes += another.size_bytes
        return few

    def rest(self) -> Taken | None:
        """Hand out what waits for more lines, when reading ends here."""
        return self._turns.rest()

    def wait(self, timeout_s: float) -> bool:
        """Wait until something may have come, at most so long. Return whether `wake` ended it."""
        now = self._clock.monotonic()
        turns = [lineage.turn_due_at(now, self._pace) for lineage in self._followed.moving]
        due_at = min(self._look_at, self._sweep_at, *(at for at in turns if at is not None))
        return not self.busy and self._turns.wait(timeout_s, due_at)

    def wake(self) -> None:
        """End a wait, or the next one. From any thread."""
        self._turns.wake()

    def due_at(self) -> float | None:
        """Return when to call `next` again, although nothing may have happened. None: no need."""
        if self.busy:
            return self._clock.monotonic()
        if self._turns.resting:
            return self._turns.tick_at
        return self._look_at if self._crowded else None

    def gone(self) -> list[str]:
        """Name sources that were read to their end and whose file is no longer there."""
        return list(self._closed.gone)

    def close(self) -> None:
        """Close all files."""
        self._followed.close()

    def _take(self, now: float) -> Taken | None:
        taken = self._turns.take(now)
        for generation in self._turns.cut_off():
            self._followed.begin_anew(generation, now)
        for generation in self._turns.begun():
            self._followed.put_before(generation, self._followed.unseen(generation.lineage), now)
        return taken

    def _progress(self, now: float) -> bool:
        """Find something to do besides reading hot files; tell whether there is."""
        return self._notice(now) | self._advance(now)

    def _notice(self, now: float) -> bool:
        """Take up what was noticed; tell whether there is anything new."""
        grown, entries, overflow = self._turns.notice()
        touched = self._tree.note(entries) if entries else []
        if overflow or self._tree.revision != self._watched:
            self._look_at = now
        self._look_at_paths(touched, now)
        if self._again:
            self._look_at = min(self._look_at, now + LOOK_S)
        return grown or bool(touched)

    def _advance(self, now: float) -> bool:
        """Let rotation go on where it is time; tell whether there is something to read or something was closed."""
        stirred = False
        for lineage in list(self._followed.moving):
            steps = lineage.advance(now, self._pace, self._is_settled)
            for generation in steps.stirred:
                self._turns.stir(generation)
            for generation in steps.over:
                self._followed.put_away(generation)
                self._followed.twins.tell(generation.follower.source)
            self._followed.note_moving(lineage)
            self._drop_empty(lineage)
            stirred |= bool(steps.stirred or steps.over)
        return stirred

    def _drop_empty(self, lineage: Lineage) -> None:
        """Forget a path of a pattern that names nothing any more, once no generation of it is open."""
        if lineage.globbed and not lineage.generations and lineage.path not in self._followed.names:
            self._lineages.pop(lineage.path, None)

    def _is_settled(self, generation: Generation) -> bool:
        """Tell whether everything that was handed out of the file is safe."""
        if self._settled is None or self._pace.finish:
            return True
        if not generation.handed_ns:
            return True  # nothing was handed out
        mark = self._settled(generation.follower.source)
        return mark is not None and mark.reached == generation.handed

    def _look(self, now: float, *, skip: bool = False) -> None:
        """Compare what the paths name with what is followed, where names may have changed."""
        began, began_ns = self._clock.monotonic(), time.time_ns()
        again, self._again = self._again, {}
        self._crowded = False
        self._look_at_paths([*self._tree.look(), *again], now, skip=skip)
        for _ in range(_WATCHES_MAX):
            if self._tree.revision == self._watched:
                break
            self._watched = self._tree.revision
            noticed = [self._turns.watch(directory) for directory in self._tree.directories()]
            self._noticed = all(noticed)
            self._look_at_paths(self._tree.look(), now, skip=skip)  # what came before the directory was watched
        self._looked_ns = began_ns  # not the clock's: it is compared with times of the file system
        often_s = LOOK_S if self._again or not self._noticed else SWEEP_S
        self._look_at = now + min(SWEEP_S, max(often_s, (self._clock.monotonic() - began) * LOOK_SHARE))

    def _look_at_paths(self, paths: Iterable[str], now: float, *, skip: bool = False) -> None:
        for path in dict.fromkeys(paths):
            lineage = self._lineages.get(path)
            if lineage is None:
                lineage = self._lineages[path] = Lineage(path, globbed=path not in self._tree.plain)
            self._look_at_path(lineage, now, skip=skip)
            self._followed.note_moving(lineage)
            self._drop_empty(lineage)

    def _look_at_path(self, lineage: Lineage, now: float, *, skip: bool) -> None:
        path = lineage.path
        try:
            status = os.stat(path)
            key = key_of(status)
            if lineage.last is not None and self._followed.names.get(path) == lineage.last.key:
                lineage.since_ns = max(lineage.since_ns or 0, self._looked_ns)
            self._followed.set_name(path, key)
            if key not in self._followed.open and not self._closed.unchanged(path, status):
                if now < lineage.retry_at:
                    self._again[path] = None
                    return
                lineage.at_end |= skip
                self._take_up(lineage, now)
            self._note(lineage, "")
            lineage.missed_at = None
        except (FileNotFoundError, NotADirectoryError):
            self._followed.set_name(path, None)
            self._followed.follow_all(lineage, self._followed.unseen(lineage), None, now)  # one may have come and gone
            if lineage.last is None and not lineage.globbed:
                self._note(lineage, "the file is not there")
            lineage.missed_at = now if lineage.missed_at is None else lineage.missed_at
        except FullError:
            self._crowded = True
            self._again[path] = None
        except OSError as error:
            lineage.at_end |= skip
            lineage.retry_at = now + RETRY_S
            self._again[path] = None
            self._note(lineage, str(error))

    def _take_up(self, lineage: Lineage, now: float) -> None:
        """Follow the file that the path names, and before it the generations that came and went unseen."""
        followed = {one.follower.source: one.follower.mark() for one in lineage.generations}
        newest = self._followed.open_at(lineage.path, ChainMap(self._closed.marks, followed) if followed else None)
        if newest.key in self._followed.open:
            newest.close()
            return
        try:
            if newest.source in self._followed.sources:  # the same file by another device number: a disk mounted again
                self._followed.renew(self._followed.sources[newest.source], newest)
                return
            if newest.mark is None and lineage.globbed:
                kept = self._followed.copies.compare(newest)
                if kept is None:  # a copy of what is followed: wait and see what becomes of either
                    self._again[lineage.path] = None
                    newest.close()
                    return
                newest = kept
            unseen = self._followed.unseen(lineage, {newest.source})
        except BaseException:
            newest.close()
            raise
        self._followed.follow_all(lineage, [*unseen, newest], newest.key, now)

    def _note(self, lineage: Lineage, trouble: str) -> None:
        """Tell once for each change of state why a path cannot be followed."""
        if trouble == lineage.trouble:
            return
        lineage.trouble, path = trouble, path_text(lineage.path)
        if not trouble:
            log.info("file is there now", path=path)
        else:
            log.bind(path=path).warning("waiting for the file", reason=trouble)

    def _sweep(self, now: float) -> None:
        """Compare everything, as notices may be lost, and find out what became of old files."""
        self._sweep_at = now + SWEEP_S
        self._turns.sweep()
        self._restart_idle()
        for lineage in self._followed.moving:
            if lineage.missed_at is not None and now - lineage.missed_at >= SWEEP_S and not lineage.globbed:
                self._note(lineage, "no file has this name now; what was open is read on")
        for source, path in self._closed.sweep(self._clock.time_ns()).items():
            mark = self._closed.marks[source]
            try:
                opened = self._followed.open_at(path, {source: mark})
            except FullError:
                break
            except OSError as error:
                log.bind(path=path_text(path)).warning("an old file has grown and cannot be read", error=str(error))
                continue
            if opened.source != source:
                self._closed.forget(source)  # its inode is another file's now
            if opened.source != source or opened.key in self._followed.open:
                opened.close()
                continue
            name = path_from(mark.path)
            lineage = self._lineages.setdefault(name, Lineage(name, globbed=name not in self._tree.plain))
            self._lay(lineage, opened, path, now)

    def _lay(self, lineage: Lineage, opened: Opened, path: str, now: float) -> None:
        if lineage.last is None and path == lineage.path:
            self._followed.follow_all(lineage, [opened], opened.key, now)
        else:
            self._followed.follow_late(lineage, opened, now)

    def _restart_idle(self) -> None:
        """Open files again that have unread bytes, and stand where they stood at the last sweep without being read."""
        queued = self._turns.queued()
        for generation in list(self._followed.open.values()):
            if not generation.stands_still(queued=generation in queued):
                continue
            self._shortfalls.restarts += 1
            bound = log.bind(path=path_text(generation.follower.path), source=generation.follower.source)
            bound.error("file grows and is not read; opening it again", offset=generation.follower.offset)
            self._turns.forget(generation)  # whatever is wrong with its place there
            self._followed.reopen(generation)
            self._turns.stir(generation)
