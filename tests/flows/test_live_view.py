"""The live view on a real terminal."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.house import ROOT
from tests.view.tmux import Tmux

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.timeout(170),
]

RECIPE = """
from swak import Event, Input, failover, in_, out, task

class Evil(Input):
    '''Events that try to move the cursor.'''
    number = 0
    def read(self):
        self.number += 1
        if self.number % 2:
            return [Event("evil", self.number, {"text": "\\x1b[2J\\x9b31m\\x07 evil"})]
        return None

task(
    in_.Counter(rate=50), out.Drop("f1 == 0"),
    failover(out.Tcp("127.0.0.1", 1), out.Null()),
    name="web",
)
task(Evil(), *[out.Drop("text == ''") for _ in range(12)], out.Null(), name="evil")
"""
SIZES = [(200, 50), (80, 24), (23, 80), (10, 5), (1, 1), (80, 24)]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    (tmp_path / "recipe.py").write_text(RECIPE)
    environ = {"SWAK_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "TERM": "screen-256color"}
    made = Tmux(tmp_path, environ)
    yield made
    made.close()
    for pid in (tmp_path / "home" / "run").glob("*.pid"):  # an agent that a failed test has left in the background
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(pid.read_text()), signal.SIGKILL)


def start(terminal: Tmux, command: str) -> None:
    """Start a view, between two notes of what the terminal is set to."""
    swak = f"{sys.executable} -m swak"
    terminal.run(f"stty -a > before; {swak} {command}; echo code $?; stty -a > after")
    terminal.until(lambda shown: "● " in shown and "Failover" in shown and "all well" not in shown and "/s" in shown)


def ended(terminal: Tmux, folder: Path, code: int) -> str:
    """Wait for the prompt; the terminal has to be as it was."""
    lines = terminal.until(lambda shown: f"code {code}" in shown and shown.rstrip().endswith("PROMPT>"))
    assert (folder / "after").read_text() == (folder / "before").read_text()
    assert terminal.cursor() == (True, False, True)
    terminal.run("echo typed $((20 + 3))")
    terminal.until(lambda shown: "typed 23" in shown)
    return "\n".join(lines)


def looked_at_in_all_sizes(terminal: Tmux) -> None:
    for columns, lines in SIZES:
        terminal.resize(columns, lines)
        if columns >= 80:
            shown = terminal.until(lambda shown: "? help" in shown and "Tcp is down" in shown and "▸" in shown)
            assert shown[0].startswith("recipe")
            assert "rate last 30 s" in " ".join("\n".join(shown).split())
        elif columns == 23:
            shown = terminal.until(lambda shown: "● Counter" in shown and "▸" in shown and "? help" in shown)
            assert any(line.startswith("in ") for line in shown)
        elif columns == 10:
            shown = terminal.until(lambda shown: "/s" in shown.split("\n")[0] and "down" in shown)
            assert len(shown) == 5
            assert "Tcp" in shown[1]
        else:
            terminal.until(lambda shown: shown.strip() == "✖" or shown.strip() == "▲")
        assert "Traceback" not in "\n".join(terminal.screen())


def used_with_keys(terminal: Tmux) -> None:
    terminal.type("s")
    terminal.until(lambda shown: "rate▾" in shown and "sort:rate" in shown)
    terminal.type("s", "s", "s", "s")
    terminal.until(lambda shown: "sort:flow" in shown)
    terminal.type("/")
    terminal.type("w", "e", "b", "/", "d")
    lines = terminal.until(lambda shown: "filter: web/d" in shown and "web/Counter" not in shown)
    assert sum("●" in line for line in lines) == 1
    terminal.type("Enter", "p")
    terminal.until(lambda shown: "web/Drop is paused; p resumes it" in shown and "▲ web/Drop is paused" in shown)
    terminal.type("p")
    terminal.until(lambda shown: "web/Drop goes on" in shown and "▲ web/Drop is paused" not in shown)
    terminal.type("Escape")
    terminal.until(lambda shown: "web/Counter" in shown)
    terminal.type("?")
    terminal.until(lambda shown: "any key leaves it" in shown)
    terminal.type("x", "G", "k")
    terminal.type("t")
    shown = terminal.until(lambda shown: "tap evil/" in shown and "\\u001b[2J\\u009b31m\\u0007" in shown)
    assert shown[0].startswith("recipe")  # nothing has erased it
    terminal.type("Escape")
    terminal.until(lambda shown: "tap evil/" not in shown)


def test_swak_up_is_used_on_a_terminal_of_any_size_and_leaves_it_clean(terminal: Tmux, tmp_path: Path) -> None:
    start(terminal, "up recipe.py")
    assert terminal.cursor() == (False, True, False)
    looked_at_in_all_sizes(terminal)
    used_with_keys(terminal)
    terminal.type("q")
    assert "web/Counter" in ended(terminal, tmp_path, 0)


def test_swak_top_is_used_the_same_and_the_agent_runs_on(terminal: Tmux, tmp_path: Path) -> None:
    terminal.run(f"{sys.executable} -m swak up -d recipe.py")
    terminal.until(lambda shown: "started, process" in shown)
    start(terminal, "top recipe")
    looked_at_in_all_sizes(terminal)
    used_with_keys(terminal)
    terminal.type("q")
    ended(terminal, tmp_path, 0)
    terminal.run(f"clear; {sys.executable} -m swak stop > told; cat told | tail -n 1")
    terminal.until(lambda shown: "clean" in shown)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(terminal: Tmux, tmp_path: Path) -> None:
    start(terminal, "up recipe.py")
    terminal.type("C-z")
    terminal.until(lambda shown: "topped" in shown and "PROMPT>" in shown.rstrip().split("\n")[-1])
    assert terminal.cursor() == (True, False, True)
    terminal.run("clear; stty -a > stopped; fg; echo code $?; stty -a > after")
    terminal.until(lambda shown: "web/Failover" in shown and "▸" in shown)
    terminal.type("q")
    ended(terminal, tmp_path, 0)
    assert (tmp_path / "stopped").read_text() == (tmp_path / "before").read_text()


@pytest.mark.parametrize(("command", "code"), [("up recipe.py", 0), ("top recipe", 143)])
def test_sigterm_ends_it_and_leaves_the_terminal_clean(terminal: Tmux, tmp_path: Path, command: str, code: int) -> None:
    if command.startswith("top"):
        terminal.run(f"{sys.executable} -m swak up -d recipe.py")
        terminal.until(lambda shown: "started, process" in shown)
    start(terminal, command)
    os.kill(terminal.foreground(), signal.SIGTERM)
    ended(terminal, tmp_path, code)
    if command.startswith("top"):
        terminal.run(f"clear; {sys.executable} -m swak stop > told; cat told | tail -n 1")
        terminal.until(lambda shown: "clean" in shown)


def test_without_colours_there_are_none(terminal: Tmux, tmp_path: Path) -> None:
    terminal.run("export NO_COLOR=1")
    start(terminal, "up recipe.py")
    shown = terminal.coloured()
    assert "\x1b[1m" in shown
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-8]|9\d)", shown)
    terminal.type("C-c")
    ended(terminal, tmp_path, 0)


def test_an_agent_that_ends_ends_its_top(terminal: Tmux, tmp_path: Path) -> None:
    terminal.run(f"{sys.executable} -m swak up -d recipe.py")
    terminal.until(lambda shown: "started, process" in shown)
    start(terminal, "top recipe")
    os.kill(int((tmp_path / "home" / "run" / "recipe.pid").read_text()), signal.SIGKILL)
    assert "has closed the connection" in ended(terminal, tmp_path, 0).replace("\n", "")


def test_q_drains_and_a_second_q_stops_at_once(terminal: Tmux, tmp_path: Path) -> None:
    recipe = 'task(in_.Counter(rate=50), failover(out.Tcp("127.0.0.1", 1), start=0), name="web")'
    (tmp_path / "recipe.py").write_text(f"from swak import failover, in_, out, task\n{recipe}\n")
    start(terminal, "up recipe.py")
    terminal.type("q")
    terminal.until(lambda shown: "draining; q again stops at once" in shown and "  draining  " in shown)
    terminal.type("q")
    assert "lost" in ended(terminal, tmp_path, 130)


def test_a_view_that_cannot_draw_any_more_leaves_the_agent_running(terminal: Tmux, tmp_path: Path) -> None:
    broken = "import swak.view.drawing as drawing\ndef draw(scene):\n    raise RuntimeError('no picture')\n"
    (tmp_path / "recipe.py").write_text(f"{broken}drawing.draw = draw\n{RECIPE}")
    terminal.run(f"stty -a > before; {sys.executable} -m swak up recipe.py; echo code $?; stty -a > after")
    terminal.until(lambda shown: "live view ended, progress lines follow" in shown and "no picture" in shown)
    terminal.until(lambda shown: "running [swak.view]" in shown)
    assert terminal.cursor() == (True, False, True)
    terminal.type("C-c")
    assert "clean" in ended(terminal, tmp_path, 0)
