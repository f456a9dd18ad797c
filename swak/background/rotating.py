"""The log of an agent in the background: what the process prints, in a file that is rotated by size."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from swak.log import Log

if TYPE_CHECKING:
    from pathlib import Path

SIZE_MAX = 10 * 1024 * 1024
KEPT_MAX = 10
LOOK_S = 1.0
"""How often the size is looked at: the file may grow beyond its limit by what is printed meanwhile."""

_log = Log("swak.background")


def open_log(path: Path) -> int:
    """Open a log to append to."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


class LogFile:
    """Rotates the file that standard output and standard error lead to: NAME.log, NAME.log.1, up to NAME.log.10.

    The new file takes the place of the old one under the same descriptors, so that whatever the process prints goes
    there, a traceback of a dying interpreter too. Each line that was written at once is whole in one file.
    """

    def __init__(
        self, path: Path, descriptors: tuple[int, ...] = (1, 2), size_max: int = SIZE_MAX, kept_max: int = KEPT_MAX
    ) -> None:
        self.path = path
        self._descriptors = descriptors
        self._size_max = size_max
        self._kept_max = kept_max
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="swak:log", daemon=True)
        self._failed = False

    def start(self) -> None:
        """Begin to look at the size, from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(2.0)

    def rotate_if_large(self) -> bool:
        """Begin a new file when this one has its size. OSError: everything stays as it is, or is put right next time.

        A file that somebody has moved or removed is begun anew, too.
        """
        now = os.fstat(self._descriptors[0])
        at_place = self._is_at_place(now)
        if at_place and now.st_size < self._size_max:
            return False
        if at_place:
            for number in range(self._kept_max - 1, 0, -1):
                older = self._kept(number)
                if older.exists():
                    older.replace(self._kept(number + 1))
            self.path.replace(self._kept(1))
        descriptor = open_log(self.path)
        try:
            for own in self._descriptors:
                if os.path.samestat(os.fstat(own), now):
                    os.dup2(descriptor, own)
        finally:
            os.close(descriptor)
        return True

    def _kept(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _is_at_place(self, now: os.stat_result) -> bool:
        try:
            return os.path.samestat(now, self.path.stat())
        except FileNotFoundError:
            return False

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self.rotate_if_large()
                self._failed = False
            except OSError as error:
                if not self._failed:
                    _log.warning("the log cannot be rotated; it goes on growing", path=str(self.path), error=error)
                self._failed = True
