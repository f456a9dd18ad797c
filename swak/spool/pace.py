"""Who appends to a spool lets one who takes quickly go first: then batches pass in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

PACE_S = 0.05
"""Who appends waits that long for one who takes, if that one took something as recently: what passes in memory need not
be read and unpacked again, which costs more than all the rest of a spool (measured: 2.6 and 1.2 CPU-s a million)."""
PATIENCE = 0.25
PATIENCE_MAX_S = 0.5
"""Which part of the time may go into that, and how much at once: a slow one holds up the others for no more."""


class Pace:
    """How long to wait for whom. Everything is called under the condition's lock."""

    def __init__(self, taken: threading.Condition) -> None:
        self._taken = taken
        self._taken_at = self._paced_at = self._patience_s = 0.0

    def note_taken(self) -> None:
        """Somebody took something."""
        self._taken_at = time.monotonic()
        self._taken.notify_all()

    def wait(self, has_room: Callable[[], bool]) -> None:
        """Wait until `has_room`, if somebody takes quickly and there is patience left; never longer than PACE_S."""
        now = time.monotonic()
        self._patience_s = min(PATIENCE_MAX_S, self._patience_s + (now - self._paced_at) * PATIENCE)
        self._paced_at = now
        if now - self._taken_at < PACE_S < self._patience_s and not has_room():
            self._taken.wait_for(has_room, PACE_S)
            self._patience_s -= time.monotonic() - now
