"""The last resort: a call that holds the interpreter's lock stops everybody, the supervisor too."""

from __future__ import annotations

import faulthandler
import signal
import sys

CPU_LIMIT_S = 30.0
"""CPU seconds that the process may burn without one round of the supervisor."""


class Watchdog:
    """Ends the process with a traceback of every thread when the supervisor has not come round for long.

    A C call that never releases the interpreter's lock (a regular expression that backtracks for ever) burns CPU, so
    the alarm counts CPU time (ITIMER_PROF), not the clock: a machine that was suspended, or a process that was stopped,
    does not wake up to an alarm. faulthandler's handler runs in C, without the lock; then the signal's default action
    ends the process, so that its service manager starts it again. Where there is no such timer (Windows), the alarm
    counts the clock.
    """

    def __init__(self, *, enabled: bool, limit_s: float = CPU_LIMIT_S) -> None:
        self._enabled = enabled
        self._limit_s = limit_s
        self._by_cpu = hasattr(signal, "setitimer")
        self._registered = False

    def arm(self) -> None:
        """Put the alarm off by another `limit_s`."""
        if not self._enabled:
            return
        if not self._by_cpu:
            faulthandler.dump_traceback_later(self._limit_s, exit=True)
            return
        if not self._registered:
            faulthandler.register(signal.SIGPROF, file=sys.__stderr__ or 2, all_threads=True, chain=True)
            self._registered = True
        signal.setitimer(signal.ITIMER_PROF, self._limit_s)

    def disarm(self) -> None:
        """Take the alarm back."""
        if not self._enabled:
            return
        if not self._by_cpu:
            faulthandler.cancel_dump_traceback_later()
            return
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        if self._registered:
            faulthandler.unregister(signal.SIGPROF)
            self._registered = False
