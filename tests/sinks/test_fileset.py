from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import Refused
from swak.event import Batch, Block
from swak.formats.registry import Shape
from swak.sinks.append import AppendFile, Manner
from swak.sinks.fileset import Bounds, FileSet
from swak.sinks.guard import Guard
from swak.sinks.pathname import PathTemplate
from swak.sinks.rotation import Rules
from swak.testing import FakeClock, batch_of, block_of, event, promise
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.event import Record

RAW = Shape("raw").made()
Make = Callable[..., FileSet]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(tmp_path: Path, clock: FakeClock) -> Iterator[Make]:
    made: list[tuple[FileSet, Guard]] = []

    def one(name: str, rules: Rules | None = None, manner: Manner | None = None, **options: Any) -> FileSet:
        files = FileSet(PathTemplate(str(tmp_path / name)), clock, manner or Manner(), rules or Rules(), **options)
        guard = Guard()
        files.open(guard)
        made.append((files, guard))
        return files

    yield one
    for files, guard in made:
        files.close(finish=False)
        guard.release()


def lines(*records: Record, tag: str = "t") -> Batch:
    return batch_of([event(record, tag=tag) for record in records])


def contents(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_each_event_goes_to_its_own_file_in_order(make: Make, tmp_path: Path) -> None:
    files = make("{k}/{tag}.log")
    records: list[Record] = [{"k": "a", "message": "1"}, {"k": "b", "message": "2"}, {"k": "a", "message": "3"}]
    files.write(lines(*records), RAW)
    assert contents(tmp_path) == {"a/t.log": "1\n3\n", "b/t.log": "2\n"}


def test_lines_of_different_days_stay_byte_for_byte(make: Make, tmp_path: Path) -> None:
    files = make("%Y.log")
    year_ns = 366 * 86_400 * 10**9
    body = Block(b"a\r\n\xff\nc\n", 0, count=3, times=[0, year_ns, 0])
    files.write(Batch(body, "t", promise(3)), RAW)
    assert (tmp_path / "1970.log").read_bytes() == b"a\r\nc\n"
    assert (tmp_path / "1971.log").read_bytes() == b"\xff\n"


def test_few_files_are_open_at_a_time_and_nothing_is_lost(make: Make, tmp_path: Path) -> None:
    files = make("{k}.log", bounds=Bounds(open_max=2))
    for _ in range(2):
        files.write(lines(*[{"k": str(number), "message": "x"} for number in range(5)]), RAW)
    assert len(files._files) == 2
    assert contents(tmp_path) == {f"{number}.log": "x\nx\n" for number in range(5)}
    files.sync()


def test_a_file_that_cannot_be_synced_when_it_is_put_away_is_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "disk error")

    files = make("{k}.log", bounds=Bounds(open_max=1))
    files.write(lines({"k": "a", "message": "x"}), RAW)
    monkeypatch.setattr("swak.sinks.append._datasync", fail)
    with pytest.raises(OSError, match="sync failed"):
        files.write(lines({"k": "b", "message": "x"}), RAW)
    assert files.lost
    monkeypatch.undo()
    with pytest.raises(OSError, match="disk error"):
        files.sync()
    files.write(lines({"k": "b", "message": "x"}), RAW)
    files.sync()
    assert contents(tmp_path) == {"a.log": "x\n", "b.log": "x\n"}


def test_what_was_written_before_another_file_failed_is_not_written_twice(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *_: Any, **__: Any) -> None:
        if path.name == "b":
            raise OSError(errno.ENOSPC, "full")

    files = make("{k}/x.log")
    (tmp_path / "a").mkdir()
    batch = lines({"k": "a", "message": "1"}, {"k": "b", "message": "2"})
    monkeypatch.setattr("pathlib.Path.mkdir", fail)
    with pytest.raises(OSError, match="full"):
        files.write(batch, RAW)
    monkeypatch.undo()
    files.write(batch, RAW)
    files.write(batch, RAW)
    assert contents(tmp_path) == {"a/x.log": "1\n1\n", "b/x.log": "2\n2\n"}


