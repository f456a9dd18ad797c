"""One worker process as the agent sees it: its socket, the two threads that talk to it, and what it has in hand."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import swak
from swak.log import get
from swak.workers.wire import Frame, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from swak.narrowing import Piece
    from swak.plugin import DeadEvent
    from swak.workers.wire import Packed

log = get("swak.workers")

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from swak.topology.load import run_again; from swak.workers.process import main; main(run_again, int(sys.argv[2]))"
)
SOCKET_BYTES = 1024 * 1024
"""What may lie in a socket, as far as the system lets us: the next job, while the worker is at one."""
CLOSE_S = 2.0
"""How long a worker may take to close its plugins before it is killed."""
GONE_S = 1.0
"""How long a process may live on after its socket was closed."""


class Job(NamedTuple):
    """A batch, or a piece of one, that goes to a worker."""

    number: int
    piece: Piece
    packed: Packed
    dead: Sequence[DeadEvent] = ()
    """Events of it that no other process can have."""


class Child:
    """One worker process. It answers jobs in the order in which it got them.

    A thread sends, waiting for room in the socket, and another one receives: both without the interpreter's lock for
    all but a few lines of Python for each batch. So the next job lies in the socket while the worker is at one.
    """

    def __init__(
        self, name: str, hello: Frame, heard: Callable[[Child, Frame], None], lost: Callable[[Child], None]
    ) -> None:
        """`heard` is called with each answer, `lost` once, when nothing will come any more; both by another thread."""
        self.jobs: deque[Job] = deque()
        """What it was given and has not answered. Guarded by whoever gives."""
        self.since = 0.0
        """Monotonic time since when it has been at the first of them."""
        self.why = ""
        """Why it is lost."""
        self.ready = threading.Event()
        """Set when it can work, and when it never will: then `why` says so."""
        self._heard, self._lost = heard, lost
        self._outbox: SimpleQueue[Frame | None] = SimpleQueue()
        self._outbox.put(hello)
        self._last_words = ""
        self._peer, self.process = started()
        self.name = f"{name} (process {self.process.pid})"
        threads = (("out", self._send), ("in", self._receive))
        self._threads = [
            threading.Thread(target=target, name=f"swak-{name}-{way}", daemon=True) for way, target in threads
        ]
        for thread in self._threads:
            thread.start()

    def give(self, job: Job) -> None:
        """Send a job, as soon as there is room for it in the socket. Waits for nothing."""
        self.jobs.append(job)
        self._outbox.put(Frame("job", (job.number, job.packed[0]), (job.packed[1],)))

    def _send(self) -> None:
        try:
            for frame in iter(self._outbox.get, None):
                send(self._peer, frame)
        except Exception as error:  # noqa: BLE001 - whatever it is, this worker gets nothing any more
            self._last_words = self._last_words or f"cannot be told anything: {error!r}"
            self.kill()

    def _receive(self) -> None:
        why = ""
        try:
            while (frame := receive(self._peer)) is not None:
                if frame.kind == "log":
                    relay(*frame.values)
                elif frame.kind == "ready":
                    self.ready.set()
                elif frame.kind == "failed":
                    self._last_words = str(frame.values[0])
                    log.debug("a worker process failed", worker=self.name, trace=frame.values[1])
                else:
                    self._heard(self, frame)
        except OSError as error:
            why = f"is gone: {error}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing of this worker can be believed
            why = f"answers rubbish: {error}"
            self.kill()
        self.why = self._last_words or why or self._end()
        self.ready.set()
        self._lost(self)

    def _end(self) -> str:
        """Say how the process ended; its socket is closed."""
        try:
            code = self.process.wait(GONE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "has closed its socket"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has exited with code {code}"

    def kill(self) -> None:
        """End the process at once, whatever it is at. Any thread may call this, and again."""
        self.process.kill()
        with contextlib.suppress(OSError):  # it was closed already
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self, *, now: bool) -> None:
        """Let it close its plugins and end, or else kill it; wait until it is gone, and its threads are."""
        self._outbox.put(None)
        if now:
            self.kill()
        with contextlib.suppress(OSError):  # it is gone already
            self._peer.shutdown(socket.SHUT_WR)
        try:
            self.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._peer.close()


def started() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a process of its own, never a fork of ours, with nothing but its end of a new socket, and stderr."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            one.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
    home = str(Path(swak.__file__).parent.parent)
    command = [sys.executable, "-P", "-c", PROGRAM, home, str(os.getpid())]
    try:
        with theirs, _unheard():
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=_stderr(), close_fds=True)
    except BaseException:
        ours.close()
        raise
    return ours, process


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Let a process that is started in the body hear no signals that go to whole groups, until it says otherwise."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stderr() -> int:
    """Where what plugins print goes: standard output may be an output's own."""
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


def relay(name: str, level: int, text: str, own: dict[str, Any]) -> None:
    """Tell a line of a worker's log as one of ours."""
    logger = logging.getLogger(name)
    if logger.isEnabledFor(level):
        logger.handle(logger.makeRecord(name, level, "", 0, text, (), None, extra=own))
