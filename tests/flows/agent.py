"""`swak up` as a process that tests start, signal and kill, and a writer that lets a file grow meanwhile."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from swak.audit import Audit
from swak.datadir import DataDir
from swak.ledger import Ledger
from tests.flows.waiting import WAIT_S, until
from tests.house import ROOT

if TYPE_CHECKING:
    import signal
    from pathlib import Path

ENDLESS = """
from swak import Event, Input, out, task

class Endless(Input):
    '''Events until it is stopped.'''
    number = 0
    def read(self):
        self.number += 1
        return [Event("t", self.number, {"message": "x"})] if self.number % 2 else None
"""
"""An input with events until it is stopped; a recipe goes on with its task."""


def swak(
    folder: Path, *arguments: str, fault: str = "", said: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of swak to its end; state is kept in `home`. `fault`: where to stop dead; `said`: environment."""
    return subprocess.run(
        [sys.executable, "-m", "swak", *arguments],
        cwd=folder,
        env=environ(folder, fault) | (said or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def environ(folder: Path, fault: str = "") -> dict[str, str]:
    """Return the environment of a swak that is not disturbed by ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWAK")}
    return kept | {"SWAK_FAULT": fault, "PYTHONPATH": str(ROOT), "SWAK_HOME": str(folder / "home")}


class Agent:
    """One `swak up` process with its own folder: its log goes to `agent.log` there, its output to `stdout.txt`."""

    def __init__(
        self, folder: Path, *arguments: str, given: str | None = None, said: dict[str, str] | None = None
    ) -> None:
        environment = environ(folder) | {"PYTHONUNBUFFERED": "1"} | (said or {})
        self.log_path, self.out_path = folder / "agent.log", folder / "stdout.txt"
        given_dir = arguments[arguments.index("--data-dir") + 1] if "--data-dir" in arguments else None
        self._given_dir = None if given_dir is None else folder / given_dir
        self._homes = folder / "home" / "data"
        self._log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log, self.out_path.open("ab") as stdout:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "swak", "up", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=stdout,
                stderr=log,
                start_new_session=True,
            )
        if given is not None and self.process.stdin is not None:
            self.process.stdin.write(given.encode())
            self.process.stdin.close()

    @property
    def data_dir(self) -> Path:
        """The directory that was given, or else the only one that agents of this folder use."""
        if self._given_dir is not None:
            return self._given_dir
        return next((one for one in sorted(self._homes.glob("*")) if one.is_dir()), self._homes)

    def unaccounted(self) -> list[str]:
        """Return what the ledger of the runs in this data directory cannot account for."""
        ledger = Ledger(self.data_dir / "ledger.json")
        return Audit(ledger.look(), 0).unaccounted if ledger.path.exists() else []

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """What this process has told so far."""
        return self.log_path.read_bytes()[self._log_from :].decode(errors="replace")

    @property
    def out(self) -> str:
        """What has been printed so far."""
        return self.out_path.read_text()

    def wait_until_told(self, text: str) -> None:
        until(lambda: text in self.log or self.process.poll() is not None, lambda: self.log)
        assert text in self.log, self.log

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals | None = None, timeout_s: float = WAIT_S) -> int:
        """Send a signal, if any, and wait for the end; return the exit code."""
        if number is not None:
            self.send(number)
        return self.process.wait(timeout_s)


def tail_of(path: Path) -> str:
    """Return the last KiB of a file, nothing when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1_024))
        return file.read().decode(errors="replace")


def last_number(path: Path) -> int:
    """Return the number of the last whole raw line, -1 when there is none."""
    end = tail_of(path).split("\n")[:-1]
    return int(end[-1][:8]) if end else -1


def settled_bytes(data_dir: Path, flow: str) -> int:
    """Return how many bytes of the files that a flow tails its checkpoint counts as settled."""
    checkpoint = DataDir.resolve(str(data_dir)).checkpoint(flow)
    assert checkpoint is not None
    return sum(one["offset"] for sources in checkpoint.load().values() for one in sources.values())


class Lines:
    """Lets a log grow from a thread: numbered lines that check themselves, now and then in two halves."""

    def __init__(self, path: Path, pause_s: float, burst: int, seed: int) -> None:
        self.path = path
        self.count = 0
        """Whole lines that are in the file."""
        self.history: list[tuple[float, int]] = []
        """Monotonic time and `count`, at least each 50 ms."""
        self._pause_s, self._burst = pause_s, burst
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._fd = self._opened()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    @staticmethod
    def line(number: int) -> str:
        """Return a line that shows when it is torn or glued."""
        return f"{number:08d} {'abcdefghij' * (number % 7)} {number:08d}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        os.close(self._fd)

    def stop(self) -> None:
        """Write nothing more."""
        self._stop.set()
        self._thread.join(WAIT_S)

    def rotate(self) -> None:
        """Rename the file, as logrotate does; what follows at once still goes into the old one."""
        with self._lock:
            for number in (3, 2, 1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                if older.exists():
                    older.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
            self.path.rename(self.path.with_name(f"{self.path.name}.1"))
            self._write_some()
            os.close(self._fd)
            self._fd = self._opened()

    def since(self, moment_s: float) -> int:
        """Return how many lines were in the file before that monotonic time."""
        return max((count for at_s, count in list(self.history) if at_s <= moment_s), default=0)

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            with self._lock:
                self._write_some()
                self.history.append((time.monotonic(), self.count))

    def _write_some(self) -> None:
        numbers = range(self.count, self.count + self._rng.randint(1, self._burst))
        data = "".join(f"{self.line(number)}\n" for number in numbers).encode()
        cut = self._rng.randrange(len(data)) if self._rng.random() < 0.3 else 0
        for part in (data[:cut], data[cut:]):
            os.write(self._fd, part)
            if cut:
                self._stop.wait(0.002)
        self.count = numbers.stop
