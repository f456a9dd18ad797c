"""An agent of another process, as the live view wants it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from swak.control.client import ControlError
from swak.control.figures import read_look
from swak.control.tapping import shown_line_of
from swak.view.model import SILENT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.control.client import Connection
    from swak.view.model import Key, Look

LOOK_S = 0.5
"""How often the agent is asked."""
SHOWN_PER_S = 50
"""Of a fast stage only so many events are asked for: nobody reads more."""
EVENTS_KEPT = 200


class Remote:
    """Asks an agent again and again, from a thread of its own. When that has ended, the last figures stay."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """`connect` makes one connection after another. ControlError: the agent cannot be asked."""
        self.ended = threading.Event()
        self.why = ""
        """Why it has ended."""
        self._connect = connect
        self._connection = connect()
        self._asking: Connection | None = None
        self._left = threading.Event()
        self.told: dict[str, Any] = self._connection.ask("snapshot")
        self._look = read_look(self.told)
        self._told_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="swak-remote", daemon=True)
        self._thread.start()

    def look(self) -> Look:
        """Return what the agent has told last."""
        silent_s = max(0.0, time.monotonic() - self._told_s - LOOK_S)
        return self._look._replace(silent_s=silent_s)

    def pause(self, stage: Key, *, on: bool) -> None:
        """Have a stage take nothing, or go on. ControlError: it was refused."""
        self._check()
        with self._connect() as connection:
            self._asking = connection
            connection.ask("pause" if on else "resume", stage="/".join(stage))

    def peek(self, stage: Key, rate: float) -> RemotePeek:
        """Begin to look at the events of a stage."""
        self._check()
        return RemotePeek(self._connect(), "/".join(stage), max(1, round(rate / SHOWN_PER_S)))

    def close(self) -> None:
        """Ask no more."""
        self._left.set()
        for connection in (self._connection, self._asking):
            if connection is not None:
                connection.hang_up()
        self._thread.join(1.0)
        self._connection.close()

    def _check(self) -> None:
        """Ask nothing of an agent that is silent: waiting for it would keep the view from its keys."""
        if self.look().silent_s >= SILENT_S or self.ended.is_set():
            raise ControlError("the agent does not answer")

    def _run(self) -> None:
        while not self._left.wait(LOOK_S):
            try:
                self.told = self._connection.ask("snapshot")
                self._look, self._told_s = read_look(self.told), time.monotonic()
            except ControlError as error:
                if not self._left.is_set():
                    self.why = str(error)
                break
        self.ended.set()


class RemotePeek:
    """Events of a stage, as they come over a connection of their own, whose thread ends with it."""

    def __init__(self, connection: Connection, stage: str, sample: int) -> None:
        self.left_out = 0
        self._connection = connection
        self._sample = sample
        self._lines: deque[str] = deque(maxlen=EVENTS_KEPT)
        self._error: ControlError | None = None
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, args=(stage,), name="swak-peek", daemon=True)
        self._thread.start()

    def take(self) -> list[str]:
        """Return what has come. ControlError: there is no more to come."""
        found = []
        while self._lines:
            found.append(self._lines.popleft())
        if not found and self._error is not None:
            raise self._error
        return found

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        self._connection.hang_up()
        self._thread.join(1.0)
        self._connection.close()

    def _run(self, stage: str) -> None:
        try:
            for told in self._connection.stream("tap", stage=stage, sample=self._sample):
                if "event" in told:
                    self._lines.append(shown_line_of(told["event"]))
                    self.left_out += self._sample - 1
                elif "dropped" in told:
                    self.left_out += told["dropped"] - self._dropped
                    self._dropped = told["dropped"]
            self._error = ControlError("the tap has ended")
        except ControlError as error:
            if not self._closed:
                self._error = error
