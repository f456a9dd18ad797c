"""How reloads went: for status, metrics and whoever asked for one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from swak.reloading.difference import Difference, Key

Ending = Literal["done", "unchanged", "refused", "rolled_back"]
"""`refused`: the recipe, or what it asks for, is wrong; `rolled_back`: a stage could not begin with it."""

FINE: tuple[Ending, ...] = ("done", "unchanged")


class Outcome(NamedTuple):
    """How one reload went."""

    ending: Ending
    problems: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rewired: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    """Removed stages that still work off what they have."""
    at_ns: int = 0
    took_s: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether the run is what the recipe says."""
        return self.ending in FINE

    def told(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        lists = {name: list(one) for name, one in self._asdict().items() if isinstance(one, tuple)}
        return {**self._asdict(), **lists}


class Reloads:
    """All reloads of a run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.last: Outcome | None = None
        self.succeeded_at_ns = 0
        """When the last one that was fine was over; 0: none was."""
        self.began = 0
        """How many have begun. It is greater than `counts` tells while one is under way."""

    @property
    def under_way(self) -> bool:
        """Whether one is."""
        return self.began > self.counts.total()

    def note(self, outcome: Outcome) -> None:
        """Keep how one went."""
        self.last = outcome
        if outcome.fine:
            self.succeeded_at_ns = outcome.at_ns
        self.counts[outcome.ending] += 1


def names(keys: frozenset[Key]) -> tuple[str, ...]:
    """Return stages as people write them, in order."""
    return tuple(sorted(f"{flow}/{stage}" for flow, stage in keys))


def of(found: Difference, ending: Ending, *problems: str) -> Outcome:
    """Return how a reload went that would make this difference."""
    return Outcome(
        ending,
        problems,
        changed=names(found.changed),
        rewired=names(found.rewired),
        added=names(found.added),
        removed=names(found.removed),
    )
