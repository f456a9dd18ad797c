"""Seat of the filters that worker processes run: gives letters out, and passes results on in the letters' order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.actors.filter import SplittingSeat
from swak.actors.mailbox import FOREVER
from swak.actors.seat import BURIAL_RETRY_S
from swak.plugin import Outcome
from swak.stats import Reasons
from swak.workers.pool import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from swak.ack import Origin
    from swak.actors.lease import Lease
    from swak.actors.messages import Letter
    from swak.actors.post import Post
    from swak.narrowing import Piece
    from swak.plugin import DeadEvent
    from swak.workers.pool import Answer

RESULTS_BYTES_MAX = 8 * 1024 * 1024
"""No more letters are given out while so much waits for its turn."""


class Work:
    """A letter that was given out, whole or in pieces, and what came back of it."""

    def __init__(self, letter: Letter) -> None:
        self.letter = letter
        self.hopeless = letter.suspects.hopeless
        self.pieces = [] if self.hopeless else letter.suspects.pieces(letter.batch)
        self.outcome = Outcome()
        self.filtered = Reasons()
        self.size_bytes = 0
        self.complete = False

    def add(self, outcome: Outcome, filtered: Mapping[str, int], size_bytes: int = 0) -> None:
        """Note what became of the next piece."""
        self.outcome.parts += outcome.parts
        self.outcome.dead += outcome.dead
        self.outcome.made += outcome.made
        self.size_bytes += size_bytes
        for stage, count in filtered.items():
            self.filtered[stage] += count


class WorkersSeat(SplittingSeat):
    """Has several letters of its mailbox in hand at a time. They stay there until what came of them is passed on.

    So all that is at the workers, or has come back and waits for its turn, is within the mailbox's bounds (BATCHES_MAX
    and BYTES_MAX), at most JOBS_MAX letters are at each worker, and a successor finds all of them in their order. What
    came back is bounded besides: beyond RESULTS_BYTES_MAX nothing more is given out.
    """

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        plugin = lease.plugin
        assert isinstance(plugin, Workers)
        self.plugin = plugin
        self._works: dict[int, Work] = {}
        """By the serials of their letters, in their order."""
        self._jobs: dict[int, Work] = {}
        """Those that are at a worker, by the number of the job."""
        self._bury_at: float | None = None
        plugin.tell, plugin.note = post.mailbox.wake, self._note_in_hand
        plugin.prepare(post.name, as_json=post.stage.as_json)

    def _note_in_hand(self, since: float | None, piece: Piece | None) -> None:
        """Have the supervisor see how long a worker has been at one job, as if it were a call into the plugin."""
        self.lease.in_hand, self.lease.in_plugin_since = piece, since

    def due_at(self) -> float | None:
        return 0.0 if self.plugin.has_news else self._bury_at

    def on_letter(self, letter: Letter) -> None:
        waiting = sum(work.size_bytes for work in self._works.values())
        if not self.plugin.has_room or waiting > RESULTS_BYTES_MAX:
            self.mailbox.shut(FOREVER)  # until something comes back
            return
        work = self._works[letter.serial] = Work(letter)
        self.mailbox.pass_over(self.lease)
        self._go_on_with(work)
        self._pass_on()

    def _go_on_with(self, work: Work) -> None:
        """Give the next piece of a letter to a worker. Events that are given up need none."""
        while work.pieces:
            piece = work.pieces.pop(0)
            if not piece.reason:
                self._jobs[self.plugin.give(piece)] = work
                return
            work.add(piece.given_up(), {})
        work.complete = True

    def on_tick(self) -> None:
        self._look_for_the_lost()
        for answer in self.plugin.take():
            self._take(answer)
        if self._burial is not None:
            self._bury_now()
        else:
            self.mailbox.shut(0.0)
        self._pass_on()

    def _look_for_the_lost(self) -> None:
        piece = self.plugin.lost_piece
        if piece is not None:
            self.lease.check()  # whoever aborts the workers has blamed it already
            piece.blame()
        self.plugin.check_alive()

    def _take(self, answer: Answer) -> None:
        for error in answer.errors:
            self.post.note_error(error)
        work = self._jobs.pop(answer.number)
        work.add(answer.outcome, answer.filtered, answer.size_bytes)
        self._go_on_with(work)
        self.mailbox.beside_bytes = sum(one.size_bytes for one in self._works.values())

    def _pass_on(self) -> None:
        """Pass on what is complete, as far as everything before it has been."""
        while self._works and not self._ways and self._burial is None:
            work = next(iter(self._works.values()))
            if not work.complete:
                return
            if work.hopeless:
                self.bury_whole(work.letter)
            else:
                self.conclude(work.letter, work.outcome, work.filtered)

    def on_resumed(self) -> None:
        self._pass_on()

    def bury(self, origin: Origin, dead: Sequence[DeadEvent], then: Callable[[], None]) -> None:
        first = self.plugin.names[0]  # of what was given up, nobody knows which of the filters it was at
        super().bury(origin, [one if one.stage else one._replace(stage=first) for one in dead], then)

    def _bury_now(self) -> None:
        super()._bury_now()
        self._bury_at = None if self._burial is None else self.clock.monotonic() + BURIAL_RETRY_S

    def done(self, letter: Letter, **counts: Any) -> None:
        super().done(letter, **counts)
        del self._works[letter.serial]
        self.mailbox.shut(0.0)
        self.mailbox.beside_bytes = sum(one.size_bytes for one in self._works.values())

    def _close_plugin(self) -> None:
        super()._close_plugin()
        self.plugin.close()  # again: processes would outlive whatever cut the first call off
