"""Seat of a failover: lends each batch to one child at a time, and to the next when that one cannot take it."""

from __future__ import annotations

import hashlib
import random
import socket
from typing import TYPE_CHECKING, Literal

import psutil

from swak.actors.delivering import DeliveringSeat
from swak.actors.mailbox import FOREVER
from swak.actors.messages import Answer, Control, Down, Fate, Letter, Offer, Up
from swak.event import from_events
from swak.log import get
from swak.narrowing import Suspects
from swak.options import longest
from swak.plugin import DeadEvent

if TYPE_CHECKING:
    from swak.actors.lease import Lease
    from swak.actors.post import Post
    from swak.event import Event

log = get("swak.failover")


class FailoverSeat(DeliveringSeat):
    """Keeps the head letter until a child has it; in the meantime the gate is shut and only control comes in.

    While none of them can take it, it waits as long as the most patient child would.
    """

    def __init__(self, post: Post, lease: Lease) -> None:
        super().__init__(post, lease)
        self._lay_out()
        self._rest: list[Event] = []
        """What a child refused of the head letter: it goes to `last`."""
        self._rest_suspects = Suspects()

    def _lay_out(self) -> None:
        stage, flow = self.post.stage, self.post.flow
        first = preferred(stage.start, len(stage.children))
        self._ring = [*stage.children[first:], *stage.children[:first]]
        if stage.last is not None:
            self._ring.append(stage.last)
        self.retry_for = longest(getattr(flow.stage(name).plugin, "retry_for", None) for name in self._ring)
        self.post.down &= set(self._ring)

    def rewire(self) -> None:
        self._lay_out()
        letter = self.mailbox.head()
        offer = letter.offer if letter is not None else None
        if offer is not None and offer.child not in self._ring:
            offer.decide(Fate.WITHDRAWN)
        if offer is None or offer.fate is not Fate.LENT:
            self.mailbox.shut(0.0)

    def due_at(self) -> float | None:
        return self.overdue_at()

    def on_tick(self) -> None:
        self.look_whether_overdue()

    def on_letter(self, letter: Letter) -> None:
        if letter.offer is not None and letter.offer.fate is Fate.LENT:
            self.mailbox.shut(FOREVER)
        elif letter.offer is None or not self._conclude(letter, letter.offer):
            self._lend(letter)

    def _lend(self, letter: Letter) -> None:
        """Offer the letter, or what a child refused of it, to the first child that is not down; else wait for one."""
        stage = self.post.stage
        ring = [stage.last] if self._rest and stage.last is not None else self._ring
        child = next((name for name in ring if name not in self.post.down), None)
        self.mailbox.shut(FOREVER)  # until the child answers or goes down, or another one comes up
        if child is None:
            self.post.live_child = ""
            self.post.state = "retrying"
            self.not_delivered()
            return
        if child != self.post.live_child:
            log.info("failover uses this output now", stage=self.post.name, output=child)
        self.post.live_child = child
        self.post.state = "running"
        batch = from_events(self._rest, letter.batch.ack) if self._rest else letter.batch
        has_last = stage.last is not None and child != stage.last
        suspects = self._rest_suspects if self._rest else letter.suspects
        letter.offer = Offer(child, self.lease, has_last=has_last, suspects=suspects)
        outlet = self.post.outlets[child]
        outlet.mailbox.put(self.lease, outlet.edge, batch, letter.serial, offer=letter.offer)

    def _conclude(self, letter: Letter, offer: Offer) -> bool:
        """Let the letter go if the child has it all. False: the letter, or a rest of it, has to be lent again."""
        fate = offer.fate
        if fate not in (Fate.DONE, Fate.KEPT):
            return False
        if offer.refused:
            self._rest, self._rest_suspects = list(offer.refused), Suspects()
            return False
        if fate is Fate.DONE:
            letter.batch.ack.settle()
        self._rest = []
        self.mailbox.shut(0.0)
        self.done(letter, out=letter.batch.count)
        return True

    def on_overdue(self, letter: Letter, why: str) -> None:
        reason = f"{why}: {(letter.offer and letter.offer.why) or 'every output is down'}"
        dead = [DeadEvent(event, reason) for event in self._rest or letter.batch.events()]

        def then() -> None:
            letter.batch.ack.settle()
            self._rest = []
            self.mailbox.shut(0.0)
            self.done(letter, out=letter.batch.count - len(dead), dead=dead)

        self.bury(letter.batch.ack.origin, dead, then)

    def on_control(self, control: Control) -> None:
        letter = self.mailbox.head()
        offer = letter.offer if letter is not None else None
        if isinstance(control, Up):
            self.post.down.discard(control.child)
            self._burial = None  # of a letter that nobody took: now somebody can
            if offer is None or offer.fate is not Fate.LENT:
                self.mailbox.shut(0.0)
            return
        if isinstance(control, Down):
            self.post.down.add(control.child)
            if offer is not None and offer.child == control.child:
                offer.decide(Fate.WITHDRAWN)
        if letter is None or offer is None or offer.fate is Fate.LENT:
            return
        if isinstance(control, Answer) and control.offer is not offer:
            return  # of an old epoch
        if offer.fate is Fate.REFUSED:
            self.post.down.add(offer.child)
        if not self._conclude(letter, offer):
            self._lend(letter)


def preferred(start: Literal["ip", "random"] | int, children: int) -> int:
    """Return the index of the child to prefer. "ip": SHA-256 of this machine's lowest address, the same every time."""
    if isinstance(start, int):
        return start
    if start == "random":
        return random.randrange(children)  # noqa: S311 - spreads load, guards nothing
    digest = hashlib.sha256(local_address().encode()).digest()
    return int.from_bytes(digest[:8]) % children


def local_address() -> str:
    """Return the lowest IPv4 address of this machine that is not loopback, else its name. Asks nobody."""
    found = sorted(
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    )
    return found[0] if found else socket.gethostname()
