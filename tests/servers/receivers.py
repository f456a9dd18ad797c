"""Fixtures that start real receivers of the forward protocol as child processes on free ports."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
START_S = 20.0
"""How long a server may take to listen. Long, because a busy machine is no failure."""
PACKAGE = "@fluent-org/logger"


class Receiver:
    """A server process that appends what it receives to a file. It can be killed and started again on its port."""

    def __init__(self, command: list[str], path: Path, environment: dict[str, str] | None = None) -> None:
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.path = path
        self.port = 0

    def start(self, mode: str = "") -> None:
        """Start, on the same port as before if there was one, and wait until it listens."""
        command = [*self._command, str(self.port), str(self.path), *([mode] if mode else [])]
        environment = {**os.environ, **(self._environment or {})}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline() if readable else ""
        assert line.strip().isdigit(), f"{command}: did not listen within {START_S:g} s"
        self.port = int(line)

    def kill(self) -> None:
        """End the process at once, in the middle of whatever it does (SIGKILL)."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        """Ask the process to end (SIGTERM)."""
        self._end(subprocess.Popen.terminate)

    def events(self) -> list[dict[str, Any]]:
        """Return what was stored so far: tag, time_ns, record. A last line that is torn was never acked."""
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        stored = [json.loads(line) for line in lines]
        return [{**one, "time_ns": int(one["time_ns"])} for one in stored]

    def records(self) -> list[dict[str, Any]]:
        """Return the records that were stored so far."""
        return [one["record"] for one in self.events()]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait until that many events are stored, and return them. For servers that ack before they store."""
        deadline = time.monotonic() + START_S
        while len(stored := self.events()) < count:
            assert time.monotonic() < deadline, f"{len(stored)} of {count} events were stored"
            select.select([], [], [], 0.01)
        return stored

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(START_S)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def forward_receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A stand-in of our own that stores before it acks. Started; `start(mode)` makes it misbehave."""
    receiver = Receiver([sys.executable, str(HERE / "forward_server.py")], tmp_path / "received.jsonl")
    receiver.start()
    yield receiver
    receiver.kill()


@pytest.fixture
def fluent_logger_server(tmp_path: Path) -> Iterator[Receiver]:
    """The server of the npm package @fluent-org/logger, an independent implementation. Started."""
    modules = node_modules()
    command = [shutil.which("node") or "node", str(HERE / "fluent_server.js")]
    receiver = Receiver(command, tmp_path / "fluent.jsonl", {"NODE_PATH": str(modules)})
    receiver.start()
    yield receiver
    receiver.stop()


def node_modules() -> Path:
    """Return the folder that holds the package, or skip the test and say how to get it."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js (apt-get install nodejs)")
    places = [os.environ.get("SWAK_NPM", ""), str(HERE.parents[1] / ".ci" / "npm"), "/opt/npm"]
    for place in filter(None, places):
        for folder in (Path(place), Path(place) / "node_modules"):
            if (folder / PACKAGE / "package.json").exists():
                return folder
    pytest.skip(f"needs {PACKAGE}: npm i {PACKAGE}@1.0.10 in a folder, and SWAK_NPM=that folder")
