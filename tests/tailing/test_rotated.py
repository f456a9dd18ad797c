"""Rotations that the model of tests/tailing/test_model.py found hard, as short as it could make them."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from swak.event import Chunk
from tests.tailing.tails import Tail, age, append, make_room, rotate

if TYPE_CHECKING:
    from pathlib import Path


def copy_and_truncate(path: Path) -> None:
    """Rotate as logrotate's copytruncate does."""
    make_room(path)
    path.with_name(f"{path.name}.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)


def pack(path: Path) -> None:
    """Compress a file as gzip does: the new one has the time of the old one."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    path.unlink()


@pytest.mark.parametrize("name", ["a.log", "*.log*"])
def test_a_copy_in_the_making_of_what_a_file_holds_since_it_was_rewritten_is_left_alone(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(tmp_path / name) as tail:
        tail.read()
        path.write_bytes(b"other\nlines\n")
        append(path.with_name("a.log.1"), b"other\n")
        tail.pass_time(5)
        assert tail.text == b"one\nother\nlines\n"


def test_a_copy_in_the_making_of_a_file_that_is_met_at_a_start_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.unlink()
    append(path, b"other\n")
    append(path.with_name("a.log.1"), b"ot")
    with Tail(path, positions) as again:
        assert again.pass_time(5) == b"other\n"


def test_a_copy_in_the_making_is_left_alone_while_the_rest_of_a_renamed_directory_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.write_bytes(b"two, rewritten\n")
    folder.rename(tmp_path / "logs.old")
    folder.mkdir()
    append(path, b"three\n")
    append(path.with_name("a.log.1"), b"thr")
    with Tail(path, positions) as again:
        assert again.pass_time(5) == b"two, rewritten\nthree\n"


def test_a_file_that_came_and_went_unseen_is_read_although_nothing_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        rotate(path)
        tail.pass_time(5)
        assert tail.text == b"one\ntwo\n"


def test_what_is_compressed_after_it_was_read_is_not_read_again_when_the_next_file_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(2)
        pack(path.with_name("a.log.1"))
        os.truncate(path, 0)
        tail.pass_time(5)
        assert tail.text == b"one\ntwo\n"


def test_a_copy_that_holds_nothing_new_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        path.with_name("a.log.1").write_bytes(b"one\n")
        append(path, b"read after the copy was made\n")
        tail.read()
        os.truncate(path, 0)
        assert tail.pass_time(1) == b""
        positions = tail.positions
    path.rename(tmp_path / "away")
    with Tail(path, positions) as again:
        assert again.pass_time(5) == b""


def test_a_copy_is_read_from_where_its_original_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        (original, _), unsettled = tail.handed[0], tail.steps[1]
        append(path, b"two\n")
        copy_and_truncate(path)
        tail.pass_time(2)
        assert tail.text == b"one\ntwo\n"
        positions = {**tail.positions, original: unsettled[original]}
    with Tail(path, positions) as again:
        assert again.pass_time(5) == b"one\ntwo\n"


def test_a_copy_is_read_from_its_start_when_its_content_is_not_begun_in_what_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        (original, _), unsettled = tail.handed[0], tail.steps[1]
        path.write_bytes(b"two, longer\n")
        tail.read()
        copy_and_truncate(path)
        tail.pass_time(2)
        assert tail.text == b"one\ntwo, longer\n"
        positions = {**tail.positions, original: unsettled[original]}
    with Tail(path, positions) as again:
        assert again.pass_time(5) == b"two, longer\n"


def test_the_original_of_a_copy_that_is_known_counts_as_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntwo")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"!\n")
    path.rename(path.with_name("a.log.1"))
    pack(path.with_name("a.log.1"))
    with Tail(path, positions) as again:
        assert again.pass_time(2) == b"two!\n"
        positions = again.positions
    with Tail(path, positions) as third:
        assert third.pass_time(2) == b""
        assert third.plugin.shortfalls.bytes_dropped == 0


def test_a_compressed_file_of_which_only_the_beginning_was_told_is_read_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.rename(path.with_name("a.log.2"))
    append(path.with_name("a.log.1"), b"two\n")
    pack(path.with_name("a.log.1"))
    with Tail(path, positions, later_s=100) as tail:
        chunk = tail.plugin.read()
        assert isinstance(chunk, Chunk)
        positions = {**tail.positions, chunk.source: chunk.position}
    with Tail(path, positions, later_s=100) as again:
        assert again.pass_time(2) == b"two\n"


def test_a_file_that_was_rewritten_at_the_same_size_and_renamed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.write_bytes(b"two\n")
    path.rename(path.with_name("a.log.1"))
    with Tail(path, positions, later_s=100) as again:
        assert again.pass_time(2) == b"two\n"


def test_a_copy_in_the_making_is_left_alone_where_another_copy_was_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(tmp_path / "*.log*") as tail:
        tail.read()
        for text in (b"two\n", b"three\n"):  # the second copy is met for the first time: nothing of it was read
            copy_and_truncate(path)
            append(path, text)
        tail.pass_time(2)
        make_room(path)
        append(path, b"four\n")
        append(path.with_name("a.log.1"), b"three\n")
        tail.pass_time(2)
        assert sorted(tail.text.split()) == [b"four", b"one", b"three", b"two"]


def test_what_two_copies_hold_is_read_once_when_nothing_of_it_was_settled(tmp_path: Path) -> None:
    path = tmp_path / "b.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        (original, _), unsettled = tail.handed[0], tail.steps[1]
        copy_and_truncate(path)
        copy = path.with_name("b.log.1")
        packed = path.with_name("b.log.1.gz")  # the plain one is still beside it: compression is not over
        packed.write_bytes(gzip.compress(copy.read_bytes()))
        tail.pass_time(2)
        assert tail.text == b"one\n"
        positions = {**tail.positions, original: unsettled[original]}
    with Tail(path, positions) as again:
        assert again.pass_time(2) == b"one\n"
        positions = again.positions
    copy.unlink()
    with Tail(path, positions) as third:
        assert third.pass_time(2) == b""


def test_what_is_settled_of_a_file_says_nothing_of_the_copy_of_what_it_held_before(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        (original, _), unsettled = tail.handed[0], tail.steps[1]
        copy_and_truncate(path)
        tail.pass_time(2)
        positions = {**tail.positions, original: unsettled[original]}
    with Tail(path, positions) as again:
        append(path, b"two, which is longer\n")
        while not again.handed:
            again.read_once()
        told = again.steps[-2]
        again.pass_time(2)
        assert again.text == b"one\ntwo, which is longer\n"
        positions = {**told, original: again.positions[original]}
    with Tail(path, positions) as third:
        assert third.pass_time(2) == b"one\n"


def test_what_is_copied_and_truncated_between_the_first_look_and_the_first_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.write_bytes(b"two, rewritten\n")
    with Tail(path, positions) as again:
        again.read_once()  # its beginning is told
        files = again.plugin._files
        assert files is not None
        assert files.next() is None, "older ones are looked for"
        copy_and_truncate(path)
        append(path, b"3\n")
        again.pass_time(2)
        assert again.text == b"two, rewritten\n3\n"


def test_a_compressed_file_of_which_nothing_was_settled_is_read_though_a_newer_one_was_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        tail.pass_time(5)
        pack(path.with_name("a.log.1"))
        append(path, b"two\n")
        age(path, -7)
        tail.pass_time(2)
        first, second = (source for source, _ in tail.handed)
        told = {source: next(step[source] for step in tail.steps if source in step) for source in (first, second)}
    with Tail(path, told, later_s=10) as again:
        again.pass_time(3)
        assert again.text == b"one\ntwo\n"
