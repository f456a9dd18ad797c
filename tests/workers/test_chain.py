"""Several filters in a row over one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak import Batch, Event, Filter
from swak.testing import batch_of, event, events_of
from swak.workers.chain import Link, through, unaccounted
from tests.flows.parts import Mixed
from tests.workers.filters import Deadly

if TYPE_CHECKING:
    from swak.plugin import Outcome


class Raising(Filter):
    """Takes events, and no batches."""

    def process_batch(self, batch: Batch) -> Outcome:
        raise RuntimeError(f"not {batch.count} at once")

    def process(self, event: Event) -> Event | None:
        return event if event.record["n"] % 2 else None


def chained(*links: Link, count: int = 100) -> tuple[Outcome, dict[str, int], list[str]]:
    passage = through(links, batch_of([event({"n": number}) for number in range(count)]))
    return passage.outcome, passage.filtered, passage.errors


def test_each_filter_gets_what_the_one_before_it_let_pass() -> None:
    outcome, filtered, _ = chained(Link("Mixed", Mixed()), Link("Raising", Raising()))
    alone, _, _ = chained(Link("Mixed", Mixed()))
    numbers = [one.record["n"] for one in events_of(outcome)]
    assert numbers == [one.record["n"] for one in events_of(alone) if one.record["n"] % 2]
    assert filtered == {"Mixed": 20, "Raising": len(events_of(alone)) - len(numbers)}


def test_what_is_dead_names_its_stage() -> None:
    outcome, _, _ = chained(Link("First", Raising()), Link("Mixed-2", Mixed()))
    assert {one.stage for one in outcome.dead} == {"Mixed-2"}
    assert {one.reason for one in outcome.dead} == {"thirteen", "ValueError: seventeen"}
    assert all(one.trace for one in outcome.dead if one.reason != "thirteen")


def test_a_batch_that_raises_is_done_again_event_by_event_and_noted() -> None:
    outcome, _, errors = chained(Link("Raising", Raising()))
    assert [one.record["n"] for one in events_of(outcome)] == list(range(1, 100, 2))
    assert errors == ["RuntimeError: not 100 at once"]


def test_every_event_is_accounted_for() -> None:
    outcome, _, _ = chained(Link("Mixed", Mixed()), Link("Raising", Raising()), Link("Mixed-2", Mixed()))
    assert unaccounted(100, outcome) == 0
    assert unaccounted(101, outcome) == 1


def test_want_of_memory_is_raised_as_in_a_seat_of_its_own() -> None:
    with pytest.raises(MemoryError):
        chained(Link("Deadly", Deadly(5, "memory")))


def test_nothing_goes_through_a_filter_that_has_nothing_before_it() -> None:
    class Dropping(Filter):
        """Drops all."""

        def process(self, event: Event) -> None:
            """Drop."""

    outcome, filtered, errors = chained(Link("Dropping", Dropping()), Link("Raising", Raising()))
    assert outcome.parts == []
    assert filtered == {"Dropping": 100}
    assert errors == []
