from __future__ import annotations

import errno
import fcntl
import os
import pty
import socket
import termios
import threading
from typing import TYPE_CHECKING

import pytest

from swak.errors import Gone, Retry
from swak.sinks.stream import PIPE_BUF, Stream, is_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.sinks.guard import Guard

DEADLINE_S = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe of the smallest size, as (reader, writer)."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - the test closed it


def lines(start: int, stop: int, size: int = 100) -> bytes:
    return b"".join(b"%d %s\n" % (n, b"x" * size) for n in range(start, stop))


def write_slowly(stream: Stream, data: bytes, reader: int, take: int) -> bytes:
    """Write with retries while reading `take` bytes for each; return all that came out."""
    got = b""
    for _ in range(10_000):
        try:
            stream.write(data, 0)
        except Retry:
            got += os.read(reader, take)
        else:
            return got
    raise AssertionError("it never got through")


def rest_of(reader: int) -> bytes:
    os.set_blocking(reader, False)
    got = b""
    while True:
        try:
            part = os.read(reader, 65536)
        except BlockingIOError:
            return got
        if not part:
            return got
        got += part


def shared(writer: int, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stream on a pipe that cannot be opened anew, as with another user's pipe."""
    monkeypatch.setattr("swak.sinks.stream._reopened", lambda _number: None)
    stream = Stream("pipe")
    stream.open_inherited(writer, guard)
    return stream


@pytest.mark.parametrize("anew", [True, False])
def test_a_slow_reader_gets_every_line_once(
    anew: bool, guard: Guard, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    if anew:
        stream = Stream("pipe")
        stream.open_inherited(writer, guard)
    else:
        stream = shared(writer, guard, monkeypatch)
    data = lines(0, 500) + b"y" * 3 * PIPE_BUF + b"\n" + lines(500, 510)
    got = write_slowly(stream, data, reader, 1000)
    stream.close(guard)
    assert got + rest_of(reader) == data


def test_the_shared_pipe_stays_blocking_for_others(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("pipe")
    stream.open_inherited(pipe[1], guard)
    assert os.get_blocking(pipe[1])
    stream.close(guard)


def test_a_full_pipe_is_a_retry_within_the_time_given(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("standard output")
    stream.open_inherited(pipe[1], guard)
    with pytest.raises(Retry, match="standard output is full") as caught:
        stream.write(lines(0, 1000), 0.05)
    assert caught.value.after_s > 0
    assert not stream.ready()
    os.read(pipe[0], 65536)
    assert stream.ready()
    stream.close(guard)


def test_lines_of_two_writers_are_not_mixed(guard: Guard, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    streams = [Stream("a"), Stream("b")]
    for stream in streams:
        stream.open_inherited(writer, guard)
    full = [lines(0, 300, 50), lines(1000, 1300, 70)]
    writers = [
        threading.Thread(target=write_all, args=(stream, data)) for stream, data in zip(streams, full, strict=True)
    ]
    for thread in writers:
        thread.start()
    got = b""
    while len(got) < sum(map(len, full)):
        got += os.read(reader, 333)
    for thread in writers:
        thread.join(DEADLINE_S)
    assert sorted(got.splitlines()) == sorted(b"".join(full).splitlines())


def write_all(stream: Stream, data: bytes) -> None:
    while True:
        try:
            stream.write(data, 0.05)
        except Retry:
            continue
        return


def test_other_lines_after_an_unfinished_write_are_written_whole(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("pipe")
    stream.open_inherited(pipe[1], guard)
    with pytest.raises(Retry):
        stream.write(lines(0, 1000), 0)
    before = os.read(pipe[0], 65536)
    stream.write(b"other\n", 1)
    assert before.endswith(b"\n")
    assert rest_of(pipe[0]) == b"other\n"


def test_a_torn_line_is_ended_before_other_lines(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("pipe")
    stream.open_inherited(pipe[1], guard)
    with pytest.raises(Retry):
        stream.write(b"z" * 10 * PIPE_BUF + b"\n", 0)
    os.read(pipe[0], 65536)
    stream.write(b"other\n", 1)
    assert rest_of(pipe[0]) == b"\nother\n"


def test_progress_outlives_closing_and_opening(guard: Guard, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stream = Stream("pipe")
    stream.open_inherited(writer, guard)
    data = lines(0, 100)
    with pytest.raises(Retry):
        stream.write(data, 0)
    stream.close(guard)
    assert stream.ready()
    stream.open_inherited(writer, guard)
    got = write_slowly(stream, data, reader, 500)
    stream.close(guard)
    assert got + rest_of(reader) == data


def test_a_reader_that_went_away_ends_an_inherited_pipe(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("standard output")
    stream.open_inherited(pipe[1], guard)
    os.close(pipe[0])
    with pytest.raises(Gone, match="standard output: the reader went away"):
        stream.write(b"x\n", 1)


def test_a_fifo_that_nobody_reads_cannot_be_opened(guard: Guard, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert is_stream(str(tmp_path / "fifo"))
    with pytest.raises(OSError, match="No such device"):
        Stream("fifo").open(str(tmp_path / "fifo"), guard)


def test_a_fifo_may_lose_its_reader_and_get_another(guard: Guard, tmp_path: Path) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    stream = Stream("fifo")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stream.open(path, guard)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        stream.write(b"x\n", 1)
    stream.close(guard)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stream.open(path, guard)
    stream.write(b"x\n", 1)
    assert os.read(reader, 10) == b"x\n"
    os.close(reader)


def test_a_full_device_is_an_os_error(guard: Guard) -> None:
    stream = Stream("/dev/full")
    stream.open("/dev/full", guard)
    with pytest.raises(OSError, match="No space left"):
        stream.write(b"x\n", 1)


def test_a_socket_never_blocks_and_loses_nothing(guard: Guard) -> None:
    ours, theirs = socket.socketpair()
    stream = Stream("journal")
    stream.open_inherited(ours.fileno(), guard)
    assert stream.kind == "socket"
    data = lines(0, 20_000)
    got = write_slowly(stream, data, theirs.fileno(), 65536)
    stream.close(guard)
    assert got + rest_of(theirs.fileno()) == data
    assert os.get_blocking(ours.fileno())
    ours.close()
    theirs.close()


def test_a_terminal_that_is_stopped_is_a_retry(guard: Guard) -> None:
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    stream = Stream("terminal")
    stream.open_inherited(slave, guard)
    assert stream.kind == "terminal"
    data = lines(0, 5_000)
    got = write_slowly(stream, data, master, 65536)
    assert got + rest_of(master) == data
    stream.close(guard)
    os.close(slave)
    os.close(master)


def test_a_regular_file_is_written_where_others_write(guard: Guard, tmp_path: Path) -> None:
    shared_fd = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    os.write(shared_fd, b"before\n")
    stream = Stream("file")
    stream.open_inherited(shared_fd, guard)
    stream.write(b"ours\n", 1)
    os.write(shared_fd, b"after\n")
    os.close(shared_fd)
    assert (tmp_path / "out").read_bytes() == b"before\nours\nafter\n"


def test_after_abort_nothing_is_written(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("pipe")
    stream.open_inherited(pipe[1], guard)
    stream.write(b"before\n", 1)
    guard.abort()
    with pytest.raises(OSError, match="Bad file descriptor"):
        stream.write(b"after\n", 1)
    assert rest_of(pipe[0]) == b"before\n"


def test_abort_while_a_socket_is_full_writes_nothing_more(guard: Guard) -> None:
    ours, theirs = socket.socketpair()
    stream = Stream("socket")
    stream.open_inherited(ours.fileno(), guard)
    data = lines(0, 20_000)
    with pytest.raises(Retry):
        stream.write(data, 0)
    guard.abort()
    got = rest_of(theirs.fileno())
    with pytest.raises(OSError, match="non-socket"):
        stream.write(data, 0)
    assert rest_of(theirs.fileno()) == b""
    assert data.startswith(got)
    stream.close(guard)
    ours.close()
    theirs.close()


@pytest.mark.parametrize(("path", "answer"), [("/dev/stdout", True), ("/dev/fd/7", True), ("/dev/null", True)])
def test_devices_and_inherited_descriptors_are_streams(path: str, answer: bool) -> None:
    assert is_stream(path) is answer


def test_files_and_folders_and_what_is_not_there_are_no_streams(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not any(is_stream(str(path)) for path in (tmp_path, tmp_path / "file", tmp_path / "none"))


def test_dev_fd_leads_to_the_descriptor_of_that_number(guard: Guard, pipe: tuple[int, int]) -> None:
    stream = Stream("fd")
    stream.open(f"/dev/fd/{pipe[1]}", guard)
    stream.write(b"x\n", 1)
    assert rest_of(pipe[0]) == b"x\n"
