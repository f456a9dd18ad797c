from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from swak.sinks import append, whole
from swak.sinks.append import AppendFile, Manner
from swak.sinks.direct import LEAST_BYTES
from swak.sinks.guard import Guard
from tests.sinks.limits import size_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.log"


def opened(path: Path, guard: Guard) -> AppendFile:
    file = AppendFile(str(path))
    file.open(guard)
    return file


def torn(path: Path) -> bytes:
    return path.with_name(path.name + ".torn").read_bytes()


def test_writes_are_appended(path: Path, guard: Guard) -> None:
    path.write_bytes(b"old\n")
    file = opened(path, guard)
    file.write(b"a\n")
    file.write(b"b\n")
    assert path.read_bytes() == b"old\na\nb\n"


def test_the_folder_is_made(tmp_path: Path, guard: Guard) -> None:
    opened(tmp_path / "a" / "b" / "out.log", guard).write(b"x\n")
    assert (tmp_path / "a" / "b" / "out.log").read_bytes() == b"x\n"


def test_a_torn_last_line_is_put_aside(path: Path, guard: Guard) -> None:
    path.write_bytes(b"whole\ntor")
    opened(path, guard).write(b"next\n")
    assert path.read_bytes() == b"whole\nnext\n"
    assert torn(path) == b"tor\n"


def test_torn_lines_are_collected(path: Path, guard: Guard) -> None:
    for piece in (b"one", b"two"):
        with path.open("ab") as file:
            file.write(piece)
        opened(path, guard).close()
    assert path.read_bytes() == b""
    assert torn(path) == b"one\ntwo\n"


def test_a_torn_line_that_is_longer_than_a_block_is_put_aside_whole(path: Path, guard: Guard) -> None:
    path.write_bytes(b"whole\n" + b"x" * 300_000)
    opened(path, guard)
    assert path.read_bytes() == b"whole\n"
    assert torn(path) == b"x" * 300_000 + b"\n"


def test_a_file_without_lines_is_left_alone_and_not_glued_to(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "TORN_BYTES", 100_000)
    path.write_bytes(b"x" * 500_000)
    opened(path, guard).write(b"next\n")
    assert path.read_bytes() == b"x" * 500_000 + b"\nnext\n"


def test_a_torn_line_is_told(path: Path, guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"whole\ntorn")
    opened(path, guard)
    assert f"path={path}" in caplog.text
    assert "bytes=4" in caplog.text


def test_a_torn_line_is_not_cut_while_another_writer_is_at_it(path: Path, guard: Guard) -> None:
    other = opened(path, guard)
    with path.open("ab") as half:
        half.write(b"half of a line that another writer is just wri")
    second = opened(path, guard)
    with path.open("ab") as half:
        half.write(b"ting\n")
    second.write(b"ours\n")
    other.write(b"theirs\n")
    assert path.read_bytes() == b"half of a line that another writer is just writing\nours\ntheirs\n"


def test_opening_waits_for_nobody_while_another_mends(path: Path, guard: Guard) -> None:
    with path.open("ab") as mender:
        fcntl.flock(mender, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="mending"):
            opened(path, guard)


