from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from swak.sinks import direct
from swak.sinks.direct import ALIGN_BYTES, MOST_BYTES, Direct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = b"".join(b"%07d\n" % number for number in range(ALIGN_BYTES // 8 * 300))


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An empty file to append to, on a file system that can be written to past the cache."""
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
        except OSError:
            pytest.skip("the file system of the temporary directory has no O_DIRECT: set TMPDIR to one on a disk")
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        yield fd
    finally:
        os.close(fd)


def held(fd: int) -> bytes:
    return os.pread(fd, 2 * len(WHOLE), 0)


def test_whole_blocks_are_written(fd: int) -> None:
    assert Direct().write(fd, memoryview(WHOLE[: 3 * ALIGN_BYTES + 100])) == 3 * ALIGN_BYTES
    assert held(fd) == WHOLE[: 3 * ALIGN_BYTES]


def test_one_write_takes_so_much_and_no_more(fd: int) -> None:
    assert len(WHOLE) > MOST_BYTES
    way, done = Direct(), 0
    while done < len(WHOLE):
        done += way.write(fd, memoryview(WHOLE)[done:])
    assert held(fd) == WHOLE


def test_the_cache_is_passed_by_and_the_descriptor_is_as_before(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write, flags = os.write, []

    def watched(number: int, data: bytes) -> int:
        flags.append(fcntl.fcntl(number, fcntl.F_GETFL))
        return write(number, data)

    before = fcntl.fcntl(fd, fcntl.F_GETFL)
    monkeypatch.setattr(os, "write", watched)
    Direct().write(fd, memoryview(WHOLE[:ALIGN_BYTES]))
    assert flags == [before | os.O_DIRECT]
    assert fcntl.fcntl(fd, fcntl.F_GETFL) == before


def test_behind_a_broken_block_nothing_is_written_and_it_is_not_tried_again(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(fd, b"x")
    refused = OSError(errno.EINVAL, "Invalid argument")  # what a disk says; a file system in memory may take it
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(refused))
    way = Direct()
    assert way.write(fd, memoryview(WHOLE[:ALIGN_BYTES])) == 0
    assert not way.usable
    assert held(fd) == b"x"


def test_an_error_of_the_disk_is_told_and_the_memory_is_given_back(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Direct()
    way.write(fd, memoryview(WHOLE[:ALIGN_BYTES]))
    waiting = direct._BUFFERS.qsize()
    broken = OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(broken))
    before = fcntl.fcntl(fd, fcntl.F_GETFL)
    with pytest.raises(OSError, match="Input/output error"):
        way.write(fd, memoryview(WHOLE[:ALIGN_BYTES]))
    assert direct._BUFFERS.qsize() == waiting
    assert fcntl.fcntl(fd, fcntl.F_GETFL) == before


def test_a_disk_that_answers_late_is_left_to_the_cache(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            now_s[0] += 0.05
            return now_s[0]

    monkeypatch.setattr(direct, "time", Clock)
    way, tried = Direct(), 0
    while way.usable:
        way.write(fd, memoryview(WHOLE[:ALIGN_BYTES]))
        tried += 1
        assert tried < 100
    assert tried > 5  # one late answer is none


def test_where_the_system_has_no_such_writes_it_is_never_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_FLAG", 0)
    assert not Direct().usable
