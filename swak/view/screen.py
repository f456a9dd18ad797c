"""The terminal's screen: taken over whole, painted line by line where something has changed, and given back."""

from __future__ import annotations

import sys
import threading
from typing import IO, TYPE_CHECKING, Self

from rich.color import ColorSystem
from rich.style import Style

from swak.view.aside import Aside, give_back_stderr
from swak.view.cells import length
from swak.view.keyboard import in_foreground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from swak.view.cells import Line

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""The other screen, no cursor, no wrapping: a character that is wider than we think breaks no line."""
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: terminals that know it show everything in between at once, others ignore it."""
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class Screen:
    """Draws on a terminal's other screen. What is written to stderr meanwhile goes to the first one, and is kept."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._file: IO[str] = console.file
        self._system = None if console.no_color else SYSTEMS.get(console.color_system or "")
        self._plain = not console.is_terminal or console.is_dumb_terminal
        self._styles: dict[str, tuple[str, str]] = {}
        self._painted: list[str] = []
        self._size = (0, 0)
        self._lock = threading.RLock()
        self.entered = False
        self._closed = False
        self.aside: Aside | None = None

    def __enter__(self) -> Self:
        stderr = sys.stderr
        if stderr is not None and stderr.isatty():
            self.aside = Aside(stderr)
            sys.stderr = self.aside
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, within_s: float = -1) -> bool:
        """Give the terminal back, with everything that was written aside. May be called again, by any thread.

        Returns False, and does nothing, when another thread has been writing to the terminal for longer than that.
        """
        if not self._lock.acquire(timeout=within_s):
            return False
        try:
            self.leave()
        finally:
            self._closed = True
            self._lock.release()
            aside, self.aside = self.aside, None
            give_back_stderr()
            if aside is not None:
                aside.end()
        return True

    @property
    def size(self) -> tuple[int, int]:
        """Return columns and lines of the terminal as it is now."""
        return self._console.size

    @property
    def encoding(self) -> str:
        """Return the terminal's encoding."""
        return self._console.encoding

    def ours(self) -> bool:
        """Whether the terminal is ours now: another job may have it."""
        return in_foreground(self._file)

    def enter(self) -> None:
        """Take the screen over."""
        with self._lock:
            if not self.entered and not self._closed:
                self.entered = True
                self._painted, self._size = [], (0, 0)
                self._send(ENTER)

    def leave(self) -> None:
        """Show the first screen again, as it was."""
        with self._lock:
            if self.entered:
                self.entered = False
                self._send(LEAVE)

    def forget(self) -> None:
        """Paint everything at the next time: somebody else may have written on the screen."""
        self._size = (0, 0)

    def paint(self, lines: Sequence[Line], size: tuple[int, int]) -> bool:
        """Show these lines. Return whether anything had to be written: only what has changed is."""
        made = [self._made(line, size[0]) for line in lines[: size[1]]]
        made += ["\x1b[K"] * (size[1] - len(made))
        with self._lock:
            if not self.entered:
                return False
            told = []
            if size != self._size:
                told.append("\x1b[0m\x1b[2J")
                self._painted = []
            for number, text in enumerate(made):
                if number >= len(self._painted) or self._painted[number] != text:
                    told.append(f"\x1b[{number + 1};1H{text}")
            self._painted, self._size = made, size
            if told:
                self._send(BEGIN + "".join(told) + END)
            return bool(told)

    def pour(self) -> bool:
        """Write what is kept aside on the first screen, where it stays when the view has gone. Return whether it was.

        The picture has gone then, and has to be painted anew.
        """
        aside = self.aside
        if aside is None or not aside.waits:
            return False
        with self._lock:
            was = self.entered
            if was:
                self._send(BEGIN + LEAVE)
            aside.write_out()
            if was:
                self._painted, self._size = [], (0, 0)
                self._send(ENTER + END)
        return True

    def _send(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def _made(self, line: Line, width: int) -> str:
        """Return a line with its colours. The rest of it is erased, unless there is none: that would erase its end."""
        parts = []
        for text, style in line:
            before, after = self._codes(style)
            parts.append(f"{before}{text}{after}")
        if length(line) < width:
            parts.append("\x1b[K")
        return "".join(parts)

    def _codes(self, style: str) -> tuple[str, str]:
        found = self._styles.get(style)
        if found is None:
            parsed = Style.parse(style)
            if self._system is None:
                parsed = parsed.without_color
            rendered = "\0" if self._plain else parsed.render("\0", color_system=self._system or ColorSystem.STANDARD)
            before, _, after = rendered.partition("\0")
            found = self._styles[style] = before, after
        return found
