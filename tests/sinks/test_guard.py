from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak.sinks.guard import WAKE, Guard, allow_waking, wake

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 20.0


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def wakeable() -> Iterator[None]:
    assert WAKE is not None
    before = signal.signal(WAKE, signal.SIG_DFL)
    assert allow_waking()
    yield
    signal.signal(WAKE, before)


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)


def test_after_abort_a_write_fails_and_changes_nothing(guard: Guard, tmp_path: Path) -> None:
    fd = guard.take(opened(tmp_path / "file"))
    os.write(fd, b"before")
    guard.abort()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(fd, b"after")
    with pytest.raises(OSError, match=r"."):
        os.ftruncate(fd, 0)
    assert (tmp_path / "file").read_bytes() == b"before"


def test_abort_leaves_the_number_taken(guard: Guard, tmp_path: Path) -> None:
    fd = guard.take(opened(tmp_path / "file"))
    guard.abort()
    other = opened(tmp_path / "other")
    os.close(other)
    assert other != fd


def test_a_descriptor_that_comes_after_abort_is_closed(guard: Guard, tmp_path: Path) -> None:
    guard.abort()
    fd = opened(tmp_path / "file")
    with pytest.raises(OSError, match="told to stop"):
        guard.take(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_closed_descriptor_is_nobody_s_any_more(guard: Guard, tmp_path: Path) -> None:
    fd = guard.take(opened(tmp_path / "file"))
    guard.close(fd)
    again = opened(tmp_path / "other")
    guard.abort()
    assert again == fd
    assert os.write(again, b"x") == 1
    os.close(again)


def test_release_closes_everything_and_may_be_repeated(tmp_path: Path) -> None:
    before = open_descriptors()
    guard = Guard()
    guard.take(opened(tmp_path / "file"))
    guard.release()
    guard.release()
    guard.abort()
    assert open_descriptors() == before


@pytest.mark.usefixtures("wakeable")
def test_abort_wakes_a_thread_that_hangs_in_a_full_pipe() -> None:
    reader, writer = os.pipe()
    guards: list[Guard] = []
    errors: list[OSError] = []
    ready = threading.Event()

    def hang() -> None:
        guard = Guard()
        fd = guard.take(os.dup(writer))
        guards.append(guard)
        ready.set()
        try:
            while True:
                os.write(fd, b"x" * 4096)
        except OSError as error:
            errors.append(error)
        guard.release()

    thread = threading.Thread(target=hang)
    thread.start()
    assert ready.wait(DEADLINE_S)
    thread.join(0.2)  # let it fill the pipe; if it has not by then, it fails at its next write all the same
    guards[0].abort()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert errors
    os.close(reader)
    os.close(writer)


def test_a_signal_that_the_process_uses_otherwise_is_left_alone() -> None:
    assert WAKE is not None
    seen: list[int] = []
    before = signal.signal(WAKE, lambda number, _frame: seen.append(number))
    try:
        assert not allow_waking()
        wake(threading.get_ident())
    finally:
        signal.signal(WAKE, before)
    assert seen == []


def test_only_the_main_thread_can_allow_waking() -> None:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(allow_waking()))
    thread.start()
    thread.join(DEADLINE_S)
    assert answers == [False]


@pytest.mark.usefixtures("wakeable")
def test_a_thread_that_is_over_is_not_woken() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    ident = thread.ident
    thread.join(DEADLINE_S)
    assert ident is not None
    wake(ident)
