"""The side of the process that runs: it starts its successor, hands over, or takes everything back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from swak import log
from swak.background.launching import kept_apart
from swak.handover.channel import VERSION, Channel, Parted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.sockets.kept import Keep

LOG = log.get("swak.handover")

CHECK_S = 90.0
"""How long the new process may take to load and check its recipe."""
READY_S = 30.0
"""How long it may take, once it has the sockets, until it has the name and the data directory."""
SERVE_S = 60.0
"""How long we stay to hear that it serves. It owns everything by then."""
END_S, LEAVE_S = 10.0, 0.5
"""How long it may take to end by itself: after all is well, and before it is killed."""
_NOT_FOR_IT = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID")
"""What a service manager has said to this process only."""


class Stoppable(Protocol):
    """What a handover needs of a run."""

    @property
    def draining(self) -> bool:
        """Whether it is on its way to its end."""

    @property
    def forced_by(self) -> int | None:
        """The signal that has ended it at once."""

    def stop(self, *, now: bool = False, signal: int | None = None, handing: bool = False) -> None:
        """Ask for draining, with sockets left open for a successor when `handing`."""


class Attempt:
    """One wish to be replaced, and what became of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.decided = threading.Event()
        self.refusal = ""
        """Why nothing was begun."""
        self.pid = 0
        """The new process, when handing over has begun."""

    def decide(self, refusal: str = "", pid: int = 0) -> None:
        """Tell those who wait."""
        self.refusal, self.pid = refusal, pid
        self.decided.set()


