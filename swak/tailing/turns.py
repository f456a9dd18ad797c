"""Whose turn it is: files that may have grown are read one block each, the others cost next to nothing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from swak.log import get
from swak.tailing.content import DamagedError
from swak.tailing.identity import Mark, is_remote, path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from swak.clock import Clock
    from swak.event import Body
    from swak.tailing.growth import Entry, Growth
    from swak.tailing.lineage import Generation

log = get("swak.tailing")

TICK_S = 0.008
"""How often files that grow are looked at. Wake-ups dominate the cost of noticing: at 1,000 lines a second 2 % of a
core, where an event for each write costs 10 to 20 %; and it bounds the latency."""
EMPTY_TICKS = 16
IDLE_TICKS = 2
"""After so many ticks without new bytes, of one file or of all files, a file is armed for a notice instead."""
POLL_S = 0.04
POLL_FILE_S = 0.0001
"""Where no notice is to be had, sizes are compared that often, or less often with more than 400 files."""
CROWD = 8
"""From so many growing files on each is read once in a tick, as long as that takes all it has: when lines come to some
of them all the time, reading without a pause would find one line at a time."""
SWEEPS = 12
"""In so many sweeps the content of each armed file is compared: a file rewritten to the same size gives a notice, and
that a notice is lost is rare."""
RETRY_S = 1.0
"""How often a file that cannot be read is tried again."""


class Taken(NamedTuple):
    """Events of one file; none when only the position is to be kept."""

    body: Body | None
    source: str
    mark: Mark

    @property
    def size_bytes(self) -> int:
        """Resident size of the events."""
        return 0 if self.body is None else self.body.size_bytes


class Turns:
    """The files that may be read, in three states: hot (looked at in each tick), armed (a notice makes them hot), and
    polled (where no notice is to be had). All for one thread, but `wake`.
    """

    def __init__(
        self,
        clock: Clock,
        growth: Growth[Generation],
        *,
        event_s: float | None = None,
        reopen: Callable[[Generation], None] | None = None,
    ) -> None:
        """`event_s`: how long an event of several lines waits for more; `reopen` mends a descriptor that is stale."""
        self.busy = False
        """Whether a file that had no whole line is known to have more bytes: do not wait."""
        self._clock = clock
        self._growth = growth
        self._event_s = event_s
        self._reopen = reopen
        self._hot: deque[Generation] = deque()
        self._armed: dict[Generation, None] = {}
        self._polled: dict[Generation, None] = {}
        self._failing: list[Generation] = []
        self._held: dict[Generation, float] = {}
        """Files with an event that may go on, and when it ends if no more comes. The first one is due first."""
        self._sweeps = 0
        self._due = 0
        """How many of many growing files may still be read in this tick."""
        self._cut_off: list[Generation] = []
        self._begun: list[Generation] = []
        self._idle_ticks = 0
        self.tick_at = self._poll_at = clock.monotonic()
        """When files that grow are looked at next."""

    def stir(self, generation: Generation) -> None:
        """Look at a file in the next round."""
        generation.follower.stir()
        generation.empty_ticks = 0
        if not generation.hot and not generation.trouble:
            generation.hot = True
            self._armed.pop(generation, None)
            self._polled.pop(generation, None)
            self._hot.insert(max(0, self._due), generation)
            self._due += 1

    def forget(self, generation: Generation) -> None:
        """Look at a file no more; its descriptor may be closed after this."""
        self._growth.disarm(generation)
        self._armed.pop(generation, None)
        self._polled.pop(generation, None)
        self._held.pop(generation, None)
        generation.hot = False
        if generation in self._hot:
            self._hot.remove(generation)
        if generation in self._failing:
            self._failing.remove(generation)

    def cut_off(self) -> list[Generation]:
        """Return, once, the files that were found truncated."""
        found, self._cut_off = self._cut_off, []
        return found

    def begun(self) -> list[Generation]:
        """Return, once, the untouched files that would have been read for the first time."""
        found, self._begun = self._begun, []
        return found

    def quiet(self) -> list[Generation]:
        """Return the files that were read to their end, those that are quiet for longest first."""
        hot = sorted(self._hot, key=lambda one: one.changed_at)
        return [one for one in (*self._armed, *self._polled, *hot) if one.follower.drained]

    @property
    def hot_count(self) -> int:
        """How many files are read in turns now."""
        return len(self._hot)

    @property
    def resting(self) -> bool:
        """Whether all of many growing files had their turn in this tick: nothing is read before the next one."""
        return len(self._hot) >= CROWD and self._due <= 0

    def queued(self) -> set[Generation]:
        """Return the files that are read in turns now."""
        return set(self._hot)

    def watch(self, directory: str) -> bool:
        """Ask for notices of names that come and go in a directory. False: none are to be had."""
        return self._growth.watch(directory)

    def pass_time(self, now: float) -> bool:
        """Do what is due: let files cool down that do not grow, compare polled ones, try failing ones again.

        Return whether a tick passed.
        """
        ticked = now >= self.tick_at
        if ticked:
            self.tick_at = now + TICK_S
            self._idle_ticks += 1
            self._cool()
            self._due = len(self._hot)
        if now >= self._poll_at:
            self._poll_at = now + max(POLL_S, POLL_FILE_S * len(self._polled))
            self._stir_changed(self._polled)
        if self._failing and min(one.retry_at for one in self._failing) <= now:
            again = [one for one in self._failing if one.retry_at <= now]
            self._failing = [one for one in self._failing if one.retry_at > now]
            for one in again:
                if one.stale and self._reopen is not None:
                    self._reopen(one)
                one.hot = True
                self._hot.append(one)
        for generation in [one for one, due_at in self._held.items() if due_at <= now]:
            generation.follower.end_event()
            self.stir(generation)
            del self._held[generation]
        return ticked

    def notice(self) -> tuple[bool, set[Entry], bool]:
        """Make hot what has grown. Return whether anything has, which names came and went, and whether any was lost."""
        noticed = self._growth.collect()
        for generation in noticed.grown:
            self.stir(generation)
        if noticed.overflow:
            self.sweep()
        return bool(noticed.grown) or noticed.overflow, noticed.entries, noticed.overflow

    def sweep(self) -> None:
        """Compare the size of every armed file, in case that a notice was lost, and of some of them the content."""
        self._sweeps += 1
        for index, generation in enumerate(list(self._armed)):
            if generation.changed(content=index % SWEEPS == self._sweeps % SWEEPS):
                self.stir(generation)

    def take(self, now: float) -> Taken | None:
        """Read one block from the next hot file that has whole lines, or return None when none has."""
        self.busy = False
        for _ in range(len(self._hot)):
            if not self._hot or self.resting:
                break  # the last one failed, or all had their turn in this tick
            self._due -= 1
            generation = self._hot[0]
            self._hot.rotate(-1)
            taken = self._read(generation, now)
            if taken is not None:
                self._idle_ticks = 0
                return taken
        return None

    def wait(self, timeout_s: float, due_at: float) -> bool:
        """Wait until something may have grown, at most until `due_at` on the clock. Return whether `wake` ended it."""
        if self._hot:
            due_at = min(due_at, self.tick_at)
        if self._polled:
            due_at = min(due_at, self._poll_at)
        if self._held:
            due_at = min(due_at, next(iter(self._held.values())))
        timeout_s = max(0.0, min(timeout_s, due_at - self._clock.monotonic()))
        return self._growth.wait(timeout_s, files=not self._hot)

    def wake(self) -> None:
        """End a wait, or the next one. From any thread."""
        self._growth.wake()

    def close(self) -> None:
        """Let the descriptors of noticing go."""
        self._growth.close()

    def rest(self) -> Taken | None:
        """Hand out an event that waited for more lines, if there is one in a file without unread bytes."""
        for generation in list(self._held):
            del self._held[generation]
            generation.follower.end_event()
            taken = self._read(generation, self._clock.monotonic())
            if taken is not None:
                return taken
        return None

    def _read(self, generation: Generation, now: float) -> Taken | None:
        follower = generation.follower
        try:
            if generation.must_ask():
                self._begun.append(generation)
                self.busy = True
                return None
            body = follower.read()
            generation.untouched &= not follower.reached
        except OSError as error:
            self._note_failure(generation, error, now)
            return None
        if generation.trouble:
            log.info("file can be read again", path=path_text(follower.path), source=follower.source)
            generation.trouble = ""
        fruitful = body is not None or follower.drained or follower.behind
        generation.fruitless = 0 if fruitful else generation.fruitless + 1
        if follower.truncated is not None:
            self._cut_off.append(generation)
        if follower.grew:
            generation.note_growth(now)
            generation.empty_ticks = 0
            self._held.pop(generation, None)
        if self._event_s is not None and follower.holds_lines and generation not in self._held:
            self._held[generation] = now + self._event_s
        self.busy |= follower.behind
        self._due += follower.behind
        if body is None:
            return None
        return Taken(body, follower.source, generation.hand())

    def _note_failure(self, generation: Generation, error: OSError, now: float) -> None:
        if generation.trouble != str(error):
            generation.trouble = str(error)
            bound = log.bind(path=path_text(generation.follower.path))
            bound.error("file cannot be read; trying again", source=generation.follower.source, error=str(error))
        generation.stale = not isinstance(error, DamagedError)
        generation.retry_at = now + RETRY_S
        if generation.hot:
            generation.hot = False
            self._hot.remove(generation)
            self._failing.append(generation)

    def _cool(self) -> None:
        kept: deque[Generation] = deque()
        for generation in self._hot:
            generation.empty_ticks += 1
            tired = generation.empty_ticks > EMPTY_TICKS or self._idle_ticks > IDLE_TICKS
            if not (tired and generation.follower.drained and self._rest(generation)):
                kept.append(generation)
        self._hot = kept

    def _rest(self, generation: Generation) -> bool:
        """Have the file noticed from now on; False when it has changed meanwhile and stays hot."""
        fd = generation.follower.fd
        armed = not is_remote(fd) and self._growth.arm(fd, generation)
        generation.follower.stir()
        if generation.changed():
            generation.empty_ticks = 0
            return False
        generation.hot = False
        (self._armed if armed else self._polled)[generation] = None
        return True

    def _stir_changed(self, generations: Iterable[Generation]) -> None:
        for generation in list(generations):
            if generation.changed():
                self.stir(generation)
