from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest

from swak.formats.feed import ByteFeed

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_MAX = 1_000


class Pipe(NamedTuple):
    feed: ByteFeed
    write_fd: int
    wake_fd: int
    waker_fd: int

    def fill(self, wait_s: float = 0.0) -> bool:
        return self.feed.fill(wait_s, self.wake_fd, LINE_MAX)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    read_fd, write_fd = os.pipe()
    wake_fd, waker_fd = os.pipe()
    yield Pipe(ByteFeed(read_fd), write_fd, wake_fd, waker_fd)
    for fd in (read_fd, write_fd, wake_fd, waker_fd):
        os.close(fd)


def write(pipe: Pipe, text: bytes) -> None:
    os.write(pipe.write_fd, text)
    assert pipe.fill(10)


def test_whole_lines_come_from_an_offset(pipe: Pipe) -> None:
    write(pipe, b"one\ntwo\nthr")
    assert pipe.feed.lines_from(0, 100, ended=False) == b"one\ntwo\n"
    assert pipe.feed.lines_from(4, 100, ended=False) == b"two\n"


def test_an_unfinished_line_waits_for_its_end(pipe: Pipe) -> None:
    write(pipe, b"thr")
    assert pipe.feed.lines_from(0, 100, ended=False) == b""
    write(pipe, b"ee\n")
    assert pipe.feed.lines_from(0, 100, ended=False) == b"three\n"


def test_at_the_end_an_unfinished_line_comes_too(pipe: Pipe) -> None:
    write(pipe, b"thr")
    assert pipe.feed.lines_from(0, 100, ended=True) == b"thr"
    assert pipe.feed.lines_from(3, 100, ended=True) == b""


def test_a_line_longer_than_asked_for_comes_whole(pipe: Pipe) -> None:
    write(pipe, b"a long line\nb\n")
    assert pipe.feed.lines_from(0, 4, ended=False) == b"a long line\n"


def test_what_was_forgotten_cannot_be_asked_for(pipe: Pipe) -> None:
    write(pipe, b"one\ntwo\n")
    pipe.feed.forget(4)
    assert (pipe.feed.nearest(0), pipe.feed.nearest(None), pipe.feed.nearest(5), pipe.feed.nearest(99)) == (4, 4, 5, 8)
    assert pipe.feed.lines_from(4, 100, ended=False) == b"two\n"


def test_forgetting_again_is_nothing(pipe: Pipe) -> None:
    write(pipe, b"one\ntwo\n")
    pipe.feed.forget(4)
    pipe.feed.forget(2)
    assert pipe.feed.nearest(0) == 4


def test_a_line_that_is_too_long_is_cut_and_counted(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    write(pipe, b"a" * 700)
    write(pipe, b"b" * 700)
    write(pipe, b"c" * 10 + b"\nnext\n" + b"d" * 2_000 + b"\n")
    lines = pipe.feed.lines_from(0, 10_000, ended=False).split(b"\n")
    assert lines == [b"a" * 700 + b"b" * 300, b"next", b"d" * LINE_MAX, b""]
    assert pipe.feed.cut_lines == 2
    assert "too long" in caplog.text


def test_a_line_of_just_the_longest_length_is_whole(pipe: Pipe) -> None:
    write(pipe, b"x\n" + b"a" * LINE_MAX + b"\ny\n")
    assert pipe.feed.lines_from(0, 10_000, ended=False) == b"x\n" + b"a" * LINE_MAX + b"\ny\n"
    assert pipe.feed.cut_lines == 0


def test_memory_stays_bounded_under_an_endless_line(pipe: Pipe) -> None:
    for _ in range(50):
        write(pipe, b"a" * 1_000)
    assert len(pipe.feed.lines_from(0, 10**6, ended=True)) == LINE_MAX


def test_filling_returns_when_time_is_up(pipe: Pipe) -> None:
    assert pipe.fill(0.01)


def test_filling_returns_when_woken(pipe: Pipe) -> None:
    os.write(pipe.waker_fd, b"\0")
    assert pipe.fill(30)
    assert pipe.feed.nearest(99) == 0


def test_the_end_of_the_stream_shows(pipe: Pipe) -> None:
    os.dup2(pipe.wake_fd, pipe.write_fd)  # the only writer goes away; the fixture still has a descriptor to close
    assert not pipe.fill(10)


def test_another_reader_waits_its_turn(pipe: Pipe) -> None:
    began = threading.Event()

    def first() -> None:
        began.set()
        pipe.fill(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(10)
    assert pipe.fill(0.01)
    os.write(pipe.write_fd, b"line\n")
    thread.join(10)
    assert pipe.fill(0.01)
    assert pipe.feed.lines_from(0, 100, ended=False) == b"line\n"


def test_where_polling_is_not_to_be_had_a_thread_reads(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.poll")
    assert pipe.fill(0.01)
    os.write(pipe.write_fd, b"line\n")
    assert pipe.fill(10)
    assert pipe.feed.lines_from(0, 100, ended=False) == b"line\n"
    os.dup2(pipe.wake_fd, pipe.write_fd)
    assert not pipe.fill(10)
