"""The generations of one path: who may be read now, and when an old one is let go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from swak.tailing.identity import HEAD_SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.tailing.follow import Follower
    from swak.tailing.identity import Key, Mark

LATE_MAX = 8
"""Old generations of one path that are kept for their full time; in a storm of rotations the oldest go earlier."""

SLACK_NS = 2_000_000_000
"""How much too old a successor may look: clocks of file systems go in steps, and checkpoints are a second apart."""


class Pace(NamedTuple):
    """How patient rotation is. Everything counts in seconds without new bytes, but for `hold_s`."""

    grace_s: float = 1.0
    """How long a rotated file must be quiet before its successor is read: its writer may not have changed over yet."""
    hold_s: float = 10.0
    """How long a successor waits at most for a rotated file that is read to its end but stays busy."""
    keep_s: float = 60.0
    """How long a rotated file must be quiet before it is closed."""
    finish: bool = False
    """Whether a half line at the end of the newest generation is handed out as well."""


class Generation:
    """One open file and where it stands."""

    __slots__ = (
        "asked",
        "changed_at",
        "copied",
        "empty_ticks",
        "follower",
        "fruitless",
        "handed",
        "handed_ns",
        "hot",
        "key",
        "lineage",
        "named",
        "retired_at",
        "retry_at",
        "seen_bytes",
        "stale",
        "stood_at",
        "trouble",
        "turn_at",
        "untouched",
    )

    def __init__(self, follower: Follower, key: Key, lineage: Lineage, *, changed_at: float, size_bytes: int) -> None:
        self.follower = follower
        self.key = key
        self.lineage = lineage
        self.changed_at = changed_at
        """When bytes arrived last, in monotonic seconds: as the file says, and later as it was seen."""
        self.seen_bytes = size_bytes
        """The size up to which `changed_at` counts."""
        self.retired_at: float | None = None
        """When the path was first seen to name another file, or an earlier time by which it did."""
        self.turn_at = changed_at
        """When it came to be the one that is read."""
        self.handed = 0, 0
        """What makes the position that was handed out last: cycle and offset."""
        self.handed_ns = 0
        self.named = True
        """Whether a path of the input names this file now."""
        self.copied = False
        """Whether it is a copy, or compressed: nobody writes to it, so nothing late is waited for."""
        self.hot = False
        self.empty_ticks = 0
        self.untouched = False
        """Whether nothing tells yet what the file held so far: what was copied away unread looks like a new file."""
        self.asked: bytes | None = None
        """How the file began when such files were looked for, since it was opened, truncated, or waited for others."""
        self.fruitless = 0
        """How many reads in a row came no step forward although there are more bytes."""
        self.trouble = ""
        self.stale = False
        """Whether the trouble may be the descriptor's own: the path must be opened again."""
        self.retry_at = 0.0
        self.stood_at: tuple[int, int, int] | None = None
        """Where it stood at the last sweep, when it had unread bytes then: cycle, offset, and how far it had looked."""

    def changed(self, *, content: bool = True) -> bool:
        """Tell whether a read would find something, if only an error. Without `content` the size alone tells."""
        try:
            return self.follower.changed(content=content)
        except OSError:
            return True

    def must_ask(self) -> bool:
        """Tell whether to look for what it held before it is read, and take down that this is done now.

        Once would not do: until something of it was read, nothing tells that it was copied and truncated meanwhile.
        """
        if not self.untouched:
            return False
        before, self.asked = self.asked, self.follower.content.pread(HEAD_SHOWN, 0)
        return before is None or (self.asked != before and not (before and self.asked.startswith(before)))

    def note_growth(self, now: float) -> None:
        """Take down that bytes were added, unless they were there when the file was opened."""
        if self.follower.reached > self.seen_bytes:
            self.seen_bytes = self.follower.reached
            self.changed_at = now

    def stands_still(self, *, queued: bool) -> bool:
        """Tell whether it has unread bytes that nobody reads, and stands where it stood when this was asked last.

        `queued`: it is read in turns. It stands still all the same when reads come no step forward.
        """
        follower = self.follower
        has_turn = self in self.lineage.late or (bool(self.lineage.waiting) and self.lineage.waiting[0] is self)
        try:
            unread = has_turn and not self.trouble and follower.size() != follower.reached
        except OSError:  # the next read finds out, and tells
            unread = False
        stands = (*follower.mark().reached, follower.reached) if unread else None
        still = stands is not None and stands == self.stood_at and (not queued or self.fruitless > 1)
        self.stood_at = stands
        return still

    def hand(self) -> Mark:
        """Return the position up to which things were handed out, and keep in mind that it was told."""
        mark = self.follower.mark()
        self.handed, self.handed_ns = mark.reached, mark.time_ns
        return mark

    def unlinked(self) -> bool:
        """Tell whether the file has no name anywhere."""
        try:
            return os.fstat(self.follower.fd).st_nlink == 0
        except OSError:
            return False


class Steps(NamedTuple):
    """What `Lineage.advance` decided."""

    stirred: list[Generation]
    """Read these now."""
    over: list[Generation]
    """Close these: they are no longer part of the lineage."""


