from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from swak.tailing.closed import AWAY_NS, SWEPT_MAX, YOUNG_NS, Closed, Spot
from swak.tailing.discovery import open_file
from swak.tailing.identity import Mark
from tests.flows.mounts import mounted
from tests.tailing.tails import Tail, append, no_permission, open_files, rotate

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = time.time_ns()


def source_of(path: Path) -> str:
    opened = open_file(str(path), {})
    opened.close()
    return opened.source


def closed_of(*paths: Path) -> tuple[Closed, list[str]]:
    """Return files that were read to their end and closed, with their sources."""
    closed = Closed({})
    sources = [source_of(path) for path in paths]
    for path, source in zip(paths, sources, strict=True):
        closed.add(source, Mark(path.stat().st_size, str(path)), Spot.of(str(path), path.stat()))
    return closed, sources


def pass_away(closed: Closed, age_ns: int = AWAY_NS) -> dict[str, str]:
    """Sweep twice with so much time in between; return what has grown at the second time."""
    closed.sweep(NOW_NS)
    return closed.sweep(NOW_NS + age_ns)


def test_a_file_is_gone_when_no_name_in_its_directory_leads_to_it(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        append(tmp_path / name, b"x\n")
    closed, (gone, _) = closed_of(tmp_path / "a.log", tmp_path / "b.log")
    append(tmp_path / "new", b"another inode\n")
    (tmp_path / "new").rename(tmp_path / "a.log")
    (tmp_path / "b.log").rename(tmp_path / "c.log")
    assert pass_away(closed) == {}
    assert list(closed.gone) == [gone]
    assert gone not in closed.marks


def test_a_file_that_was_not_deleted_for_certain_is_kept_for_an_hour(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n")
    append(tmp_path / "other", b"x\n")
    closed, sources = closed_of(tmp_path / "a.log")
    (tmp_path / "a.log").unlink()
    pass_away(closed, AWAY_NS - 1)
    assert (list(closed.gone), list(closed.marks)) == ([], sources)


def test_a_file_that_was_deleted_while_it_was_open_is_gone_after_a_minute(tmp_path: Path) -> None:
    append(tmp_path / "other", b"x\n")
    append(tmp_path / "a.log", b"x\n")
    source = source_of(tmp_path / "a.log")
    (tmp_path / "a.log").unlink()
    closed = Closed({})
    closed.add(source, Mark(2, str(tmp_path / "a.log")), deleted=True)
    pass_away(closed, YOUNG_NS - 1)
    assert list(closed.gone) == []
    closed.sweep(NOW_NS + YOUNG_NS)
    assert list(closed.gone) == [source]


def test_a_file_that_was_quiet_for_long_is_not_gone_sooner(tmp_path: Path) -> None:
    append(tmp_path / "other", b"x\n")
    append(tmp_path / "a.log", b"x\n")
    closed = Closed({source_of(tmp_path / "a.log"): Mark(2, str(tmp_path / "a.log"), time_ns=1)})
    (tmp_path / "a.log").unlink()
    pass_away(closed, YOUNG_NS)
    assert list(closed.gone) == []


def test_the_hour_begins_anew_for_a_file_that_came_back(tmp_path: Path) -> None:
    path, away = tmp_path / "a.log", tmp_path / "sub" / "a.log"
    append(path, b"x\n")
    append(tmp_path / "other", b"x\n")
    away.parent.mkdir()
    closed, _ = closed_of(path)
    for number in range(4):
        path.rename(away)
        closed.sweep(NOW_NS + number * AWAY_NS)
        closed.sweep(NOW_NS + number * AWAY_NS + AWAY_NS - 1)
        away.rename(path)
        closed.sweep(NOW_NS + number * AWAY_NS + AWAY_NS - 1)
        path.rename(away)
        away.rename(tmp_path / "renamed")  # it is looked for, and found
        closed.sweep(NOW_NS + number * AWAY_NS + AWAY_NS - 1)
        (tmp_path / "renamed").rename(path)
    assert list(closed.gone) == []


def test_in_an_empty_directory_nothing_is_gone(tmp_path: Path) -> None:
    closed = Closed({"1:2:h3": Mark(0, str(tmp_path / "a.log"))})
    pass_away(closed)
    assert list(closed.gone) == []


def test_what_lay_on_another_device_is_not_gone(tmp_path: Path) -> None:
    append(tmp_path / "other", b"x\n")
    device = tmp_path.stat().st_dev + 1
    closed = Closed({f"{device:x}:2:h3": Mark(0, str(tmp_path / "a.log"))})
    pass_away(closed)
    assert list(closed.gone) == []


def test_while_its_disk_is_not_mounted_no_file_is_gone(tmp_path: Path) -> None:
    with mounted(tmp_path, "loop") as disk:
        path = disk.place / "a.log"
        append(path, b"x\n")
        closed, (source,) = closed_of(path)
        disk.unmount()
        append(disk.place / "on the bare mount point", b"x\n")
        pass_away(closed)
        (disk.place / "on the bare mount point").unlink()
        closed.sweep(NOW_NS + 2 * AWAY_NS)
        disk.mount()
        append(path, b"more\n")
        assert closed.sweep(NOW_NS + 3 * AWAY_NS) == {source: str(path)}


def test_what_cannot_be_read_is_not_gone(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n")
    closed = Closed({source_of(tmp_path / "a.log"): Mark(0, str(tmp_path / "a.log"))})
    with no_permission(tmp_path / "a.log"):
        pass_away(closed)
    assert list(closed.gone) == []


def test_a_directory_that_cannot_be_listed_hides_nothing_for_good(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    append(folder / "a.log", b"x\n")
    closed, (source,) = closed_of(folder / "a.log")
    with no_permission(folder):
        pass_away(closed)
    append(folder / "a.log", b"more\n")
    assert closed.sweep(NOW_NS + 2 * AWAY_NS) == {source: str(folder / "a.log")}


def test_an_inode_that_another_file_has_now_leads_nowhere(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"another one\n")
    device, inode, _ = source_of(tmp_path / "a.log").split(":")
    before = f"{device}:{inode}:h1.00"
    closed = Closed({})
    closed.add(before, Mark(4, str(tmp_path / "a.log"), 4, "0123456789abcdef"))
    assert pass_away(closed) == {}
    assert list(closed.gone) == [before]


@pytest.mark.parametrize("renames", [False, True])
def test_what_has_grown_is_found_where_it_is_now(tmp_path: Path, renames: bool) -> None:
    path = tmp_path / "a.log"
    append(path, b"x\n")
    closed, (source,) = closed_of(path)
    assert closed.sweep(NOW_NS) == {}
    if renames:
        path = path.rename(tmp_path / "b.log")
        append(tmp_path / "a.log", b"another\n")
    append(path, b"more\n")
    assert closed.sweep(NOW_NS) == {source: str(path)}


@pytest.mark.parametrize("content", [b"", b"y", b"y\n", b"more\n"])
def test_what_was_rewritten_counts_as_grown_whatever_its_size(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.log"
    append(path, b"x\n")
    os.utime(path, (1, 1))
    closed, (source,) = closed_of(path)
    path.write_bytes(content)
    assert not closed.unchanged(str(path), path.stat())
    assert closed.sweep(NOW_NS) == {source: str(path)}


def test_a_file_whose_bytes_are_all_read_is_unchanged_only_where_it_was_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"x\n")
    closed, _ = closed_of(path)
    assert closed.unchanged(str(path), path.stat())
    other = path.rename(tmp_path / "b.log")
    assert not closed.unchanged(str(other), other.stat())
    closed.sweep(NOW_NS)
    assert closed.unchanged(str(other), other.stat())
    append(path, b"x\n")
    assert not closed.unchanged(str(path), path.stat())


def test_each_sweep_compares_so_many_and_the_next_one_the_others(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.log" for number in range(SWEPT_MAX + 10)]
    for path in paths:
        append(path, b"x\n")
    closed, sources = closed_of(*paths)
    for path in paths:
        append(path, b"more\n")
    first, second = closed.sweep(NOW_NS), closed.sweep(NOW_NS)
    assert (len(first), len(second)) == (SWEPT_MAX, SWEPT_MAX)
    assert {*first, *second} == set(sources)


def test_a_file_that_is_open_again_is_none_of_the_closed(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n")
    closed, (source,) = closed_of(tmp_path / "a.log")
    closed.remove(source)
    append(tmp_path / "a.log", b"more\n")
    assert (closed.sweep(NOW_NS), closed.marks, list(closed.gone)) == ({}, {}, [])


# ---- through the plugin


@pytest.mark.parametrize("pattern", ["a.log", "a.l*g", "a.log*"])
def test_a_rotated_file_that_grows_after_it_was_closed_is_read_within_a_sweep(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(tmp_path / pattern) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(70)
        assert "a.log" in open_files(tmp_path)
        for number in range(3):
            append(tmp_path / "a.log.1", b"late %d\n" % number)
            assert tail.pass_time(5.5) == b"late %d\n" % number
            tail.pass_time(70)
        rotate(path)
        append(tmp_path / "a.log.2", b"later\n")
        assert tail.pass_time(5.5) == b"later\n"


def test_a_rotated_file_without_a_successor_that_grows_after_it_was_closed_is_read(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    with Tail(tmp_path / "*.log") as tail:
        tail.read()
        rotate(tmp_path / "a.log")
        tail.pass_time(70)
        assert open_files(tmp_path) == set()
        append(tmp_path / "a.log.1", b"late\n")
        assert tail.pass_time(5.5) == b"late\n"


def test_a_file_that_comes_back_after_minutes_is_not_read_again_though_it_was_quiet_for_days(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    append(tmp_path / "b.log", b"x\n")
    (tmp_path / "sub").mkdir()
    with Tail(tmp_path / "*.log") as tail:
        tail.read()
        tail.clock.advance(86_400)
        tail.pass_time(6)
        (tmp_path / "a.log").rename(tmp_path / "sub" / "a.log")
        tail.pass_time(600)
        (tmp_path / "sub" / "a.log").rename(tmp_path / "a.log")
        append(tmp_path / "a.log", b"two\n")
        assert tail.pass_time(6) == b"two\n"
