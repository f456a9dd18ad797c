"""The pykka actor of one stage. `turn` is the only way in, for a thread as for main's loop."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.actors.actor import Actor, Inbox
from swak.actors.messages import Changed, Control, Died, Letter, Over, Renew, Shown, Sign, Stop
from swak.deadletters import DeadLetter
from swak.errors import SeatError
from swak.log import WHERE, get
from swak.plugin import DeadEvent
from swak.stats import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from swak.ack import Origin
    from swak.actors.lease import Lease
    from swak.actors.mailbox import Mailbox
    from swak.actors.post import Outlet, Post
    from swak.event import Batch

log = get("swak.seat")

BURIAL_RETRY_S = 1.0
"""How long a stage waits when the dead-letter store cannot write, e.g. on a full disk."""


class Way(NamedTuple):
    """One batch on its way to one outlet."""

    outlet: Outlet
    batch: Batch
    key: int
    once: bool


class Seat(Actor):
    """Thread and mailbox of one stage, for one lease. Subclasses know what a letter means to their kind of plugin."""

    def __init__(self, post: Post, lease: Lease) -> None:
        self.post = post
        self.lease = lease
        super().__init__()
        self.mailbox: Mailbox = post.mailbox
        self.clock = post.site.clock
        self.opened = False
        self._ways: deque[Way] = deque()
        self._going_out = 0  # events in these, which the tally does not count as out yet
        self._then: Callable[[], None] | None = None
        self._burial: tuple[Origin, Sequence[DeadEvent], Callable[[], None]] | None = None

    def _create_actor_inbox(self) -> Inbox:  # type: ignore[override]
        return Inbox(self._take_envelope)

    def _take_envelope(self, envelope: Any) -> None:
        """Pykka's own envelopes, of a foreign `stop_all`, ask the root to drain."""
        self.post.site.tell_root(Stop(now=False))
        if envelope.reply_to is not None:
            envelope.reply_to.set(None)

    def _start_actor_loop(self) -> None:
        if self.post.flow.kind == "task":
            thread = threading.Thread(target=self._actor_loop, name=f"swak:{self.post.name}", daemon=True)
            thread.start()
            self.lease.thread = thread  # after the start: a thread that is not alive counts as dead
        else:
            self.mailbox.bell()

    def _actor_loop(self) -> None:
        self.lease.thread = threading.current_thread()  # a short run may end before our starter goes on to note it
        WHERE.set({"stage": self.post.name})
        try:
            while not self.lease.over:
                shown = self.mailbox.get(self.lease, self.due_at())
                if shown is not None:
                    self.turn(shown)
        except SeatError:
            self.leave()
        except BaseException as error:  # noqa: BLE001 - whatever ends the thread, the root must know
            self.die(error)
        finally:
            self.retire()

    def step(self) -> bool:
        """Take one turn if there is something to do; for main's loop. Return whether there was."""
        try:
            shown = self.mailbox.get(self.lease, self.due_at(), wait=False)
            if shown is None:
                return False
            self.turn(shown)
        except SeatError:
            self.leave()
            self.retire()
        if self.lease.over:
            self.retire()
        return True

    def turn(self, shown: Shown) -> None:
        """Do what the mailbox has shown."""
        if isinstance(shown, Letter):
            if self._burial is not None:
                self._bury_now()
            elif not self._ways:
                self.on_letter(shown)
        elif shown is Sign.READ:
            self.on_read()
        elif shown is Sign.POKE:
            if self._ways and self._place():
                self.on_resumed()
        elif shown is Sign.TICK:
            self.on_tick()
        elif shown is Sign.END:
            self.on_end()
        elif shown is Sign.OPEN:
            self.on_open()
        elif shown is Sign.STOP:
            self.on_stop_reading()
        elif shown is Sign.CHANGE:
            self.on_change()
        elif not isinstance(shown, Sign):
            self.on_control(shown)

    # What kinds of seats override

    def due_at(self) -> float | None:
        """Return when the seat wants a tick, in monotonic seconds."""
        return None

    def on_open(self) -> None:
        """Begin: open the plugin."""
        self.open_plugin()

    def on_letter(self, letter: Letter) -> None:
        """Work on the head of the mailbox."""
        raise NotImplementedError

    def on_read(self) -> None:
        """Read: inputs only."""

    def on_tick(self) -> None:
        """Do what was due."""

    def on_stop_reading(self) -> None:
        """Stop reading: inputs only."""

    def on_control(self, control: Control) -> None:
        """Take a word of the root or of a child: failover only."""

    def on_change(self) -> None:
        """Take on what a reload has planned. What is on its way still goes the old way; later letters go another."""
        plan = self.post.planned
        if plan is None:
            return
        if self._ways:  # those to stages that leave first: there is always room, and no time
            self._ways = deque(sorted(self._ways, key=lambda way: not way.outlet.mailbox.leaving))
            self._place()
        self.post.apply(plan, self.mailbox.tally.out + self._going_out)
        self.rewire()
        if plan.fresh:
            self.renew()
        if self.post.planned is plan:
            self.post.planned = None
        self.post.site.tell_root(Changed(self.post))

    def rewire(self) -> None:
        """See the outlets anew: they, or what they are for, have changed."""

    def renew(self) -> None:
        """Put a plugin with other options in the seat. Who can keep nothing of the old one is replaced by the root."""
        self.post.site.tell_root(Renew(self.post, self.lease))

    def on_resumed(self) -> None:
        """Go on after a wait for room downstream."""

    def on_end(self) -> None:
        """Flush, tell the outlets that nothing comes any more, and be over."""
        self.finish()

    # What they share

    def open_plugin(self) -> None:
        """Open the plugin of this lease. Exceptions are the caller's."""
        plugin = self.lease.plugin
        if plugin is not None:
            self.lease.call(plugin.open)
        self.opened = True
        self.post.state = "running"

    def emit(self, ways: list[Way], out: int, then: Callable[[], None]) -> None:
        """Put batches of `out` events to outlets as room appears; when all are accepted, do `then`."""
        self._ways.extend(ways)
        self._going_out = out
        self._then = then
        self._place()

    def _place(self) -> bool:
        while self._ways:
            outlet, batch, key, once = self._ways[0]
            self.mailbox.blocked = True  # before the attempt: a poke that follows it opens the gate again
            if not outlet.mailbox.put(self.lease, outlet.edge, batch, key, once=once):
                return False
            self.mailbox.blocked = False
            self._ways.popleft()
        then, self._then = self._then, None
        self._going_out = 0
        if then is not None:
            then()
        return True

    def bury(self, origin: Origin, dead: Sequence[DeadEvent], then: Callable[[], None]) -> None:
        """Write dead letters, synced, then go on with `then`. While the store fails, the stage waits and retries."""
        if not dead:
            then()
            return
        self._burial = (origin, dead, then)
        self._bury_now()

    def _bury_now(self) -> None:
        assert self._burial is not None
        origin, dead, then = self._burial
        flow, stage = self.post.flow.name, self.post.stage.name
        letters = [DeadLetter(one.event, origin, flow, one.stage or stage, one.reason, one.trace) for one in dead]
        try:
            self.post.site.dead_letters.append(letters)
        except OSError as error:
            self.post.note_error(error)
            self.post.state = "retrying"
            log.error("dead letters cannot be written; the stage waits", stage=self.post.name, error=str(error))
            self.mailbox.shut(self.clock.monotonic() + BURIAL_RETRY_S)
            return
        self.post.state = "running"
        self._burial = None
        self.post.note_error(f"dead letter: {dead[0].reason}", len(dead))
        log.warning("events went to the dead letters", stage=self.post.name, events=len(dead), reason=dead[0].reason)
        then()

    def bury_whole(self, letter: Letter) -> None:
        """Send a letter that ended too many seats to the dead letters."""
        reason = f"{letter.suspects.deaths} seats ended with this batch in hand"
        dead = [DeadEvent(event, reason) for event in letter.batch.events()]

        def then() -> None:
            letter.batch.ack.settle()
            self.done(letter, out=0, dead=dead)

        self.bury(letter.batch.ack.origin, dead, then)

    def done(
        self,
        letter: Letter,
        *,
        out: int,
        dead: Sequence[DeadEvent] = (),
        filtered: Mapping[str, int] | None = None,
        made: int = 0,
        elsewhere: int = 0,
    ) -> None:
        """Take the head away, count its events; those `elsewhere` were given back, and another stage counts them."""
        counts = Tally()
        counts.into = letter.batch.count - elsewhere
        counts.out = out
        counts.made = made
        counts.filtered.update({stage: count for stage, count in (filtered or {}).items() if count})
        for one in dead:
            counts.dead[one.reason] += 1
        self.mailbox.done(self.lease, counts)

    def finish(self) -> None:
        """End every outlet, close the plugin, and be over."""
        self.end_outlets()
        if self.lease.plugin is not None:
            self.lease.plugin.ended = True
        self._close_plugin()
        self.post.state = "over"
        self.lease.over = True
        self.post.site.tell_root(Over(self.post))

    def end_outlets(self) -> None:
        """Tell everybody downstream that nothing comes any more. May be repeated."""
        for outlet in self.post.outlets.values():
            outlet.mailbox.end(self.lease, outlet.edge)

    def _close_plugin(self) -> None:
        plugin = self.lease.plugin
        if plugin is not None:
            self.post.attempt("close", self.lease.call, plugin.close)

    def leave(self) -> None:
        """After the lease was revoked or the mailbox closed: release what the plugin holds, touch nothing else."""
        plugin = self.lease.plugin
        if plugin is not None:
            self.post.attempt("close", plugin.close)

    def die(self, error: BaseException) -> None:
        """Tell the root that this seat's thread is at its end."""
        self.post.note_error(error)
        self.post.site.tell_root(Died(self.post, self.lease, error))
