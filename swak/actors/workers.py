"""Seat of the filters that worker processes run: gives letters out, and passes results on in the letters' order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.actors.filter import SplittingSeat
from swak.actors.mailbox import FOREVER
from swak.actors.seat import BURIAL_RETRY_S
from swak.workers.pool import Workers
from swak.workers.work import RESULTS_BYTES_MAX, Work, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.ack import Origin
    from swak.actors.lease import Lease
    from swak.actors.messages import Letter
    from swak.actors.post import Post
    from swak.narrowing import Piece
    from swak.plugin import DeadEvent
    from swak.workers.pool import Answer


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
        self._works: dict[Letter, Work] = {}
        """By letter, in their order."""
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
        if not self.plugin.has_room or size_of(self._works.values()) > RESULTS_BYTES_MAX:
            self.mailbox.shut(FOREVER)  # until something comes back
            return
        work = self._works[letter] = Work(letter.batch, letter.suspects)
        self.mailbox.pass_over(self.lease)
        self._go_on_with(work)
        self._pass_on()

    def _go_on_with(self, work: Work) -> None:
        """Give the next piece of a letter to a worker."""
        piece = work.next()
        if piece is not None:
            self._jobs[self.plugin.give(piece)] = work

    def on_tick(self) -> None:
        self.plugin.check_alive(self.lease)
        for answer in self.plugin.take():
            self._take(answer)
        if self._burial is not None:
            self._bury_now()
        else:
            self.mailbox.shut(0.0)
        self._pass_on()

    def _take(self, answer: Answer) -> None:
        for error in answer.errors:
            self.post.note_error(error)
        work = self._jobs.pop(answer.number)
        work.add(answer.outcome, answer.filtered, answer.size_bytes)
        self._go_on_with(work)
        self.mailbox.beside_bytes = size_of(self._works.values())

    def _pass_on(self) -> None:
        """Pass on what is complete, as far as everything before it has been."""
        while self._works and not self._ways and self._burial is None:
            letter, work = next(iter(self._works.items()))
            if not work.complete:
                return
            if work.hopeless:
                self.bury_whole(letter)
            else:
                self.conclude(letter, work.outcome, work.filtered)

    def on_resumed(self) -> None:
        self._pass_on()

    def bury(self, origin: Origin, dead: Sequence[DeadEvent], then: Callable[[], None]) -> None:
        # Of what was given up, nobody knows which of the filters it was at: it goes back before the first one.
        super().bury(origin, [one if one.stage else one._replace(stage=self.plugin.names[0]) for one in dead], then)

    def _bury_now(self) -> None:
        super()._bury_now()
        self._bury_at = None if self._burial is None else self.clock.monotonic() + BURIAL_RETRY_S

    def done(self, letter: Letter, **counts: Any) -> None:
        del self._works[letter]
        self.mailbox.beside_bytes = size_of(self._works.values())  # before those are told who wait for memory
        super().done(letter, **counts)
        self.mailbox.shut(0.0)

    def _close_plugin(self) -> None:
        super()._close_plugin()
        self.plugin.close()  # again: processes would outlive whatever cut the first call off
