from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.view.keyboard import ESCAPE_S, NoKeyboard, TerminalKeyboard, in_foreground, keyboard

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal, which is nobody's controlling one."""
    import pty

    ours, its = pty.openpty()
    yield ours, its
    for fd in (ours, its):
        os.close(fd)


@pytest.fixture
def board(terminal: tuple[int, int]) -> Iterator[TerminalKeyboard]:
    made = TerminalKeyboard(terminal[1])
    yield made
    made.leave()
    made.close()


def modes(fd: int) -> object:
    import termios

    return termios.tcgetattr(fd)


def test_keys_come_at_once_and_the_terminal_is_as_before(board: TerminalKeyboard, terminal: tuple[int, int]) -> None:
    ours, its = terminal
    before = modes(its)
    board.enter()
    board.enter()
    assert modes(its) != before
    os.write(ours, b"j\x1b[A")
    assert board.wait(10) == ["j", "up"]
    board.leave()
    board.leave()
    assert modes(its) == before


def test_ctrl_c_stays_a_signal(board: TerminalKeyboard, terminal: tuple[int, int]) -> None:
    import termios

    board.enter()
    flags = termios.tcgetattr(terminal[1])[3]
    assert flags & termios.ISIG
    assert not flags & (termios.ICANON | termios.ECHO)


def test_escape_is_known_a_moment_later(board: TerminalKeyboard, terminal: tuple[int, int]) -> None:
    board.enter()
    os.write(terminal[0], b"\x1b")
    assert board.wait(10) == []
    assert board.wait(ESCAPE_S * 100) == ["escape"]


def test_waiting_ends_when_somebody_wakes_it(board: TerminalKeyboard) -> None:
    for one in (board, NoKeyboard()):
        waker = threading.Thread(target=one.wake)
        waker.start()
        assert one.wait(30) == []
        waker.join()
        assert one.wait(0) == []


def test_a_terminal_that_hangs_up_has_no_more_keys() -> None:
    import pty

    ours, its = pty.openpty()
    board = TerminalKeyboard(its)
    board.enter()
    os.close(ours)
    assert board.wait(10) == []
    assert not board.has_keys
    assert board.wait(0) == []
    board.leave()
    os.close(its)
    board.close()


def test_what_is_no_terminal_cannot_be_entered() -> None:
    readable, writable = os.pipe()
    board = TerminalKeyboard(readable)
    with pytest.raises(OSError, match="Inappropriate"):
        board.enter()
    board.leave()
    board.close()
    os.close(readable)
    os.close(writable)


def test_a_terminal_without_jobs_is_ours(terminal: tuple[int, int]) -> None:
    assert in_foreground(terminal[1])


def test_there_are_no_keys_where_standard_input_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not keyboard().has_keys
    monkeypatch.setattr(sys, "stdin", None)
    assert not keyboard().has_keys
    assert keyboard().ours()
