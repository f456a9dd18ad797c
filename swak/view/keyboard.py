"""The keyboard: a terminal that gives each key at once, and is as it was before when we have done."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Protocol

from swak.view.keys import Decoder, of_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPE_S = 0.05
"""How long the rest of a key may take after its first byte: on a slow line, too, they come together."""
LOOK_S = 0.05
"""How often Windows is asked whether a key was pressed."""


class Keyboard(Protocol):
    """Where keys come from. `enter` and `leave` may be called again and again."""

    has_keys: bool
    """Whether there are any at all."""

    def ours(self) -> bool:
        """Whether the terminal is ours now: another job may have it."""

    def enter(self) -> None:
        """Have each key come at once. OSError when the terminal has gone."""

    def leave(self) -> None:
        """Have the terminal as it was before."""

    def wait(self, timeout_s: float) -> list[str]:
        """Return keys as soon as there are any, nothing when that takes too long, or somebody wakes us."""

    def wake(self) -> None:
        """End a `wait`. From any thread."""

    def close(self) -> None:
        """Free what was acquired."""


def in_foreground(file: IO[str] | int) -> bool:
    """Whether we may use a terminal now: another job may have it. What is no controlling terminal has no jobs."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(file if isinstance(file, int) else file.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return True


class NoKeyboard:
    """Nobody types here."""

    has_keys = False

    def __init__(self) -> None:
        self._woken = threading.Event()

    def ours(self) -> bool:
        """Whether the terminal is ours: nobody can tell."""
        return True

    def enter(self) -> None:
        """Change nothing."""

    def leave(self) -> None:
        """Change nothing."""

    def wait(self, timeout_s: float) -> list[str]:
        """Wait until that time, or until somebody wakes us."""
        self._woken.wait(timeout_s)
        self._woken.clear()
        return []

    def wake(self) -> None:
        """End a `wait`."""
        self._woken.set()

    def close(self) -> None:
        """Free nothing."""


if sys.platform == "win32":

    class TerminalKeyboard(NoKeyboard):
        """A console of Windows, whose keys come one by one in any case."""

        has_keys = True

        def wait(self, timeout_s: float) -> list[str]:
            """Return keys as soon as there are any."""
            import msvcrt  # noqa: PLC0415 - Windows only

            until = time.monotonic() + timeout_s
            while time.monotonic() < until and not self._woken.is_set():
                keys: list[str] = []
                while msvcrt.kbhit():
                    first = msvcrt.getwch()
                    keys += of_windows(first, msvcrt.getwch()) if first in {"\x00", "\xe0"} else of_windows("", first)
                if keys:
                    return keys
                self._woken.wait(LOOK_S)
            self._woken.clear()
            return []

else:

    class TerminalKeyboard:
        """A terminal of POSIX in cbreak mode: no line, no echo; Ctrl-C and Ctrl-Z are signals as ever."""

        def __init__(self, fd: int = 0) -> None:
            self.has_keys = True
            self._fd = fd
            self._before: Any = None
            self._lock = threading.Lock()
            self._decoder = Decoder()
            self._woken, self._waker = os.pipe()
            os.set_blocking(self._waker, False)
            os.set_blocking(self._woken, False)

        def ours(self) -> bool:
            """Whether we are in the foreground of the terminal. What is no controlling terminal has no jobs."""
            return in_foreground(self._fd)

        def enter(self) -> None:
            """Have each key come at once, without an echo. OSError when the terminal has gone."""
            import termios  # noqa: PLC0415 - POSIX only

            with self._lock, _as_os_error(), _in_background():
                if self._before is not None:
                    return
                self._before = termios.tcgetattr(self._fd)
                mode = termios.tcgetattr(self._fd)
                mode[3] &= ~(termios.ICANON | termios.ECHO)
                mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._fd, termios.TCSANOW, mode)

        def leave(self) -> None:
            """Have the terminal as it was. What was typed and not read yet goes: it was meant for the view."""
            import termios  # noqa: PLC0415 - POSIX only

            with self._lock, contextlib.suppress(OSError), _as_os_error(), _in_background():  # it may have gone
                before, self._before = self._before, None
                if before is not None and self.ours():
                    termios.tcsetattr(self._fd, termios.TCSANOW, before)  # waits for nothing: the output may be stopped
                    termios.tcflush(self._fd, termios.TCIFLUSH)

        def wait(self, timeout_s: float) -> list[str]:
            """Return keys as soon as there are any."""
            import select  # noqa: PLC0415 - nobody else here needs it

            if self._decoder.waits:
                timeout_s = min(timeout_s, ESCAPE_S)
            watched = [self._woken, self._fd] if self.has_keys and self.ours() else [self._woken]
            ready, _, _ = select.select(watched, [], [], timeout_s)
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):  # somebody else has read it
                    os.read(self._woken, 1024)
            if self._fd not in ready:
                return self._decoder.flush() if self._decoder.waits and not ready else []
            try:
                received = os.read(self._fd, 1024)
            except OSError:
                received = b""
            self.has_keys = bool(received)  # else the terminal has hung up
            return self._decoder.feed(received)

        def wake(self) -> None:
            """End a `wait`. From any thread, and from a signal's handler."""
            with contextlib.suppress(OSError):  # it is full, and wakes as it is; or closed
                os.write(self._waker, b"\0")

        def close(self) -> None:
            """Free the pipe."""
            os.close(self._woken)
            os.close(self._waker)

    @contextlib.contextmanager
    def _as_os_error() -> Iterator[None]:
        """Have termios raise what everything else does."""
        import termios  # noqa: PLC0415 - POSIX only

        try:
            yield
        except termios.error as error:
            raise OSError(*error.args) from error

    @contextlib.contextmanager
    def _in_background() -> Iterator[None]:
        """Not be stopped for setting the terminal just when another job has got it."""
        import signal  # noqa: PLC0415 - POSIX only

        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def keyboard() -> Keyboard:
    """Return the keyboard of standard input; that of nobody where this is no terminal."""
    return TerminalKeyboard() if sys.stdin is not None and sys.stdin.isatty() else NoKeyboard()