def test_a_file_is_rotated_before_it_grows_too_large(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("app.log", Rules(size_bytes=10))
    for number in range(5):
        files.write(block_of(f"line{number}"), RAW)
        clock.advance(1)
    files.sync()
    found = contents(tmp_path)
    assert sorted(found.values()) == [f"line{number}\n" for number in range(5)]
    assert found["app.log"] == "line4\n"


def test_a_file_is_rotated_when_a_new_period_begins(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("app.log", Rules(every_s=3_600))
    files.write(block_of("a"), RAW)
    files.write(block_of("b"), RAW)
    clock.advance(3_600)
    files.write(block_of("c"), RAW)
    assert sorted(contents(tmp_path).values()) == ["a\nb\n", "c\n"]


def test_what_is_pending_is_synced_before_a_file_is_rotated(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make("app.log", Rules(size_bytes=1))
    files.write(block_of("a"), RAW)
    synced: list[int] = []
    monkeypatch.setattr("swak.sinks.append._datasync", synced.append)
    files.write(block_of("b"), RAW)
    assert len(synced) == 1


def test_a_file_that_cannot_be_rotated_is_written_on(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise PermissionError(errno.EACCES, "permission denied")

    monkeypatch.setattr("swak.sinks.fileset.move_aside", refuse)
    files = make("app.log", Rules(size_bytes=1))
    files.write(block_of("a"), RAW)
    files.write(block_of("b"), RAW)
    assert contents(tmp_path) == {"app.log": "a\nb\n"}


def test_a_rotated_file_is_compressed(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("app.log", Rules(size_bytes=1, compress="gzip"))
    files.write(block_of("a"), RAW)
    clock.advance(1)
    files.write(block_of("b"), RAW)
    until(lambda: len(list(tmp_path.glob("*.gz"))) == 1, lambda: str(list(tmp_path.iterdir())))
    assert [gzip.decompress(one.read_bytes()) for one in tmp_path.glob("*.gz")] == [b"a\n"]
    assert (tmp_path / "app.log").read_text() == "b\n"


def test_a_file_has_its_name_only_when_it_is_finished(make: Make, tmp_path: Path) -> None:
    files = make("{k}.log", Rules(suffix=".part"))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    assert contents(tmp_path) == {"a.log.part": "1\n"}
    files.close(finish=True)
    assert contents(tmp_path) == {"a.log": "1\n"}


def test_a_run_that_ends_badly_finishes_nothing(make: Make, tmp_path: Path) -> None:
    files = make("app.log", Rules(suffix=".part", compress="gzip"))
    files.write(block_of("a"), RAW)
    files.close(finish=False)
    assert contents(tmp_path) == {"app.log.part": "a\n"}


def test_a_file_of_a_varying_path_is_finished_when_it_was_quiet(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("{k}.log", Rules(suffix=".part"), bounds=Bounds(close_after_s=60))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    clock.advance(61)
    files.write(lines({"k": "b", "message": "1"}), RAW)
    files.sync()
    files.write(lines({"k": "a", "message": "late"}), RAW)
    assert contents(tmp_path) == {"a.log": "1\n", "a.log.part": "late\n", "b.log.part": "1\n"}
    files.close(finish=True)
    assert sorted(contents(tmp_path).values()) == ["1\n", "1\n", "late\n"]


def test_when_a_quiet_file_is_to_be_closed_is_told(make: Make, clock: FakeClock) -> None:
    varying, fixed = make("{k}.log", bounds=Bounds(close_after_s=60)), make("app.log")
    assert varying.due_at() is None
    for files in (varying, fixed):
        files.write(lines({"k": "a", "message": "1"}), RAW)
    assert varying.due_at() == clock.monotonic() + 60
    assert fixed.due_at() is None


def test_finished_files_of_a_varying_path_keep_their_name_when_they_are_compressed(make: Make, tmp_path: Path) -> None:
    files = make("{k}.log", Rules(compress="gzip"))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    files.close(finish=True)
    assert [one.name for one in tmp_path.iterdir()] == ["a.log.gz"]


def test_what_a_killed_process_left_is_finished(make: Make, tmp_path: Path) -> None:
    (tmp_path / "old.log.part").write_text("whole\ntorn")
    (tmp_path / "old.log.20261121-010203.000001").write_text("rotated\n")
    files = make("{k}.log", Rules(suffix=".part", compress="gzip"))
    files.close(finish=True)
    packed = sorted(gzip.decompress(one.read_bytes()) for one in tmp_path.glob("*.gz"))
    assert packed == [b"rotated\n", b"whole\n"]
    assert [one.name for one in tmp_path.iterdir() if not one.name.endswith(".gz")] == ["old.log.part.torn"]


def test_what_another_process_still_writes_is_no_leftover(make: Make, tmp_path: Path) -> None:
    guard = Guard()
    other = AppendFile(str(tmp_path / "other.log.part"))
    other.open(guard)
    other.write(b"theirs\n")
    make("{k}.log", Rules(suffix=".part"))
    assert contents(tmp_path) == {"other.log.part": "theirs\n"}
    other.close()
    guard.release()


def test_a_new_file_gets_its_permissions_whatever_the_umask(make: Make, tmp_path: Path) -> None:
    make("app.log", manner=Manner(mode=0o666))
    assert (tmp_path / "app.log").stat().st_mode & 0o777 == 0o666


def test_an_empty_file_begins_with_its_head(make: Make, tmp_path: Path) -> None:
    files = make("app.csv", Rules(size_bytes=8), Manner(head=b"a,b\n"))
    files.write(block_of("1,2"), RAW)
    files.write(block_of("3,4"), RAW)
    assert sorted(contents(tmp_path).values()) == ["a,b\n1,2\n", "a,b\n3,4\n"]


def test_a_successor_takes_over_what_is_pending_in_all_files(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    old = make("{k}.log")
    old.write(lines({"k": "a", "message": "1"}, {"k": "b", "message": "1"}), RAW)
    new = FileSet(PathTemplate(str(tmp_path / "{k}.log")), clock, Manner())
    assert new.inherit(old)
    guard = Guard()
    new.open(guard)
    assert new.pending_bytes == 4
    new.sync()
    assert new.pending_bytes == 0
    new.close(finish=True)
    guard.release()


def test_a_successor_takes_nothing_over_when_a_file_is_gone(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    old = make("{k}.log")
    old.write(lines({"k": "a", "message": "1"}, {"k": "b", "message": "1"}), RAW)
    (tmp_path / "b.log").unlink()
    assert not FileSet(PathTemplate(str(tmp_path / "{k}.log")), clock, Manner()).inherit(old)


def test_a_path_that_an_event_makes_impossible_is_refused_and_the_rest_is_safe(make: Make, tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    files = make("{k}.log")
    with pytest.raises(Refused, match="folder or a device") as caught:
        files.write(lines({"k": "a", "message": "1"}, {"k": "folder", "message": "2"}), RAW)
    assert [one.record["message"] for one in caught.value.events] == ["2"]
    assert (tmp_path / "a.log").read_text() == "1\n"
    assert not files.pending_bytes


def test_a_file_where_an_event_wants_a_folder_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("in the way")
    with pytest.raises(Refused, match="the event's path cannot be"):
        make("{k}/x.log").write(lines({"k": "b", "message": "2"}), RAW)


def test_a_base_folder_that_is_a_file_is_no_fault_of_the_events(make: Make, tmp_path: Path) -> None:
    (tmp_path / "base").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        make("base/{k}.log").write(lines({"k": "b", "message": "2"}), RAW)


def test_what_was_lost_before_a_refusal_is_still_told_by_sync(make: Make, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    files = make("{k}")
    files.write(lines({"k": "a", "message": "1"}), RAW)
    (tmp_path / "a").unlink()
    with pytest.raises(OSError, match="deleted"):
        files.write(lines({"k": "folder"}, {"k": "b", "message": "1"}), RAW)
    with pytest.raises(OSError, match="deleted"):
        files.sync()


def test_events_name_a_bounded_number_of_files_an_hour(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("{k}.log", bounds=Bounds(paths_max=2))
    with pytest.raises(Refused, match="more than 2 files") as caught:
        files.write(lines(*[{"k": str(number), "message": "x"} for number in range(5)]), RAW)
    assert len(caught.value.events) == 3
    files.write(lines({"k": "0", "message": "x"}), RAW)
    clock.advance(3_600)
    files.write(lines({"k": "4", "message": "x"}), RAW)
    assert sorted(contents(tmp_path)) == ["0.log", "1.log", "4.log"]


def test_only_so_many_rotated_files_stay(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("app.log", Rules(size_bytes=1, keep=2))
    (tmp_path / "app.log.old").write_text("not ours")
    for number in range(5):
        files.write(block_of(str(number)), RAW)
        clock.advance(1)
    assert sorted(contents(tmp_path).values()) == ["2\n", "3\n", "4\n", "not ours"]


def test_a_rotated_file_s_permissions_go_to_its_successor(make: Make, tmp_path: Path) -> None:
    files = make("app.log", Rules(size_bytes=1))
    files.write(block_of("a"), RAW)
    (tmp_path / "app.log").chmod(0o604)
    files.write(block_of("b"), RAW)
    assert (tmp_path / "app.log").read_text() == "b\n"
    assert (tmp_path / "app.log").stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_a_rotated_file_s_owner_stays_that_of_its_successor_and_of_the_compressed_one(
    make: Make, tmp_path: Path
) -> None:
    files = make("app.log", Rules(size_bytes=1, compress="gzip"))
    files.write(block_of("a"), RAW)
    os.chown(tmp_path / "app.log", 4_711, 4_712)
    files.write(block_of("b"), RAW)
    files.close(finish=True)
    assert [(one.stat().st_uid, one.stat().st_gid) for one in tmp_path.iterdir()] == [(4_711, 4_712)] * 2


def test_an_empty_file_with_a_suffix_is_removed(make: Make, tmp_path: Path) -> None:
    make("app.log", Rules(suffix=".part")).close(finish=True)
    assert contents(tmp_path) == {}


def test_an_empty_file_that_a_killed_process_left_is_removed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a.log.part").touch()
    make("{k}.log", Rules(suffix=".part"))
    assert contents(tmp_path) == {}


def test_a_file_of_a_day_that_a_killed_process_left_is_compressed(make: Make, tmp_path: Path) -> None:
    (tmp_path / "app-20261120.log").write_text("left\n")
    (tmp_path / "app-other.log").write_text("somebody else's\n")
    make("app-%Y%m%d.log", Rules(compress="gzip")).close(finish=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["app-20261120.log.gz", "app-other.log"]


def test_equal_files_of_one_name_are_both_kept(make: Make, tmp_path: Path) -> None:
    for moment_ns in (1, 2):
        files = make("{k}.log", Rules(compress="gzip"))
        files.write(lines({"k": "a", "message": "ping"}), RAW)
        os.utime(tmp_path / "a.log", ns=(moment_ns * 10**9, moment_ns * 10**9))
        files.close(finish=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.log.1.gz", "a.log.gz"]


def test_a_file_that_could_not_be_finished_is_finished_later(
    make: Make, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise OSError(errno.EROFS, "read-only")

    files = make("{k}.log", Rules(suffix=".part"), bounds=Bounds(open_max=1))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    with monkeypatch.context() as patched:
        patched.setattr("swak.sinks.fileset.move_aside", refuse)
        files.write(lines({"k": "b", "message": "1"}), RAW)
    assert sorted(contents(tmp_path)) == ["a.log.part", "b.log.part"]
    clock.advance(60)
    files.sync()
    assert sorted(contents(tmp_path)) == ["a.log", "b.log.part"]


def test_without_fsync_quiet_files_are_closed_as_well(make: Make, tmp_path: Path, clock: FakeClock) -> None:
    files = make("{k}.log", Rules(suffix=".part"), Manner(durable=False), bounds=Bounds(close_after_s=60))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    clock.advance(61)
    files.write(lines({"k": "b", "message": "1"}), RAW)
    assert sorted(contents(tmp_path)) == ["a.log", "b.log.part"]


def test_a_file_that_was_put_away_whole_is_not_looked_through_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make("{k}.csv", manner=Manner(framing="csv"), bounds=Bounds(open_max=1))
    files.write(lines({"k": "a", "message": "1"}), RAW)
    files.write(lines({"k": "b", "message": "1"}), RAW)
    monkeypatch.setattr("swak.sinks.append.whole_end", lambda *_: pytest.fail("looked"))
    files.write(lines({"k": "a", "message": "2"}), RAW)


@pytest.mark.parametrize(
    ("name", "rules", "waits"),
    [
        ("x.log", Rules(), True),
        ("x.log", Rules(suffix=".part"), True),
        ("x.log", Rules(size_bytes=10**9), False),
        ("x.log", Rules(every_s=3600.0), False),
        ("{tag}.log", Rules(), False),
        ("%Y.log", Rules(), False),
    ],
)
def test_a_batch_waits_for_the_next_one_only_where_there_is_one_file(
    make: Make, tmp_path: Path, name: str, rules: Rules, waits: bool
) -> None:
    files = make(name, rules)
    files.write(block_of("x" * 200_000), RAW, more=True)
    assert (sum(map(len, contents(tmp_path).values())) == 0) is waits
    files.sync()
    assert "".join(contents(tmp_path).values()) == "x" * 200_000 + "\n"
