from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.tailing.tails import Tail, age, append, make_room, rotate, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
packed = pytest.mark.parametrize("suffix", ["", "gz", "bz2", "xz"])


def copy_beside(path: Path, suffix: str = "") -> Path:
    """Copy a file to `path.1`, compressed or not; older ones move on."""
    make_room(path)
    copy = path.with_name(f"{path.name}.1")
    if not suffix:
        shutil.copyfile(path, copy)
        return copy
    packed_copy = copy.with_name(f"{copy.name}.{suffix}")
    packed_copy.write_bytes(PACKERS[suffix](path.read_bytes()))
    return packed_copy


def copytruncate(path: Path, suffix: str = "") -> None:
    """Copy a file and cut it off, as logrotate does on request."""
    copy_beside(path, suffix)
    os.truncate(path, 0)


def compress(path: Path, suffix: str = "gz") -> Path:
    """Put a compressed file in the place of a plain one, as a rotation does with old generations."""
    target = path.with_name(f"{path.name}.{suffix}")
    target.write_bytes(PACKERS[suffix](path.read_bytes()))
    path.unlink()
    return target


def lines(start: int, stop: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(start, stop))


# ---- copytruncate


@packed
def test_what_was_unread_comes_from_the_copy_before_the_new_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\n")
        copytruncate(path, suffix)
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\nnew\n"
        assert tail.plugin.shortfalls.bytes_dropped == 0


@packed
def test_a_copytruncate_while_stopped_loses_and_repeats_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\n")
    copytruncate(path, suffix)
    append(path, b"new\n")
    with Tail(path, positions) as again:
        again.pass_time(3)
        assert again.text == b"two\nnew\n"
        assert again.plugin.shortfalls.bytes_dropped == 0


@packed
def test_two_copytruncates_while_stopped_lose_and_repeat_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\n")
    copytruncate(path, suffix)
    append(path, b"three\n")
    copytruncate(path, suffix)
    append(path, b"four\n")
    with Tail(path, positions) as again:
        again.pass_time(5)
        assert again.text == b"two\nthree\nfour\n"
        assert again.plugin.shortfalls.bytes_dropped == 0


@pytest.mark.parametrize("suffix", ["", "gz"])
def test_many_copytruncates_while_running_lose_and_repeat_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 100))
    with Tail(path) as tail:
        tail.read()
        for number in range(1, 8):
            append(path, lines(100 * number, 100 * number + 50))
            tail.read()
            append(path, lines(100 * number + 50, 100 * number + 100))
            copytruncate(path, suffix)
            tail.pass_time(3)
        append(path, b"end\n")
        tail.pass_time(3)
        assert tail.text == lines(0, 800) + b"end\n"
        assert tail.plugin.shortfalls.bytes_dropped == 0


def test_files_with_the_same_head_are_told_apart_by_what_was_read_last(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    head = b"# the same long banner of every generation of this log\n" * 30
    append(path, head + b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\n")
        copytruncate(path)
        append(path, head + b"three\n")
        tail.pass_time(3)
        append(path, b"four\n")
        copytruncate(path)
        append(path, head + b"five\n")
        tail.pass_time(3)
        assert tail.text == head + b"one\ntwo\n" + head + b"three\nfour\n" + head + b"five\n"


def test_a_half_line_that_was_truncated_comes_whole_from_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntw")
    with Tail(path) as tail:
        tail.read()
        append(path, b"o\nthr")
        copytruncate(path)
        append(path, b"ee\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\nthr\nee\n"


def test_of_a_file_of_which_nothing_was_read_the_copy_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"half")
    with Tail(path) as tail:
        tail.read()
        append(path, b" of it\n")
        copytruncate(path)
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.text == b"half of it\nnew\n"
        assert tail.plugin.shortfalls.bytes_dropped == 0


def test_a_backlog_of_many_blocks_comes_from_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 200_000))
    with Tail(path) as tail:
        while len(tail.handed) < 3:
            assert tail.read_once()
        copytruncate(path, "gz")
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.text == lines(0, 200_000) + b"new\n"


