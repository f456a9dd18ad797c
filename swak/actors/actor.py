"""What the root and the seats have in common as pykka actors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pykka

if TYPE_CHECKING:
    from collections.abc import Callable


class Inbox:
    """What pykka sees of an actor's mailbox. Our own letters do not come this way."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        self.put = put

    def get(self) -> Any:
        """Never called: the actor's loop is our own."""
        raise NotImplementedError

    def empty(self) -> bool:
        """Whether pykka has something to tear down: never."""
        return True


class Actor(pykka.ThreadingActor):
    """A pykka actor whose loop is our own: pykka's loses envelopes at teardown and stops everybody on SystemExit."""

    use_daemon_thread = True
    entered = False

    def enter(self) -> None:
        """Register with pykka and begin."""
        pykka.ActorRegistry.register(self.actor_ref)
        self.entered = True
        try:
            self._start_actor_loop()
        except BaseException:
            self.retire()
            raise

    def retire(self) -> None:
        """Leave pykka's registry."""
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
