"""Finding the event that ends seats: its batch is handed out in ever smaller pieces, over the deaths of its seats."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from swak.ack import Split
from swak.plugin import DeadEvent, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Batch

KILLERS_MAX = 3
"""Seats that may end with one event in the plugin's hands before the event goes to the dead letters."""
BATCH_KILLERS_MAX = 5
"""Seats that may end with events of one batch in hand; one more, and all of it goes. As many as a task may lose in a
minute without being paused: three for the first such event of a batch, two more for the second."""


class Suspects:
    """Which events of a batch were in the plugin's hands when seats died or hung. It outlives the seats.

    The first death may be anybody's fault: all of the batch was in hand. The successor gets it in pieces, each as large
    as there are pieces; the next death names one of them, and the seat after that gets this one event by event. So
    the third death names the event, among a thousand as among five, and it goes to the dead letters alone. Halving
    would take ten deaths for the same. What stands before it in the batch is done again each time, as after any death.
    """

    __slots__ = ("_deaths",)

    def __init__(self) -> None:
        self._deaths: tuple[tuple[int, int], ...] = ()

    @property
    def deaths(self) -> int:
        """How many seats ended with some of the events in hand."""
        return len(self._deaths)

    @property
    def hopeless(self) -> bool:
        """Whether there were so many that there is no use in looking for single events."""
        return len(self._deaths) > BATCH_KILLERS_MAX

    def note(self, first: int, end: int) -> None:
        """Note that a seat ended with the events from `first` to before `end` in hand."""
        self._deaths += ((first, end),)

    def pieces(self, batch: Batch) -> list[Piece]:
        """Return the batch, or after a death the pieces that are to be tried one after the other."""
        if not self._deaths:
            return [Piece(batch, self)]
        split = Split(batch.ack)
        pieces = [
            Piece(batch.cut(first, end, split.child()), self, first, reason=self._verdict(first, end))
            for first, end in self._ranges(batch.count)
        ]
        split.close()
        return pieces

    def piecewise(self, batch: Batch, process: Callable[[Piece], Outcome]) -> Outcome:
        """Process the batch, or each of its pieces but for events that are given up; return it all as one."""
        if not self._deaths:
            return process(Piece(batch, self))
        whole = Outcome()
        for piece in self.pieces(batch):
            part = piece.given_up() if piece.reason else process(piece)
            whole.parts += part.parts
            whole.dead += part.dead
            whole.filtered += part.filtered
            whole.made += part.made
        return whole

    def _ranges(self, count: int) -> list[tuple[int, int]]:
        size, ranges = max(1, isqrt(count)), []
        for first in range(0, count, size):
            end = min(count, first + size)
            step = 1 if any(first <= begun and ended <= end for begun, ended in self._deaths) else size
            ranges += [(at, min(end, at + step)) for at in range(first, end, step)]
        return ranges

    def _verdict(self, first: int, end: int) -> str:
        """Say why an event is given up: it was in hand alone, and often enough; else nothing."""
        times = sum(begun <= first and end <= ended for begun, ended in self._deaths)
        alone = end - first == 1 and (first, end) in self._deaths
        return f"{times} seats ended with this event in hand" if alone and times >= KILLERS_MAX else ""


class Piece(NamedTuple):
    """A letter's batch, or a part of it while a bad event is being searched for."""

    batch: Batch
    suspects: Suspects
    first: int = 0
    """Which event of the letter's batch comes first here."""
    tries: int = 0
    reason: str = ""
    """Why it is given up, if it is."""

    def blame(self) -> None:
        """Note that a seat ended with this in hand."""
        self.suspects.note(self.first, self.first + self.batch.count)

    def halves(self) -> list[Piece]:
        """Return two pieces in the place of this one."""
        split, middle = Split(self.batch.ack), self.batch.count // 2
        ends = (0, middle), (middle, self.batch.count)
        cuts = [Piece(self.batch.cut(*one, split.child()), self.suspects, self.first + one[0], 1) for one in ends]
        split.close()
        return cuts

    def given_up(self) -> Outcome:
        """Return its events as dead."""
        outcome = Outcome()
        outcome.dead = [DeadEvent(event, self.reason) for event in self.batch.events()]
        return outcome