def test_two_writers_append_whole_lines(path: Path) -> None:
    data = [b"".join(b"%d-%d %s\n" % (who, n, b"x" * 200) for n in range(2_000)) for who in range(2)]

    def write_all(mine: bytes) -> None:
        own = Guard()
        file = opened(path, own)
        for start in range(0, len(mine), len(mine) // 20):
            end = mine.rfind(b"\n", 0, start + len(mine) // 20) + 1
            begin = mine.rfind(b"\n", 0, start) + 1
            file.write(mine[begin:end])
        file.close()
        own.release()

    threads = [threading.Thread(target=write_all, args=(mine,)) for mine in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert sorted(path.read_bytes().splitlines()) == sorted(b"".join(data).splitlines())


def lines_of(size_bytes: int, word: bytes = b"ours") -> bytes:
    """Lines of different lengths, a little more than `size_bytes` of them."""
    return b"".join(b"%s %07d %s\n" % (word, number, b"x" * (86 - number % 7)) for number in range(size_bytes // 90))


@pytest.fixture
def past_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[bool]]:
    """Watch for each write whether it goes past the cache, on a file system where one can."""
    try:
        os.close(os.open(tmp_path / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
    except OSError:
        pytest.skip("the file system of the temporary directory has no O_DIRECT: set TMPDIR to one on a disk")
    write, seen = os.write, list[bool]()

    def watched(fd: int, data: bytes) -> int:
        done = write(fd, data)
        seen.append(bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT))
        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", watched)
        yield seen


@pytest.mark.parametrize("before", [b"", b"odd\n", lines_of(4096)[:4095] + b"\n"])
@pytest.mark.parametrize("size_bytes", [LEAST_BYTES, 200_001, 1_300_000])
def test_long_writes_go_past_the_cache_and_hold_the_same(
    path: Path, guard: Guard, past_cache: list[bool], before: bytes, size_bytes: int
) -> None:
    path.write_bytes(before)
    file, data = opened(path, guard), lines_of(size_bytes)
    for _ in range(3):
        file.write(data)
    assert past_cache.count(True) >= 3
    file.write(b"short\n")
    assert not past_cache[-1]
    file.sync()
    assert path.read_bytes() == before + 3 * data + b"short\n"


def test_short_writes_and_those_that_are_never_synced_do_not_go_past_the_cache(
    path: Path, guard: Guard, past_cache: list[bool]
) -> None:
    opened(path, guard).write(b"x" * (LEAST_BYTES - 2) + b"\n")
    file = AppendFile(f"{path}.2", Manner(durable=False))
    file.open(guard)
    file.write(lines_of(300_000))
    assert True not in past_cache


def test_where_nothing_can_be_locked_no_write_goes_past_the_cache(
    path: Path, guard: Guard, past_cache: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unable)
    opened(path, guard).write(lines_of(300_000))
    assert True not in past_cache
    assert path.read_bytes() == lines_of(300_000)


def test_while_another_writer_is_there_whole_lines_are_written(
    path: Path, guard: Guard, past_cache: list[bool]
) -> None:
    first, second = opened(path, guard), opened(path, guard)
    for file, word in ((first, b"a"), (second, b"b")) * 2:
        file.write(lines_of(300_000, word))
    assert True not in past_cache
    assert path.read_bytes() == (lines_of(300_000, b"a") + lines_of(300_000, b"b")) * 2


def test_a_writer_that_comes_later_waits_for_a_write_to_end(
    path: Path, guard: Guard, past_cache: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"1\n")
    first, write, refused = opened(path, guard), os.write, list[OSError]()

    def watched(fd: int, data: bytes) -> int:
        done = write(fd, data)
        with pytest.raises(BlockingIOError, match="to itself") as error:
            opened(path, guard)
        refused.append(error.value)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", watched)
        first.write(lines_of(300_000, b"a"))
    assert len(refused) > 2  # before, between and behind the pieces
    second = opened(path, guard)
    second.write(lines_of(300_000, b"b"))
    first.write(lines_of(300_000, b"c"))
    assert path.read_bytes() == b"1\n" + b"".join(lines_of(300_000, word) for word in (b"a", b"b", b"c"))
    assert past_cache.count(True) == 1


def test_who_lost_its_lock_gets_it_back_before_it_writes(path: Path, guard: Guard, past_cache: list[bool]) -> None:
    file = opened(path, guard)
    with path.open("ab") as mender:
        fcntl.flock(mender, fcntl.LOCK_SH)
        file.write(lines_of(300_000))  # cannot have it alone
        assert True not in past_cache
    with path.open("ab") as mender:
        file._shares = False
        fcntl.flock(file._fd, fcntl.LOCK_UN)
        fcntl.flock(mender, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="mending"):
            file.write(b"next\n")
    file.write(b"next\n")
    assert path.read_bytes() == lines_of(300_000) + b"next\n"


@pytest.mark.parametrize("room_bytes", [10, 4096, 70_000, 204_800, 299_000])
def test_a_long_write_that_is_half_done_is_cut_back(
    path: Path, guard: Guard, past_cache: list[bool], room_bytes: int
) -> None:
    file = opened(path, guard)
    file.write(b"first\n")
    with size_limit(6 + room_bytes), pytest.raises(OSError, match="File too large"):
        file.write(lines_of(300_000))
    assert path.read_bytes() == b"first\n"
    file.write(lines_of(300_000))
    file.sync()
    assert past_cache
    assert path.read_bytes() == b"first\n" + lines_of(300_000)


def test_who_knows_no_locks_and_writes_between_loses_nothing(
    path: Path, guard: Guard, past_cache: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write, others = opened(path, guard), os.write, [b"theirs\n"]

    def interrupted(fd: int, data: bytes) -> int:
        done = write(fd, data)
        if others:
            with path.open("ab") as other:
                other.write(others.pop())
        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        file.write(lines_of(1_300_000))
    file.write(lines_of(300_000, b"more"))
    file.sync()
    held = path.read_bytes()
    assert held.replace(b"theirs\n", b"", 1) == lines_of(1_300_000) + lines_of(300_000, b"more")
    assert past_cache.count(True) == 1  # from then on whole lines


def test_a_half_done_write_is_cut_back(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"first\n")
    with size_limit(10), pytest.raises(OSError, match="File too large"):
        file.write(b"second\nthird\n")
    assert path.read_bytes() == b"first\n"
    file.write(b"second\nthird\n")
    assert path.read_bytes() == b"first\nsecond\nthird\n"


def test_of_lines_that_took_several_writes_none_stays(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swak.sinks.whole.SLICE_BYTES", 8)
    file = opened(path, guard)
    file.write(b"first\n")
    with size_limit(25), pytest.raises(OSError, match="File too large"):
        file.write(b"second\nthird\nfourth\nfifth\n")
    assert path.read_bytes() == b"first\n"
    file.write(b"second\nthird\nfourth\n")
    assert path.read_bytes() == b"first\nsecond\nthird\nfourth\n"


def test_lines_that_another_writer_put_between_ours_stay_and_so_do_whole_ones_of_ours(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swak.sinks.whole.SLICE_BYTES", 8)
    file, write = opened(path, guard), os.write

    def interrupted(fd: int, data: bytes) -> int:
        done = write(fd, data)
        if data == b"second\n":
            with path.open("ab") as other:
                other.write(b"theirs\n")
        return done

    monkeypatch.setattr(os, "write", interrupted)
    with size_limit(17), pytest.raises(OSError, match="File too large"):
        file.write(b"second\nthird\n")
    assert path.read_bytes() == b"second\ntheirs\n"


def test_a_cut_that_fails_is_made_up_for_at_the_next_write(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path, guard)
    file.write(b"first\n")
    fail_cutting(file, monkeypatch, path)
    assert path.read_bytes() == b"first\nseco"
    file.write(b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"
    file.sync()  # and nobody takes the cut for one of somebody else's


def test_a_cut_that_failed_is_made_up_for_after_opening_again(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path, guard)
    file.write(b"first\n")
    fail_cutting(file, monkeypatch, path)
    file.close()
    file.open(guard)
    assert path.read_bytes() == b"first\n"
    assert not path.with_name(path.name + ".torn").exists()


def fail_cutting(file: AppendFile, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let a write end after four bytes, and the cut fail, too."""

    def failing(_fd: int, _size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched, size_limit(path.stat().st_size + 4):
        patched.setattr(os, "ftruncate", failing)
        with pytest.raises(OSError, match="File too large"):
            file.write(b"second\n")


def test_what_others_appended_after_a_half_done_write_is_never_cut(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path, guard)
    fail_cutting(file, monkeypatch, path)
    with path.open("ab") as other:
        other.write(b"\ntheirs\n")
    file.write(b"second\n")
    assert path.read_bytes() == b"seco\ntheirs\nsecond\n"


def test_an_append_only_file_gets_a_line_of_its_own(path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_fd: int, _size: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path.write_bytes(b"whole\ntorn")
    monkeypatch.setattr(os, "ftruncate", refusing)
    opened(path, guard).write(b"next\n")
    assert path.read_bytes() == b"whole\ntorn\nnext\n"


def test_a_renamed_file_is_left_and_the_path_made_anew(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"old\n")
    path.rename(path.with_suffix(".1"))
    file.write(b"new\n")
    file.sync()
    assert path.with_suffix(".1").read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\n"


def test_sync_notices_a_renamed_file_without_a_write(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"old\n")
    path.rename(path.with_suffix(".1"))
    file.sync()
    assert path.read_bytes() == b""


def test_what_was_deleted_before_it_was_synced_is_asked_for_again(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"a\n")
    path.unlink()
    with pytest.raises(OSError, match="deleted before it was synced"):
        file.write(b"b\n")
    with pytest.raises(OSError, match="deleted before it was synced"):
        file.sync()
    file.write(b"a\n")
    file.write(b"b\n")
    file.sync()
    assert path.read_bytes() == b"a\nb\n"


def test_what_was_truncated_before_it_was_synced_is_asked_for_again(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"a\n")
    os.truncate(path, 0)
    with pytest.raises(OSError, match="truncated before it was synced"):
        file.sync()
    file.write(b"a\n")
    file.sync()
    assert path.read_bytes() == b"a\n"


def test_a_deleted_file_that_was_synced_is_no_loss_of_ours(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"a\n")
    file.sync()
    path.unlink()
    file.sync()
    assert path.read_bytes() == b""


def test_a_deleted_folder_is_made_again(tmp_path: Path, guard: Guard) -> None:
    path = tmp_path / "folder" / "out.log"
    file = opened(path, guard)
    path.unlink()
    path.parent.rmdir()
    file.write(b"x\n")
    assert path.read_bytes() == b"x\n"


def test_a_sync_that_fails_asks_for_everything_again(path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = opened(path, guard)
    file.write(b"a\n")
    with monkeypatch.context() as patched:
        patched.setattr(append, "_datasync", failing)
        with pytest.raises(OSError, match="sync failed"):
            file.sync()
    assert file.pending_bytes == 0
    assert not AppendFile(str(path)).inherit(file)


def test_close_syncs_and_tells_later_when_it_could_not(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = opened(path, guard)
    file.write(b"a\n")
    with monkeypatch.context() as patched:
        patched.setattr(append, "_datasync", failing)
        file.close()
    file.open(guard)
    with pytest.raises(OSError, match="sync failed"):
        file.sync()


def test_what_others_left_unsynced_can_be_made_safe(path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(append, "_datasync", synced.append)
    path.write_bytes(b"a\n")
    file = opened(path, guard)
    fd = file.secured()
    assert synced == [fd]
    file.close()
    careless = AppendFile(str(path), Manner(durable=False))
    careless.open(guard)
    careless.secured()
    assert synced == [fd]
    careless.close()


def test_a_successor_takes_over_what_is_pending_in_the_same_file(path: Path, guard: Guard) -> None:
    old = opened(path, guard)
    old.write(b"a\n")
    guard.abort()
    new, own = AppendFile(str(path)), Guard()
    assert new.inherit(old)
    new.open(own)
    assert new.pending_bytes == 2
    new.sync()
    new.close()
    own.release()


@pytest.mark.parametrize("change", ["replaced", "deleted", "shrunk"])
def test_a_successor_does_not_take_over_another_file(path: Path, guard: Guard, change: str) -> None:
    old = opened(path, guard)
    old.write(b"a\n")
    if change == "shrunk":
        os.truncate(path, 1)
    else:
        path.rename(path.with_suffix(".1"))
    if change == "replaced":
        path.write_bytes(b"longer than before\n")
    assert not AppendFile(str(path)).inherit(old)


def test_a_file_that_is_replaced_between_taking_over_and_opening_is_noticed(path: Path, guard: Guard) -> None:
    old = opened(path, guard)
    old.write(b"a\n")
    new = AppendFile(str(path))
    assert new.inherit(old)
    path.rename(path.with_suffix(".1"))
    new.open(guard)
    with pytest.raises(OSError, match="replaced before it was synced"):
        new.sync()


def test_after_abort_nothing_changes_the_file(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(b"a\n")
    guard.abort()
    with pytest.raises(OSError, match=r"."):
        file.write(b"b\n")
    with pytest.raises(OSError, match=r"."):
        file.sync()
    file.close()
    assert path.read_bytes() == b"a\n"


def test_a_thread_that_hung_before_mending_mends_nothing_after_abort(path: Path, guard: Guard) -> None:
    path.write_bytes(b"whole\ntorn")
    file = AppendFile(str(path))
    guard.abort()
    with pytest.raises(OSError, match="told to stop"):
        file.open(guard)
    assert path.read_bytes() == b"whole\ntorn"
    assert not path.with_name(path.name + ".torn").exists()


KILLED = """
import sys
from swak.sinks.append import AppendFile, Manner
from swak.sinks.guard import Guard
file, n, count = AppendFile(sys.argv[1]), 0, int(sys.argv[2])
file.open(Guard())
print(flush=True)
while True:
    file.write(b"".join(b"%d %s\\n" % (i, b"x" * 500) for i in range(n, n + count)))
    n += count
"""


@pytest.mark.parametrize("lines", [200, 1000])
def test_killed_writers_leave_whole_lines_only(path: Path, guard: Guard, lines: int) -> None:
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(lines)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            deadline = time.monotonic() + DEADLINE_S
            while path.stat().st_size < 2_000_000:
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGKILL)
        opened(path, guard).close()
        assert all(len(line.split(b" ")[-1]) == 500 for line in path.read_bytes().splitlines())
        path.unlink()
