"""A real terminal to look at: tmux, with a server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

WAIT_S = 25.0
"""How long something may take that must happen. Long, because a busy machine is no failure."""


class Cursor(NamedTuple):
    """What the terminal says of itself."""

    visible: bool
    other_screen: bool
    wraps: bool


class Tmux:
    """One window of a tmux server that nobody else uses, with a shell in it."""

    def __init__(self, folder: Path, environ: Mapping[str, str], columns: int = 80, lines: int = 24) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("needs tmux")
        self._socket = folder / "tmux"
        self._environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "LINES", "TMUX", "NO_COLOR"):
            self._environ.pop(name, None)
        self._environ |= environ
        size = ("-x", str(columns), "-y", str(lines))
        self._tell("-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), "sh")
        self._tell("set-option", "-g", "window-size", "manual")
        self.resize(columns, lines)
        self.run("PS1='PROM''PT> '")
        self.until(lambda shown: "PROMPT>" in shown)

    def close(self) -> None:
        """End the server, and all in it."""
        subprocess.run(self._command("kill-server"), check=False, capture_output=True, timeout=20)

    def type(self, *keys: str) -> None:
        """Press keys, by their tmux names or as themselves."""
        self._tell("send-keys", *keys)

    def run(self, command: str) -> None:
        """Have the shell run a command."""
        self._tell("send-keys", "-l", command)
        self._tell("send-keys", "Enter")

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        self._tell("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> list[str]:
        """Return the lines that are shown."""
        return self._tell("capture-pane", "-p").split("\n")[:-1]

    def coloured(self) -> str:
        """Return what is shown, with its escape sequences."""
        return self._tell("capture-pane", "-p", "-e")

    def foreground(self) -> int:
        """Return the process that the shell has started."""
        (child,) = psutil.Process(int(self._tell("display-message", "-p", "#{pane_pid}"))).children()
        return child.pid

    def cursor(self) -> Cursor:
        """Return in which state the terminal is."""
        told = self._tell("display-message", "-p", "#{cursor_flag} #{alternate_on} #{wrap_flag}").split()
        return Cursor(*(one == "1" for one in told))

    def until(self, holds: Callable[[str], object]) -> list[str]:
        """Wait until something holds of the whole screen, and return its lines."""
        found: list[str] = []

        def looked() -> bool:
            found[:] = self.screen()
            return bool(holds("\n".join(found)))

        until(looked, lambda: "shown is:\n" + "\n".join(found), WAIT_S)
        return found

    def _command(self, *arguments: str) -> list[str]:
        return ["tmux", "-S", str(self._socket), *arguments]

    def _tell(self, *arguments: str) -> str:
        command = self._command(*arguments)
        done = subprocess.run(
            command, env=self._environ, capture_output=True, text=True, encoding="utf-8", timeout=20, check=False
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout
