from __future__ import annotations

import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swak.event import Block
from swak.tailing.content import Plain
from swak.tailing.follow import Follower
from swak.tailing.shape import Limits, Shape
from swak.tailing.shortfalls import Shortfalls
from tests.tailing.tails import Tail, append, told

if TYPE_CHECKING:
    from swak.tailing.identity import Mark


def test_a_truncated_file_is_read_from_its_start_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntwo\n")
    with Tail(path) as tail:
        tail.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        assert tail.read() == b"new\n"
    assert any("truncated" in line for line in told(caplog))


def test_a_file_rewritten_to_the_same_size_is_noticed_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        path.write_bytes(b"two\n")
        tail.pass_time(6)
        assert tail.text == b"one\ntwo\n"


def test_a_file_rewritten_to_a_greater_size_while_stopped_is_noticed_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.write_bytes(b"two\nthree\n")
    with Tail(path, positions) as again:
        assert again.read() == b"two\nthree\n"


def test_positions_before_and_after_a_truncation_differ(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        before = tail.positions
        os.truncate(path, 0)
        tail.read()
        append(path, b"one\n")
        assert tail.read() == b"one\n"
        assert tail.positions != before


LIMITS = Limits(line_bytes=24, block_bytes=16)
PART = st.sampled_from([b"\n", b"a", b"bcd\n", b"\r\n", b"\x00\xff", b"e" * 15, b"f" * 16, b"g" * 40])
PARTS = st.lists(PART, max_size=4)


def delivered(content: bytes) -> bytes:
    """Return what should come of whole lines."""
    return b"".join(line[: LIMITS.line_bytes] + b"\n" for line in content.split(b"\n")[:-1])


def follow(path: Path, mark: Mark | None = None) -> Follower:
    follower = follow_with(path, LIMITS)
    if mark is not None:
        follower.resume(mark)
    return follower


def follow_with(path: Path, limits: Limits, shortfalls: Shortfalls | None = None) -> Follower:
    content = Plain(os.open(path, os.O_RDONLY))
    return Follower(content, "s", str(path), shape=Shape(shortfalls or Shortfalls(), limits), now_ns=lambda: 0)


def read_one(follower: Follower) -> bytes:
    body = follower.read()
    if body is None:
        return b""
    assert isinstance(body, Block)
    return body.data


def read_all(follower: Follower) -> bytes:
    parts = []
    while (data := read_one(follower)) or follower.behind:
        parts.append(data)
    return b"".join(parts)


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.tuples(PARTS, st.integers(0, 3), st.booleans(), st.integers(0, 100)), max_size=12))
def test_what_was_handed_out_and_the_position_always_agree(steps: list[tuple[list[bytes], int, bool, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        path.touch()
        follower = follow(path)
        marks = [follower.mark()]
        content = b""
        for parts, reads, restarts, which in steps:
            append(path, b"".join(parts))
            content += b"".join(parts)
            for _ in range(reads):
                before = follower.offset
                data = read_one(follower)
                assert data == delivered(content[before : follower.offset])
                marks.append(follower.mark())
            if restarts:
                os.close(follower.fd)
                mark = marks[which % len(marks)]
                follower = follow(path, mark)
                assert follower.offset == mark.offset
        before = follower.offset
        assert read_all(follower) == delivered(content[before:])
        assert follower.offset == len(content) - follower.half_bytes
        os.close(follower.fd)


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 100])
def test_no_line_is_longer_than_its_limit(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "a.log"
    lines = [b"", b"abc", b"abcd", b"abcde", b"", b"abcdefghij", b"ab"]
    append(path, b"".join(line + b"\n" for line in lines))
    shortfalls = Shortfalls()
    follower = follow_with(path, Limits(limit), shortfalls)
    assert read_all(follower) == b"".join(line[:limit] + b"\n" for line in lines)
    assert shortfalls.lines_cut == sum(len(line) > limit for line in lines)
    assert shortfalls.bytes_cut == sum(max(0, len(line) - limit) for line in lines)
    os.close(follower.fd)


def test_a_long_line_without_an_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.truncate(2**26)  # a hole: 64 MiB of NUL, no line end
    follower = follow_with(path, Limits(line_bytes=2**16))
    tracemalloc.start()
    assert read_all(follower) == b""
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**21
    assert follower.half_bytes == 2**26
    os.close(follower.fd)


def test_many_cut_lines_make_few_lines_of_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log", b"too long\n" * 10_000)
    follower = follow_with(tmp_path / "a.log", Limits(line_bytes=3))
    assert read_all(follower) == b"too\n" * 10_000
    assert len(told(caplog)) == 1
    os.close(follower.fd)


def test_an_error_while_reading_leaves_everything_to_be_read(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    follower = follow(tmp_path / "a.log")
    good, follower.content = follower.content, Plain(os.open(tmp_path, os.O_RDONLY))  # reading a directory fails
    with pytest.raises(OSError, match="directory"):
        follower.read()
    os.close(follower.fd)
    follower.content = good
    assert read_one(follower) == b"one\n"
    os.close(good.fd)


@pytest.mark.parametrize(("content", "offset"), [(b"", 0), (b"half", 0), (b"a\nb\n", 4), (b"a\nhalf", 2)])
def test_the_end_is_after_the_last_line_end(tmp_path: Path, content: bytes, offset: int) -> None:
    append(tmp_path / "a.log", content)
    follower = follow_with(tmp_path / "a.log", Limits(line_bytes=100, block_bytes=3))
    follower.skip_to_end()
    assert follower.offset == offset
    os.close(follower.fd)


def test_the_search_for_the_last_line_end_is_bounded(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"a\n" + b"x" * 1_000)
    follower = follow_with(tmp_path / "a.log", Limits(line_bytes=100, block_bytes=16))
    follower.skip_to_end()
    assert follower.offset == 1_002
    append(tmp_path / "a.log", b"\nnext\n")
    assert read_all(follower) == b"next\n"
    os.close(follower.fd)


def test_a_half_line_that_is_taken_back_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nwrong")
    follower = follow(path)
    assert read_all(follower) == b"one\n"
    os.truncate(path, 5)
    append(path, b"ell then\n")
    assert read_all(follower) == b"well then\n"
    os.close(follower.fd)
