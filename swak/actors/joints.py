"""The edges of a mailbox: who puts letters in, since when, until when, and in what order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.actors.mailbox import Mailbox


class Joints:
    """What a mailbox knows of those who put letters in. Edges come and go with a reload; steps may be repeated."""

    def __init__(self, edges: Iterable[str]) -> None:
        self.edges = frozenset(edges)
        self.upstream: dict[str, Mailbox] = {}
        self.leaving = False
        """Whether the stage was removed: what is still on its way here always has room."""
        self.later: frozenset[str] = frozenset()
        """Edges that have no room yet: what comes by them would overtake what is still under way by another one."""
        self._lock = threading.RLock()  # not a plain Lock: an RLock's waiting is C code, which no exception cuts in two
        self._ended: set[str] = set()
        self._accepted: dict[str, int] = {}
        self._arrived_events = dict.fromkeys(self.edges, 0)
        self._joined = set(self.edges)
        self._missed: dict[str, int] = {}
        self._parted: dict[str, int] = {}

    def expect(self, edge: str, mailbox: Mailbox, *, later: bool) -> None:
        """Do not end before `edge` has; with `later`, nothing comes by it until `let_in`."""
        with self._lock:
            self.upstream[edge] = mailbox
            self.edges |= {edge}
            self._ended.discard(edge)
            if later:
                self.later |= {edge}

    def let_in(self) -> None:
        """Let those in who had to wait."""
        with self._lock:
            edges, self.later = self.later, frozenset()
        for edge in edges:
            self.upstream[edge].poke()

    def join(self, edge: str, sent: int, serial: int) -> None:
        """From now on, `edge` hands all it has here; it did not with the events `sent` up to the batch `serial`."""
        with self._lock:
            if edge not in self._joined:
                self._accepted[edge] = serial
                self._arrived_events.setdefault(edge, 0)
                missed = self._missed.pop(edge, 0) + sent - self._parted.pop(edge, 0)
                self._missed |= {edge: missed} if missed else {}
                self._joined.add(edge)

    def part(self, edge: str, sent: int) -> None:
        """`edge` has `sent` so many events in all, and hands nothing more here."""
        with self._lock:
            if edge in self._joined:
                self._joined.discard(edge)
                self._parted[edge] = sent
            self._ended.add(edge)
            self.later -= {edge}
        self.wake()

    def wake(self) -> None:
        """Have the seat look round."""
        raise NotImplementedError

    def spans(self) -> dict[str, tuple[int, int | None]]:
        """Return, by edge that did not hand all on here, how many events it did not, and up to which one it did."""
        edges = [*self._missed, *(edge for edge in self._parted if edge not in self._missed)]
        return {edge: (self._missed.get(edge, 0), self._parted.get(edge)) for edge in edges}
