"""Seat of a memory buffer: what it holds stays in the mailbox's held zone until its flush is accepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from swak.actors.seat import Seat, Way
from swak.errors import SeatError
from swak.narrowing import KILLERS_MAX, Piece
from swak.plugin import Buffer

if TYPE_CHECKING:
    from swak.actors.lease import Lease
    from swak.actors.messages import Letter
    from swak.actors.post import Post


class BufferSeat(Seat):
    """Adds each batch to the buffer and passes on what is due."""

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        plugin = lease.plugin
        assert isinstance(plugin, Buffer)
        self.plugin = plugin
        self._ending = False

    def due_at(self) -> float | None:
        if not self.opened or self._ways:
            return None
        return 0.0 if self._is_waited_for() else self.plugin.due_at()

    def _is_waited_for(self) -> bool:
        """Whether somebody waits for what is held here."""
        return self.post.share.hurried and self.mailbox.has_held

    def on_letter(self, letter: Letter) -> None:
        if letter.suspects.deaths >= KILLERS_MAX:  # never in pieces: what is held is held by letters
            self.bury_whole(letter)
            return
        piece = Piece(letter.batch, letter.suspects)
        try:
            self.lease.call(self.plugin.add, letter.batch, hand=piece)
        except SeatError:
            raise
        except BaseException:
            piece.blame()
            raise
        self.mailbox.hold(self.lease)
        self._flush()

    def on_tick(self) -> None:
        self._flush()

    def on_resumed(self) -> None:
        self._flush()

    def on_end(self) -> None:
        self._ending = True
        self._flush()

    def _flush(self) -> None:
        """Pass on what is due; where a mailbox is full, `on_resumed` comes back here."""
        while not self._ways:
            early = self._is_waited_for() and not self._ending
            batch = self.lease.call(partial(self.plugin.take, end=self._ending or early))
            if batch is None:
                if self._ending:
                    self.finish()
                return
            if early:
                self.post.share.note_early(self.post.stage.name)
            outlets = list(self.post.outlets.values())
            acks = batch.ack.split(len(outlets)) if len(outlets) > 1 else [batch.ack]
            ways = [Way(outlet, batch.with_ack(ack), 0, once=False) for outlet, ack in zip(outlets, acks, strict=True)]
            release = partial(self.mailbox.release, self.lease, batch.count)
            self.emit(ways, batch.count, release)
