"""How a `swak up` is found by the other commands: its name, its control socket, and its word that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from swak import log
from swak.background.launching import own_arguments
from swak.background.naming import Claim, claim, claim_free, name_of
from swak.background.places import of_this_user, socket_path, usable
from swak.commands.remote import control_wanted, open_door
from swak.datadir import Owner
from swak.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from swak.background.launching import Announcement
    from swak.background.rotating import LogFile
    from swak.control.door import Door
    from swak.control.reloader import Reloader
    from swak.control.server import Server, Verb
    from swak.control.verbs import Agent
    from swak.datadir import DataDir
    from swak.stats import Receipt

_log = log.get("swak.up")


class Given(NamedTuple):
    """What `swak up` was told about itself."""

    path: str | None
    text: str | None
    name: str | None
    ready_fd: int | None
    """Where to say that it has started."""
    background: bool = False

    @property
    def is_text(self) -> bool:
        """Whether the recipe is no file that could be found again."""
        return self.path is None or self.path == "-"

    @property
    def recipe(self) -> str:
        """The recipe's path; empty where it is no file."""
        return "" if self.path is None or self.is_text else os.path.abspath(self.path)  # noqa: PTH100 - no link is resolved

    @property
    def owner(self) -> Owner:
        """Whose data directory it is that this agent uses."""
        return Owner(self.own_name, self.recipe, self.name is not None)

    @property
    def own_name(self) -> str:
        """The name that was given, or else what the recipe says."""
        if self.name:
            return self.name
        return "text" if self.path is None else "stdin" if self.path == "-" else name_of(self.path)


class Presence:
    """What others see of this agent. In the foreground an agent runs without one, where none is to be had."""

    def __init__(self, given: Given, owned: Claim, details: dict[str, Any], passing: Sequence[Path] = ()) -> None:
        """`passing`: folders that are to go with it when nobody else has come to use them."""
        self.given = given
        self._passing = passing
        self.name = owned.name
        self._claim = owned
        self._details = details
        self._server: Server | None = None
        self._door: Door | None = None
        self._agent: Agent | None = None
        self._announcement: Announcement | None = None
        self._log_file: LogFile | None = None
        self.verbs: dict[str, Verb] = {}
        """What can be asked for besides what every run does."""

    def note(self, name: str, value: object) -> None:
        """Have others know one thing more."""
        self._details[name] = value

    @property
    def log(self) -> str:
        """The log's path, in the background; else empty."""
        return str(self._details["log"])

    def serve(self, run: object, reloader: Reloader | None = None) -> None:
        """Listen for those who ask, once the run has been started."""
        from swak.actors.running import Run  # noqa: PLC0415 - `swak up --help` needs none of it
        from swak.control.server import Server  # noqa: PLC0415 - as above
        from swak.control.verbs import Agent  # noqa: PLC0415 - as above

        if not isinstance(run, Run):
            return
        told = {name: value for name, value in self._details.items() if name != "environ"}
        self._agent = Agent(run, self.name, self._details["recipe"], told, self.verbs, reloader=reloader)
        if hasattr(socket, "AF_UNIX"):
            try:
                path = socket_path(self._claim.pid_path.parent, self.name)
                server = Server(path, self._agent.verbs(), time.monotonic, self._door)
                server.start()
            except (OSError, StateError) as error:
                _log.warning("there is no control socket; the agent runs all the same", error=error)
            else:
                self._server = server
                self._details["socket"] = str(path)
        if self._server is None and self._door is not None:
            self._server = Server(None, self._agent.verbs(), time.monotonic, self._door)
            self._server.start()
        self._claim.describe(self._details)
        if self.given.ready_fd is not None:
            from swak.background.launching import Announcement  # noqa: PLC0415 - only in the background

            ready = {"name": self.name, "pid": os.getpid(), "log": self._details["log"]}
            self._announcement = Announcement(self.given.ready_fd, ready)
            self._announcement.start(run.snapshot)

    def listen_at(self, door: Door) -> None:
        """Have those served, too, who come over TCP. Before `serve`; it is closed with the rest."""
        self._door = door
        self._details["control"] = door.address

    def end(self, code: int, receipt: Receipt) -> None:
        """Tell those who have stopped the run how it ended."""
        from swak.receipt import text, troubles  # noqa: PLC0415 - at the very end

        if self._agent is not None:
            from swak.control.verbs import Outcome  # noqa: PLC0415 - there already

            self._agent.outcome = Outcome(code, text(receipt), troubles(receipt))

    def detach(self) -> None:
        """In the background: no terminal ends this process, and its log is rotated."""
        from swak.background.rotating import LogFile  # noqa: PLC0415 - only in the background

        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._log_file = LogFile(usable().logs / f"{self.name}.log")
        self._details["log"] = str(self._log_file.path)
        self._log_file.start()

    def release(self) -> None:
        """Be found no more."""
        if self._announcement is not None:
            self._announcement.withdraw()
        if self._server is not None:
            self._server.close()
        if self._door is not None:
            self._door.close()
        if self._log_file is not None:
            self._log_file.stop()
        self._claim.release()
        for folder in self._passing:
            with contextlib.suppress(OSError):  # somebody else has something there
                folder.rmdir()


@contextlib.contextmanager
def presented(given: Given, where: DataDir) -> Iterator[Presence | None]:
    """Be found as long as the block lasts. StateError as of `present`; others as of `open_door`."""
    control = control_wanted()
    presence = present(given, "" if where.ephemeral else str(where.path))
    try:
        if control is not None:
            open_door(presence, control)
        yield presence
    finally:
        if presence is not None:
            presence.release()


def present(given: Given, data_dir: str) -> Presence | None:
    """Take a name. StateError when an agent that was given this name, or is in the background, cannot have it."""
    wanted = given.name is not None or given.background
    # a run that keeps nothing leaves no folder behind either
    passing = [] if data_dir else [one for places in of_this_user() for one in places.folders() if not one.exists()]
    try:
        places = usable()
        owned = claim(places, given.own_name) if wanted else claim_free(places, given.own_name)
    except (StateError, OSError) as error:
        if wanted:
            raise
        _log.info("this agent has no name: it cannot be controlled", error=error)
        return None
    details = {
        "recipe": given.recipe or given.own_name,
        "check": ["-e", given.text] if given.path is None else [given.path],
        "argv": own_arguments(sys.argv[2:]),
        "cwd": os.getcwd(),  # noqa: PTH109 - as text
        "environ": {name: value for name, value in os.environ.items() if name.startswith("SWAK_")},
        "data_dir": data_dir,
        "began_ns": time.time_ns(),
        "background": given.background,
        "log": "",
        "socket": "",
        "control": "",
    }
    presence = Presence(given, owned, details, passing)
    if given.background:
        presence.detach()
    return presence
