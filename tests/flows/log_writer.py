"""A process that writes numbered lines to a log until it is stopped, and reopens its path when SIGHUP says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from tests.flows.numbered import LINE_BYTES, line
from tests.flows.waiting import WAIT_S, until
from tests.house import ROOT

PAUSE_S = 0.002


class LogWriter:
    """Such a process, and what it has written: each line goes to a journal as well, once the log has it."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Go on after the lines of the journal that is in `folder`, if there is one."""
        self._folder, self._reopening = folder, folder / "reopen"
        arguments = [str(one) for one in (path, folder / "journal", self._reopening)]
        self._process = subprocess.Popen([sys.executable, "-m", "tests.flows.log_writer", *arguments], cwd=ROOT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def count(self) -> int:
        """Lines that surely are in the log. While the process runs, one more may be there."""
        return self.written(self._folder)

    @staticmethod
    def written(folder: Path) -> int:
        """Return how many lines all writers of a folder have written."""
        journal = folder / "journal"
        return journal.stat().st_size // LINE_BYTES if journal.exists() else 0

    def wait_for_growth(self, lines: int = 1) -> None:
        """Wait until it has written so many more, at its start and whenever."""
        wanted = self.count + lines
        until(lambda: self.count >= wanted, "the writer writes")

    def reopen(self) -> None:
        """Let it write to what has the path now."""
        self._reopening.touch()
        self._process.send_signal(signal.SIGHUP)
        until(lambda: not self._reopening.exists(), "the writer reopens its log")

    def end(self) -> None:
        """Stop it, after the line that it writes now."""
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(WAIT_S)


def opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def main(log: str, journal: str, reopening: str) -> None:
    """Be that process. The file `reopening` is deleted once the log was opened anew."""
    hung_up, stopped = threading.Event(), threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: hung_up.set())
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    log_fd, journal_fd = opened(log), opened(journal)
    count = os.fstat(journal_fd).st_size // LINE_BYTES
    while not stopped.wait(PAUSE_S):
        if hung_up.is_set():
            hung_up.clear()
            os.close(log_fd)
            log_fd = opened(log)
            Path(reopening).unlink(missing_ok=True)
        for fd in (log_fd, journal_fd):
            os.write(fd, line(count))
        count += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
