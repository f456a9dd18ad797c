"""What lies in a mailbox: letters with batches, control letters, and the signs that `get` makes up itself."""

from __future__ import annotations

import enum
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from swak.narrowing import Suspects

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.actors.lease import Lease
    from swak.actors.post import Post
    from swak.actors.supervisor import Supervisor
    from swak.event import Batch, Event


class Letter:
    """A batch in a mailbox. It stays there, and stays the same object, until its seat is done with it."""

    __slots__ = ("batch", "failing_since", "offer", "serial", "suspects")

    def __init__(self, batch: Batch, serial: int, offer: Offer | None = None) -> None:
        self.batch = batch
        self.serial = serial
        self.offer = offer
        self.failing_since: float | None = None
        """Monotonic time at which it could first not be delivered."""
        self.suspects = Suspects() if offer is None else offer.suspects


class Sign(enum.Enum):
    """What a mailbox shows besides letters."""

    READ = "read"  # an input may read
    POKE = "poke"  # a mailbox downstream may have room again
    TICK = "tick"  # the time that the seat asked to be woken at
    END = "end"  # every upstream edge has ended and nothing is left; shown until the seat is over
    OPEN = "open"  # first in the control lane of every seat
    WAKE = "wake"  # something outside has changed; nothing else to say
    CHANGE = "change"  # a reload has planned something for this stage; the post's `planned` says it, too
    STOP = "stop"  # an input is to stop reading; the post's `draining` says it, too


class Answer(NamedTuple):
    """A failover child's word on an offer."""

    offer: Offer


class Down(NamedTuple):
    """The root says: this child cannot take anything now."""

    child: str


class Up(NamedTuple):
    """The root says: this child can be used again."""

    child: str


Control = Answer | Down | Up
Shown = Letter | Sign | Control


class Fate(enum.Enum):
    """What became of an offer."""

    LENT = "lent"
    DONE = "done"  # written
    KEPT = "kept"  # the child took it over and will settle it
    REFUSED = "refused"  # the child could not write it
    WITHDRAWN = "withdrawn"


class Offer:
    """A batch that a failover router lends to one child. It is withdrawn before it is lent to another one."""

    __slots__ = ("_fate", "_lock", "child", "has_last", "lease", "refused", "suspects", "why")

    def __init__(self, child: str, lease: Lease, *, has_last: bool, suspects: Suspects | None = None) -> None:
        self.child = child
        self.suspects = suspects or Suspects()
        """Of what is lent, wherever it was lent before."""
        self.why = ""
        """What was wrong when it was given back."""
        self.lease = lease
        self.has_last = has_last
        """Whether events that the child refuses go to `last` instead of the dead letters."""
        self.refused: list[Event] = []
        self._fate = Fate.LENT
        self._lock = threading.Lock()

    @property
    def fate(self) -> Fate:
        """What became of it so far. An offer dies with its router's lease."""
        if self._fate is Fate.LENT and self.lease.revoked:
            return self.decide(Fate.WITHDRAWN)
        return self._fate

    def decide(self, fate: Fate) -> Fate:
        """Settle the fate, once; return what it is."""
        with self._lock:
            if self._fate is Fate.LENT:
                self._fate = fate
            return self._fate


# To the supervisor:


class Died(NamedTuple):
    """A seat's thread ended by an exception."""

    post: Post
    lease: Lease
    error: BaseException


class Ready(NamedTuple):
    """The plugin of a revoked lease is closed or aborted: a successor may sit down."""

    post: Post
    lease: Lease


class Over(NamedTuple):
    """A seat has ended in order."""

    post: Post


class Turned(NamedTuple):
    """A failover child went down or came up again."""

    post: Post
    up: bool


class Broken(NamedTuple):
    """An output's far end is gone for good: stop the run."""

    post: Post
    reason: str


class Renew(NamedTuple):
    """An operator wants a fresh plugin in this seat."""

    post: Post
    lease: Lease


class Changed(NamedTuple):
    """A seat has taken on what a reload has planned for it."""

    post: Post


class Change(Protocol):
    """A reload under way: from the stages that run to others. All of it happens on the supervisor's thread."""

    over: bool

    def step(self, now: float) -> None:
        """Do what can be done now. Called at each round, until it is `over`."""

    def note_death(self, post: Post, why: str) -> None:
        """Take note that a seat has died or hangs."""

    def gives_up(self, post: Post) -> bool:
        """Whether nobody sits down in that place any more."""

    def let_go(self) -> None:
        """The run is to end: let nobody wait for anybody any more."""


class Rebuild(NamedTuple):
    """Make the stages what another topology says."""

    begin: Callable[[Supervisor], Change]
    refuse: Callable[[str], None]
    """Called instead when that cannot be now, with the reason."""


class Stop(NamedTuple):
    """Drain, or stop at once."""

    now: bool
    signal: int | None = None
    """The signal that says so, when it was one."""
