"""The promise made to an input that a batch is settled, and the positions that follow from it."""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from swak.errors import Fenced
from swak.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Told: TypeAlias = "Callable[[], None] | None"
"""Called when a batch is settled, from any thread, perhaps again: it must be quick and never raise."""

Position = Any
"""Where an input stands in a source: any JSON value that the input understands."""


class Fence(Protocol):
    """Tells whether the right to act was revoked: the lease of an input's seat."""

    revoked: bool


class Origin(NamedTuple):
    """Where a batch came from: its source and the position right after it."""

    source: str
    position: Position


class Entry:
    """One registered batch: where it ends, the source's events up to there, whether it is settled, who waits for it."""

    __slots__ = ("end", "forgotten", "owed", "read_at", "serial", "settled", "told", "upto")

    def __init__(self, serial: int, end: Position, upto: int, owed: int, told: Told) -> None:
        self.serial = serial
        self.end = end
        self.upto = upto
        self.owed = owed
        self.told = told
        self.settled = False
        self.forgotten = False
        self.read_at = time.monotonic()


class Ack:
    """The promise that one batch will be settled. `settle` is idempotent and may be called from any thread."""

    __slots__ = ("_entry", "_source")

    def __init__(self, source: Source, entry: Entry) -> None:
        self._source = source
        self._entry = entry

    @property
    def settled(self) -> bool:
        """Whether the promise was kept."""
        return self._entry.settled

    @property
    def serial(self) -> int:
        """Number of the batch in the order in which its input read it."""
        return self._entry.serial

    @property
    def origin(self) -> Origin:
        """Where the batch came from."""
        return Origin(self._source.name, self._entry.end)

    def settle(self) -> None:
        """Keep the promise; the source's low-water mark moves over every settled batch at its head."""
        self._source.settle(self._entry)

    def split(self, count: int) -> list[Ack]:
        """Make `count` children; this Ack settles when all of them have. Each call starts a fresh counter."""
        counter = Split(self)
        children = [counter.child() for _ in range(count)]
        counter.close()
        return children

    def __del__(self) -> None:
        # No lock here: the collector may run in the middle of anything, a lock of ours included.
        entry = getattr(self, "_entry", None)  # absent when __init__ was cut off
        if entry is not None and not (entry.settled or entry.forgotten or self._source.closed):
            self._source.shared.leaks.put((self._source, entry))


class Split:
    """Counter behind the children of one Ack, for a number of children that is not known beforehand."""

    __slots__ = ("_lock", "_made", "_open", "parent")

    def __init__(self, parent: Ack) -> None:
        self.parent = parent
        self._lock = threading.Lock()
        self._made = 0
        self._open = {0}  # 0 stands for "more children may come"

    def child(self) -> Ack:
        """Make one more child."""
        with self._lock:
            self._made += 1
            self._open.add(self._made)
        return _Child(self, self._made)

    def close(self) -> None:
        """No child comes any more: the parent settles with the last of those that were made."""
        self.settle_one(0)

    def settle_one(self, number: int) -> None:
        """Cross out one child (or the closing). Every step may be repeated: a thread can die after any of them."""
        with self._lock:
            self._open.discard(number)
            last = not self._open
        if last:
            self.parent.settle()

    def is_open(self, number: int) -> bool:
        """Whether this child is not settled yet."""
        return number in self._open


class _Child(Ack):
    """A part of a promise. Only the whole is watched for being forgotten."""

    __slots__ = ("_number", "_split")

    def __init__(self, split: Split, number: int) -> None:
        self._split = split
        self._number = number

    @property
    def settled(self) -> bool:
        return not self._split.is_open(self._number)

    @property
    def serial(self) -> int:
        return self._split.parent.serial

    @property
    def origin(self) -> Origin:
        return self._split.parent.origin

    def settle(self) -> None:
        self._split.settle_one(self._number)

    def __del__(self) -> None:
        """Nothing to tell: the whole is watched, not its parts."""


