"""A spool: batches on disk, appended by one thread and taken by another, settled in any order, kept until they are."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from swak.files import Files
from swak.log import Log
from swak.spool.frames import HEAD_BYTES, Bad, Frame, pack
from swak.spool.pace import Pace
from swak.spool.recent import Recent, Recents
from swak.spool.segments import Segment, find_segments
from swak.spool.state import State, load, save

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_BYTES = 16 * 1024 * 1024
"""What a segment grows to: it is removed as a whole, and read through at a start."""
LOCK = "lock"

_log = Log("swak.spool")


class InUseError(OSError):
    """Another topology, of this process or of another one, has the spool."""


class FullError(Exception):
    """The spool has no room until something that is in it was settled."""


class Taken(NamedTuple):
    """A batch out of the spool."""

    number: int
    body: bytes | None
    """As it was appended; None for one that only moves the position: it expired, or is damaged."""
    recent: object | None
    """What was appended, itself, if it is still in memory."""
    time_ns: int
    """When it was appended."""


class Spool:
    """One folder of segments. One thread appends and syncs, one takes; `settle` and `close` may come from any.

    A frame is safe after `sync`. What follows a damaged piece is found again by its mark. Numbers of frames go up and
    never come twice, so that a place in the spool is a number.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int, max_age_s: float | None = None, files: Files | None = None
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age_s = max_age_s
        self.segment_bytes = min(SEGMENT_BYTES, max(64 * 1024, max_bytes // 8))
        self._files = Files("spool") if files is None else files
        self._lock = threading.RLock()
        self._grown = threading.Condition(self._lock)
        self._pace = Pace(threading.Condition(self._lock))
        self._lock_descriptor: int | None = None
        self._segments: deque[Segment] = deque()
        self.state = State()
        self._saved = State()
        self._full = False
        """Whether the state could not be written the last time."""
        self.last = 0
        """Number of the last frame that was appended."""
        self.size_bytes = 0
        """Bytes of all segments."""
        self._synced_bytes = 0
        self._abandoned = -1
        """The last number that was given to a frame which could not be synced and is gone."""
        self._untold: OSError | None = None
        """Why a sync failed that whoever syncs has not heard of, because an append needed it."""
        self._recents = Recents()
        self._next = 1
        self._at: tuple[Segment, int] | None = None

    # Opening and closing

    def open(self) -> None:
        """Take the folder, read the state, cut a torn end. InUseError when another has it; OSError as it comes.

        No content keeps a spool from opening.
        """
        with self._lock:
            self._files.make_folder(self.folder)
            try:
                self._lock_descriptor = self._files.lock(self.folder / LOCK)
            except BlockingIOError as error:
                raise InUseError(error.errno, "another swak, or flow, has this spool", str(self.folder)) from error
            try:
                self._read()
            except BaseException:
                descriptor, self._lock_descriptor = self._lock_descriptor, None
                self._files.close(descriptor)
                raise

    def _read(self) -> None:
        saved = load(self.folder, self._files)
        self._saved = saved or State()
        self.state = saved or State(f"{time.time_ns():x}-{secrets.token_hex(4)}")
        self._segments = deque(find_segments(self.folder, self._files))
        self.last = self._recover_end()
        self._synced_bytes = self._segments[-1].size_bytes if self._segments else 0
        self.size_bytes = 0
        for segment in self._segments:
            self.size_bytes += segment.size_bytes
            if segment is not self._segments[-1]:
                segment.close()
        self.seek(self.state.settled)
        try:
            self.save()
        except OSError as error:  # a full disk, perhaps by this very spool: it must be emptied all the same
            _log.warning("the spool's state cannot be written for now", spool=str(self.folder), error=str(error))

    def close(self) -> None:
        """Save the state and give the folder back. What was not synced may be lost: it was never called safe."""
        with self._lock:
            if self._lock_descriptor is None:
                return
            try:
                self.save()
            finally:
                for segment in self._segments:
                    segment.close()
                self._segments.clear()
                self._recents.forget()
                descriptor, self._lock_descriptor = self._lock_descriptor, None
                self._files.close(descriptor)
                self._grown.notify_all()

    def _recover_end(self) -> int:
        """Cut what a crash left behind the last whole frame; return the highest number that was ever used."""
        if not self._segments:
            return self.state.settled
        last, bad = self._segments[-1].find_end()
        if bad is not None:
            if bad.why:
                self._set_aside(self._segments[-1], bad)
            self._segments[-1].cut(bad.start)
            self._segments[-1].sync()
        return max(self.state.settled, last)

    # Appending

    def append(
        self, body: bytes, events: int, recent: object = None, recent_bytes: int = 0, *, beyond: bool = False
    ) -> int:
        """Write a batch, also `beyond` the limit; it is safe after `sync`. Return its number.

        `recent` is what was put into `body`: it passes in memory to whoever takes soon. FullError when there is no
        room, OSError when the disk does not take it: nothing was appended then.
        """
        size_bytes = HEAD_BYTES + len(body)
        with self._lock:
            if (
                self.size_bytes
                and self.size_bytes + size_bytes > self.max_bytes
                and not self._start_anew()
                and not beyond
            ):
                raise FullError(f"the spool is full: {self.size_bytes} of {self.max_bytes} bytes are in use")
            segment = self._tail(size_bytes)
            if self._abandoned == self.last:
                self._write(segment, 0, b"")
            frame = self._write(segment, events, body)
            if recent is not None:
                self._pace.wait(lambda: self._recents.has_room(recent_bytes))
                self._recents.add(Recent(segment, frame, recent, recent_bytes))
            self._grown.notify_all()
            return frame.number

    def keep_recent(self, bound_bytes: int) -> None:
        """Keep no more than that of what was appended in memory, for whoever takes soon."""
        self._recents.bound_bytes = bound_bytes

    def _tail(self, size_bytes: int) -> Segment:
        """Return the segment to append to. A new one's name is on disk before anything in it is called safe."""
        tail = self._segments[-1] if self._segments else None
        if tail is not None and (not tail.size_bytes or tail.size_bytes + size_bytes <= self.segment_bytes):
            return tail
        try:
            self._sync_tail()
        except OSError as error:
            self._untold = error
            raise
        return self._add_segment()

    def _add_segment(self) -> Segment:
        segment = Segment(self.folder, self.last + 1, self._files)
        self._synced_bytes = segment.size_bytes
        self._segments.append(segment)
        self._files.sync_folder(self.folder)
        return segment

    def _write(self, segment: Segment, events: int, body: bytes) -> Frame:
        start, number, time_ns = segment.size_bytes, self.last + 1, time.time_ns()
        data = pack(number, events, time_ns, body, segment.salt)
        try:
            self._files.append(segment.descriptor, data)
        except OSError:
            segment.cut(start)
            self._start_anew()  # the next try finds room
            raise
        self.last = number
        self.size_bytes += len(data)
        return Frame(number, events, len(body), time_ns, 0, start)

    def sync(self) -> None:
        """Have everything that was appended on disk. OSError: what was appended since the last sync is gone again."""
        untold, self._untold = self._untold, None
        if untold is not None:
            raise untold
        self._sync_tail()

    def _sync_tail(self) -> None:
        with self._lock:
            if not self._segments:
                return
            tail = self._segments[-1]
            descriptor, size_bytes = tail.descriptor, tail.size_bytes
        if size_bytes == self._synced_bytes:
            return
        try:
            self._files.sync(descriptor)  # not under the lock: it takes milliseconds, and whoever takes need not wait
        except OSError:
            self._abandon(tail)
            raise
        self._synced_bytes = size_bytes

    def _abandon(self, tail: Segment) -> None:
        """Take back what could not be synced: the system may have dropped it, and call the next sync a success.

        An empty frame in its place says that the numbers up to its own are nothing to look for.
        """
        with self._lock:
            self.size_bytes -= tail.size_bytes - self._synced_bytes
            tail.cut(self._synced_bytes)
            self._abandoned = self.last
            self._forget_recent()

    def _start_anew(self) -> bool:
        """Remove everything if everything is settled. That needs no room on a full disk, where no state can be written.

        The new segment comes first: because of its name numbers never come twice.
        """
        if self.state.settled < self.last or not self.size_bytes:
            return False
        if self._segments[-1].first <= self.last:  # else it is new already
            self._add_segment()
        while len(self._segments) > 1:
            self._remove(self._segments[0])
        return True

    def drop_oldest(self) -> int:
        """Give up the oldest segment that nobody took from yet. Return its number of events, 0 where there is none."""
        with self._lock:
            segment = next((one for one in self._segments if one.first >= self._next and one.size_bytes), None)
            if segment is None:
                return 0
            if segment is self._segments[-1]:
                self._tail(self.segment_bytes)
            events = sum(frame.events if isinstance(frame, Frame) else frame.events or 0 for frame in segment.frames())
            last = self._segments[self._segments.index(segment) + 1].first - 1
            self.state = self.state._replace(dropped=self.state.dropped + events, dropped_to=last)
            self.save()
            self._remove(segment)
            self._forget_recent()  # or what was dropped would come all the same
            return events

    # Taking

    def seek(self, number: int) -> None:
        """Take on after the frame of this number."""
        with self._lock:
            self._next = max(number, self.state.settled) + 1
            self._forget_recent()

    def _forget_recent(self) -> None:
        self._recents.forget()
        self._at = None

    def take(self, wait_s: float = 0.0) -> Taken | None:
        """Return the next batch; None when there is none within `wait_s`."""
        with self._lock:
            if self._next > self.last and wait_s:
                self._grown.wait(wait_s)
            while self._next <= self.last and self._lock_descriptor is not None:
                if (taken := self._take_recent() or self._take_from_disk()) is not None:
                    return taken
            return None

    def wake(self) -> None:
        """Let a `take` that waits return at once."""
        with self._lock:
            self._grown.notify_all()

    def _take_recent(self) -> Taken | None:
        recent = self._recents.take(self._next)
        if recent is None:
            return None
        segment, frame, what, _ = recent
        return self._pass(segment, frame) or Taken(frame.number, None, what, frame.time_ns)

    def _take_from_disk(self) -> Taken | None:
        """Return the next frame's batch; None where something else was passed by."""
        segment, start = self._place()
        found = next(segment.frames(start), None)
        if found is None:
            self._go_on_behind(segment)
            return None
        if isinstance(found, Bad) or found.number < self._next:
            if isinstance(found, Bad):
                self._set_aside(segment, found)
            self._at = segment, found.end
            return None
        expired = self._pass(segment, found)
        if expired is not None:
            return expired
        if (body := segment.body(found)) is None:
            self._set_aside(segment, Bad(found.start, found.end, found.events, "its checksum does not fit"))
        return Taken(found.number, body, None, found.time_ns)

    def _place(self) -> tuple[Segment, int]:
        """Return where to look for the next frame."""
        if self._at is None:
            before = [segment for segment in self._segments if segment.first <= self._next]
            self._at = (before[-1] if before else self._segments[0]), 0
        return self._at

    def _pass(self, segment: Segment, frame: Frame) -> Taken | None:
        """Move behind a frame. What is too old, or empty, only moves the position."""
        self._at = segment, frame.end
        self._next = frame.number + 1
        self._pace.note_taken()
        expired = self.max_age_s is not None and time.time_ns() - frame.time_ns > self.max_age_s * 1e9
        if expired:
            self.state = self.state._replace(dropped=self.state.dropped + frame.events)
        return Taken(frame.number, None, None, frame.time_ns) if expired or not frame.events else None

    def _go_on_behind(self, segment: Segment) -> None:
        """Go to the next segment. Numbers that are missing then were cut off by somebody else."""
        following = [one for one in self._segments if one.first > segment.first]
        first = following[0].first if following else self.last + 1
        if first > max(self._next, self._abandoned + 1, self.state.dropped_to + 1):
            _log.error("frames are missing in the spool", segment=str(segment.path), frames=first - self._next)
            self.state = self.state._replace(damaged=self.state.damaged + first - self._next)
        self._next = max(self._next, first)
        if following:
            segment.close()
        self._at = (following[0], 0) if following else None

    def _set_aside(self, segment: Segment, bad: Bad) -> None:
        """Keep what is damaged for people, count it, and say so."""
        self.state = self.state._replace(damaged=self.state.damaged + 1)
        events = "unknown" if bad.events is None else bad.events
        where = {"segment": str(segment.path), "offset": bad.start, "bytes": bad.end - bad.start}
        try:
            kept = str(segment.set_aside(bad))
        except OSError as error:  # a full disk: it is damaged all the same
            kept = f"nowhere ({error})"
        _log.error("the spool is damaged", **where, why=bad.why, events=events, kept_as=kept)

    # Settling

    def settle(self, number: int) -> None:
        """Everything up to the frame of this number is settled. Segments that are done with go with the next save."""
        with self._lock:
            self.state = self.state._replace(settled=max(number, self.state.settled))

    @property
    def worth_saving(self) -> bool:
        """Whether a segment is done with."""
        with self._lock:
            return len(self._segments) > 1 and self._segments[1].first <= self.state.settled + 1

    def save(self) -> None:
        """Have the state on disk, then remove the segments that are done with. OSError: try again."""
        with self._lock:
            if self.state != self._saved:
                if self._full and self.worth_saving:  # what is done with makes room; an older state is as right
                    self._remove(self._segments[0])
                self._full = True
                save(self.state, self.folder, self._files)
                self._saved, self._full = self.state, False
            while self.worth_saving:
                self._remove(self._segments[0])

    def _remove(self, segment: Segment) -> None:
        size_bytes = segment.size_bytes
        self._files.unlink(segment.path)
        self._segments.remove(segment)
        segment.close()
        self.size_bytes -= size_bytes
        if self._at is not None and self._at[0] is segment:
            self._at = None