@packed
def test_every_position_leads_to_everything_after_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\nthree\n")
        copytruncate(path, suffix)
        append(path, b"four\n")
        tail.pass_time(3)
        append(path, b"five\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\nthree\nfour\nfive\n"
        steps, whole = tail.steps, tail.text
        parts = iter([data for _, data in tail.handed])
    settled = b""
    for before, step in pairwise(steps):
        (source,) = [name for name in step if step[name] != before.get(name)]
        begun = before[source] if source in before else {"offset": step[source].get("begin", 0)}
        if step[source]["offset"] > begun["offset"]:
            settled += next(parts)
        if settled:
            with Tail(path, step) as again:
                again.pass_time(8)
                assert settled + again.text == whole, step


def test_what_was_read_on_in_a_copy_goes_on_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    append(path, lines(0, 100_000))
    copytruncate(path)
    append(path, b"new\n")
    text = b""
    for _ in range(40):
        with Tail(path, positions) as again:
            while not again.handed and again.read_once():
                continue
            text, positions = text + again.text, again.positions
            rotated = path.with_name("a.log.1")
            if rotated.exists():
                rotated.rename(tmp_path / "a.log.2")
    with Tail(path, positions) as last:
        assert text + last.pass_time(5) == lines(0, 100_000) + b"new\n"


# ---- what is lost


def test_what_no_copy_holds_is_counted_told_and_in_the_receipt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhalf a line")
    with Tail(path) as tail:
        tail.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.text == b"one\nnew\n"
        assert tail.plugin.shortfalls.bytes_dropped == len(b"half a line")
        assert tail.plugin.notes() == "11 bytes were truncated or deleted before they were read"
    assert [line for line in told(caplog) if "bytes=11 bytes_dropped=11" in line]


def test_a_file_that_was_read_to_its_end_loses_nothing_when_it_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.plugin.shortfalls.bytes_dropped == 0
        assert tail.plugin.notes() == ""


def test_what_a_copy_ends_before_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhalf a li")
    with Tail(path) as tail:
        tail.read()
        copy_beside(path)
        append(path, b"ne, and more")
        tail.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        tail.pass_time(3)
        assert tail.text == b"one\nhalf a li\nnew\n"
        assert tail.plugin.shortfalls.bytes_dropped == len(b"ne, and more")


def test_unread_bytes_of_a_file_that_was_deleted_while_stopped_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhalf")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    (position,) = positions.values()
    path.unlink()
    append(tmp_path / "other", b"x\n")
    with Tail(path, positions) as again:
        again.pass_time(1)
        assert again.plugin.shortfalls.bytes_dropped == position.get("size_bytes", 0) - 4
    assert any("not found" in line for line in told(caplog))


def test_the_same_loss_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhalf a line")
    with Tail(path) as tail:
        tail.read()
        os.truncate(path, 0)
        tail.pass_time(30)
        append(path, b"new\n")
        tail.pass_time(30)
        positions = tail.positions
        assert tail.plugin.shortfalls.bytes_dropped == 11
    with Tail(path, positions) as again:
        again.pass_time(30)
        assert again.plugin.shortfalls.bytes_dropped == 0


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_damaged_file_beside_a_truncated_one_is_in_nobodys_way(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\n")
        damaged = bytearray(PACKERS[suffix](os.urandom(5_000)))
        damaged[8:200] = bytes(192)
        append(tmp_path / f"a.log.2.{suffix}", bytes(damaged))
        copytruncate(path)
        append(path, b"new\n")
        tail.pass_time(12)
        assert tail.text == b"one\ntwo\nnew\n"


# ---- copies under a pattern


@pytest.mark.parametrize("name", ["a.log.bak", "a.log.1", "a.log-20240101", "a.log.old"])
def test_a_copy_of_a_followed_file_is_not_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 1_000))
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        shutil.copyfile(path, tmp_path / name)
        tail.pass_time(8)
        append(path, b"more\n")
        tail.pass_time(8)
        assert tail.text == lines(0, 1_000) + b"more\n"
        positions = tail.positions
    with Tail(tmp_path / "a.log*", positions) as again:
        assert again.pass_time(8) == b""
        append(path, b"and more\n")
        assert again.pass_time(8) == b"and more\n"


