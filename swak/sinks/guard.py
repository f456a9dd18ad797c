"""The descriptors of one opened plugin, and how another thread makes every later effect on them fail."""

from __future__ import annotations

import os
import signal
import threading
from errno import ECANCELED
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

WAKE = getattr(signal, "SIGURG", None)
"""The signal that ends a blocking call in another thread. Nothing happens to a process that does not expect it."""


class Guard:
    """Descriptors that `abort` makes useless without closing them.

    Closing a descriptor under a thread that hangs in it would give its number to the next file that anybody opens,
    and the thread, released, would write there. `abort` puts a read-only null device in its place instead: a write to
    it, a truncation or a sync fails with an OSError, for ever. Only the owner closes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fds: set[int] = set()
        self._owner = threading.get_ident()
        self._null_fd = os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.aborted = False

    def take(self, fd: int) -> int:
        """Watch over `fd` and return it. After `abort` it is closed, and OSError raised."""
        with self._lock:
            if not self.aborted:
                self._fds.add(fd)
                return fd
        os.close(fd)
        raise aborted_error()

    def close(self, fd: int) -> None:
        """Close one descriptor. Called by the owner."""
        with self._lock:
            self._fds.discard(fd)
        os.close(fd)

    def release(self) -> None:
        """Close everything. Called by the owner; may be repeated."""
        with self._lock:
            fds, self._fds = self._fds, set()
            null_fd, self._null_fd = self._null_fd, -1
            self.aborted = True
        for fd in fds:
            os.close(fd)
        if null_fd >= 0:
            os.close(null_fd)

    def check(self) -> None:
        """Raise OSError once `abort` was called."""
        if self.aborted:
            raise aborted_error()

    def follow(self, number: int, fd: int) -> None:
        """Let `fd` lead where descriptor `number` of the process leads by now; never after `abort`."""
        with self._lock:
            if not self.aborted and not os.path.samestat(os.fstat(number), os.fstat(fd)):
                os.dup2(number, fd, inheritable=False)

    def abort(self) -> None:
        """Make every call on the descriptors fail from now on, and wake the owner's thread out of the present one.

        Called from any thread. A write that the kernel has already begun on a regular file still ends as it began.
        """
        with self._lock:
            self.aborted = True
            if self._null_fd < 0:
                return
            for fd in self._fds:
                os.dup2(self._null_fd, fd, inheritable=False)
        wake(self._owner)


def aborted_error() -> OSError:
    """Return what a plugin raises that was told to stop."""
    return OSError(ECANCELED, "the output was told to stop: its seat has a successor")


def allow_waking() -> bool:
    """Let `wake` end blocking calls of other threads. Main thread only (a rule of Python's); tells whether it did so.

    Without it a hung call on a pipe that several processes write to may last until its reader reads.
    """
    if WAKE is None or threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(WAKE) in (signal.SIG_DFL, None):
        signal.signal(WAKE, _woken)
    return signal.getsignal(WAKE) is _woken


def wake(thread_id: int) -> None:
    """Interrupt the blocking call of a thread, if `allow_waking` was called before and the thread still runs."""
    if WAKE is None or signal.getsignal(WAKE) is not _woken:
        return
    if any(thread.ident == thread_id for thread in threading.enumerate()):
        signal.pthread_kill(thread_id, WAKE)


def _woken(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the interrupted call is what counts."""
