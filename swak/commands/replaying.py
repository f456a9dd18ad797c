"""Putting dead letters back: recipes cut off in front of a stage, and an input that hands the letters out."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import click

from swak import log
from swak.actors.running import Run, Settings
from swak.commands.up import Telling, run_to_end
from swak.datadir import DataDir
from swak.deadletters import DeadLetters, Limit, Shelf
from swak.errors import ConfigError, EndOfInput, Problem
from swak.event import EVENTS_MAX, Chunk, gather
from swak.memory import tune
from swak.plugin import Input
from swak.topology.compile import compile_recipe
from swak.topology.graph import FlowGraph, Stage, Topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from swak.ack import Origin, Position
    from swak.deadletters import Kept
    from swak.event import Event
    from swak.recipe import Recipe

STAGE = "dead-letters"
"""Name of the input; no plugin can have it."""
CHUNK_BYTES = 256 * 1024
NOTE_S = 0.2
"""How often it is noted what was taken off. What was settled since comes again after a kill."""

_log = log.get("swak.dlq")


class Way(NamedTuple):
    """One run: which letters go back, and what they go into."""

    title: str
    fits: Callable[[Kept], bool]
    topology: Callable[[Input], Topology]
    """Makes it behind the given input; each time of plugins of its own."""


# What the letters go into


def ways_back(recipe: Recipe, counts: Mapping[tuple[str, str], int], file: str) -> list[Way]:
    """Return a way for each flow and stage that has letters, in the order of the recipe.

    ConfigError names the stages that the recipe does not have.
    """
    topology = _compiled(recipe)
    known = [(flow.name, stage.name) for flow in topology.flows for stage in flow.stages]
    problems = [
        Problem(f"{flow}/{stage} refused {count} of them, and this recipe has no such stage", _mend(known), file)
        for (flow, stage), count in counts.items()
        if (flow, stage) not in known
    ]
    if problems:
        raise ConfigError(problems)
    return [_way_back(recipe, *place) for place in known if place in counts]


def _compiled(recipe: Recipe) -> Topology:
    """Compile without worker processes: letters go back to one filter, not to all that share a seat."""
    return compile_recipe(recipe, spread=False)


def _mend(known: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"{flow}/{stage}" for flow, stage in known)
    return f"it has {names}: give the recipe that they come from, choose by --flow and --stage, or use --into"


def _way_back(recipe: Recipe, flow: str, stage: str) -> Way:
    def fits(kept: Kept) -> bool:
        return (kept.letter.flow, kept.letter.stage) == (flow, stage)

    def topology(source: Input) -> Topology:
        whole = _compiled(recipe)
        graph = next(one for one in whole.flows if one.name == flow)
        found = graph.stage(stage)
        heads = found.outlets if found.kind == "input" else (found.router or found.name,)
        return _behind(whole, graph, heads, source)

    return Way(f"{flow}/{stage}", fits, topology)


def way_into(recipe: Recipe, file: str, flow: str | None, only: frozenset[str] | None) -> Way:
    """Return the way of all letters, or of those of the flows `only`, into the first stage of a recipe's flow.

    ConfigError when it has no such flow, or several and none is named.
    """
    names = [one.name for one in _compiled(recipe).flows if flow is not None or not one.input.name.endswith(".out")]
    if (flow is None and len(names) > 1) or (flow is not None and flow not in names):
        what = "it has several flows" if flow is None else f"there is no flow {flow}"
        raise ConfigError([Problem(what, f"name one of {', '.join(names)}: --into {file}:{names[0]}", file)])
    name = names[0] if flow is None else flow

    def topology(source: Input) -> Topology:
        whole = _compiled(recipe)
        graph = next(one for one in whole.flows if one.name == name)
        return _behind(whole, graph, graph.input.outlets, source)

    return Way(name, lambda kept: only is None or kept.letter.flow in only, topology)


def flows_of(recipe: Recipe) -> frozenset[str]:
    """Return the names of a recipe's flows, those behind buffers on disk included."""
    return frozenset(one.name for one in _compiled(recipe).flows)


def _behind(whole: Topology, graph: FlowGraph, heads: tuple[str, ...], source: Input) -> Topology:
    """Return what is behind `source` when it stands before `heads`, with the flows behind buffers on disk there."""
    reached, waiting = set(), list(heads)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += graph.stage(name).downstream()
    kept = tuple(stage for stage in graph.stages if stage.name in reached)
    entry = Stage(STAGE, "input", graph.input.place, source, heads)
    flows = [replace(graph, stages=(entry, *kept))]
    for one in flows:  # grows: a buffer may stand behind another one
        flows += [other for other in whole.flows for stage in one.stages if _is_behind(other, one, stage)]
    return Topology(tuple(flows), whole.warnings)


def _is_behind(other: FlowGraph, graph: FlowGraph, stage: Stage) -> bool:
    """Tell whether a flow is what stands behind this stage, a buffer on disk."""
    base = other.name.removesuffix(f".{stage.name}")
    within = graph.name == base or graph.name.startswith(f"{base}.")
    return stage.kind == "output" and other.input.name == f"{stage.name}.out" and base != other.name and within


# What hands them out


