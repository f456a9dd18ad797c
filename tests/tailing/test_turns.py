from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from swak.plugins.inputs.file_tailing import FileTailing
from swak.tailing import growth
from tests.tailing.tails import (
    WAIT_S,
    Tail,
    append,
    count_of_descriptors,
    no_permission,
    rotate,
    told,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


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


def test_where_no_notice_is_to_be_had_files_are_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "libc", lambda: None)
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        append(path, b"two\n")
        assert tail.read() == b""
        tail.clock.advance(0.05)
        assert tail.read() == b"two\n"


def test_a_rotation_without_notices_is_found_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path, watch="poll") as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        assert tail.pass_time(2) == b"two\n"


def test_a_lost_notice_is_made_up_for_within_five_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        monkeypatch.setattr(growth.Growth, "collect", lambda _self: growth.Noticed([], set(), overflow=False))
        append(path, b"two\n")
        assert tail.read() == b""
        assert tail.pass_time(5.5) == b"two\n"


def test_after_an_overflow_everything_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        append(path, b"two\n")
        lost: Iterator[growth.Noticed[object]] = iter([growth.Noticed([], set(), overflow=True)])
        nothing: growth.Noticed[object] = growth.Noticed([], set(), overflow=False)
        monkeypatch.setattr(growth.Growth, "collect", lambda _self: next(lost, nothing))
        assert tail.read() == b"two\n"


def test_a_file_that_fails_is_tried_again_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log", b"a\n")
    append(tmp_path / "b.log", b"b\n")
    with Tail(tmp_path / "*.log") as tail:
        assert tail.plugin._files is not None
        failing = next(iter(tail.plugin._files._followed.open.values())).follower
        folder = os.open(tmp_path, os.O_RDONLY)
        os.dup2(folder, failing.fd)  # reading a directory is an error
        os.close(folder)
        with no_permission(tmp_path / "a.log"):
            assert tail.pass_time(3) == b"b\n"
        assert tail.pass_time(1.5) == b"a\n"
    assert len([line for line in told(caplog) if "cannot be read" in line]) == 1


def test_quiet_files_cost_no_look(tmp_path: Path) -> None:
    for number in range(50):
        append(tmp_path / f"{number}.log", b"x\n")
    with Tail(tmp_path / "*.log") as tail:
        tail.calm_down()
        assert tail.plugin._files is not None
        turns = tail.plugin._files._turns
        assert (len(turns._hot), len(turns._armed)) == (0, 50)
