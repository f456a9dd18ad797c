from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from swak.plugins.inputs.file_tailing import FileTailing
from tests.tailing.tails import (
    WAIT_S,
    Tail,
    append,
    count_of_descriptors,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_growth_ends_a_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        writer = threading.Timer(0.05, append, (path, b"two\n"))
        writer.start()
        until(tail, b"one\ntwo\n")
        writer.join()


def test_growth_of_a_file_that_was_renamed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        path.rename(tmp_path / "a.log.1")
        tail.calm_down()
        append(tmp_path / "a.log.1", b"two\n")
        assert tail.read() == b"two\n"


def test_interrupt_ends_a_wait_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.touch()
    with Tail(path) as tail:
        tail.calm_down()
        tail.plugin.wait_s = WAIT_S
        began = time.monotonic()
        waker = threading.Timer(0.05, tail.plugin.interrupt)
        waker.start()
        assert tail.plugin.read() is None
        assert time.monotonic() - began < WAIT_S / 2
        waker.join()


def test_interrupt_before_open_and_after_close_does_nothing(tmp_path: Path) -> None:
    plugin = FileTailing(str(tmp_path / "a.log"))
    plugin.interrupt()
    plugin.open()
    plugin.close()
    plugin.interrupt()
    plugin.close()


def test_a_read_that_may_not_wait_returns_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    with Tail(tmp_path / "a.log") as tail:
        tail.read()
        began = time.process_time()
        for _ in range(200):
            assert tail.plugin.read() is None
        assert time.process_time() - began < 1.0


def test_a_file_that_grows_while_it_is_read_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.touch()
    lines = [b"%06d\n" % number for number in range(20_000)]

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for start in range(0, len(lines), 7):
                file.write(b"".join(lines[start : start + 7]))

    writer = threading.Thread(target=write)
    with Tail(path) as tail:
        writer.start()
        until(tail, b"".join(lines))
        writer.join()


def test_close_leaves_no_descriptor(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    before = count_of_descriptors()
    with Tail(tmp_path / "*.log") as tail:
        tail.read()
        tail.calm_down()
        assert count_of_descriptors() > before
    assert count_of_descriptors() == before