def test_a_copy_in_the_making_is_not_read_again(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    append(path, lines(0, 1_000))
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        whole = path.read_bytes()
        for start in range(0, len(whole), 1_777):
            append(copy, whole[start : start + 1_777])
            tail.pass_time(0.5)
        os.truncate(path, 0)
        append(path, b"new\n")
        tail.pass_time(8)
        assert tail.text == lines(0, 1_000) + b"new\n"


def test_a_copytruncate_under_a_pattern_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 10))
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        for number in range(1, 6):
            append(path, lines(10 * number, 10 * number + 5))
            tail.pass_time(1)
            append(path, lines(10 * number + 5, 10 * number + 10))
            copytruncate(path)
            tail.pass_time(6)
        assert tail.text == lines(0, 60)
        positions = tail.positions
    append(path, b"two\n")
    copytruncate(path)
    append(path, b"new\n")
    with Tail(tmp_path / "a.log*", positions) as again:
        assert again.pass_time(8) == b"two\nnew\n"


def test_a_copy_that_is_changed_into_something_else_is_read(tmp_path: Path) -> None:
    path, other = tmp_path / "a.log", tmp_path / "a.log.bak"
    append(path, b"one\n")
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        append(other, b"something else\n")
        tail.pass_time(8)
        assert tail.text == b"one\nsomething else\n"


def test_an_empty_file_named_as_a_copy_is_followed_once_it_is_none(tmp_path: Path) -> None:
    path, other = tmp_path / "a.log", tmp_path / "a.log.bak"
    append(path, b"one\n")
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        other.touch()
        tail.pass_time(3)
        append(other, b"something else\n")
        tail.pass_time(8)
        assert tail.text == b"one\nsomething else\n"


# ---- renamed and compressed


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_file_that_was_compressed_while_stopped_goes_on_where_it_was_left(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, lines(0, 50_000))
    with Tail(path) as tail:
        while not tail.handed:
            assert tail.read_once()
        first, positions = tail.text, tail.positions
    assert 0 < len(first) < len(lines(0, 50_000))
    append(path, lines(50_000, 50_010))
    rotate(path)
    compress(path.with_name("a.log.1"), suffix)
    append(path, b"new\n")
    with Tail(path, positions) as again:
        assert first + again.pass_time(5) == lines(0, 50_010) + b"new\n"
        assert again.plugin.shortfalls.bytes_dropped == 0


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_compressed_generation_that_nobody_read_is_read_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    for text in (b"two\n", b"three\n"):
        append(path, text)
        rotate(path)
    for number in (2, 1):
        compress(path.with_name(f"a.log.{number}"), suffix)
    append(path, b"four\n")
    with Tail(path, positions) as again:
        assert again.pass_time(8) == b"two\nthree\nfour\n"
        positions = again.positions
    with Tail(path, positions) as last:
        assert last.pass_time(8) == b""


def test_compressed_generations_from_before_the_first_start_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(tmp_path / "a.log.1", b"older\n")
    age(compress(tmp_path / "a.log.1"), 1_000)
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.pass_time(3)
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(8)
        assert tail.text == b"one\ntwo\n"


def test_a_rotated_file_that_is_compressed_while_running_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(tmp_path / "a.log*", compressed=True) as tail:
        tail.read()
        for number in range(3):
            rotate(path)
            append(path, b"new %d\n" % number)
            tail.pass_time(3)
            compress(tmp_path / "a.log.1")
            tail.pass_time(8)
        assert tail.text == b"one\nnew 0\nnew 1\nnew 2\n"
        positions = tail.positions
    with Tail(tmp_path / "a.log*", positions, compressed=True) as again:
        assert again.pass_time(8) == b""


def test_what_comes_to_a_rotated_file_just_before_it_is_compressed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(8)
        append(tmp_path / "a.log.1", b"late\n")
        compress(tmp_path / "a.log.1")
        tail.pass_time(8)
        assert tail.text == b"one\nnew\nlate\n"


def test_a_copy_made_while_the_file_waits_for_an_older_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        copytruncate(path)
        tail.pass_time(1)
        positions = tail.positions
    append(path, b"two\n")
    copytruncate(path)  # of this copy nothing tells but that it is new
    append(path, b"three\n")
    with Tail(path, positions) as again:
        again.pass_time(0.3)
        copytruncate(path)
        again.pass_time(3)
        append(path, b"four\n")
        again.pass_time(3)
        assert again.text == b"two\nthree\nfour\n"
