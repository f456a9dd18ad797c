from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.tailing.tails import Tail, append, open_files, rotate

if TYPE_CHECKING:
    from pathlib import Path


def test_after_a_rotation_the_new_file_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(1.5)
        assert tail.text == b"one\ntwo\n"
        assert len({source for source, _ in tail.handed}) == 2


def test_nobody_waits_longer_than_until_the_new_file_has_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(0.5)
        tail.calm_down()  # nothing is looked at in each tick any more
        files = tail.plugin._files
        assert files is not None
        began_s = time.monotonic()
        files.wait(10.0)
        assert time.monotonic() - began_s < 1.0, "it may be read 1 s after the rotation"


def test_what_comes_late_to_the_old_file_comes_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail, path.open("ab", buffering=0) as writer:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        assert tail.read() == b""
        writer.write(b"late\n")
        assert tail.read() == b"late\n"
        assert tail.pass_time(1.5) == b"new\n"


def test_what_comes_very_late_to_the_old_file_still_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail, path.open("ab", buffering=0) as writer:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(10)
        writer.write(b"very late\n")
        assert tail.read() == b"very late\n"


def test_a_backlog_in_a_rotated_file_is_never_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    lines = b"".join(b"%07d\n" % number for number in range(100_000))
    append(path, lines)
    with Tail(path) as tail:
        tail.plugin.read()
        rotate(path)
        append(path, b"new\n")
        path.with_name("a.log.1").unlink()
        tail.clock.advance(3_600)  # a reader that was held up for an hour
        assert tail.pass_time(2) == lines + b"new\n"


def test_a_writer_that_never_leaves_the_old_file_does_not_keep_the_new_one_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail, path.open("ab", buffering=0) as writer:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        for _ in range(48):
            writer.write(b"busy\n")
            tail.pass_time(0.25)
        assert tail.text.count(b"busy\n") == 48
        assert 36 <= tail.text.partition(b"new\n")[0].count(b"busy\n") <= 44


def test_a_half_line_at_the_end_of_a_rotated_file_is_delivered(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhal")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(2)
        assert tail.text == b"one\nhal\nnew\n"


def test_two_rotations_between_two_looks_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        rotate(path)
        append(path, b"three\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\nthree\n"


def test_a_rotated_file_is_closed_once_it_was_quiet_for_long(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(5)
        assert open_files(tmp_path) == {"a.log", "a.log.1"}
        tail.pass_time(60)
        assert open_files(tmp_path) == {"a.log"}


def test_a_storm_of_rotations_keeps_few_files_open(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with Tail(path) as tail:
        for number in range(30):
            append(path, b"%d\n" % number)
            tail.pass_time(2.5)
            rotate(path, keep=99)
        assert tail.text == b"".join(b"%d\n" % number for number in range(30))
        assert len(open_files(tmp_path)) < 15


def test_a_deleted_file_is_closed_after_a_while_and_named_as_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    (tmp_path / "other").touch()
    with Tail(path) as tail, path.open("ab", buffering=0) as writer:
        tail.read()
        path.unlink()
        writer.write(b"still written\n")
        assert tail.read() == b"still written\n"
        tail.pass_time(130)
        assert open_files(tmp_path) == {"a.log (deleted)"}  # the writer's own
        assert tail.plugin.gone() == list(tail.positions)


def test_a_file_that_is_moved_away_and_back_is_not_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        path.rename(tmp_path / "away")
        tail.pass_time(100)
        append(tmp_path / "away", b"two\n")
        tail.pass_time(1)
        (tmp_path / "away").rename(path)
        append(path, b"three\n")
        tail.pass_time(2)
        assert tail.text == b"one\ntwo\nthree\n"


def test_a_file_of_a_pattern_that_is_renamed_within_it_is_not_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(tmp_path / "a.log*") as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(100)
        append(tmp_path / "a.log.1", b"late\n")
        tail.pass_time(1)
        assert tail.text == b"one\ntwo\nlate\n"
        positions = tail.positions
    with Tail(tmp_path / "a.log*", positions) as again:
        assert again.pass_time(2) == b""
