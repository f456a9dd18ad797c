from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import EndOfInput
from swak.event import BLOCK_BYTES, Block, Chunk
from swak.formats.feed import ByteFeed
from swak.plugins.inputs.stdin import SOURCE, Stdin

if TYPE_CHECKING:
    from collections.abc import Iterator


class Piped:
    """An input that reads from a pipe, as the standard input does, and the pipe's other end."""

    def __init__(self) -> None:
        read_fd, self.write_fd = os.pipe()
        self.read_fd = read_fd
        self.plugin = type("Stdin", (Stdin,), {"bytes_fed": ByteFeed(read_fd)})
        self.opened: list[Stdin] = []

    def open(self, position: int | None = None, **options: Any) -> Stdin:
        made: Stdin = self.plugin(**options)
        made.wait_s = 10.0
        made.seek({} if position is None else {SOURCE: position})
        made.open()
        self.opened.append(made)
        return made

    def write(self, text: bytes) -> None:
        os.write(self.write_fd, text)

    def end(self) -> None:
        os.close(self.write_fd)
        self.write_fd = -1

    def close(self) -> None:
        for plugin in self.opened:
            plugin.close()
        os.close(self.read_fd)
        if self.write_fd >= 0:
            self.end()


@pytest.fixture
def pipe() -> Iterator[Piped]:
    piped = Piped()
    yield piped
    piped.close()


def chunk(plugin: Stdin) -> Chunk:
    read = plugin.read()
    assert read is not None
    return read


def lines(plugin: Stdin) -> list[str]:
    body = chunk(plugin).body
    assert isinstance(body, Block)
    return body.lines()


def test_what_has_arrived_comes_as_one_block_of_whole_lines(pipe: Piped) -> None:
    stdin = pipe.open()
    pipe.write(b"one\ntwo\nthr")
    read = chunk(stdin)
    assert isinstance(read.body, Block)
    assert (read.body.data, read.tag, read.source, read.position) == (b"one\ntwo\n", "stdin", "stdin", 8)


def test_the_last_line_counts_without_its_line_end(pipe: Piped) -> None:
    stdin = pipe.open()
    pipe.write(b"one\ntwo")
    pipe.end()
    assert lines(stdin) == ["one"]
    assert lines(stdin) == ["two"]
    with pytest.raises(EndOfInput):
        stdin.read()


def test_the_end_is_told_again_and_again(pipe: Piped) -> None:
    stdin = pipe.open()
    pipe.end()
    for _ in range(3):
        with pytest.raises(EndOfInput):
            stdin.read()


def test_nothing_within_the_wait_is_none(pipe: Piped) -> None:
    stdin = pipe.open()
    stdin.wait_s = 0.01
    assert stdin.read() is None


def test_a_successor_reads_what_was_not_accepted(pipe: Piped) -> None:
    first = pipe.open()
    pipe.write(b"one\n")
    accepted = chunk(first)
    pipe.write(b"two\n")
    assert lines(first) == ["two"]
    successor = pipe.open(accepted.position)
    assert lines(successor) == ["two"]


def test_a_successor_of_an_input_that_had_nothing_accepted_reads_from_the_start(pipe: Piped) -> None:
    first = pipe.open()
    pipe.write(b"one\n")
    assert lines(first) == ["one"]
    assert lines(pipe.open()) == ["one"]


def test_what_a_replaced_plugin_reads_later_reaches_its_successor(pipe: Piped) -> None:
    old = pipe.open()
    waiting = threading.Thread(target=old.read)
    waiting.start()
    successor = pipe.open()
    pipe.write(b"one\n")
    waiting.join(20)
    assert lines(successor) == ["one"]


def test_a_half_line_survives_a_replacement(pipe: Piped) -> None:
    first = pipe.open()
    first.wait_s = 0.01
    pipe.write(b"hal")
    assert first.read() is None
    successor = pipe.open()
    pipe.write(b"f\n")
    assert lines(successor) == ["half"]


def test_accepted_bytes_are_let_go(pipe: Piped) -> None:
    stdin = pipe.open()
    for number in range(5):
        pipe.write(b"%d\n" % number)
        assert lines(stdin) == [str(number)]
    assert pipe.plugin.bytes_fed.nearest(0) == 6  # type: ignore[attr-defined]


def test_a_position_of_another_process_is_no_obstacle(pipe: Piped) -> None:
    stdin = pipe.open(123_456)
    pipe.write(b"one\n")
    assert lines(stdin) == ["one"]


def test_a_wait_can_be_interrupted(pipe: Piped) -> None:
    stdin = pipe.open()
    stdin.wait_s = 50.0
    stdin.interrupt()
    assert stdin.read() is None


def test_interrupting_is_harmless_at_any_time(pipe: Piped) -> None:
    fresh = Stdin()
    fresh.interrupt()
    stdin = pipe.open()
    for _ in range(100_000):
        stdin.interrupt()
    stdin.close()
    stdin.interrupt()


def test_blocks_are_cut_at_a_line_end(pipe: Piped) -> None:
    stdin = pipe.open()
    text = b"x" * 99 + b"\n"

    def write() -> None:
        for _ in range(100):
            pipe.write(text * 50)

    writer = threading.Thread(target=write)
    writer.start()
    size_bytes = 0
    while size_bytes < 5_000 * 100:
        read = chunk(stdin)
        assert isinstance(read.body, Block)
        assert len(read.body.data) <= BLOCK_BYTES
        assert read.body.data == text * read.body.count
        size_bytes += len(read.body.data)
    writer.join(10)
    assert size_bytes == 5_000 * 100


def test_a_long_line_is_cut(pipe: Piped) -> None:
    stdin = pipe.open(max_line=10)
    pipe.write(b"a" * 50 + b"\nshort\n")
    assert lines(stdin) == ["a" * 10, "short"]


def test_lines_have_the_encoding_that_was_given(pipe: Piped) -> None:
    stdin = pipe.open(encoding="cp949")
    pipe.write("한글\n".encode("cp949"))
    assert lines(stdin) == ["한글"]


@pytest.mark.parametrize("encoding", ["utf-16", "no-such", "utf-32-le", "rot13", ""])
def test_an_encoding_without_lines_is_refused(encoding: str) -> None:
    ((what, _),) = Stdin(encoding=encoding).check()
    assert encoding in what


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp949", "shift_jis"])
def test_an_encoding_with_lines_is_accepted(encoding: str) -> None:
    assert Stdin(encoding=encoding).check() == []


PROGRAM = """
from swak.errors import EndOfInput
from swak.plugins.inputs.stdin import Stdin
stdin = Stdin()
stdin.open()
lines = []
try:
    while True:
        read = stdin.read()
        lines += read.body.lines() if read else []
except EndOfInput:
    print(lines)
"""


def run(redirect: str) -> str:
    command = f'"{sys.executable}" -c "$PROGRAM" {redirect}'
    return subprocess.run(
        ["sh", "-c", command],
        env=os.environ | {"PROGRAM": PROGRAM},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    ).stdout.strip()


def test_a_file_can_be_the_standard_input(tmp_path: Any) -> None:
    (tmp_path / "in").write_text("one\ntwo")
    assert run(f"< {tmp_path / 'in'}") == "['one', 'two']"


def test_the_null_device_ends_at_once() -> None:
    assert run("< /dev/null") == "[]"


def test_a_closed_standard_input_ends_at_once() -> None:
    assert run("<&-") == "[]"
