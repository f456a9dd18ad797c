"""The worker processes of one stage, as the plugin that sits in its seat."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self

from swak.event import Batch, Event, gather
from swak.plugin import DeadEvent, Outcome, Plugin
from swak.workers.chain import unaccounted
from swak.workers.child import Child, Job
from swak.workers.wire import Frame, Packed, WireError, pack, pack_batch, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.budget import Fence
    from swak.narrowing import Piece
    from swak.plugin import Filter
    from swak.workers.orders import Orders

JOBS_MAX = 2
"""What one worker has in hand at most: the job that it is at, and one that is on its way to it."""


class WorkerLostError(Exception):
    """A worker process has ended, or cannot be believed: its seat ends, too, and a successor starts all anew."""


class Answer(NamedTuple):
    """What became of one job."""

    number: int
    outcome: Outcome
    filtered: dict[str, int]
    """By stage."""
    errors: list[str]
    size_bytes: int
    """Of what came out."""


class Workers(Plugin):
    """Runs filters in processes of its own. Its seat gives pieces of batches, and takes what became of them.

    What is given comes back in any order. At most JOBS_MAX jobs are in each worker's hands. When one worker is lost,
    all are: the seat's successor opens a fresh set.
    """

    kind = "workers"

    def __init__(self, orders: Orders, filters: Sequence[Filter], count: int, kept: Sequence[str] = ()) -> None:
        """`kept`: stages behind these that might have been here as well, if they did not keep anything."""
        super().__init__()
        self.orders = orders
        self.filters = filters
        self.count = count
        self.kept = kept
        self.names = [order.stage for order in orders.orders]
        self.hang_after_s = sum(one.hang_after_s for one in filters)  # type: ignore[misc]  # of these, not of the class
        self.as_json = False
        self.where = {"stage": ""}
        """Fields of every line of the workers' log."""
        self.level = 30
        """Of that log, as a number of the standard library's."""
        self.tell: Callable[[], None] = _silent
        """Called, from any thread, when there is something to take, or a worker is lost."""
        self.note: Callable[[float | None, Piece | None], None] = _unnoted
        """Called, from any thread, with what a worker has been at for longest, and since when."""
        self._lock = threading.RLock()
        self._children: list[Child] = []
        self._answers: deque[Answer] = deque()
        self._number = 0
        self._lost: tuple[str, Piece | None] | None = None
        self._ended = False

    def fresh(self) -> Self:
        made = type(self)(self.orders, self.filters, self.count, self.kept)
        made.place = self.place
        return made

    def open(self) -> None:
        """Start the processes and wait until their filters are open. WorkerLostError says why one is not."""
        hello = Frame("hello", (sys.path, self.orders, self.where, self.level, self.as_json))
        for number in range(1, self.count + 1):
            child = Child(f"worker {number}", self.where["stage"], hello, self._heard, self._gone)
            with self._lock:
                self._children.append(child)
            child.start()
            if self._ended:  # after the start: whoever aborts looks in the other order
                child.kill()
        for child in self._children:
            child.ready.wait()
        self.check_alive()

    def prepare(self, stage: str, *, as_json: bool) -> None:
        """Take note, before `open`, of whose workers these are, and of whether they are to hand on JSON lines."""
        self.where, self.as_json = {"stage": stage}, as_json
        self.level = logging.getLogger("swak").getEffectiveLevel()

    def check_alive(self, fence: Fence | None = None) -> None:
        """Raise WorkerLostError when a worker is lost; what it had in hand is blamed, if the `fence` lets us.

        Whoever revokes the right to act and then aborts the workers has blamed it already.
        """
        if self._lost is None:
            return
        why, piece = self._lost
        if fence is not None:
            fence.check()
        if piece is not None:
            piece.blame()
        raise WorkerLostError(why)

    @property
    def has_news(self) -> bool:
        """Whether there is something to take, or a worker is lost."""
        return bool(self._answers) or self._lost is not None

    @property
    def has_room(self) -> bool:
        """Whether a worker can be given one more job."""
        return any(len(child.jobs) < JOBS_MAX for child in self._children)

    def give(self, piece: Piece) -> int:
        """Give a job to the worker that has least to do; return its number. Waits for nothing."""
        packed, dead = _packed(piece.batch)
        with self._lock:
            self._number += 1
            child = min(self._children, key=lambda one: len(one.jobs))
            if not child.jobs:
                child.since = time.monotonic()
            child.give(Job(self._number, piece, packed, dead))
            self._note_oldest()
            return self._number

    def take(self) -> list[Answer]:
        """Return the answers that have come."""
        with self._lock:
            answers = list(self._answers)
            self._answers.clear()
        return answers

    def abort(self) -> None:
        with self._lock:
            self._ended = True
            children = list(self._children)
        for child in children:
            child.kill()

    def close(self) -> None:
        with self._lock:
            self._ended = True
            children = list(self._children)
            busy = any(child.jobs for child in children) or self._lost is not None
        for child in children:
            child.end(now=busy)  # all of them before waiting for one
        for child in children:
            child.close()

    # By the children's threads

    def _heard(self, child: Child, frame: Frame) -> None:
        job = child.jobs[0]
        answer = _read(frame, job)
        with self._lock:
            child.jobs.popleft()
            child.since = time.monotonic()
            self._answers.append(answer)
            self._note_oldest()
        self.tell()

    def _gone(self, child: Child) -> None:
        with self._lock:
            if self._lost is None:
                self._lost = (f"{child.name} {child.why}", child.jobs[0].piece if child.jobs else None)
            child.jobs.clear()
            if not self._ended:
                self._note_oldest()
        self.tell()

    def _note_oldest(self) -> None:
        oldest = min((child for child in self._children if child.jobs), key=lambda one: one.since, default=None)
        self.note(*((None, None) if oldest is None else (oldest.since, oldest.jobs[0].piece)))


def _packed(batch: Batch) -> tuple[Packed, list[DeadEvent]]:
    """Pack a batch; events that no other process can have are returned as dead."""
    try:
        return pack_batch(batch), []
    except Exception:  # noqa: BLE001 - pickle raises whatever a value's own code does
        events = batch.events()
    kept: list[Event] = []
    dead: list[DeadEvent] = []
    for event in events:
        try:
            pack(*gather([event]))
            kept.append(event)
        except Exception as error:  # noqa: BLE001 - as above
            dead.append(DeadEvent(event, f"cannot go to a worker: {error!r}"))
    return pack(*gather(kept)), dead


def _read(frame: Frame, job: Job) -> Answer:
    """Read an answer to a job. WireError, or anything else, when it is none."""
    number, heads, filtered, made, dead, errors = frame.values
    if frame.kind != "answer" or number != job.number:
        raise WireError(f"{frame.kind} {number} instead of answer {job.number}")
    outcome = Outcome()
    outcome.parts = [unpack(packed) for packed in zip(heads, frame.payloads, strict=True)]
    outcome.dead = [DeadEvent(Event(*one[:3]), *one[3:]) for one in dead]
    outcome.filtered, outcome.made = sum(filtered.values()), made
    if missing := unaccounted(job.piece.batch.count - len(job.dead), outcome):
        raise WireError(f"{missing} events of its answer are nowhere")
    outcome.dead = [*job.dead, *outcome.dead]
    return Answer(number, outcome, filtered, errors, sum(body.size_bytes for body, _ in outcome.parts))


def _silent() -> None:
    """Nobody listens yet."""


def _unnoted(since: float | None, piece: Piece | None) -> None:
    """Nobody watches yet."""
