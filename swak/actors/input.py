"""Seat of an input: reads when there is room, registers an Ack for each batch, ends in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.actors.seat import Seat, Way
from swak.errors import EndOfInput
from swak.event import EVENTS_MAX, Batch, Chunk, gather, merge
from swak.log import get
from swak.plugin import Input
from swak.stats import Tally

if TYPE_CHECKING:
    from swak.actors.lease import Lease
    from swak.actors.post import Post
    from swak.event import Event

log = get("swak.input")

IDLE_S = 0.05
"""How often an input that cannot wait by itself is asked again when it had nothing."""
RETRY_S = 1.0
"""How often an input is opened again while the system refuses (a port in use, no permission)."""
INSTANT_S = 0.001
"""An empty `read` that took less did not wait."""


class InputSeat(Seat):
    """Reads from an input whenever the gate is open."""

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        plugin = lease.plugin
        assert isinstance(plugin, Input)
        self.plugin = plugin
        self.longest_wait_s = plugin.wait_s
        if post.sources is not None:
            plugin.settled = post.sources.settled_to

    def on_open(self) -> None:
        self._open_or_retry()

    def _open_or_retry(self) -> None:
        assert self.post.sources is not None
        if self.post.draining:
            self.post.sources.close()  # what a predecessor died with stays unsettled: nobody reads on
            self.finish()
            return
        try:
            rewinds = type(self.plugin).seek is not Input.seek
            positions = self.post.sources.resume_after(self.post.accepted(), rewinds=rewinds)
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
            self._open_or_retry()
            return
        self.plugin.wait_s = self.longest_wait_s
        began = self.clock.monotonic()
        try:
            read = self.lease.call(self.plugin.read) or None  # an empty list says the same
        except EndOfInput:
            self._stop()
            return
        except OSError as error:
            self._pause(error)
            return
        if read is None and self.post.once and self.plugin.due_at() is None:
            self._stop()  # nothing now, and nothing is to be waited for
        elif read is None:
            self._rest(began)
        elif isinstance(read, Chunk):
            self._forward([read])
        else:
            self._forward(_chunks(read))

    def _rest(self, began: float) -> None:
        """Nothing came: ask again when the plugin says, or soon, unless the read has waited itself."""
        now = self.clock.monotonic()
        due_at = self.plugin.due_at()
        if due_at is not None:
            self.mailbox.shut(due_at)
        elif now - began < INSTANT_S:
            self.mailbox.shut(now + IDLE_S)
        gone = self.plugin.gone()
        if gone and self.post.sources is not None:
            self.post.sources.drop(gone)

    def _forward(self, chunks: list[Chunk]) -> None:
        assert self.post.sources is not None
        ways: list[Way] = []
        counts, accepted = Tally(), Tally()
        outlets = list(self.post.outlets.values())
        batches: list[Batch] = []
        for chunk in chunks:
            ack = self.post.sources.register(chunk.source, chunk.position, chunk.body.count, self.lease)
            if chunk.body.count:
                batches.append(Batch(chunk.body, chunk.tag, ack))
            else:
                ack.settle()  # only a position, which stands at once when all before it is settled
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
            self.emit(ways, lambda: self.mailbox.count(self.lease, accepted))

    def on_stop_reading(self) -> None:
        if not self._ways:
            self._stop()

    def _stop(self) -> None:
        """Let what the plugin held back flow, then finish."""
        rest = None
        if self.opened:
            try:
                rest = self.lease.call(self.plugin.rest)
            except OSError as error:
                log.warning("what was held back cannot be read", stage=self.post.name, error=str(error))
        if rest is None:
            self.finish()
        else:
            self._forward([rest])


def _chunks(read: list[Chunk] | list[Event]) -> list[Chunk]:
    chunks = [one for one in read if isinstance(one, Chunk)]
    events = [one for one in read if not isinstance(one, Chunk)]
    for start in range(0, len(events), EVENTS_MAX):
        body, tags = gather(events[start : start + EVENTS_MAX])
        chunks.append(Chunk(body, tags))
    return chunks
