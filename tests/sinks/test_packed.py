from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.sinks.append import AppendFile, Manner
from swak.sinks.guard import Guard
from swak.sinks.packed import whole_end

if TYPE_CHECKING:
    from pathlib import Path

ONE = msgpack.packb({"message": "x" * 50, "list": [1, {"a": None}]})


def end_of(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return whole_end(fd, len(data))
    finally:
        os.close(fd)


@pytest.mark.parametrize("cut", [0, 1, 10, len(ONE) - 1])
def test_what_is_whole_ends_before_the_torn_object(tmp_path: Path, cut: int) -> None:
    assert end_of(tmp_path / "f", ONE * 3 + ONE[:cut]) == 3 * len(ONE)


def test_an_object_may_be_longer_than_a_block(tmp_path: Path) -> None:
    long = msgpack.packb({"a": "y" * 700_000})
    assert end_of(tmp_path / "f", ONE + long + ONE[:3]) == len(ONE) + len(long)


def test_nothing_is_cut_where_it_is_no_msgpack(tmp_path: Path) -> None:
    assert end_of(tmp_path / "f", ONE + b"\xc1" + ONE) == 2 * len(ONE) + 1


def test_an_empty_file_is_whole(tmp_path: Path) -> None:
    assert end_of(tmp_path / "f", b"") == 0


def test_a_torn_object_is_moved_aside_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(ONE + ONE[:7])
    guard = Guard()
    sink = AppendFile(str(path), Manner(packed=True))
    sink.open(guard)
    sink.write(ONE)
    sink.close()
    guard.release()
    assert path.read_bytes() == ONE * 2
    assert (tmp_path / "f.torn").read_bytes() == ONE[:7] + b"\n"