class Returning:
    """The letters that go one way, and what became of them: shared by an input and its successors."""

    def __init__(self, shelf: Shelf, wanted: Callable[[Kept], bool]) -> None:
        self._shelf = shelf
        self._wanted = wanted
        self._lock = threading.Lock()
        self._settled: SimpleQueue[list[int]] = SimpleQueue()
        self._unnoted: set[int] = set()
        self.noted = 0
        """Letters that were taken off."""

    def letters(self) -> Iterator[Kept]:
        """Yield the letters that are still to go."""
        for kept in self._shelf.letters():
            if self._wanted(kept) and kept.number not in self._unnoted:
                yield kept

    def settle(self, numbers: list[int]) -> None:
        """Note later that these are settled. Any thread, and more than once."""
        self._settled.put(numbers)

    def keep_up(self) -> None:
        """Take off what was settled. OSError: it is tried again the next time."""
        with self._lock:
            while not self._settled.empty():
                self._unnoted.update(self._settled.get())
            new = {number for number in self._unnoted if number not in self._shelf.taken}
            self._shelf.take((number, number) for number in new)
            self.noted += len(new)
            self._unnoted.clear()


class Replayed(Input):
    """Hands out dead letters, each with its source and position. Their place is the store itself: it has no others.

    When its seat dies, what was under way comes a second time.
    """

    replays = True

    def __init__(self, returning: Returning) -> None:
        super().__init__()
        self._returning = returning
        self._letters: Iterator[Kept] = iter(())
        self._ahead: Kept | None = None
        self._note_at = 0.0

    def fresh(self) -> Self:
        made = type(self)(self._returning)
        made.place = self.place
        return made

    def seek(self, positions: Mapping[str, Position]) -> None:
        """Nothing to go to: `open` begins with the letters that are still there."""

    def open(self) -> None:
        self._letters = self._returning.letters()
        self._ahead = next(self._letters, None)

    def read(self) -> Chunk:
        self.answer()
        first = self._ahead
        if first is None:
            raise EndOfInput
        events: list[Event] = []
        numbers: list[int] = []
        size_bytes = 0
        while self._ahead is not None and len(events) < EVENTS_MAX and size_bytes < CHUNK_BYTES:
            if self._ahead.letter.origin != first.letter.origin:
                break
            events.append(self._ahead.letter.event)
            numbers.append(self._ahead.number)
            size_bytes += len(self._ahead.line)
            self._ahead = next(self._letters, None)
        origin: Origin = first.letter.origin
        body, tags = gather(events)
        return Chunk(body, tags, origin.source, origin.position, partial(self._returning.settle, numbers))

    def answer(self) -> None:
        now = self.clock.monotonic()
        if now < self._note_at:
            return
        self._note_at = now + NOTE_S
        try:
            self._returning.keep_up()
        except OSError as error:
            _log.warning("what was settled cannot be noted; it would come again", error=str(error))

    def close(self) -> None:
        self._letters = iter(())
        self._note_at = 0.0
        self.answer()


def goes_back(kept: Kept) -> bool:
    """Tell whether a letter holds a whole event: a plugin can make what no stage can take."""
    event: Any = kept.letter.event
    plain = isinstance(event.record, dict) and isinstance(event.tag, str) and isinstance(event.time_ns, int)
    return plain and isinstance(kept.letter.origin.source, str)


# The runs


class Borrowed(DataDir):
    """A data directory that is locked already: for runs that keep no positions, and figures of their own."""

    def __init__(self, where: DataDir, letters: DeadLetters) -> None:
        super().__init__(where.path, where.why)
        self._dead_letters = letters

    def lock(self) -> None:
        """Nothing: it is."""

    def checkpoint(self, flow: str) -> None:
        """Return none."""

    def ledger(self) -> None:
        """Return none."""

    def close(self) -> None:
        """Nothing: others follow."""


class Replay:
    """Puts letters back, one way after the other. The data directory is locked by the caller."""

    def __init__(self, where: DataDir, shelf: Shelf, chosen: Callable[[Kept], bool], grace_s: float) -> None:
        self._where = where
        self._shelf = shelf
        self._chosen = chosen
        self._grace_s = grace_s
        self._upto = 0
        self._unfit = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        """How many letters there are to go back, by flow and stage."""
        for kept in filter(chosen, shelf.letters()):
            if goes_back(kept):
                self._upto = max(self._upto, kept.number)
                self.counts[kept.letter.flow, kept.letter.stage] += 1
            else:
                self._unfit += 1

    def run(self, ways: Sequence[Way]) -> int:
        """Run every way to its end and tell its receipt. Return the exit code, the worst of them."""
        letters = DeadLetters(self._where.dead_letters_path, limit=Limit(when_full="grow"))
        code = noted = 0
        log.configure("info", "text")
        tune()
        try:
            for way in ways:
                returning = Returning(self._shelf, partial(self._goes, way))
                click.echo(f"{way.title}:", err=True)
                settings = Settings(Borrowed(self._where, letters), once=True, grace_s=self._grace_s, fail_fast=True)
                run = Run(way.topology(Replayed(returning)), settings._replace(watchdog=True))
                code = max(code, run_to_end(run, Telling("info", "text", view=False), None))
                returning.keep_up()
                noted += returning.noted
                if next(returning.letters(), None) is not None:
                    break  # somebody has stopped it
            letters.reclaim()
        finally:
            letters.close()
            log.reset()
        self._tell(noted)
        return code

    def _goes(self, way: Way, kept: Kept) -> bool:
        return kept.number <= self._upto and self._chosen(kept) and goes_back(kept) and way.fits(kept)

    def _tell(self, noted: int) -> None:
        anew = sum(kept.number > self._upto for kept in Shelf(self._where.dead_letters_path).letters())
        told = f"{noted} of {self.counts.total()} dead letters were put back; {anew} events were refused anew"
        unfit = f"; {self._unfit} hold no whole event and stay" if self._unfit else ""
        click.echo(told + unfit, err=True)
