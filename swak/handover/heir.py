"""The side of the process that takes over: it checks its recipe, waits for the sockets, and for the word."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from swak import log
from swak.errors import Problem, StateError
from swak.handover.channel import VERSION, Channel, Parted

if TYPE_CHECKING:
    from swak.sockets.kept import Keep

LOG = log.get("swak.handover")

WORD_S = 60.0
"""How long the old process may take to say that all is ours: by then it has given up, and us."""


class Heir:
    """What the new process says to the old one."""

    def __init__(self, descriptor: int) -> None:
        self._channel = Channel(socket.socket(fileno=descriptor))

    def take(self, keep: Keep) -> None:
        """Say that the recipe is right, and wait until the old process has drained and gives its sockets.

        StateError when it ends before.
        """
        try:
            self._channel.say("checked", version=VERSION)
            count = self._channel.take(keep, first_s=None)
        except Parted as parted:
            mend = "start this one anew"
            raise StateError(str(Problem(f"the process to be replaced has handed nothing over: {parted}", mend))) from (
                parted
            )
        LOG.info("sockets were handed over", sockets=len(keep.entries()), connections=count)

    def ready(self) -> None:
        """Say that we have the name and the data directory, and wait until all is ours. StateError: it is not.

        Nothing may have been read of any socket before.
        An old process that has died by now is nobody to wait for.
        """
        try:
            self._channel.say("ready")
            self._channel.hear(WORD_S, "yours")
            self._channel.say("mine")
        except Parted as parted:
            if not parted.ended:
                raise StateError(str(Problem(f"the process to be replaced: {parted}", "start this one anew"))) from (
                    parted
                )
            LOG.warning("the process to be replaced has died; this one goes on")

    def refuse(self, why: str) -> None:
        """Say that nothing will come of it."""
        try:
            self._channel.say("refused", why=why)
        except Parted as parted:
            LOG.warning("the process to be replaced cannot be told", why=str(parted))

    def serving(self) -> None:
        """Say that we serve."""
        with suppress(Parted):  # nobody waits to hear it
            self._channel.say("serving")

    def announcing(self) -> int:
        """Return a descriptor to say once that we serve."""
        return os.dup(self._channel.fileno())

    def close(self) -> None:
        """Say no more."""
        self._channel.close()
