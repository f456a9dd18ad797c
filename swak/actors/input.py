"""Seat of an input: reads when there is room, registers an Ack for each batch, ends in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.actors.mailbox import FOREVER
from swak.actors.seat import Seat, Way
from swak.errors import EndOfInput, Fenced
from swak.event import EVENTS_MAX, Batch, Chunk, gather, merge
from swak.formats.encoded import encoded
from swak.log import get
from swak.plugin import Input
from swak.stats import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.actors.lease import Lease
    from swak.actors.post import Post
    from swak.event import Event
    from swak.plugin import Plugin

log = get("swak.input")

IDLE_S = 0.05
"""How often an input that cannot wait by itself is asked again when it had nothing."""
RETRY_S = 1.0
"""How often an input is opened again while the system refuses (a port in use, no permission)."""
LEAVING = "leaving"
"""State of an input that reads no more and still tells its senders what is settled."""
INSTANT_S = 0.001
"""An empty `read` that took less did not wait."""


class InputSeat(Seat):
    """Reads from an input whenever the gate is open."""

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        assert post.sources is not None
        self.sources = post.sources
        self._sit_down(lease.plugin)
        self._answer_at = 0.0
        self._asking = False

    def _sit_down(self, plugin: Plugin | None) -> None:
        assert isinstance(plugin, Input)
        self.plugin = plugin
        plugin.settled = self.sources.settled_to
        self.longest_wait_s = plugin.wait_s
        self._rewinds = type(plugin).seek is not Input.seek

    def renew(self) -> None:
        if self.post.state == LEAVING:
            return  # it has ended, and stays for its senders only
        if self.opened and not self._rewinds:
            while rest := self.post.attempt("hand out the rest", self._take, self.plugin.rest):
                self._forward(rest)
        self.post.lost = self.post.losses()
        self._close_plugin()
        berth = self.plugin.berth
        self.lease.plugin, self.opened = self.post.furnished(), False
        self._sit_down(self.lease.plugin)
        self.plugin.berth = berth
        self.mailbox.shut(0.0)
        self._begin(self.sources.serial)

    def on_change(self) -> None:
        # What was let into memory, or waits for that, is not held back from a stage that has no time to wait.
        self._asking = self._asking and not any(way.outlet.mailbox.leaving for way in self._ways)
        super().on_change()

    def on_open(self) -> None:
        self.post.share.leave()  # what a predecessor waited for
        if self.post.draining:
            self.sources.close()  # what a predecessor died with stays unsettled: nobody reads on
            self.finish()
            return
        self._begin(self.post.accepted())

    def _begin(self, serial: int) -> None:
        """Open the plugin where the batch of that number ends; what was read after it is forgotten."""
        try:
            positions = self.sources.resume_after(serial, rewinds=self._rewinds)
            self.lease.call(self.plugin.seek, positions)
            self.open_plugin()
        except OSError as error:
            self._pause(error)

    def _pause(self, error: OSError) -> None:
        self.post.note_error(error)
        self.post.state = "retrying"
        log.warning("input is not available; trying again", stage=self.post.name, error=str(error))
        self._close_plugin()
        self.opened = False
        self.mailbox.shut(self.clock.monotonic() + RETRY_S)

    def on_read(self) -> None:
        if self.post.draining:
            self._stop()
            return
        if not self.opened:
            self.on_open()
            return
        self.plugin.wait_s = self.longest_wait_s
        began = self.clock.monotonic()
        try:
            chunks = self._take(self.plugin.read)
        except EndOfInput:
            self._stop()
            return
        except OSError as error:
            self._pause(error)
            return
        self.post.share.coming = self.plugin.coming
        if chunks:
            self._forward(chunks)
        elif self.post.once and self.plugin.due_at() is None:
            self._stop()  # nothing now, and nothing is to be waited for
        else:
            self._rest(began)

    def _take(self, function: Callable[[], Chunk | list[Chunk] | list[Event] | None]) -> list[Chunk]:
        """Take something out of the plugin. When the lease is revoked meanwhile, it is lost, and counted so."""
        taken: list[Chunk] = []
        try:
            self.lease.call(lambda: taken.extend(_chunks(function())))
        except Fenced:
            self._lose(taken)
            raise
        return taken

    def _lose(self, chunks: list[Chunk]) -> None:
        if not self._rewinds:  # nor does anybody send them again who waits for no ack
            self.sources.lose(sum(chunk.body.count for chunk in chunks if chunk.told is None))

    def _rest(self, began: float) -> None:
        """Nothing came: ask again when the plugin says, or soon, unless the read has waited itself."""
        now = self.clock.monotonic()
        due_at = self.plugin.due_at()
        if due_at is not None:
            self.mailbox.shut(due_at)
        elif now - began < INSTANT_S:
            self.mailbox.shut(now + IDLE_S)
        self.sources.drop(self.plugin.gone())

    def _forward(self, chunks: list[Chunk]) -> None:
        ways: list[Way] = []
        counts, accepted = Tally(), Tally()
        outlets = list(self.post.outlets.values())
        batches: list[Batch] = []
        for at, chunk in enumerate(chunks):
            try:
                ack = self.sources.register(chunk.source, chunk.position, chunk.body.count, self.lease, chunk.told)
            except Fenced:
                self._lose(chunks[at:])
                raise
            if chunk.body.count:
                batches.append(Batch(chunk.body, chunk.tag, ack))
            else:
                ack.settle()  # only a position, which stands at once when all before it is settled
        if self.post.stage.as_json:
            batches = [Batch(encoded(batch.body), batch.tags, batch.ack) for batch in batches]
        for batch in merge(batches) if len(batches) > 1 else batches:
            serial, count = batch.ack.serial, batch.count
            acks = batch.ack.split(len(outlets)) if len(outlets) > 1 else [batch.ack]
            ways += [
                Way(outlet, batch.with_ack(own), serial, once=False) for outlet, own in zip(outlets, acks, strict=True)
            ]
            counts.into += count
            counts.held += count
            accepted.out += count
            accepted.held -= count
        if ways:
            self.mailbox.count(self.lease, counts)
            self._asking = True
            before, going = self._then, self._going_out

            def then() -> None:
                if before is not None:  # a plugin that a reload replaces leaves more than there is room for
                    before()
                self.mailbox.count(self.lease, accepted)

            self.emit(ways, going + accepted.out, then)

    def _place(self) -> bool:
        self.mailbox.blocked = True  # before asking, as in front of a full mailbox
        share = self.post.share
        if self._asking and not share.admit(sum(way.batch.size_bytes for way in self._ways), self.lease):
            return False
        self._asking = False
        placed = super()._place()
        if placed:
            share.leave()
        return placed

    def due_at(self) -> float | None:
        answers = (self.mailbox.blocked or self.mailbox.paused) and type(self.plugin).answer is not Input.answer
        return self._answer_at if answers or self.post.state == LEAVING else None

    def on_tick(self) -> None:
        self._answer_at = self.clock.monotonic() + IDLE_S
        self.lease.call(self.plugin.answer)
        if self.post.state == LEAVING:
            self.finish()

    def finish(self) -> None:
        """End every outlet; while senders wait for what is not settled yet, the plugin stays open and tells them."""
        if self.opened and self.sources.owed():
            self.post.state = LEAVING
            self.end_outlets()
            self.mailbox.shut(FOREVER)
        else:
            super().finish()

    def on_stop_reading(self) -> None:
        if not self._ways:
            self._stop()

    def _stop(self) -> None:
        """Let what the plugin held back flow, then finish."""
        rest: list[Chunk] = []
        if self.opened:
            try:
                rest = self._take(self.plugin.rest)
            except OSError as error:
                log.warning("what was held back cannot be read", stage=self.post.name, error=str(error))
        self._forward(rest) if rest else self.finish()


def _chunks(read: Chunk | list[Chunk] | list[Event] | None) -> list[Chunk]:
    if read is None or isinstance(read, Chunk):
        return [] if read is None else [read]
    chunks = [one for one in read if isinstance(one, Chunk)]
    events = [one for one in read if not isinstance(one, Chunk)]
    parts = [gather(events[start : start + EVENTS_MAX]) for start in range(0, len(events), EVENTS_MAX)]
    return chunks + [Chunk(body, tags) for body, tags in parts]
