from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from swak.tailing.growth import Entry
from swak.tailing.observer import Observer
from tests.tailing.tails import append, count_of_descriptors, no_permission, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watchdog's other observers take other paths")

DEADLINE_S = 20.0


class Watched:
    """An observer, with what it collected so far."""

    def __init__(self, *directories: Path) -> None:
        self.woken = threading.Event()
        self.observer = Observer(self.woken.set)
        self.entries: set[Entry] = set()
        self.overflow = False
        for directory in directories:
            assert self.observer.watch(str(directory))

    def until(self, *entries: Entry) -> None:
        """Collect until these entries came."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.entries >= set(entries):
            left_s = deadline - time.monotonic()
            assert left_s > 0, self.entries
            if self.woken.wait(left_s):
                self.woken.clear()
                entries_now, overflow = self.observer.collect()
                self.entries |= entries_now
                self.overflow |= overflow

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.observer.close()


def file(path: Path) -> Entry:
    return Entry(str(path.parent), path.name, is_directory=False)


def folder(path: Path) -> Entry:
    return Entry(str(path.parent), path.name, is_directory=True)


def test_a_file_that_comes_moves_and_goes_is_noticed(tmp_path: Path) -> None:
    with Watched(tmp_path) as watched:
        append(tmp_path / "a.log", b"")
        watched.until(file(tmp_path / "a.log"))
        (tmp_path / "a.log").rename(tmp_path / "b.log")
        watched.until(file(tmp_path / "b.log"))
        watched.entries.clear()
        (tmp_path / "b.log").unlink()
        watched.until(file(tmp_path / "b.log"))


def test_a_directory_is_told_apart_and_what_is_in_it_is_not_noticed(tmp_path: Path) -> None:
    with Watched(tmp_path) as watched:
        (tmp_path / "sub").mkdir()
        append(tmp_path / "sub" / "inner", b"")
        append(tmp_path / "last", b"")
        watched.until(folder(tmp_path / "sub"), file(tmp_path / "last"))
        assert "inner" not in {entry.name for entry in watched.entries}


def test_what_is_written_is_not_noticed(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"")
    with Watched(tmp_path) as watched:
        append(tmp_path / "a.log", b"more")
        append(tmp_path / "b.log", b"")
        watched.until(file(tmp_path / "b.log"))
        assert file(tmp_path / "a.log") not in watched.entries


def test_a_file_that_is_moved_away_holds_nothing_back_for_long(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    append(tmp_path / "in" / "a.log", b"")
    with Watched(tmp_path / "in") as watched:
        began = time.monotonic()
        (tmp_path / "in" / "a.log").rename(tmp_path / "a.log")
        append(tmp_path / "in" / "b.log", b"")
        watched.until(file(tmp_path / "in" / "a.log"), file(tmp_path / "in" / "b.log"))
        assert time.monotonic() - began < 0.4  # it would be half a second


def test_entries_bear_the_path_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Watched(tmp_path / "link", tmp_path / "real") as watched:
        append(tmp_path / "real" / "a.log", b"")
        watched.until(file(tmp_path / "link" / "a.log"), file(tmp_path / "real" / "a.log"))
        watched.observer.unwatch(str(tmp_path / "link"))
        append(tmp_path / "real" / "b.log", b"")
        watched.until(file(tmp_path / "real" / "b.log"))
        assert file(tmp_path / "link" / "b.log") not in watched.entries


def test_a_link_that_leads_elsewhere_now_is_watched_there_when_asked_again(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "v1")
    with Watched(link) as watched:
        link.unlink()
        link.symlink_to(tmp_path / "v2")
        assert watched.observer.watch(str(link))
        append(tmp_path / "v2" / "a.log", b"")
        watched.until(file(link / "a.log"))


def test_a_directory_that_was_replaced_is_heard_again_when_asked_again(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with Watched(tmp_path / "logs") as watched:
        (tmp_path / "logs").rename(tmp_path / "old")
        (tmp_path / "logs").mkdir()
        assert watched.observer.watch(str(tmp_path / "logs"))
        append(tmp_path / "logs" / "a.log", b"")
        watched.until(file(tmp_path / "logs" / "a.log"))


def test_a_directory_that_is_deleted_is_told_and_can_be_watched_again(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with Watched(tmp_path / "logs") as watched:
        (tmp_path / "logs").rmdir()
        watched.until(Entry(str(tmp_path / "logs"), "", is_directory=True))
        (tmp_path / "logs").mkdir()
        assert watched.observer.watch(str(tmp_path / "logs"))
        append(tmp_path / "logs" / "a.log", b"")
        watched.until(file(tmp_path / "logs" / "a.log"))


def test_asking_again_for_the_same_directory_changes_nothing(tmp_path: Path) -> None:
    with Watched(tmp_path) as watched:
        threads = threading.active_count()
        assert watched.observer.watch(str(tmp_path))
        assert threading.active_count() == threads


def test_more_entries_than_can_wait_are_an_overflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.tailing.observer.ENTRIES_MAX", 3)
    observer = Observer(lambda: None)
    try:
        assert observer.watch(str(tmp_path))
        for number in range(10):
            append(tmp_path / str(number), b"")
        deadline = time.monotonic() + DEADLINE_S
        while not observer._overflow:
            assert time.monotonic() < deadline
        entries, overflow = observer.collect()
        assert (len(entries), overflow) == (3, True)
    finally:
        observer.close()


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_directory_is_told_once(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "logs"
    if kind == "file":
        append(path, b"")
    with Watched() as watched:
        assert [watched.observer.watch(str(path)) for _ in range(3)] == [False, False, False]
        assert len(told(caplog)) == 1
        path.unlink(missing_ok=True)
        path.mkdir()
        assert watched.observer.watch(str(path))


def test_a_directory_without_permission_is_not_watched_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").mkdir()
    with Watched() as watched, no_permission(tmp_path / "logs"):
        assert not watched.observer.watch(str(tmp_path / "logs"))
        assert len(told(caplog)) == 1


def test_too_many_directories_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("swak.tailing.observer.WATCHED_MAX", 2)
    for name in "abcd":
        (tmp_path / name).mkdir()
    with Watched() as watched:
        assert [watched.observer.watch(str(tmp_path / name)) for name in "abcd"] == [True, True, False, False]
        assert len(told(caplog)) == 1
        watched.observer.unwatch(str(tmp_path / "a"))
        assert watched.observer.watch(str(tmp_path / "d"))


@contextlib.contextmanager
def no_more_descriptors() -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_nothing_is_watched_and_nothing_is_left_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Watched(tmp_path):
        pass  # import what is needed
    threads, descriptors = threading.active_count(), count_of_descriptors()
    with Watched() as watched:
        with no_more_descriptors():
            assert not watched.observer.watch(str(tmp_path))
        assert ["limit" in line for line in told(caplog)] == [True]
        assert (threading.active_count(), count_of_descriptors()) == (threads, descriptors)
        assert watched.observer.watch(str(tmp_path))


def test_fifty_directories_come_and_go_and_leave_nothing_behind(tmp_path: Path) -> None:
    with Watched(tmp_path):
        pass  # import what is needed
    threads, descriptors = threading.active_count(), count_of_descriptors()
    folders = [tmp_path / str(number) for number in range(50)]
    for one in folders:
        one.mkdir()
    with Watched(*folders) as watched:
        for one in folders:
            append(one / "a.log", b"")
        watched.until(*(file(one / "a.log") for one in folders))
        for one in folders[:25]:
            watched.observer.unwatch(str(one))
        for one in folders:
            append(one / "b.log", b"")
        watched.until(*(file(one / "b.log") for one in folders[25:]))
        assert not watched.entries & {file(one / "b.log") for one in folders[:25]}
    assert (threading.active_count(), count_of_descriptors()) == (threads, descriptors)


def test_an_observer_that_watched_nothing_has_nothing_to_close() -> None:
    threads = threading.active_count()
    observer = Observer(lambda: None)
    assert threading.active_count() == threads
    observer.close()
    observer.close()
    assert observer.collect() == (set(), False)
