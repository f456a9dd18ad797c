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
from swak.workers.wire import LEFT_ALONE, Frame, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from swak.narrowing import Piece
    from swak.plugin import DeadEvent
    from swak.workers.wire import Packed

log = get("swak.workers")

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from swak.workers.process import main
def run_again(*recipe):
    from swak.topology.load import run_again
    return run_again(*recipe)
main(run_again, int(sys.argv[2]))
"""
"""What a worker runs. Only one with plugins of a recipe needs what loads recipes: 50 ms."""
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
        self, name: str, stage: str, hello: Frame, heard: Callable[[Child, Frame], None], lost: Callable[[Child], None]
    ) -> None:
        """`stage`: whose worker it is, for lists of processes.

        `heard` is called with each answer, `lost` once, when nothing will come any more; both by another thread.
        """
        self.jobs: deque[Job] = deque()
        """What it was given and has not answered. Guarded by whoever gives."""
        self.since = 0.0
        """Monotonic time since when it has been at the first of them."""
        self.why = ""
        """Why it is lost."""
        self.ready = threading.Event()
        """Set when it can work, and when it never will: then `why` says so."""
        self._label, self._stage, self._heard, self._lost = name, stage, heard, lost
        self._outbox: SimpleQueue[Frame | None] = SimpleQueue()
        self._outbox.put(hello)
        self._last_words = ""
        self._peer: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []

    @property
    def name(self) -> str:
        """What people know it by."""
        return f"{self._label} (process {self._process.pid})" if self._process is not None else self._label

    def start(self) -> None:
        """Start the process and the threads. Whoever calls this calls `close` later, whatever became of it."""
        self._peer, theirs = socket.socketpair()
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        with theirs:
            self._process = process_with(theirs, f"swak {self._label} of {self._stage}")
        for way, work in (("out", self._send), ("in", self._receive)):
            thread = threading.Thread(target=work, args=(self._peer,), name=f"swak:{self._label}:{way}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def give(self, job: Job) -> None:
        """Send a job, as soon as there is room for it in the socket. Waits for nothing."""
        self.jobs.append(job)
        self._outbox.put(Frame("job", (job.number, job.packed[0]), (job.packed[1],)))

    def _send(self, peer: socket.socket) -> None:
        try:
            for frame in iter(self._outbox.get, None):
                send(peer, frame)
        except OSError:
            self.kill()  # it has ended: whoever receives will say how
        except Exception as error:  # noqa: BLE001 - whatever it is, this worker gets nothing any more
            self._last_words = self._last_words or f"cannot be told anything: {error!r}"
            self.kill()

    def _receive(self, peer: socket.socket) -> None:
        why = ""
        try:
            while (frame := receive(peer)) is not None:
                if frame.kind == "log":
                    relay(*frame.values)
                elif frame.kind == "ready":
                    self.ready.set()
                elif frame.kind == "failed":
                    self._last_words = str(frame.values[0])
                    log.debug("a worker process failed", worker=self.name, trace=frame.values[1])
                else:
                    self._heard(self, frame)
        except OSError:
            why = ""  # it has ended with something unread: how, its exit code says best
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing of this worker can be believed
            why = f"answers rubbish: {error}"
            self.kill()
        self.why = self._last_words or why or self._end()
        self.ready.set()
        self._lost(self)

    def _end(self) -> str:
        """Say how the process ended; its socket is closed."""
        assert self._process is not None
        try:
            code = self._process.wait(GONE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "has closed its socket"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has exited with code {code}"

    def kill(self) -> None:
        """End the process at once, whatever it is at. Any thread may call this, and again."""
        if self._process is not None:
            self._process.kill()
        self._shut(socket.SHUT_RDWR)

    def _shut(self, how: int) -> None:
        if self._peer is not None:
            with contextlib.suppress(OSError):  # the other end is closed, or this one
                self._peer.shutdown(how)

    def end(self, *, now: bool) -> None:
        """Let it close its plugins and end, or kill it. Waits for nothing."""
        self._outbox.put(None)
        if now:
            self.kill()
        self._shut(socket.SHUT_WR)

    def close(self) -> None:
        """Wait until it is gone, and its threads are; kill it when that takes long. Comes after `end`.

        subprocess.TimeoutExpired: the system does not let go of it, even killed.
        """
        if self._process is not None:
            try:
                self._process.wait(CLOSE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                self._process.wait(CLOSE_S)
        self._shut(socket.SHUT_RDWR)  # should somebody else hold the other end, our threads wait no longer
        for thread in self._threads:
            if thread.is_alive():
                thread.join(CLOSE_S)
        if self._peer is not None:
            self._peer.close()


def process_with(peer: socket.socket, title: str) -> subprocess.Popen[bytes]:
    """Start a process of its own, never a fork of ours, with nothing but its end of a socket, and stderr.

    `title` stands in lists of processes.
    """
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    home = str(Path(swak.__file__).parent.parent)
    command = [sys.executable, "-P", "-c", PROGRAM, home, str(os.getpid()), title]
    with _unheard():
        return subprocess.Popen(command, stdin=peer.fileno(), stdout=_stderr())  # noqa: S603 - our own interpreter


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Let a process that is started in the body hear no signals that go to whole groups, until it says otherwise."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in LEFT_ALONE])
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
