"""Races between a writer, a rotation and the reader, one by one: nothing is lost, nothing comes twice."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak.event import Batch, Block, Chunk
from swak.testing import promise
from tests.tailing.tails import Tail, append, count_of_descriptors, open_files, rotate, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.parametrize("watch", ["auto", "poll"])

TURN_S = 3.0
"""A rotated file is watched for a second before the next one is read; names are looked at in between."""
LONG_S = 80.0
"""After so long nothing is held open any more but what the paths name."""
AGAIN_S = 6.0
"""Within 5 s a rotated file that grows is found again."""
gaps = pytest.mark.parametrize("gap_s", [0.0, 0.3, 0.9, 1.1, 2.0, 5.0, 9.9, 10.1, 59.9, 60.1, LONG_S])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with one line in it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    append(folder / "a.log", b"one\n")
    return folder / "a.log"


def older(path: Path) -> Path:
    """Return the name that `rotate` gives to the file."""
    return path.with_name(f"{path.name}.1")


def lines_of(tail: Tail) -> list[bytes]:
    """Return the lines in no order."""
    return sorted(tail.text.splitlines())


# The names are looked at before or after the growth is noticed, and the old file is let go before or after that.


def test_growth_may_be_noticed_before_the_rotation_is(path: Path, watch: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.calm_down()
        append(path, b"two\n")
        rotate(path)
        append(older(path), b"late\n")
        append(path, b"new\n")
        tail.read()
        tail.pass_time(TURN_S)
        assert tail.text == b"one\ntwo\nlate\nnew\n"


@gaps
def test_the_old_file_may_be_let_go_before_there_is_a_new_one(path: Path, watch: str, gap_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        tail.pass_time(gap_s)
        append(older(path), b"late\n")
        append(path, b"new\n")
        tail.pass_time(AGAIN_S + TURN_S)
        assert lines_of(tail) == [b"late", b"new", b"one"]


@gaps
def test_the_old_file_may_be_let_go_after_there_is_a_new_one(path: Path, watch: str, gap_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(gap_s)
        append(older(path), b"late\n")
        append(path, b"newer\n")
        tail.pass_time(AGAIN_S + TURN_S)
        assert lines_of(tail) == [b"late", b"new", b"newer", b"one"]


# A path is named again.


@pytest.mark.parametrize("restarts", [False, True])
@gaps
def test_a_file_that_comes_back_goes_on(path: Path, tmp_path: Path, watch: str, gap_s: float, restarts: bool) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        path.rename(tmp_path / "elsewhere")
        tail.pass_time(gap_s)
        append(tmp_path / "elsewhere", b"two\n")
        with tail if not restarts else Tail(path, tail.positions, watch=watch) as again:
            again.pass_time(gap_s)
            (tmp_path / "elsewhere").rename(path)
            append(path, b"three\n")
            again.pass_time(TURN_S)
            assert again.text.removeprefix(b"one\n") == b"two\nthree\n"


@gaps
def test_another_file_in_the_place_of_a_deleted_one_is_new(path: Path, watch: str, gap_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        path.unlink()
        tail.pass_time(gap_s)
        append(path, b"one\n")
        tail.pass_time(TURN_S)
        assert tail.text == b"one\none\n"


@gaps
def test_a_file_comes_back_in_the_place_of_another_one(path: Path, tmp_path: Path, watch: str, gap_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        path.rename(tmp_path / "elsewhere")
        append(path, b"other\n")
        tail.pass_time(0.3 + gap_s)  # what has come and gone in no time, nobody can know of
        path.unlink()
        (tmp_path / "elsewhere").rename(path)
        append(path, b"two\n")
        tail.pass_time(TURN_S + 10)
        assert lines_of(tail) == [b"one", b"other", b"two"]


# The next rotation comes while the last one is under way.


@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.9])
def test_rotations_may_follow_one_another_fast(path: Path, watch: str, pause_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        for number in range(5):
            append(path, b"%d\n" % number)
            rotate(path)
            append(older(path), b"%d late\n" % number)
            tail.pass_time(pause_s)
        append(path, b"5\n")
        tail.pass_time(20)
        expected = b"".join(b"%d\n%d late\n" % (number, number) for number in range(5))
        assert tail.text == b"one\n" + expected + b"5\n"


@pytest.mark.parametrize("left", [b"", b"fresh\n", b"more than there was\n"])
@gaps
def test_a_file_may_be_truncated_while_it_is_away(
    path: Path, tmp_path: Path, watch: str, gap_s: float, left: bytes
) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        path.rename(tmp_path / "elsewhere")
        tail.pass_time(gap_s)
        (tmp_path / "elsewhere").write_bytes(left)
        tail.pass_time(gap_s)
        (tmp_path / "elsewhere").rename(path)
        tail.pass_time(AGAIN_S)
        append(path, b"new\n")
        tail.pass_time(TURN_S)
        assert tail.text == b"one\n" + left + b"new\n"


def test_the_old_file_is_read_to_its_end_before_the_new_one(path: Path, watch: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        append(older(path), b"late\n")
        append(path, b"new\n")
        tail.pass_time(0.5)
        append(older(path), b"later\n")
        tail.pass_time(TURN_S)
        assert tail.text == b"one\nlate\nlater\nnew\n"


@gaps
def test_the_old_file_is_followed_while_there_is_no_new_one(path: Path, watch: str, gap_s: float) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        for text in (b"late\n", b"later\n"):
            tail.pass_time(gap_s)
            append(older(path), text)
            tail.pass_time(AGAIN_S)
        assert tail.text == b"one\nlate\nlater\n"


# The file changes while it is looked at.


def test_a_file_may_grow_while_it_is_recognized(path: Path, watch: str) -> None:
    """Each restart takes its identity and the hash of its head anew."""
    stop, count, text = threading.Event(), 0, b""
    positions: dict[str, Any] = {}

    def write() -> None:
        nonlocal count
        while not stop.wait(0.0001):
            append(path, b"%06d\n" % count)
            count += 1

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for _ in range(150):
        with Tail(path, positions, watch=watch) as tail:
            text += tail.read()
            positions = tail.positions
    stop.set()
    writer.join(10)
    with Tail(path, positions, watch=watch) as tail:
        text += tail.pass_time(TURN_S)
    assert text == b"one\n" + b"".join(b"%06d\n" % number for number in range(count))


def test_two_gib_may_be_truncated(path: Path, watch: str) -> None:
    with path.open("r+b") as file:
        file.seek(2**31 - 3)  # a hole
        file.write(b"\nx\n")
    with Tail(path, watch=watch, from_="end") as tail:
        tail.read()
        append(path, b"beyond\n")
        assert tail.pass_time(TURN_S) == b"beyond\n"
        assert max(one["offset"] for one in tail.positions.values()) == 2**31 + 7
        os.truncate(path, 0)
        append(path, b"new\n")
        assert tail.pass_time(TURN_S) == b"new\n"


def test_what_a_truncation_takes_is_counted(path: Path, watch: str, caplog: pytest.LogCaptureFixture) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        size_bytes, offset = fill(path, tail)
        os.truncate(path, 0)
        append(path, b"new\n")
        assert tail.pass_time(TURN_S) == b"new\n"
        assert tail.plugin.shortfalls.bytes_dropped == size_bytes - offset
        assert str(size_bytes - offset) in tail.plugin.notes()
    assert any(str(path) in line and str(size_bytes - offset) in line for line in told(caplog))


def test_what_is_rewritten_is_not_counted_with_the_size_of_the_new_content(path: Path, watch: str) -> None:
    append(path, b"two\n")
    with Tail(path, watch=watch) as tail:
        tail.read()
    path.write_bytes(b"new\n" * 100)
    with Tail(path, tail.positions, watch=watch) as again:
        assert again.pass_time(TURN_S) == b"new\n" * 100
        assert again.plugin.shortfalls.bytes_dropped == 0


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_a_truncation_takes_is_read_from_the_copy(path: Path, watch: str, suffix: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        _, offset = fill(path, tail)
        whole = path.read_bytes()
        append(path.with_name(f"a.log.1{suffix}"), PACKERS[suffix](whole))
        os.truncate(path, 0)
        append(path, b"new\n")
        assert tail.pass_time(TURN_S) == whole[offset:] + b"new\n"
        assert tail.plugin.shortfalls.bytes_dropped == 0


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("suffix", PACKERS)
def test_a_copy_that_ends_before_what_was_read_is_no_new_file(
    path: Path, watch: str, suffix: str, restarts: bool
) -> None:
    append(path, b"".join(b"%04d\n" % number for number in range(500)))
    before = path.read_bytes()
    with Tail(path, watch=watch) as tail:
        tail.read()
        append(path.with_name(f"a.log.1{suffix}"), PACKERS[suffix](before))
        append(path, b"between\n")
        assert tail.pass_time(TURN_S) == b"between\n"
        with tail if not restarts else Tail(path, tail.positions, watch=watch) as again:
            os.truncate(path, 0)
            append(path, b"new\n")
            assert again.pass_time(TURN_S) == b"new\n"


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_file_that_waited_for_its_turn_is_found_after_a_restart(path: Path, watch: str, suffix: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(0.5)
        assert tail.text == b"one\n"
    rotate(path)
    packed = PACKERS[suffix](older(path).read_bytes())
    older(path).unlink()
    append(path.with_name(f"a.log.1{suffix}"), packed)
    append(path, b"newer\n")
    with Tail(path, tail.positions, watch=watch) as again:
        assert again.pass_time(2 * TURN_S) == b"new\nnewer\n"


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_follows_a_truncation_is_found_in_the_next_copy(path: Path, watch: str, suffix: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        os.truncate(path, 0)
        tail.pass_time(0.5)
    numbers = b"".join(b"%04d\n" % number for number in range(500))
    append(path.with_name(f"a.log.1{suffix}"), PACKERS[suffix](numbers))
    append(path, b"new\n")
    with Tail(path, tail.positions, watch=watch) as again:
        assert again.pass_time(2 * TURN_S) == numbers + b"new\n"


def fill(path: Path, tail: Tail) -> tuple[int, int]:
    """Add some MB, read one block of them, and return the size of the file and the position in it."""
    append(path, b"much\n" * 600_000)
    while True:
        tail.clock.advance(0.25)
        chunk = tail.plugin.read()
        if isinstance(chunk, Chunk) and isinstance(chunk.body, Block) and chunk.body.data:
            offset: int = chunk.position["offset"]
            return path.stat().st_size, offset


# Many names.


def test_several_links_to_one_file_are_one_file(path: Path, watch: str) -> None:
    links = [path.with_name(f"link{number}") for number in range(3)]
    for link in links:
        link.symlink_to(path)
    with Tail(path.with_name("link*"), watch=watch) as tail:
        tail.read()
        append(path, b"two\n")
        tail.pass_time(TURN_S)
        assert tail.text == b"one\ntwo\n"
        append(path.with_name("b.log"), b"b\n")
        links[1].unlink()
        links[1].symlink_to(path.with_name("b.log"))
        tail.pass_time(AGAIN_S)
        assert tail.text == b"one\ntwo\nb\n"
        rotate(path)
        append(older(path), b"late\n")
        append(path, b"new\n")
        tail.pass_time(AGAIN_S)
        assert tail.text == b"one\ntwo\nb\nlate\nnew\n"


@pytest.mark.parametrize("pattern", ["*/app.log", "**/*.log", "d?/*"])
@pytest.mark.parametrize("gap_s", [0.0, 0.3, LONG_S])
def test_directories_of_a_pattern_may_come_and_go(tmp_path: Path, watch: str, pattern: str, gap_s: float) -> None:
    folder = tmp_path / "d1"
    with Tail(tmp_path / pattern, watch=watch) as tail:
        for number in range(4):
            folder.mkdir()
            append(folder / "app.log", b"%d\n" % number)
            tail.pass_time(AGAIN_S)
            append(folder / "app.log", b"%d more\n" % number)
            tail.pass_time(TURN_S)
            shutil.rmtree(folder)
            tail.pass_time(gap_s)
        assert tail.text == b"".join(b"%d\n%d more\n" % (number, number) for number in range(4))


# What is kept.


def test_without_its_state_it_begins_as_at_the_very_first_start(path: Path, watch: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(TURN_S)
        assert tail.text == b"one\nnew\n"
    with Tail(path, {}, watch=watch) as again:
        assert again.pass_time(TURN_S) == b"new\n"
    with Tail(path, {}, watch=watch, from_="end") as at_end:
        assert at_end.pass_time(TURN_S) == b""


def test_no_state_is_kept_of_files_that_are_gone(path: Path, watch: str) -> None:
    with Tail(path, watch=watch) as tail:
        tail.read()
        path.unlink()
        append(path, b"new\n")
        tail.pass_time(TURN_S)
        first, second = (source for source, _ in tail.handed)
        tail.pass_time(2 * LONG_S)
        assert tail.plugin.gone() == [first]
    with Tail(path, {first: tail.positions[first], second: tail.positions[second]}, watch=watch) as again:
        again.pass_time(6)
        again.clock.advance(7_200)  # it might have been moved away, and come back
        again.pass_time(TURN_S + 6)
        assert again.plugin.gone() == [first]


@pytest.mark.parametrize("pattern", ["a.log", "*.log"])
def test_no_descriptor_is_kept_of_files_that_are_gone(path: Path, watch: str, pattern: str) -> None:
    with Tail(path.with_name(pattern), watch=watch) as tail:
        tail.calm_down()
        before = count_of_descriptors()
        for number in range(10):
            path.unlink()
            append(path, b"%d\n" % number)
            tail.pass_time(TURN_S)
        assert tail.text == b"one\n" + b"".join(b"%d\n" % number for number in range(10))
        tail.pass_time(LONG_S)
        assert open_files(path.parent) == {"a.log"}
        assert count_of_descriptors() == before


def test_no_descriptor_is_kept_of_rotated_files(path: Path, watch: str) -> None:
    with Tail(path, watch=watch) as tail:
        for number in range(10):
            append(path, b"%d\n" % number)
            rotate(path)
            tail.pass_time(TURN_S)
        append(path, b"new\n")
        tail.pass_time(LONG_S)
        assert open_files(path.parent) == {"a.log"}


# Bytes that are no text.

BAD = {
    "utf-8": ("Estagiário", "Estagiário".encode("latin-1"), "Estagi\ufffdrio"),
    "cp949": ("한국어", "한국".encode("cp949") + b"\xff" + "어".encode("cp949"), "한국\ufffd어"),
    "euc-kr": ("한국어", "한국".encode("euc-kr") + b"\xff" + "어".encode("euc-kr"), "한국\ufffd어"),
    "shift_jis": ("日本語", "日本".encode("shift_jis") + b"\x81", "日本\ufffd"),
}


@pytest.mark.parametrize("encoding", BAD)
def test_a_bad_character_costs_nothing_but_itself(path: Path, watch: str, encoding: str) -> None:
    good, bad, shown = BAD[encoding]
    path.write_bytes(b"\n".join((good.encode(encoding), bad, good.encode(encoding), b"")))
    records = records_of(path, watch=watch, encoding=encoding)
    assert [record["message"] for record in records] == [good, shown, good]


@pytest.mark.parametrize("encoding", BAD)
def test_the_bytes_of_a_line_with_a_bad_character_are_kept_on_request(path: Path, watch: str, encoding: str) -> None:
    good, bad, shown = BAD[encoding]
    path.write_bytes(b"\n".join((good.encode(encoding), bad, good.encode(encoding), b"")))
    records = records_of(path, watch=watch, encoding=encoding, raw="bytes")
    assert records == [{"message": good}, {"message": shown, "bytes": bad}, {"message": good}]


def records_of(path: Path, **options: Any) -> list[dict[str, Any]]:
    """Return the records of a file, in their order."""
    with Tail(path, **options) as tail:
        tail.read()
        return [event.record for _, body in tail.bodies for event in Batch(body, "t", promise()).events()]
