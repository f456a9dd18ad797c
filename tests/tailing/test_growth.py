from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from swak.tailing import growth
from swak.tailing.growth import Entry, Growth
from tests.tailing.tails import WAIT_S, append, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def noticing() -> Iterator[Growth[str]]:
    made: Growth[str] = Growth()
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    append(tmp_path / "a.log", b"")
    fd = os.open(tmp_path / "a.log", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_growth_is_told_once_until_it_is_asked_for_again(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    assert noticing.arm(file, "a")
    append(tmp_path / "a.log", b"one")
    append(tmp_path / "a.log", b"two")
    assert noticing.collect().grown == ["a"]
    append(tmp_path / "a.log", b"three")
    assert noticing.collect().grown == []
    assert noticing.arm(file, "a")
    append(tmp_path / "a.log", b"four")
    assert noticing.collect().grown == ["a"]


def test_growth_after_an_unlink_is_told(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    with (tmp_path / "a.log").open("ab", buffering=0) as writer:
        (tmp_path / "a.log").unlink()
        assert noticing.arm(file, "a")
        writer.write(b"one")
    assert noticing.collect().grown == ["a"]


def test_arming_twice_tells_once(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    assert noticing.arm(file, "a")
    assert noticing.arm(file, "a")
    append(tmp_path / "a.log", b"one")
    assert noticing.collect().grown == ["a"]


def test_a_file_that_was_disarmed_is_not_told(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    assert noticing.arm(file, "a")
    noticing.disarm("a")
    noticing.disarm("a")
    append(tmp_path / "a.log", b"one")
    assert noticing.collect().grown == []


def test_a_truncation_is_told(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one")
    assert noticing.arm(file, "a")
    os.truncate(tmp_path / "a.log", 0)
    assert noticing.collect().grown == ["a"]


def test_names_that_come_and_go_are_told(noticing: Growth[str], tmp_path: Path) -> None:
    noticing.watch(str(tmp_path))
    append(tmp_path / "new", b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "new").rename(tmp_path / "old")
    folder = str(tmp_path)
    assert noticing.collect().entries == {
        Entry(folder, "new", False),
        Entry(folder, "old", False),
        Entry(folder, "folder", True),
    }


def test_a_directory_that_is_not_there_is_no_trouble(
    noticing: Growth[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noticing.watch(str(tmp_path / "later"))
    assert noticing.collect().entries == set()
    assert told(caplog) == []


def test_a_notice_ends_a_wait(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    assert noticing.arm(file, "a")
    append(tmp_path / "a.log", b"one")
    began = time.monotonic()
    assert noticing.wait(WAIT_S, files=True) is False
    assert time.monotonic() - began < WAIT_S / 2


def test_while_files_are_hot_a_notice_ends_no_wait(noticing: Growth[str], file: int, tmp_path: Path) -> None:
    assert noticing.arm(file, "a")
    append(tmp_path / "a.log", b"one")
    began = time.monotonic()
    assert noticing.wait(0.02, files=False) is False
    assert time.monotonic() - began >= 0.015


@pytest.mark.parametrize("files", [True, False])
def test_wake_ends_a_wait_from_another_thread(noticing: Growth[str], files: bool) -> None:
    waker = threading.Thread(target=noticing.wake)
    waker.start()
    assert noticing.wait(WAIT_S, files=files) is True
    waker.join()
    assert noticing.wait(0, files=files) is False


def test_any_number_of_wakes_ends_one_wait(noticing: Growth[str]) -> None:
    for _ in range(100_000):
        noticing.wake()
    assert noticing.wait(WAIT_S, files=True) is True
    while noticing.wait(0, files=True):
        continue
    noticing.wake()
    assert noticing.wait(0, files=True) is True


def test_wake_after_close_does_nothing() -> None:
    made: Growth[str] = Growth()
    made.close()
    made.wake()
    made.close()


class NoInotify:
    """A C library in which inotify refuses at one of its calls."""

    def __init__(self, init: int, number: int) -> None:
        self.init = init
        self.number = number

    def inotify_init1(self, _flags: int) -> int:
        ctypes.set_errno(self.number)
        return os.open("/dev/null", os.O_RDONLY | os.O_NONBLOCK) if self.init >= 0 else -1

    def inotify_add_watch(self, *_: Any) -> int:
        ctypes.set_errno(self.number)
        return -1


def test_without_inotify_files_are_to_be_polled_and_it_is_told_once(
    file: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(growth, "libc", lambda: NoInotify(-1, errno.EMFILE))
    made: Growth[str] = Growth()
    assert not made.arm(file, "a")
    assert not made.arm(file, "a")
    assert made.collect().grown == []
    made.close()
    assert len(told(caplog)) == 1
    assert "max_user_instances" in told(caplog)[0]


def test_on_a_system_without_inotify_files_are_to_be_polled(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "libc", lambda: None)
    made: Growth[str] = Growth()
    assert not made.arm(file, "a")
    made.close()


def test_an_overflow_is_told(noticing: Growth[str], monkeypatch: pytest.MonkeyPatch) -> None:
    event = growth._EVENT.pack(-1, 0x4000, 0, 0)
    monkeypatch.setattr(os, "read", lambda _fd, _size: event)
    assert noticing.collect().overflow
