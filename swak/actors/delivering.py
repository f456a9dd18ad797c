"""What seats have in common whose letters wait for a far end: how long one may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.actors.seat import Seat

if TYPE_CHECKING:
    from swak.actors.messages import Letter
    from swak.options import Duration


class DeliveringSeat(Seat):
    """Gives the head letter up when it could not be delivered for `retry_for`, counted from its first failed try.

    The time is the letter's own: it goes on when the seat is replaced, and the next letter's begins with its own first
    failure. A restart of the process begins all of them anew.
    """

    retry_for: Duration | None = None

    def overdue_at(self) -> float | None:
        """Return when the head is to be given up, while it waits for a far end."""
        if self.retry_for is None or self.post.state != "retrying" or self._burial is not None:
            return None
        letter = self.mailbox.head()
        if letter is None or letter.failing_since is None or letter.batch.ack.settled:
            return None
        return letter.failing_since + self.retry_for

    def not_delivered(self) -> None:
        """Begin the head's time, or give it up when that is over."""
        letter = self.mailbox.head()
        if self._burial is not None:
            self._bury_now()  # whoever is down has shut the gate for it
            self.post.state = "retrying"
            return
        if letter is not None and letter.failing_since is None:
            letter.failing_since = self.clock.monotonic()
        self.look_whether_overdue()

    def look_whether_overdue(self) -> None:
        """Give the head up when its time is over."""
        letter, overdue_at = self.mailbox.head(), self.overdue_at()
        if letter is None or self.retry_for is None or overdue_at is None or self.clock.monotonic() < overdue_at:
            return
        self.on_overdue(letter, f"not delivered in {self.retry_for.text()}")

    def on_overdue(self, letter: Letter, why: str) -> None:
        """Send what is left of the head to the dead letters."""
        raise NotImplementedError
