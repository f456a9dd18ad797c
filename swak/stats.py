"""Counters of one stage, and the law that they obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reasons(dict[str, int]):
    """Events by reason. A Counter does the same at ten times the cost of making one, and one is made for each batch."""

    def __missing__(self, reason: str) -> int:
        return 0

    def total(self) -> int:
        """Return the sum over all reasons."""
        return sum(self.values())


class Tally:
    """Events that passed one stage. Written by the stage's mailbox under its lock, so every reading balances."""

    __slots__ = ("dead", "filtered", "held", "into", "made", "merged", "out")

    def __init__(self) -> None:
        self.into = 0
        self.made = 0
        self.out = 0
        self.merged = 0
        self.held = 0
        self.filtered = Reasons()
        self.dead = Reasons()

    def unaccounted(self) -> int:
        """Return in + made - (out + filtered + dead + merged + held): zero, or an event is lost from sight."""
        gone = self.out + self.filtered.total() + self.dead.total() + self.merged + self.held
        return self.into + self.made - gone

    def copy(self) -> Tally:
        """Return the same figures as a value of their own."""
        made = Tally.__new__(Tally)
        made.into, made.made, made.out = self.into, self.made, self.out
        made.merged, made.held = self.merged, self.held
        made.filtered, made.dead = Reasons(self.filtered), Reasons(self.dead)
        return made

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for printing."""
        return {
            "in": self.into,
            "made": self.made,
            "out": self.out,
            "filtered": self.filtered.total(),
            "dead": self.dead.total(),
            "merged": self.merged,
            "held": self.held,
        }


class StageView(NamedTuple):
    """What one stage looks like from outside at one moment: for the live view, the log and the receipt."""

    flow: str
    stage: str
    kind: str
    state: str
    """opening, running, retrying (an output is down), blocked (waits for room downstream), paused (by an operator),
    waiting (for a restart), failed (the task is paused after too many restarts), over, leaving (a reload has removed
    it, and it works off what it has), removed."""
    tally: Tally
    mailbox_batches: int
    mailbox_bytes: int
    fill: float
    """0 to 1: the fuller of the mailbox's two bounds."""
    oldest_s: float | None
    """Age of the oldest unsettled batch of the input that the stage hangs on; None when all is settled."""
    errors: int
    restarts: int
    last_error: str = ""
    live_child: str = ""
    """Of a failover: the child that is used now."""
    waiting: int = 0
    """Events in the mailbox."""
    arrived: Mapping[str, int] = {}
    """Events that came into the mailbox, by the stage that sent them."""
    memory: str = ""
    """What the memory limit has to do with it: an input waits for room, a buffer has released early."""
    retries: int = 0
    """Of an output: how often something that failed was put off to be tried again."""
    down_s: float | None = None
    """Of an output: how long nothing could be delivered; None when it is up."""
    spans: Mapping[str, tuple[int, int | None]] = {}
    """Of stages that sent only part of their events here, since reloads changed the flow: how many went elsewhere
    before, and up to which one they came here; None: to the last."""


class InputReceipt(NamedTuple):
    """What became of an input's events at the end of a run."""

    flow: str
    stage: str
    delivered: int
    will_replay: int
    """Not settled, and read again at the next start."""
    lost: int
    """Not settled, and the input cannot read them again."""
    notes: str = ""
    """What else the input has to say, e.g. how many lines were cut."""
    losses: Mapping[str, int] = {}
    """What the input could not take or keep, by reason: the input knows how many, not which."""
    replays: bool = True
    """Whether the input reads again what was not settled."""


class Receipt(NamedTuple):
    """The figures at the end of a run."""

    stages: tuple[StageView, ...]
    inputs: tuple[InputReceipt, ...]
    failed: tuple[str, ...] = ()
    """Tasks that were in state failed at the end."""
    dead_letters: str = ""
    """Path of the dead-letter file, when there is one."""
    dead_dropped: int = 0
    """Dead letters that were dropped in this run because their store was full."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and no task failed."""
        return not self.failed and not self.dead_dropped and not any(one.lost for one in self.inputs)
