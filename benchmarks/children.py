"""Agents in processes of their own, which can be looked at, killed and started again."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import psutil

from swak.bench.measure import cpu_s, environment, python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

LEAVE_S = 20.0
PORTS = range(10_000, 32_000)
"""Below those that the system gives to outgoing connections: while a receiver is down, nobody else takes its port."""


class Usage(NamedTuple):
    """What a process uses at one moment."""

    rss_mb: float
    descriptors: int
    threads: int
    cpu_s: float
    """Since it began, user and system."""


class Child:
    """`swak up` on one recipe, again and again in the same folder."""

    def __init__(self, folder: Path, recipe: str, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data_dir = folder, folder / "data"
        self.log = folder / "swak.log"
        (folder / "recipe.py").write_text(recipe, encoding="utf-8")
        named = ("--data-dir", str(self.data_dir), "-q", *options, str(folder / "recipe.py"))
        self._command = python("swak", "up", *named)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not ended by us. SystemExit when it ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise SystemExit(f"exit code {code} of swak in {self.folder}:\n{self.told()}")
        return self._process is not None

    def start(self, leave_with: ExitStack | None = None) -> None:
        """Start it, unless it runs. It is killed when the stack is left."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if leave_with is not None:
            leave_with.callback(self.kill)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LEAVE_S)
            self._process = None

    def end(self) -> int:
        """Let it drain and return its exit code; -9 when that took too long."""
        if not self.running or self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            return -9
        finally:
            self.kill()

    def usage(self) -> Usage | None:
        """Return what it uses now; None while it does not run."""
        if not self.running or self._process is None:
            return None
        seen = psutil.Process(self._process.pid)
        with seen.oneshot():
            used_s = cpu_s(self._process.pid)
            return Usage(seen.memory_info().rss / 1e6, seen.num_fds(), seen.num_threads(), used_s)

    def audit(self) -> tuple[int, str]:
        """Run `swak audit` on its data directory; return the exit code and what was printed."""
        command = python("swak", "audit", "--data-dir", str(self.data_dir))
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=LEAVE_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def told(self) -> str:
        """Return the end of what it told in its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4_000:] if self.log.exists() else ""


def leave_in_order() -> None:
    """Let SIGTERM end this program as Ctrl-C does: its children are ended with it."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def free_ports() -> Iterator[int]:
    """Yield ports on which nobody listens now, others in each run: another one may go on beside."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)):
                yield port
    sys.exit(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def size_of(folder: Path) -> int:
    """Return the bytes in the files of a folder, whatever comes and goes meanwhile."""
    total = 0
    for path in folder.iterdir() if folder.exists() else ():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # a segment that was settled
    return total
