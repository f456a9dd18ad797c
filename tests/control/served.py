"""A run that listens on a control socket, inside the test's process."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from swak import running
from swak.background.places import socket_path
from swak.control.client import Connection
from swak.control.server import Server
from swak.control.verbs import Agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.actors.running import Run
    from swak.recipe import Flow


class Served(NamedTuple):
    """A run with its socket."""

    run: Run
    agent: Agent
    path: Path
    server: Server

    def connect(self) -> Connection:
        return Connection(str(self.path))


@contextlib.contextmanager
def served(folder: Path, *flows: Flow) -> Iterator[Served]:
    """Run a recipe whose control socket is in `folder`."""
    with running(list(flows)) as run:
        agent = Agent(run, "test", "test.py", {})
        path = socket_path(folder, "agent")
        server = Server(path, agent.verbs(), time.monotonic)
        server.start()
        try:
            yield Served(run, agent, path, server)
        finally:
            server.close()