class _Joined(Ack):
    """Several promises kept at once."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[Ack]) -> None:
        self._parts = parts

    @property
    def settled(self) -> bool:
        return all(part.settled for part in self._parts)

    @property
    def serial(self) -> int:
        return self._parts[-1].serial

    @property
    def origin(self) -> Origin:
        return self._parts[-1].origin

    def settle(self) -> None:
        for part in self._parts:
            part.settle()

    def __del__(self) -> None:
        """Nothing to tell: each part is watched on its own."""


def join(acks: Iterable[Ack]) -> Ack:
    """Make one Ack that settles all of `acks`."""
    parts = list(acks)
    return parts[0] if len(parts) == 1 else _Joined(parts)


class Shared:
    """What the sources of one input have in common: there may be thousands of them."""

    __slots__ = ("latency", "leaks", "moved")

    def __init__(self) -> None:
        self.leaks: SimpleQueue[tuple[Source, Entry]] = SimpleQueue()
        """Entries whose Ack was garbage-collected unsettled: bugs of ours, unless a seat has just died."""
        self.moved = True
        """Whether a position may have changed since somebody set this to False."""
        self.latency = Latency()
        """From reading events until they and all before them in their source are settled."""


class Source:
    """The batches of one source in read order, and how far they are settled."""

    __slots__ = ("_entries", "_lock", "_upto", "closed", "name", "settled_to", "shared")

    def __init__(self, name: str, settled_to: Position = None, shared: Shared | None = None) -> None:
        self.name = name
        self.shared = shared or Shared()
        self.settled_to = settled_to
        self.closed = False
        self._upto = 0
        self._lock = threading.Lock()
        self._entries: deque[Entry] | list[Entry] = []

    def register(self, serial: int, end: Position, count: int, told: Told = None) -> Ack:
        """Note a batch of `count` events that was read up to `end`; when it is settled, call `told`."""
        with self._lock:
            before = self._entries[-1].upto if self._entries else self._upto
            entry = Entry(serial, end, before + count, count if told is not None else 0, told)
            if not self._entries:
                self._entries = deque()  # only while there are any: an empty one weighs 600 bytes
            self._entries.append(entry)
        return Ack(self, entry)

    def settle(self, entry: Entry) -> None:
        """Mark the entry and move the low-water mark; a repeated settle moves it, too."""
        with self._lock:
            entry.settled = True
            while self._entries and (head := self._entries[0]).settled:
                self.settled_to = head.end
                count, self._upto = head.upto - self._upto, head.upto
                del self._entries[0]
                self.shared.latency.note(head.read_at, count)
            if not self._entries:
                self._entries = []
            self.shared.moved = True
        if entry.told is not None:
            entry.told()

    def forget_after(self, serial: int) -> Position:
        """Drop the entries that no outlet accepted; return the position after the last that one did."""
        with self._lock:
            while self._entries and self._entries[-1].serial > serial:
                self._entries[-1].forgotten = True
                self._entries.pop()
            return self._entries[-1].end if self._entries else self.settled_to

    def counts(self) -> tuple[int, int]:
        """Return how many events were read, and how many of them are settled."""
        with self._lock:
            read, settled, before = self._upto, self._upto, self._upto
            for entry in self._entries:
                read = entry.upto
                settled += read - before if entry.settled else 0
                before = read
            return read, settled

    def owed(self) -> int:
        """Count unsettled events that a sender waits to hear of, and will send again if he does not."""
        with self._lock:
            return sum(entry.owed for entry in self._entries if not entry.settled)

    def oldest(self) -> float | None:
        """When the oldest unsettled batch was read, in monotonic seconds."""
        with self._lock:
            return self._entries[0].read_at if self._entries else None


class Sources:
    """All sources of one input. They outlive the seats that read from them."""

    def __init__(self, positions: Mapping[str, Position] | None = None) -> None:
        self._lock = threading.Lock()
        self.shared = Shared()
        self._sources = {name: Source(name, at, self.shared) for name, at in (positions or {}).items()}
        self._serial = 0
        self._dropped = 0
        self.lost = 0
        """Events that went down with a seat whose input cannot go back."""

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._sources.values()))

    def register(self, name: str, end: Position, count: int, fence: Fence, told: Told = None) -> Ack:
        """Note a batch that was read from source `name`. Fenced once the reader's lease was revoked."""
        with self._lock:
            if fence.revoked:
                raise Fenced
            source = self._sources.get(name)
            if source is None:
                source = self._sources[name] = Source(name, None, self.shared)
            self._serial += 1
            return source.register(self._serial, end, count, told)

    @property
    def serial(self) -> int:
        """Number of the last batch that was registered."""
        return self._serial

    def lose(self, count: int) -> None:
        """Count events that a reader had in hand when its lease was revoked, and that nobody reads again."""
        with self._lock:
            self.lost += count

    def fence(self) -> None:
        """Return only when no reader whose lease is revoked is inside `register`."""
        with self._lock:
            pass

    def resume_after(self, serial: int, *, rewinds: bool = True) -> dict[str, Position]:
        """Forget what no outlet accepted and return, per source, where a successor reads on.

        When the input cannot go back (not `rewinds`), what is forgotten here is lost, and counted so, except for what
        its sender sends again.
        """
        with self._lock:
            before = sum(source.counts()[0] - source.owed() for source in self._sources.values())
            ends = {name: source.forget_after(serial) for name, source in self._sources.items()}
            if not rewinds:
                self.lost += before - sum(source.counts()[0] - source.owed() for source in self._sources.values())
        return {name: end for name, end in ends.items() if end is not None}

    def settled_to(self, name: str) -> Position:
        """Return the position up to which one source is settled; None when nothing of it is."""
        source = self._sources.get(name)
        return None if source is None else source.settled_to

    def settled(self) -> dict[str, Position]:
        """Return the position up to which each source is settled: what a checkpoint keeps."""
        return {s.name: s.settled_to for s in list(self._sources.values()) if s.settled_to is not None}

    def drop(self, names: Iterable[str]) -> None:
        """Forget sources that are gone for good and wholly settled, so that checkpoints do not grow for ever."""
        with self._lock:
            for name in names:
                source = self._sources.get(name)
                if source is not None and source.oldest() is None:
                    self._dropped += source.counts()[0]
                    self.shared.moved = True
                    del self._sources[name]

    def counts(self) -> tuple[int, int]:
        """Return how many events were read, and how many of them are settled."""
        with self._lock:
            counts = [(self._dropped, self._dropped), *(source.counts() for source in self._sources.values())]
        return sum(read for read, _ in counts), sum(settled for _, settled in counts)

    def owed(self) -> int:
        """Count unsettled events that a sender waits to hear of, and will send again if he does not."""
        return sum(source.owed() for source in list(self._sources.values()))

    def oldest(self) -> float | None:
        """When the oldest unsettled batch was read, in monotonic seconds."""
        ages = [age for s in list(self._sources.values()) if (age := s.oldest()) is not None]
        return min(ages, default=None)

    def leaks(self) -> list[str]:
        """Name the batches whose Ack was garbage-collected unsettled since the last call."""
        found = []
        while not self.shared.leaks.empty():
            source, entry = self.shared.leaks.get()
            if not (entry.settled or entry.forgotten or source.closed):
                found.append(f"{source.name} up to {entry.end!r}")
        return found

    def close(self) -> None:
        """The topology stops: what is unsettled now is replayed or named as lost, no bug of ours."""
        for source in list(self._sources.values()):
            source.closed = True
