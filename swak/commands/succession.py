"""What comes before and after a `swak up`: whose sockets it takes over, and to which process it hands its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from swak.background.launching import own_arguments
from swak.sockets.kept import Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    from swak.actors.running import Run
    from swak.commands.presence import Given, Presence
    from swak.handover.heir import Heir
    from swak.handover.predecessor import Handover, Successor
    from swak.sockets.inherited import Inherited
    from swak.sockets.kept import Address
    from swak.topology.graph import Topology


_NEEDED_SOON = [
    f"swak.{name}"
    for name in ("actors.running", "commands.presence", "control.verbs", "control.server", "notify", "metrics.serving")
] + ["swak.handover.asked", "swak.handover.predecessor"]
"""What a process that takes over loads beforehand: while it does, nobody serves the sockets."""


class Succession:
    """The place of this process among those that serve the same sockets, one after the other."""

    def __init__(self, given: Given, heir: Heir | None, inherited: list[Inherited]) -> None:
        self.given = given
        self.keep = Keep()
        self.keep.wish = self.ask
        self._heir = heir
        self._inherited = inherited
        self._own = own_arguments(sys.argv[2:])
        self._cwd = os.getcwd()  # noqa: PTH109 - as text
        self._handover: Handover | None = None
        self._asked_early = False

    def begin(self, topology: Topology) -> None:
        """Take over what is there for the inputs of a recipe that is right. StateError: it is not to be had."""
        wanted = _addresses(topology)
        if self._inherited:
            from swak.sockets.inherited import adopt  # noqa: PLC0415 - only where a service manager opens sockets

            given, self._inherited = self._inherited, []
            adopt(given, wanted, self.keep)
        if self._heir is not None:
            for name in _NEEDED_SOON:
                import_module(name)
            self._heir.take(self.keep)
            self.keep.release_but(address for _, address in wanted)

    def ready(self, run: Run, presence: Presence | None) -> None:
        """Go on only when everything is ours. StateError: it is not."""
        handover = self._handover = self._handover or self._made()
        handover.begin(run)
        if self._heir is not None:
            self._heir.ready()
        if presence is not None:
            from swak.handover.asked import verb_of  # noqa: PLC0415 - `swak up --help` needs none of it

            presence.verbs["handover"] = verb_of(handover)
            if handover.failed:
                presence.note("handover", handover.failed)
        if self._heir is not None:
            if presence is None:
                self._heir.serving()
            else:
                presence.given = presence.given._replace(ready_fd=self._heir.announcing())
            self._heir.close()
            self._heir = None
        if self._asked_early:
            self._asked_early = False
            handover.ask()

    def goes_on(self) -> bool:
        """After a run: hand over where somebody has asked for it. Return whether this process is to run again."""
        again = self._handover is not None and self._handover.goes_on()
        self.given = self.given._replace(ready_fd=None)
        return again

    def refuse(self, error: BaseException) -> None:
        """Tell a process that waits for us that nothing will come of it."""
        if self._heir is not None:
            self._heir.refuse(str(getattr(error, "message", "") or error or type(error).__name__))

    def ask(self) -> None:
        """Hand over as soon as that is possible. What is in the way is told in the log."""
        if self._handover is None:
            self._asked_early = True
        else:
            self._handover.ask()

    def end(self) -> None:
        """Let go of everything."""
        if self._handover is not None:
            self._handover.end()
        if self._heir is not None:
            self._heir.close()
        for one in self._inherited:
            one.sock.close()
        self.keep.close()

    def _made(self) -> Handover:
        from swak.handover.predecessor import Handover, Successor  # noqa: PLC0415 - `swak up --help` needs none of it

        def start() -> Successor:
            return Successor(self._own, self._cwd, own_session=self.given.background)

        return Handover(self.keep, start, self._hindrance(), _notify())

    def _hindrance(self) -> str:
        if sys.platform == "win32":
            return "there is no handover on Windows; swak restart stops and starts"
        if os.getpid() == 1:
            return "this is process 1, with which its container ends; start another container instead"
        if self.given.path == "-":
            return "the recipe came from standard input, which cannot be read again; give a file"
        if not (self.given.background or os.environ.get("NOTIFY_SOCKET")):
            return (
                "it runs in the foreground, where somebody waits for this very process; use swak up -d, or a service "
                "manager that sets NOTIFY_SOCKET"
            )
        return ""


@contextlib.contextmanager
def succeeding(given: Given, handover_fd: int | None) -> Iterator[Succession]:
    """Take the sockets of a service manager, listen to SIGUSR2, and tell a predecessor when nothing comes of us."""
    inherited: list[Inherited] = []
    if "LISTEN_FDS" in os.environ or "LISTEN_PID" in os.environ:
        from swak.sockets.inherited import inherited as found  # noqa: PLC0415 - only where there are any

        inherited = found(os.environ, os.getpid())
    heir: Heir | None = None
    if handover_fd is not None:
        from swak.handover.heir import Heir as _Heir  # noqa: PLC0415 - only in a process that takes over

        heir = _Heir(handover_fd)
    succession = Succession(given, heir, inherited)
    try:
        with _asked_by_signal(succession.ask):
            yield succession
    except BaseException as error:
        succession.refuse(error)
        raise
    finally:
        succession.end()


@contextlib.contextmanager
def _asked_by_signal(ask: Callable[[], None]) -> Iterator[None]:
    number = getattr(signal, "SIGUSR2", None)
    if number is None:
        yield
        return

    def caught(_number: int, _frame: FrameType | None) -> None:
        ask()

    before: Any = signal.signal(number, caught)
    try:
        yield
    finally:
        signal.signal(number, before)


def _addresses(topology: Topology) -> list[tuple[str, Address]]:
    """Return what inputs listen on, each with flow/stage."""
    from swak.plugin import Input  # noqa: PLC0415 - `swak up --help` needs none of it

    inputs = [(f"{flow.name}/{flow.input.name}", flow.input.plugin) for flow in topology.flows]
    return [(name, at) for name, plugin in inputs if isinstance(plugin, Input) for at in plugin.listens_on()]


def _notify() -> Callable[[str], None]:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return lambda _text: None
    from swak.notify import Channel  # noqa: PLC0415 - only where there is one

    return Channel(address).send
