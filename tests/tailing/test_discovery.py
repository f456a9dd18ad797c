from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.tailing.discovery import (
    NotRegularError,
    Opened,
    Wanted,
    close_all,
    find_known,
    find_unseen,
    open_file,
    vanished,
)
from swak.tailing.growth import Entry
from swak.tailing.identity import Mark, head_hash
from tests.tailing.tails import age, append, no_permission, rotate, told

if TYPE_CHECKING:
    from pathlib import Path


def names(found: list[Opened]) -> list[str]:
    """Return the present names of open files, and close them."""
    texts = [os.path.basename(os.readlink(f"/proc/self/fd/{one.fd}")) for one in found]  # noqa: PTH115, PTH119
    close_all(found)
    return texts


def source_of(path: Path) -> str:
    opened = open_file(str(path), {})
    os.close(opened.fd)
    return opened.source


def test_plain_paths_are_wanted_whether_they_are_there_or_not(tmp_path: Path) -> None:
    paths = [str(tmp_path / "b"), str(tmp_path / "a")]
    assert Wanted(paths).paths() == paths


def test_a_pattern_matches_files_only_and_no_compressed_ones(tmp_path: Path) -> None:
    for name in ("b.log", "a.log", "c.log.gz", "d.txt"):
        append(tmp_path / name, b"")
    (tmp_path / "folder.log").mkdir()
    os.mkfifo(tmp_path / "pipe.log")
    wanted = Wanted([str(tmp_path / "*.log*")])
    assert wanted.paths() == [str(tmp_path / "a.log"), str(tmp_path / "b.log")]


def test_exclude_takes_names_and_whole_paths(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c.log"):
        append(tmp_path / name, b"")
    wanted = Wanted([str(tmp_path / "*.log")], ["a.*", f"{tmp_path}/b*"])
    assert wanted.paths() == [str(tmp_path / "c.log")]


def test_home_and_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert Wanted(["a.log", "~/b.log"]).plain == [str(tmp_path / "a.log"), "/home/me/b.log"]


def test_a_pattern_in_a_directory_that_is_not_there_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = Wanted([str(tmp_path / "none" / "*.log")])
    assert wanted.paths() == wanted.paths() == []
    assert len(told(caplog)) == 1


@pytest.mark.parametrize(
    ("entry", "matters"),
    [
        (("/d", "a.log", False), True),
        (("/d", "b.log", False), False),
        (("/other", "a.log", False), False),
        (("/d", "", False), True),  # the directory itself went away
    ],
)
def test_only_names_of_plain_paths_matter(entry: tuple[str, str, bool], matters: bool) -> None:
    assert Wanted(["/d/a.log"]).concerns(Entry(*entry)) is matters


def test_names_that_a_pattern_may_match_matter_and_so_do_directories() -> None:
    wanted = Wanted(["/d/**/*.log"])
    assert wanted.concerns(Entry("/d", "x.log", False))
    assert wanted.concerns(Entry("/d", "folder", True))
    assert not wanted.concerns(Entry("/d", "x.txt", False))


def test_directories_are_roots_and_parents_each_once() -> None:
    wanted = Wanted(["/r/a*/x.log", "/p/one.log", "/p/two.log"])
    assert wanted.directories(["/r/a1/x.log"]) == ["/r", "/p", "/r/a1"]


@pytest.mark.parametrize("kind", ["directory", "named pipe"])
def test_what_is_no_file_is_refused_and_closed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(NotRegularError, match=kind):
        open_file(str(path), {})
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_file_on_a_device_that_got_another_number_is_known_by_its_head(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"head\n")
    device, rest = source_of(tmp_path / "a.log").split(":", 1)
    before = f"{int(device, 16) + 1:x}:{rest}"
    opened = open_file(str(tmp_path / "a.log"), {before: Mark(5, "", 5, head_hash(b"head\n"))})
    os.close(opened.fd)
    assert opened.source == before
    other = open_file(str(tmp_path / "a.log"), {before: Mark(5, "", 5, head_hash(b"other"))})
    os.close(other.fd)
    assert other.mark is None


def test_a_known_file_is_found_under_any_name(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    known = {source_of(tmp_path / "a.log"): Mark(4, "")}
    (tmp_path / "a.log").rename(tmp_path / "something else")
    found, missing = find_known(str(tmp_path / "a.log"), known)
    assert (names(found), missing) == (["something else"], set())


def test_a_known_file_that_is_deleted_is_missing(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    known = {source_of(tmp_path / "a.log"): Mark(4, "")}
    (tmp_path / "a.log").unlink()
    found, missing = find_known(str(tmp_path / "a.log"), known)
    assert (found, missing) == ([], set(known))


def test_unseen_generations_come_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for _ in range(3):
        append(path, b"x\n")
        rotate(path)
    for number, seconds in ((3, 300), (2, 200), (1, 100)):
        age(path.with_name(f"a.log.{number}"), seconds)
    since_ns = path.with_name("a.log.2").stat().st_mtime_ns
    assert names(find_unseen(str(path), {}, (), since_ns)) == ["a.log.2", "a.log.1"]
    assert names(find_unseen(str(path), {}, (), 0)) == ["a.log.3", "a.log.2", "a.log.1"]


def test_generations_that_are_known_or_followed_are_not_unseen(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number in (1, 2, 3):
        append(path.with_name(f"a.log.{number}"), b"x\n")
    known = {source_of(path.with_name("a.log.1")): Mark(0, "")}
    followed = [source_of(path.with_name("a.log.2"))]
    assert names(find_unseen(str(path), known, followed, 0)) == ["a.log.3"]


@pytest.mark.parametrize("suffix", [".1", "-20240131", ".2024-01-31", "-20240131-1706659200", ".old", ".bak"])
def test_a_rotated_name(tmp_path: Path, suffix: str) -> None:
    append(tmp_path / f"a.log{suffix}", b"x\n")
    assert names(find_unseen(str(tmp_path / "a.log"), {}, (), 0)) == [f"a.log{suffix}"]


@pytest.mark.parametrize("name", ["a.log", "a.log.1.gz", "a.log.pos", "a.log.swp", "a.log1", "b.log.1", "a.log.audit"])
def test_no_rotated_name(tmp_path: Path, name: str) -> None:
    append(tmp_path / name, b"x\n")
    assert find_unseen(str(tmp_path / "a.log"), {}, (), 0) == []


def test_a_rotated_file_that_cannot_be_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log.1", b"x\n")
    with no_permission(tmp_path / "a.log.1"):
        assert find_unseen(str(tmp_path / "a.log"), {}, (), 0) == []
    assert len(told(caplog)) == 1


def test_a_file_has_vanished_when_no_name_in_the_directory_leads_to_it(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n")
    append(tmp_path / "b.log", b"x\n")
    known = {source_of(tmp_path / name): Mark(0, "") for name in ("a.log", "b.log")}
    gone = source_of(tmp_path / "a.log")
    (tmp_path / "a.log").unlink()
    append(tmp_path / "a.log", b"perhaps with the same inode\n")
    (tmp_path / "b.log").rename(tmp_path / "c.log")
    assert vanished(str(tmp_path), known) == {gone}


def test_in_an_empty_directory_nothing_has_vanished(tmp_path: Path) -> None:
    assert vanished(str(tmp_path), {"1:2:h3": Mark(0, "")}) == set()


def test_what_cannot_be_read_has_not_vanished(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n")
    known = {source_of(tmp_path / "a.log"): Mark(0, "")}
    with no_permission(tmp_path / "a.log"):
        assert vanished(str(tmp_path), known) == set()
