"""`swak attach` on a terminal, as people type."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.flows.agent import environ, swak, tail_of
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")

RECIPE = (
    'task(in_.FileTailing("app.log"), out.Drop("message == \'no\'"), out.File("out.txt", format="raw"), name="web")'
)
LONG = 'x = print("be" + "gun"); x = [0 for a in range(1000000) for b in range(1000000)]\n'
"""Says when it has begun, in words that are not in its echo."""


class Terminal:
    """A terminal with `swak attach` on it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "swak", "attach", *arguments]
        said = environ(folder) | {"TERM": "dumb"}
        self.process = subprocess.Popen(command, cwd=folder, env=said, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        self.shown = ""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        self.shown = ""
        self.process.send_signal(signal.SIGINT)

    def until(self, text: str) -> None:
        """Wait until this is shown, behind what was waited for before."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.shown:
            readable, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"{text!r} is not in {self.shown!r}"
            self.shown += os.read(self._ours, 4_096).decode()
        self.shown = self.shown.partition(text)[2]

    def until_asked(self, prompt: str) -> None:
        """Wait until this is shown and a key waited for: readline misses signals that come in between."""
        self.until(prompt)
        waiting = psutil.Process(self.process.pid)
        until(lambda: waiting.status() == psutil.STATUS_SLEEPING, waiting.status)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)
        os.close(self._ours)


@pytest.fixture
def folder(start: Start, tmp_path: Path) -> Iterator[Path]:
    """A folder with an agent that runs."""
    (tmp_path / "app.log").write_text("one\n")
    agent = start("-e", RECIPE)
    until(lambda: tail_of(tmp_path / "out.txt") == "one\n", lambda: agent.log)
    until(lambda: swak(tmp_path, "status").returncode == 0, lambda: agent.log)
    yield tmp_path
    assert agent.end(signal.SIGTERM) == 0


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    made = Terminal(folder)
    made.until(">>> ")
    yield made
    made.close()


def test_inputs_of_several_lines_are_run_and_control_d_leaves(terminal: Terminal) -> None:
    terminal.type("for name in stages:\n")
    terminal.until("... ")
    terminal.type("    print(name * 2)\n\n")
    terminal.until("FileFile")
    terminal.until(">>> ")
    terminal.type("1 +* 2\n")
    terminal.until("SyntaxError")
    terminal.until(">>> ")  # before, a terminal edits lines: it would swallow Ctrl-D
    terminal.type("import os\n")
    terminal.until("without --write")
    terminal.until(">>> ")
    terminal.type("\x04")
    assert terminal.process.wait(WAIT_S) == 0


def test_control_c_forgets_the_line_and_then_ends_what_runs(terminal: Terminal) -> None:
    terminal.type("for name in stages:\n")
    terminal.until_asked("... ")
    terminal.interrupt()
    terminal.until(">>> ")
    terminal.type(LONG)
    terminal.until("begun")
    terminal.interrupt()
    terminal.until("it was interrupted, and was ended")
    terminal.until(">>> ")
    terminal.type("6 * 7\n")
    terminal.until("42")
    terminal.type("exit()\n")
    assert terminal.process.wait(WAIT_S) == 0


def test_an_agent_that_ends_meanwhile_ends_the_prompt(terminal: Terminal, folder: Path) -> None:
    assert swak(folder, "stop").returncode == 0
    terminal.type("1\n")
    terminal.until("has closed the connection")
    assert terminal.process.wait(WAIT_S) == 1


def test_the_flow_goes_on_under_a_loop_that_prints(folder: Path) -> None:
    done = swak(folder, "attach", "--limit", "1s", "-c", "while True: print('x' * 1000)")
    assert (done.returncode, "it ran longer than 1 s" in done.stderr) == (1, True)
    assert len(done.stdout) == 100_000
    with (folder / "app.log").open("a") as file:
        file.write("two\n")
    until(lambda: tail_of(folder / "out.txt") == "one\ntwo\n", lambda: tail_of(folder / "out.txt"))
