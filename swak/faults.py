"""Outputs for tests: one that records, and one that fails as scripted. Part of `swak.testing`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from swak.errors import Refused
from swak.options import option
from swak.plugin import Output, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.event import Batch, Event, Record

WAIT_S = 20.0
"""How long a test waits for something that must happen. Long, because a busy machine is no failure."""


HANG_S = 50.0
"""How long a write hangs when nobody lets it go: just under the time that a test may take."""


class _Journal:
    """What all incarnations of one recording output saw and shall do. Shared by the copies that `fresh` makes."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.batches: list[list[Event]] = []
        self.opens = self.closes = self.aborts = self.writes = self.syncs = 0
        self.threads: list[str] = []
        self.faults: list[Fault] = []
        self.down = False
        self.hanging = 0
        self.released = False

    def deliver(self, events: list[Event]) -> None:
        with self.changed:
            self.batches.append(events)
            self.threads.append(threading.current_thread().name)
            self.changed.notify_all()

    def wait(self, until: Callable[[], bool], what: str, timeout_s: float) -> None:
        with self.changed:
            if not self.changed.wait_for(until, timeout_s):
                delivered = sum(map(len, self.batches))
                raise AssertionError(f"{what}: not within {timeout_s:g} s; {delivered} events were delivered")


class Recorder(Output):
    """Keep what it is given, in order, for a test to look at. The copies that the runtime makes share one record.

    Example:
        `recorder = Recorder()`, then `task(in_.Memory(["a"]), recorder)`, run it, and look at `recorder.records`.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.journal = _Journal()

    def fresh(self) -> Self:
        made = super().fresh()
        made.journal = self.journal
        return made

    def open(self) -> None:
        self._count("opens")

    def write(self, batch: Batch) -> type[Pending] | None:
        self._count("writes")
        self.journal.deliver(batch.events())
        return None

    def close(self) -> None:
        self._count("closes")

    @property
    def batches(self) -> list[list[Event]]:
        """The events of each write that was delivered."""
        with self.journal.changed:
            return list(self.journal.batches)

    @property
    def events(self) -> list[Event]:
        """The events that were delivered, in order."""
        return [one for batch in self.batches for one in batch]

    @property
    def records(self) -> list[Record]:
        """The records that were delivered, in order."""
        return [one.record for one in self.events]

    @property
    def opens(self) -> int:
        """How often an incarnation was opened."""
        return self.journal.opens

    @property
    def closes(self) -> int:
        """How often an incarnation was closed."""
        return self.journal.closes

    @property
    def writes(self) -> int:
        """How many writes were begun, with those that failed."""
        return self.journal.writes

    def wait_for(self, count: int, timeout_s: float = WAIT_S) -> list[Record]:
        """Wait until at least `count` events were delivered and return all records. Fails after `timeout_s`."""
        self.journal.wait(lambda: sum(map(len, self.journal.batches)) >= count, f"{count} events", timeout_s)
        return self.records

    def _count(self, name: str) -> int:
        with self.journal.changed:
            value: int = getattr(self.journal, name) + 1
            setattr(self.journal, name, value)
            self.journal.changed.notify_all()
            return value


class Fault(NamedTuple):
    """One way in which a `FlakyOutput` fails: at which write, for which records, how, and how often."""

    error: Callable[[], BaseException] | type[BaseException] | None = OSError
    """Makes what is raised: `OSError`, `lambda: Retry("later", 0.1)`, `SystemExit`. None raises nothing."""
    at: int | None = None
    """Number of the first write that fails, counted from 1 over all incarnations; None: the next one that fits."""
    times: int | None = 1
    """How many writes fail; None: all that fit."""
    when: Callable[[Record], bool] | None = None
    """Fail only if the batch holds a record for which this is true: a poisoned event."""
    delivered: bool = False
    """Deliver the batch first: the receiver has it, and the sender does not know."""
    hang: bool = False
    """Before anything else wait for `release()`, or for `abort()` unless the hang is deaf."""
    deaf: bool = False
    """`abort` does not wake the hang: only `release()` does."""
    swallow: bool = False
    """Woken by `abort`, return as if all had been written."""


class FlakyOutput(Recorder):
    """Record like `Recorder`, and fail as scripted by `faults`, which all incarnations use up together.

    Events that `refuse` names are Refused, the rest of their batch is delivered. With `pending`, writes are delivered
    by the next `sync`, and are lost with the plugin unless it `inherits`. While it is `down()`, `open`, `write` and
    `sync` raise ConnectionRefusedError and `probe` says no. After `abort` nothing is delivered any more.

    Example:
        `FlakyOutput([Fault(OSError, at=2), Fault(ValueError, when=lambda record: record["n"] == 7, times=None)])`
    """

    faults: list[Fault] = option("The ways to fail, tried in this order at each write.", default=())
    refuse: Any = option("Function of a record: whether it never fits.", default=None)
    pending: bool = option("Answer writes with Pending.", default=False)
    inherits: bool = option("Take over what an earlier incarnation had pending.", default=False)
    opening: list[Any] = option("Exceptions that the first calls of `open` raise; None lets one pass.", default=())
    syncing: list[Any] = option("Exceptions that the first calls of `sync` raise; None lets one pass.", default=())

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.journal.faults = list(self.faults)
        self._aborted = False
        self._unsynced: list[list[Event]] = []

    def open(self) -> None:
        self._raise_scripted(self.opening, self._count("opens"))

    def write(self, batch: Batch) -> type[Pending] | None:
        number = self._count("writes")
        events = batch.events()
        self._raise_if_down()
        fault = self._next_fault(number, events)
        if fault is not None and fault.hang and self._hang(fault):
            return None
        if fault is None or fault.delivered or fault.error is None:
            self._deliver([one for one in events if self.refuse is None or not self.refuse(one.record)])
        if fault is not None and fault.error is not None:
            raise fault.error()
        refused = [one for one in events if self.refuse is not None and self.refuse(one.record)]
        if refused:
            raise Refused(refused, "FlakyOutput: refused")
        return Pending if self.pending else None

    def sync(self) -> None:
        self._raise_scripted(self.syncing, self._count("syncs"))
        while self._unsynced:
            self._deliver_now(self._unsynced[0])
            self._unsynced.pop(0)

    def abort(self) -> None:
        self._count("aborts")
        with self.journal.changed:
            self._aborted = True
            self.journal.changed.notify_all()

    def probe(self) -> bool:
        return not self.journal.down

    def alive(self) -> bool:
        return not self.journal.down

    def inherit(self, old: Output) -> bool:
        if not self.inherits or not isinstance(old, FlakyOutput):
            return False
        self._unsynced, old._unsynced = old._unsynced + self._unsynced, []  # noqa: SLF001 - an earlier self
        return True

    def down(self) -> None:
        """Refuse everything from now on, like a server that went away."""
        self.journal.down = True

    def up(self) -> None:
        """End what `down` began."""
        self.journal.down = False

    def fail(self, *faults: Fault) -> None:
        """Add to the script while it runs. Numbers of writes still count from the first."""
        with self.journal.changed:
            self.journal.faults.extend(faults)

    def release(self) -> None:
        """Let every write that hangs go on, now and later."""
        with self.journal.changed:
            self.journal.released = True
            self.journal.changed.notify_all()

    def wait_until_it_hangs(self, timeout_s: float = WAIT_S) -> None:
        """Wait until a write hangs. Fails after `timeout_s`."""
        self.journal.wait(lambda: self.journal.hanging > 0, "a write that hangs", timeout_s)

    @property
    def aborts(self) -> int:
        """How often an incarnation was aborted."""
        return self.journal.aborts

    @property
    def syncs(self) -> int:
        """How many syncs were begun."""
        return self.journal.syncs

    def _next_fault(self, number: int, events: Sequence[Event]) -> Fault | None:
        with self.journal.changed:
            for index, fault in enumerate(self.journal.faults):
                fits = fault.when is None or any(fault.when(one.record) for one in events)
                if fits and (fault.at is None or number >= fault.at):
                    if fault.times is not None:
                        left = [fault._replace(times=fault.times - 1)] if fault.times > 1 else []
                        self.journal.faults[index : index + 1] = left
                    return fault
        return None

    def _hang(self, fault: Fault) -> bool:
        """Wait to be let go; return whether the write shall pretend success."""
        with self.journal.changed:
            self.journal.hanging += 1
            self.journal.changed.notify_all()
            self.journal.changed.wait_for(lambda: self.journal.released or (self._aborted and not fault.deaf), HANG_S)
            self.journal.hanging -= 1
            self.journal.changed.notify_all()
            return self._aborted and fault.swallow

    def _deliver(self, events: list[Event]) -> None:
        if self.pending:
            self._unsynced.append(events)
        else:
            self._deliver_now(events)

    def _deliver_now(self, events: list[Event]) -> None:
        with self.journal.changed:
            if self._aborted:
                raise ConnectionAbortedError("FlakyOutput: aborted")
            if events:
                self.journal.deliver(events)

    def _raise_if_down(self) -> None:
        if self.journal.down:
            raise ConnectionRefusedError("FlakyOutput: down")

    def _raise_scripted(self, script: Sequence[Any], number: int) -> None:
        self._raise_if_down()
        error = script[number - 1] if number <= len(script) else None
        if error is not None:
            raise error
