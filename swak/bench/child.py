"""A child process whose cost is counted, and which does not outlive its `with` block."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from swak.bench.faults import BenchError
from swak.bench.measure import Cost, cpu_s, environment
from swak.errors import Problem, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

LOOK_S = 0.005
ROOM_BYTES = 1 << 20
LEAVE_S = 30.0
TOLD_BYTES = 2_000
QUIET_SHARE = 0.02
"""A process that uses less of a core than this does nothing but wait."""


class Child:
    """One process. Its standard error, and its standard output unless that goes to `out`, are kept in `log`."""

    def __init__(self, command: Sequence[str], log: Path, out: Path | None = None, limit_s: float = 600.0) -> None:
        self.command, self.log, self._out, self._limit_s = list(command), log, out, limit_s
        self._cost: Cost | None = None
        self._pause = threading.Event()
        self._started: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._unwanted = False

    def __enter__(self) -> Self:
        """Start it on a thread: signals reach only the main one, and cannot come between a process and its number."""
        self.began_s = time.perf_counter()
        self.log.write_bytes(b"")
        starter = threading.Thread(target=self._start, name="swak:bench", daemon=True)
        try:
            starter.start()
            starter.join()
        except BaseException:
            self._unwanted = True
            if starter.ident is not None:
                starter.join(LEAVE_S)
            self._kill()
            raise
        if self._failure is not None:
            raise self._failure
        return self

    def _start(self) -> None:
        try:
            with self.log.open("ab") as told, self._out.open("wb") if self._out else self.log.open("ab") as out:
                self._started = subprocess.Popen(  # noqa: S603 - our own commands
                    self.command,
                    cwd=self.log.parent,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=told,
                )
        except OSError as error:
            self._failure = error
        if self._unwanted:
            self._kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._cost is None:
            self._kill()

    def _kill(self) -> None:
        if self._started is not None and self._started.returncode is None:
            self._started.kill()
            self._started.wait(LEAVE_S)

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._started is not None, "inside the `with` block"
        return self._started

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def said(self) -> str:
        """Return the end of what it told."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-TOLD_BYTES:]

    def await_(self, what: str, done: Callable[[], bool], limit_s: float | None = None, look_s: float = LOOK_S) -> None:
        """Wait until something is done. BenchError when it takes too long or the child ends before."""
        deadline = time.monotonic() + (limit_s or self._limit_s)
        while not done():
            if self._ended():
                raise BenchError(f"{self._name()} ended before {what}:\n{self.said()}")
            self._look_out(what, deadline, look_s)

    def quiet(self, seconds: float) -> Callable[[], bool]:
        """Return a test that holds when the child has used next to no CPU for so long."""
        seen: list[float] = [time.monotonic(), cpu_s(self.pid)]

        def waits() -> bool:
            now_s = time.monotonic()
            if now_s < seen[0] + seconds:
                return False
            used_s = cpu_s(self.pid)
            idle = used_s - seen[1] < QUIET_SHARE * (now_s - seen[0])
            seen[:] = [now_s, used_s]
            return idle

        return waits

    def stop(self) -> Cost:
        """Ask it to end, and return what it cost. Being ended by the signal is all right."""
        if not self._ended():
            self._process.send_signal(signal.SIGTERM)
        return self.cost(-signal.SIGTERM, limit_s=LEAVE_S)

    def cost(self, *allowed: int, limit_s: float | None = None) -> Cost:
        """Wait for its end and return what it cost. BenchError when it fails or takes too long."""
        deadline = time.monotonic() + (limit_s or self._limit_s)
        while not self._ended():
            self._look_out("its end", deadline)
        code = self._process.returncode
        if code not in {0, *allowed}:
            raise BenchError(f"{self._name()}: exit code {code}:\n{self.said()}")
        assert self._cost is not None, "it has ended"
        return self._cost

    def _ended(self) -> bool:
        if self._cost is not None:
            return True
        pid, status, used = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        peak_mb = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        self._cost = Cost(used.ru_utime + used.ru_stime, time.perf_counter() - self.began_s, peak_mb)
        return True

    def _look_out(self, what: str, deadline: float, look_s: float = LOOK_S) -> None:
        if time.monotonic() > deadline:
            raise BenchError(f"{self._name()}: still waiting for {what}:\n{self.said()}")
        if shutil.disk_usage(self.log.parent).free < ROOM_BYTES:
            raise no_room(self.log.parent)
        self._pause.wait(look_s)

    def _name(self) -> str:
        return " ".join(self.command)[:300]


def no_room(folder: Path, needed_bytes: int = 0) -> StateError:
    """Return the error for a disk that is full, or will be."""
    free = shutil.disk_usage(folder).free
    what = f"{folder}: no room: {free / 1e6:,.0f} MB are free"
    if needed_bytes:
        what += f", {needed_bytes / 1e6:,.0f} MB are needed"
    return StateError(str(Problem(what, "set TMPDIR to a folder on a larger disk, or lower --events")))


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody takes connections there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
