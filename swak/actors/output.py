"""Seat of an output: one write in hand, retries, bisection, pending writes, and the answers of a failover child."""

from __future__ import annotations

import random
import traceback
from typing import TYPE_CHECKING, Any

from swak.actors.delivering import DeliveringSeat
from swak.actors.mailbox import FOREVER
from swak.actors.messages import Answer, Broken, Fate, Letter, Turned
from swak.errors import Gone, Refused, Retry, SeatError
from swak.log import get
from swak.narrowing import Piece
from swak.plugin import DeadEvent, Input, Output

if TYPE_CHECKING:
    from swak.actors.lease import Lease
    from swak.actors.post import Post
    from swak.plugin import Plugin

log = get("swak.output")

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 30.0
PROBE_S = 0.5
"""How often an output that is down is probed, and an idle failover child asked whether its far end is still there."""
MEMORY_TRIES = 3


class OutputSeat(DeliveringSeat):
    """Writes letter by letter; what cannot be written stays at the head, or goes back to the router."""

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        self._sit_down(lease.plugin)
        self._at: Letter | None = None
        """The letter that `_work` and `_dead` belong to."""
        self._work: list[Piece] = []
        self._dead: list[DeadEvent] = []
        source = post.flow.input.plugin
        self._awaited = isinstance(source, Input) and source.patience_s() is not None
        """Whether those who send this flow's events wait until they are settled."""
        self._failures, self._synced_at = 0, 0.0
        self._retry_at: float | None = None
        self._probe_at: float | None = None
        self._idle_look_at: float | None = None

    # When to be woken

    def due_at(self) -> float | None:
        times = [self._retry_at, self._probe_at, self.overdue_at()]
        if self._retry_at is None:
            times += [self._idle_look_at, self._sync_at()]
        return min((time for time in times if time is not None), default=None)

    def on_tick(self) -> None:
        now = self.clock.monotonic()
        if self._retry_at is not None:
            self._look_whether_back(now)
        elif self._idle_look_at is not None and now >= self._idle_look_at:
            self._look_whether_there(now)
        sync_at = self._sync_at()
        if sync_at is not None and self.clock.monotonic() >= sync_at:
            self._sync()
        self.look_whether_overdue()

    def _sync_at(self) -> float | None:
        """When the plugin wants to sync. While senders, or others for memory, wait: when there is no more to write."""
        due_at = self.plugin.due_at() if self.opened else None
        if self.opened and self.mailbox.has_held and (self.mailbox.paused or self.mailbox.head() is None):
            return self.post.share.sync_at(due_at, self._synced_at, awaited=self._awaited)
        return due_at

    # Opening, being down, coming back

    def on_open(self) -> None:
        if self._open():
            self._tell_root(up=True)

    def _open(self) -> bool:
        try:
            self.open_plugin()
        except OSError as error:
            self._go_down(error)
            return False
        self._retry_at = self._probe_at = None
        self.mailbox.shut(0.0)
        if self.post.stage.router is not None:
            self._idle_look_at = self.clock.monotonic() + PROBE_S
        return not self.mailbox.has_held or self._sync()  # what is held now was inherited, and may never be due

    def _go_down(self, error: BaseException, after_s: float = 0.0) -> None:
        """Shut the gate until the backoff is over or a probe says that the far end is back."""
        self.post.note_error(error)
        if not self._failures:
            log.warning("output is down; trying again", stage=self.post.name, error=str(error))
        self.post.note_retry()
        self._failures += 1
        backoff_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(self._failures - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        now = self.clock.monotonic()
        self._retry_at = now + max(backoff_s, after_s)
        self._probe_at = now + PROBE_S
        self._idle_look_at = None
        self.mailbox.shut(FOREVER)
        if self.opened:
            self._save_pending()
            self._close_plugin()
            self.opened = False
        self._tell_root(up=False)
        self._give_back()
        if self.retry_for is not None and self.mailbox.has_held:
            self._write_again()  # what is inherited has its time, too
        self.not_delivered()

    def _look_whether_back(self, now: float) -> None:
        assert self._retry_at is not None
        self._give_back()  # what was lent before the router knew
        if now < self._retry_at:
            if self._probe_at is None or now < self._probe_at:
                return
            self._probe_at = now + PROBE_S
            if not self.lease.call(self.plugin.probe):
                return
        self.on_open()

    def _look_whether_there(self, now: float) -> None:
        self._idle_look_at = now + PROBE_S
        if not self.lease.call(self.plugin.alive):
            self._go_down(ConnectionResetError("the far end is gone"))
        else:
            self._tell_root(up=True)  # again and again: facts may be repeated, and a router may have missed one

    def _tell_root(self, *, up: bool) -> None:
        if self.post.stage.router is not None:
            self.post.site.tell_root(Turned(self.post, up))

    # Writing

    def on_letter(self, letter: Letter) -> None:
        if letter is not self._at:
            self._forget_work()
            self._at = letter
        offer = letter.offer
        if offer is not None and offer.fate in (Fate.WITHDRAWN, Fate.REFUSED):
            self.mailbox.done(self.lease)
        elif letter.batch.ack.settled:
            letter.batch.ack.settle()  # a predecessor may have died between marking and moving the mark
            self._written(letter)
        elif letter.suspects.hopeless:
            self.bury_whole(letter)
        else:
            self._write(letter)

    def _write(self, letter: Letter) -> None:
        if not self._work:
            self._work = letter.suspects.pieces(letter.batch)
        while self._work:
            piece = self._work[0]
            if piece.reason:
                if not self._give_up(letter, piece, piece.given_up().dead, final=True):
                    return
                continue
            if not self.opened and not self._open():
                return
            self.plugin.more_follows = self.mailbox.head(1) is not None
            try:
                pending = self.lease.call(self.plugin.write, piece.batch, hand=piece)
            except BaseException as error:  # noqa: BLE001 - SystemExit and the like from a plugin are no different
                if not self._cope(letter, piece, error):
                    return
                continue
            if self._failures:
                log.info("output is back", stage=self.post.name)
            if self._failures or self.post.down_since is not None or self.post.state == "retrying":
                self._failures, self.post.last_error, self.post.state, self.post.down_since = 0, "", "running", None
            if pending is not None and piece.batch is letter.batch:
                self._work.clear()
                self._keep(letter)
                return
            if pending is not None and not self._sync():
                return
            piece.batch.ack.settle()
            self._work.pop(0)
        self._written(letter)

    def _cope(self, letter: Letter, piece: Piece, error: BaseException) -> bool:
        """Decide what a failed write means. True: go on with the work list; False: wait."""
        if isinstance(error, SeatError) or self.lease.revoked:
            raise error
        if isinstance(error, Retry):
            self._slow_down(letter, error)
            return False
        if isinstance(error, OSError):
            self._go_down(error)
            return False
        if isinstance(error, Gone):
            self.post.note_error(error)
            self.mailbox.shut(FOREVER)
            self.post.site.tell_root(Broken(self.post, str(error)))
            return False
        self.post.note_error(error)
        if isinstance(error, Refused):
            return self._give_up(letter, piece, [DeadEvent(event, error.reason) for event in error.events])
        if isinstance(error, MemoryError) and piece.tries < MEMORY_TRIES:
            self._work[0] = piece._replace(tries=piece.tries + 1)
            self.mailbox.shut(self.clock.monotonic() + BACKOFF_FIRST_S)
            return False
        log.warning("output raised", stage=self.post.name, events=piece.batch.count, error=repr(error))
        self._renew()
        if self.mailbox.head() is not letter:
            return False  # what was pending comes first again
        return self._narrow(letter, piece, error)

    def _narrow(self, letter: Letter, piece: Piece, error: BaseException) -> bool:
        """Try the whole once more with the fresh plugin, then halves, down to the one event that fails."""
        batch = piece.batch
        if batch is letter.batch and piece.tries == 0:
            self._work[0] = piece._replace(tries=1)
            return True
        if batch.count > 1:
            self._work[0:1] = piece.halves()
            return True
        trace = "".join(traceback.format_exception(error))
        dead = [DeadEvent(event, f"{type(error).__name__}: {error}", trace) for event in batch.events()]
        return self._give_up(letter, piece, dead)

    def _give_up(self, letter: Letter, piece: Piece, dead: list[DeadEvent], *, final: bool = False) -> bool:
        """Send events to `last`, or else to the dead letters; the rest of the piece counts as written.

        Always to the dead letters when that is `final`, and when the letter was taken over and is ours alone.
        """
        offer = letter.offer
        if offer is not None and offer.has_last and not final and offer.fate is not Fate.KEPT:
            offer.refused += [one.event for one in dead]
            self._work.pop(0)
            return True

        def then() -> None:
            self._dead += dead
            piece.batch.ack.settle()
            self._work.pop(0)

        self.bury(letter.batch.ack.origin, dead, then)
        return self._burial is None

    def _slow_down(self, letter: Letter, retry: Retry) -> None:
        """The far end asks for time: the same batch again, without opening anew."""
        if letter.offer is not None and letter.offer.fate is Fate.LENT:
            self._go_down(retry, retry.after_s)
            return
        if self.post.state != "retrying":
            self.post.note_error(retry)
        self.post.note_retry()
        self.mailbox.shut(self.clock.monotonic() + (retry.after_s or BACKOFF_FIRST_S / 2))
        self.not_delivered()

    def on_overdue(self, letter: Letter, why: str) -> None:
        if letter is not self._at:
            self._forget_work()
            self._at = letter
        left = self._work or [Piece(letter.batch, letter.suspects)]
        reason = f"{why}: {self.post.last_error}"
        dead = [DeadEvent(event, reason) for piece in left for event in piece.batch.events()]

        def then() -> None:
            self._dead += dead
            self._written(letter)
            if self._retry_at is not None:
                self._retry_at = self.clock.monotonic()  # the next one is tried before its own time begins
                self.post.state = "retrying"
                self.mailbox.shut(FOREVER)

        self.bury(letter.batch.ack.origin, dead, then)

    def _renew(self) -> None:
        """Put a fresh plugin in the seat. What the old one had pending is synced, or else written again."""
        self._save_pending()
        self._close_plugin()
        self._sit_down(self.post.furnished())

    def _sit_down(self, plugin: Plugin | None) -> None:
        assert isinstance(plugin, Output)
        self.lease.plugin = self.plugin = plugin
        self.retry_for, self.opened = plugin.retry_for, False

    def renew(self) -> None:
        self._renew()
        self.on_open()

    # What became of a letter

    def _written(self, letter: Letter) -> None:
        dead, self._dead = self._dead, []
        offer = letter.offer
        refused = len(offer.refused) if offer is not None else 0
        if not refused:
            letter.batch.ack.settle()
        self.done(letter, out=letter.batch.count - len(dead) - refused, dead=dead, elsewhere=refused)

    def done(self, letter: Letter, **counts: Any) -> None:
        self._answer(letter, Fate.DONE)
        super().done(letter, **counts)
        self._at = None

    def _keep(self, letter: Letter) -> None:
        """Pending: the letter waits in the held zone for the next sync, and is this stage's own from now on."""
        self._answer(letter, Fate.KEPT)
        self.mailbox.hold(self.lease)

    def _answer(self, letter: Letter, fate: Fate) -> None:
        if (offer := letter.offer) is not None:
            offer.decide(fate)
            self._tell_router(Answer(offer))

    def _give_back(self) -> None:
        """Give lent letters back to the router, which has other outputs, so that the end behind them can be seen.

        A letter of our own stays at the head. What is lent behind it, the router withdraws when it hears that we are
        down.
        """
        while (letter := self.mailbox.head()) is not None and (offer := letter.offer) is not None:
            offer.why = self.post.last_error
            if offer.decide(Fate.REFUSED) not in (Fate.REFUSED, Fate.WITHDRAWN):
                return
            self._tell_router(Answer(offer))
            self._forget_work()
            offer.refused.clear()
            self.mailbox.done(self.lease)

    def _tell_router(self, answer: Answer) -> None:
        router = self.post.stage.router
        if router is not None:
            self.mailbox.upstream[router].tell(answer)

    # Pending writes

    def _sync(self) -> bool:
        try:
            self._sync_or_raise()
        except OSError as error:
            self._write_again()
            self._go_down(error)
            return False
        return True

    def _sync_or_raise(self) -> None:
        held = self.mailbox.held()
        self.lease.call(self.plugin.sync)
        self._synced_at = self.clock.monotonic()
        for letter in held:
            letter.batch.ack.settle()
        self.mailbox.release(self.lease, sum(letter.batch.count for letter in held))

    def _save_pending(self) -> None:
        """Before the plugin is closed: make safe what is pending; what cannot be is written again."""
        if self.mailbox.has_held:
            self.post.attempt("sync; what is pending is written again", self._sync_or_raise)
        if self.mailbox.has_held:
            self._write_again()

    def _write_again(self) -> None:
        self.mailbox.unhold(self.lease)
        self._forget_work()

    def _forget_work(self) -> None:
        """The head is another letter now, or nobody's: begin anew."""
        self._at = None
        self._work.clear()
        self._dead.clear()
        self._burial = None

    def on_end(self) -> None:
        if self.mailbox.has_held and not self.opened:
            self._write_again()  # inherited, and the far end is down
        elif not self.mailbox.has_held or self._sync():
            self.finish()
