"""Several filters in a row over one batch: what comes out of the last, and what became of all other events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from swak.event import Batch
from swak.plugin import Filter, Outcome, process_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.ack import Ack
    from swak.event import Body


class Link(NamedTuple):
    """One filter, under the name of its stage."""

    stage: str
    plugin: Filter


class Passage(NamedTuple):
    """What became of one batch."""

    outcome: Outcome
    filtered: dict[str, int]
    """By stage."""
    errors: list[str]
    """What `process_batch` raised: those batches were done again event by event."""


def through(links: Sequence[Link], batch: Batch) -> Passage:
    """Run a batch through all filters. What a stage of its own would raise, this raises as well: MemoryError."""
    whole, filtered, errors = Outcome(), dict[str, int](), list[str]()
    parts: list[tuple[Body, str | list[str]]] = [(batch.body, batch.tags)]
    for link in links:
        passed: list[tuple[Body, str | list[str]]] = []
        for body, tags in parts:
            one = processed(link.plugin, Batch(body, tags, batch.ack), errors)
            passed += [(made, own) for made, own in one.parts if made.count]
            whole.dead += [dead._replace(stage=link.stage) for dead in one.dead]
            whole.made += one.made
            if one.filtered:
                filtered[link.stage] = filtered.get(link.stage, 0) + one.filtered
        parts = passed
    whole.parts = parts
    whole.filtered = sum(filtered.values())
    return Passage(whole, filtered, errors)


def processed(plugin: Filter, batch: Batch, errors: list[str]) -> Outcome:
    """Process a batch; where that raises, note it and go event by event."""
    try:
        return plugin.process_batch(batch)
    except BaseException as error:  # noqa: BLE001 - whatever is raised, the batch is done again event by event
        errors.append(f"{type(error).__name__}: {error}")
    return process_each(plugin, batch)


def unaccounted(count: int, outcome: Outcome) -> int:
    """Return how many of the `count` events that went in are nowhere: zero, or the answer is wrong."""
    out = sum(body.count for body, _ in outcome.parts)
    return count + outcome.made - out - outcome.filtered - len(outcome.dead)


def unused_ack(source: Any) -> Ack:
    """Return an Ack for batches of which nobody waits to hear: the real one stayed in another process."""
    ack: Ack = source.register(1, None, 0)
    source.closed = True
    return ack
