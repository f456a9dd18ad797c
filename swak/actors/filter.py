"""Seat of a filter, and of the by-tag stage: both turn one letter into batches for their outlets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.actors.seat import Seat, Way
from swak.errors import SeatError
from swak.event import Batch
from swak.formats.encoded import encoded_parts
from swak.formats.rows import bounded
from swak.plugin import DeadEvent, Filter, Outcome, process_each
from swak.topology.tags import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.actors.lease import Lease
    from swak.actors.messages import Letter
    from swak.actors.post import Outlet, Post
    from swak.narrowing import Piece

    Parts = Sequence[tuple[Sequence[Outlet], Batch]]


class SplittingSeat(Seat):
    """Emits parts of the head letter; when all are accepted, the head is done."""

    def conclude(self, letter: Letter, outcome: Outcome, filtered: Mapping[str, int]) -> None:
        """Bury what is dead, then send each part to every outlet. `filtered`: by stage."""
        ack = letter.batch.ack
        outlets = list(self.post.outlets.values())
        parts = [(outlets, Batch(body, tags, ack)) for body, tags in outcome.parts if body.count]
        self.bury(ack.origin, outcome.dead, lambda: self.emit_parts(letter, parts, outcome, filtered))

    def emit_parts(self, letter: Letter, parts: Parts, outcome: Outcome, filtered: Mapping[str, int]) -> None:
        """Send each batch to its outlets under parts of the letter's Ack, then count and let the letter go.

        One batch for one outlet carries the letter's own Ack and serial: after a death in the middle it is skipped.
        """
        ack = letter.batch.ack
        out = sum(batch.count for _, batch in parts)
        copies = [(outlet, batch) for outlets, batch in parts for outlet in outlets]
        if len(copies) == 1:
            ways = [Way(copies[0][0], copies[0][1].with_ack(ack), letter.serial, once=True)]
        else:
            acks = ack.split(len(copies)) if copies else []
            ways = [
                Way(outlet, batch.with_ack(own), 0, once=False)
                for (outlet, batch), own in zip(copies, acks, strict=True)
            ]

        # What a predecessor passed on before it died lies downstream under the letter's own Ack, and settles it there.
        passed = any(outlet.mailbox.accepted(outlet.edge) == letter.serial for outlet in self.post.outlets.values())

        def then() -> None:
            if not ways and not passed:
                ack.settle()
            self.done(letter, out=out, dead=outcome.dead, filtered=filtered, made=outcome.made)

        self.emit(ways, out, then)


class FilterSeat(SplittingSeat):
    """Runs a filter over each batch."""

    def on_letter(self, letter: Letter) -> None:
        if letter.suspects.hopeless:
            self.bury_whole(letter)
            return
        if not self.opened:
            self.open_plugin()
        outcome = letter.suspects.piecewise(letter.batch, self._process)
        if self.post.stage.as_json:
            outcome.parts = encoded_parts(outcome.parts, self.post.stage.columns, self.post.stage.rule)
        outcome.parts = bounded(outcome.parts)
        self.conclude(letter, outcome, {self.post.stage.name: outcome.filtered})

    def renew(self) -> None:
        self._close_plugin()
        self.lease.plugin, self.opened = self.post.furnished(), False
        self.open_plugin()

    def _process(self, piece: Piece) -> Outcome:
        plugin = self.lease.plugin
        assert isinstance(plugin, Filter)
        try:
            return self.lease.call(plugin.process_batch, piece.batch, hand=piece)
        except SeatError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever is raised, the batch is done again event by event
            self.post.note_error(error)
        try:
            outcome = self.lease.call(process_each, plugin, piece.batch, hand=piece)
        except SeatError:
            raise
        except BaseException:
            piece.blame()
            raise
        return outcome


class TagsSeat(SplittingSeat):
    """Routes each event by its tag; the first pattern that matches wins. No match is a dead letter."""

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        self.rewire()

    def rewire(self) -> None:
        post = self.post
        self._routes = [
            (compile_pattern(pattern), [post.outlets[name] for name in names]) for pattern, names in post.stage.routes
        ]
        self._numbers: dict[str, int] = {}

    def on_letter(self, letter: Letter) -> None:
        batch = letter.batch
        ack, outcome = batch.ack, Outcome()
        if isinstance(batch.tags, str):
            groups = {self._route(batch.tags): batch}
        else:
            indices: dict[int, list[int]] = {}
            for index, tag in enumerate(batch.tags):
                indices.setdefault(self._route(tag), []).append(index)
            groups = {number: batch.pick(chosen) for number, chosen in indices.items()}
        lost = groups.pop(-1, None)
        if lost is not None:
            outcome.dead = [DeadEvent(event, "no route") for event in lost.events()]
        parts = [(self._routes[number][1], part) for number, part in groups.items()]
        self.bury(ack.origin, outcome.dead, lambda: self.emit_parts(letter, parts, outcome, {}))

    def _route(self, tag: str) -> int:
        number = self._numbers.get(tag)
        if number is None:
            matches = (number for number, (matches, _) in enumerate(self._routes) if matches(tag))
            number = next(matches, -1)
            if len(self._numbers) >= 10_000:  # tags made of user input must not fill the memory
                self._numbers.clear()
            self._numbers[tag] = number
        return number