class Lineage:
    """The generations of one path, oldest first.

    The first of `waiting` is read. The next gets its turn when that one was read to its end, another file has its
    path, and it was quiet for a while; it then is `late`: what is still added to it comes late, but is not lost.
    """

    __slots__ = ("at_end", "globbed", "late", "missed_at", "path", "retry_at", "since_ns", "trouble", "waiting")

    def __init__(self, path: str, *, globbed: bool) -> None:
        self.path = path
        self.globbed = globbed
        self.waiting: list[Generation] = []
        self.late: list[Generation] = []
        self.since_ns: int | None = None
        """When the path was last known to name the newest generation, by the clock of the file system."""
        self.at_end = False
        """Whether the file that is opened next is skipped to its end."""
        self.missed_at: float | None = None
        """Since when no file has the path, although one had it before."""
        self.trouble = ""
        self.retry_at = 0.0

    @property
    def last(self) -> Generation | None:
        """The newest generation."""
        return self.waiting[-1] if self.waiting else None

    @property
    def generations(self) -> list[Generation]:
        """All that are open."""
        return [*self.late, *self.waiting]

    @property
    def settled(self) -> bool:
        """Whether one generation is open, and the path names it."""
        return len(self.waiting) == 1 and not self.late and self.waiting[0].named

    def put_before(self, generation: Generation, older: list[Generation], now: float) -> None:
        """Have `older` read first: what a truncated file held, in copies of it."""
        at = self.waiting.index(generation) if generation in self.waiting else 0
        for index, one in enumerate(older):
            one.retired_at = now
            self.waiting.insert(at + index, one)

    def append(self, generation: Generation, now: float) -> None:
        """Add a newer generation."""
        if self.last is not None and self.last.retired_at is None:
            self.last.retired_at = now
        if not self.waiting:
            generation.turn_at = now
        self.waiting.append(generation)

    def successors_since_ns(self) -> int | None:
        """Return the change time from which on a rotated file must be a successor; None when nothing was followed.

        A successor is written after the newest generation was written (as a rule), and after that one was last seen
        to have the path; two seconds are for coarse clocks. OSError as of fstat.
        """
        if self.since_ns is None:
            return None
        changed_ns = os.fstat(self.last.follower.fd).st_mtime_ns if self.last is not None else self.since_ns
        return min(changed_ns, self.since_ns) - SLACK_NS

    def advance(self, now: float, pace: Pace, is_settled: Callable[[Generation], bool]) -> Steps:
        """Give the next generation its turn and part with old ones, where it is time for that.

        No file is parted with before `is_settled` says that everything that was read from it is safe.
        """
        steps = Steps([], [])
        while len(self.waiting) > 1 and self._had_its_turn(self.waiting[0], now, pace, steps):
            self.late.append(self.waiting.pop(0))
            self.waiting[0].turn_at = now
            steps.stirred.append(self.waiting[0])
        alone = self.waiting[0] if len(self.waiting) == 1 else None
        if alone is not None and pace.finish and alone.follower.drained and alone.follower.half_bytes:
            alone.follower.end_line()
            steps.stirred.append(alone)
        crowd = len(self.late) - LATE_MAX
        for index, generation in enumerate(list(self.late)):
            quiet_s = pace.grace_s if index < crowd or generation.copied else pace.keep_s
            if self._may_go(generation, now, quiet_s, steps) and is_settled(generation):
                self.late.remove(generation)
                steps.over.append(generation)
        orphan = alone if alone is not None and self._is_orphan(alone) else None
        if orphan is not None and self._may_go(orphan, now, pace.keep_s, steps) and is_settled(orphan):
            self.waiting.clear()
            steps.over.append(orphan)
        return steps

    def turn_due_at(self, now: float, pace: Pace) -> float | None:
        """Return when time alone may give the next generation its turn; None when there is none, or it waits for more.

        Nothing else need happen then: the one before it is quiet, and nobody looks at the next one before its turn.
        """
        head = self.waiting[0] if len(self.waiting) > 1 else None
        if head is None or head.retired_at is None:
            return None
        due = max(head.changed_at, head.retired_at) + pace.grace_s, max(head.turn_at, head.retired_at) + pace.hold_s
        return min((at for at in due if at > now), default=None)

    def _is_orphan(self, generation: Generation) -> bool:
        """Tell whether the file lost its name, and none takes its place. A plain path may still get one."""
        return not generation.named and (self.globbed or generation.unlinked())

    def _had_its_turn(self, head: Generation, now: float, pace: Pace, steps: Steps) -> bool:
        retired_at = head.retired_at if head.retired_at is not None else now
        held_s = now - max(head.turn_at, retired_at)
        if head.trouble:
            return held_s >= pace.hold_s  # it is tried again and again beside its successor
        if not _read_to_end(head, steps):
            return False
        if head.copied:
            return _line_ended(head, steps)
        if now - max(head.changed_at, retired_at) < pace.grace_s:
            return held_s >= pace.hold_s
        return _line_ended(head, steps)

    @staticmethod
    def _may_go(generation: Generation, now: float, quiet_s: float, steps: Steps) -> bool:
        quiet_since = max(generation.changed_at, generation.retired_at or generation.changed_at)
        if generation.named or generation.trouble or now - quiet_since < quiet_s:
            return False
        return _read_to_end(generation, steps) and _line_ended(generation, steps)


def _read_to_end(generation: Generation, steps: Steps) -> bool:
    """Tell whether nothing is unread now; no timer outweighs unread bytes."""
    if generation.follower.drained and not generation.changed():
        return True
    steps.stirred.append(generation)
    return False


def _line_ended(generation: Generation, steps: Steps) -> bool:
    """Tell whether no half line is left at the end; have it handed out if there is one."""
    if not generation.follower.half_bytes:
        return True
    generation.follower.end_line()
    steps.stirred.append(generation)
    return False
