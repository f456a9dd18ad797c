from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from swak.view.screen import BEGIN, END, ENTER, LEAVE, Screen

if TYPE_CHECKING:
    import pytest


def made(**given: object) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    settings = {"force_terminal": True, "color_system": "standard", "width": 10, "height": 3, **given}
    screen = Screen(Console(file=file, _environ={}, **settings))  # type: ignore[arg-type]  # settings of all types
    screen.enter()
    file.truncate(0)
    file.seek(0)
    return screen, file


def taken(file: io.StringIO) -> str:
    text = file.getvalue()
    file.truncate(0)
    file.seek(0)
    return text


def test_only_lines_that_have_changed_are_written() -> None:
    screen, file = made()
    assert screen.paint([[("a", "")], [("b", "red")]], (10, 3))
    assert taken(file) == (f"{BEGIN}\x1b[0m\x1b[2J\x1b[1;1Ha\x1b[K\x1b[2;1H\x1b[31mb\x1b[0m\x1b[K\x1b[3;1H\x1b[K{END}")
    assert screen.paint([[("a", "")], [("c", "")]], (10, 3))
    assert taken(file) == f"{BEGIN}\x1b[2;1Hc\x1b[K{END}"
    assert not screen.paint([[("a", "")], [("c", "")]], (10, 3))
    assert taken(file) == ""


def test_another_size_paints_everything_anew() -> None:
    screen, file = made()
    screen.paint([[("a", "")]], (10, 3))
    taken(file)
    screen.paint([[("a", "")]], (5, 1))
    assert taken(file) == f"{BEGIN}\x1b[0m\x1b[2J\x1b[1;1Ha\x1b[K{END}"
    screen.forget()
    assert screen.paint([[("a", "")]], (5, 1))


def test_a_full_line_keeps_its_last_character() -> None:
    screen, file = made()
    screen.paint([[("0123456789", "")]], (10, 1))
    assert "\x1b[K" not in taken(file)


def test_without_colours_there_are_none() -> None:
    screen, file = made(no_color=True)
    screen.paint([[("a", "bold red")]], (10, 1))
    assert "\x1b[1ma\x1b[0m" in taken(file)


def test_a_terminal_is_given_back_once() -> None:
    screen, file = made()
    screen.close()
    screen.close()
    assert taken(file) == LEAVE
    assert not screen.paint([[("a", "")]], (10, 1))


def test_what_is_written_aside_stays_on_the_first_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file = Terminal()
    monkeypatch.setattr(sys, "stderr", file)
    with Screen(Console(file=file, force_terminal=True, width=10, height=3)) as screen:
        screen.enter()
        sys.stderr.write("what happened\n")
        assert taken(file) == ENTER
        assert screen.pour()
        assert taken(file) == f"{BEGIN}{LEAVE}what happened\n{ENTER}{END}"
        assert not screen.pour()
        sys.stderr.write("at last\n")
    assert taken(file) == f"{LEAVE}at last\n"
    assert sys.stderr is file