class Successor:
    """The new process, as seen from the old one."""

    def __init__(self, argv: Sequence[str], cwd: str, *, own_session: bool) -> None:
        """Start it: the same command, the same environment, whatever code lies there now. OSError: it cannot start."""
        ours, theirs = socket.socketpair()
        environ = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
        try:
            with theirs:
                descriptor = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own program
                    [sys.executable, *kept_apart(cwd), "-m", "swak", "up", "--handover-fd", str(descriptor), *argv],
                    stdin=subprocess.DEVNULL,
                    cwd=cwd,
                    env=environ,
                    pass_fds=[descriptor],
                    start_new_session=own_session,
                )
        except BaseException:
            ours.close()
            raise
        self.pid = self._process.pid
        self.channel = Channel(ours)

    def ended_well(self) -> bool:
        """Tell whether it has come to its end by itself: there was little to do."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(END_S) == 0
        return False

    def leave(self) -> None:
        """Let it run on without us."""
        self.channel.close()
        self._process.returncode = 0  # else it would count as forgotten

    def kill(self) -> int | None:
        """See to it that it is no more; return how it had ended, None if it had not."""
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(LEAVE_S)
        if code is None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # it is in a call that nothing ends; it reads nothing any more
                self._process.wait(END_S)
        self.channel.close()
        return code


class Handover:
    """Waits for somebody to wish that another process takes over, and sees it through."""

    def __init__(self, keep: Keep, start: Callable[[], Successor], hindrance: str, tell: Callable[[str], None]) -> None:
        """`hindrance`: why this process cannot be replaced, if so. `tell`: words for the service manager."""
        self.keep = keep
        self._start = start
        self._hindrance = hindrance
        self._tell = tell
        self._wishes: SimpleQueue[Attempt | None] = SimpleQueue()
        self._count = self._number = 0
        self._lock = threading.Lock()
        self._run: Stoppable | None = None
        self._successor: Successor | None = None
        self._thread = threading.Thread(target=self._serve, name="swak:handover", daemon=True)
        self.failed: dict[str, Any] = {}
        """Of the last handover that was begun and had to be taken back: its number, and why."""

    def begin(self, run: Stoppable) -> None:
        """Serve a run that is about to start."""
        self.keep.begin()
        with self._lock:
            self._run = run
        if not self._thread.is_alive():
            self._thread.start()

    def ask(self) -> Attempt:
        """Wish for a successor. From any thread, and from a signal's: what becomes of it is told later."""
        self._count += 1
        attempt = Attempt(self._count)
        self._wishes.put(attempt)
        return attempt

    def goes_on(self) -> bool:
        """After the end of a run: hand over if that was begun. Return whether this process is to run again.

        Everything but the sockets has been released by now.
        """
        with self._lock:
            run, successor = self._run, self._successor
            self._run = self._successor = None
        if successor is not None and self.keep.handing and run is not None and run.forced_by is None:
            return self._hand_over(successor)
        if successor is not None:
            LOG.warning("there is no handover: the agent is to end", pid=successor.pid)
        self._drop(successor)
        return False

    def end(self) -> None:
        """Take no wishes any more."""
        self._wishes.put(None)
        with self._lock:
            successor, self._successor = self._successor, None
        self._drop(successor)

    def _drop(self, successor: Successor | None) -> None:
        if successor is not None:
            successor.kill()
        self.keep.close()

    # The thread

    def _serve(self) -> None:
        while (attempt := self._wishes.get()) is not None:
            self._answer(attempt)

    def _answer(self, attempt: Attempt) -> None:
        refusal = self._hindrance or self._ending()
        if not refusal:
            LOG.info("a new process is started to take over")
            refusal = self._tried(attempt)
        if refusal:
            LOG.error("there is no handover; this process goes on", why=refusal)
            attempt.decide(refusal)

    def _ending(self) -> str:
        run = self._run
        return "it is ending already" if run is None or run.draining else ""

    def _tried(self, attempt: Attempt) -> str:
        """Start a new process and let the run drain when that has checked its recipe. Return what is in the way."""
        try:
            successor = self._start()
        except OSError as error:
            return f"no new process can be started: {error}"
        try:
            told = successor.channel.hear(CHECK_S)
        except Parted as parted:
            code = successor.kill()
            how = f"has ended with exit code {code}" if code is not None else f"was killed: {parted}"
            return f"the new process {how}; its log says why"
        if told.get("word") != "checked" or told.get("version") != VERSION:
            successor.kill()
            return str(told.get("why") or f"it speaks of {told}, which this version does not know; use swak restart")
        with self._lock:
            run, ending = self._run, self._ending()
            if run is not None and not ending:
                self._successor, self._number = successor, attempt.number
        if run is None or ending:
            successor.kill()
            return ending
        LOG.info("the new process has checked its recipe; draining", pid=successor.pid)
        attempt.decide(pid=successor.pid)
        run.stop(handing=True)
        return ""

    # The end of the run

    def _hand_over(self, successor: Successor) -> bool:
        try:
            self._tell("WATCHDOG=1")
            successor.channel.give(self.keep)
            successor.channel.hear(READY_S, "ready")
        except Parted as parted:
            self._taken_back(successor, parted)
            return True
        self._tell(f"MAINPID={successor.pid}\nWATCHDOG=1")
        reads = False
        try:
            successor.channel.say("yours")
            successor.channel.hear(READY_S, "mine")
            reads = True  # from here on
            successor.channel.hear(SERVE_S)
        except Parted as parted:
            if not reads or (parted.ended and not successor.ended_well()):
                self._tell(f"MAINPID={os.getpid()}")
                self._taken_back(successor, parted)
                if reads or not parted.ended:
                    self._cut()
                return True
            LOG.warning("the new process has not said that it serves", pid=successor.pid)
        LOG.info("handed over", pid=successor.pid, sockets=len(self.keep.entries()))
        successor.leave()
        self.keep.close()
        return False

    def _taken_back(self, successor: Successor, parted: Parted) -> None:
        code = successor.kill()
        why = f"exit code {code}" if code is not None else str(parted)
        self.failed = {"attempt": self._number, "why": f"the new process did not take over ({why})"}
        LOG.error("the new process did not take over; this one goes on", pid=successor.pid, why=why)

    def _cut(self) -> None:
        """Close connections that the dead process may have read from: what it has read, nobody has."""
        for entry in self.keep.entries():
            for one in entry.carried:
                one.sock.close()
            if entry.carried:
                LOG.warning("connections are closed: it may have read of them", connections=len(entry.carried))
            entry.carried = []
