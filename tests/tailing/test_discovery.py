from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.tailing.discovery import (
    NotRegularError,
    Opened,
    close_all,
    find_known,
    find_unseen,
    open_file,
)
from swak.tailing.identity import Mark, head_hash
from tests.tailing.tails import age, append, no_permission, rotate, told

if TYPE_CHECKING:
    from pathlib import Path


def names(found: list[Opened]) -> list[str]:
    """Return the present names of open files, and close them."""
    texts = [os.path.basename(os.readlink(f"/proc/self/fd/{one.content.fd}")) for one in found]  # noqa: PTH115, PTH119
    close_all(found)
    return texts


def source_of(path: Path) -> str:
    opened = open_file(str(path), {})
    opened.close()
    return opened.source


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
    opened.close()
    assert opened.source == before
    other = open_file(str(tmp_path / "a.log"), {before: Mark(5, "", 5, head_hash(b"other"))})
    other.close()
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


@pytest.mark.parametrize("name", ["a.log", "a.log.pos", "a.log.swp", "a.log1", "b.log.1", "a.log.audit"])
def test_no_rotated_name(tmp_path: Path, name: str) -> None:
    append(tmp_path / name, b"x\n")
    assert find_unseen(str(tmp_path / "a.log"), {}, (), 0) == []


def test_a_rotated_file_that_cannot_be_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log.1", b"x\n")
    with no_permission(tmp_path / "a.log.1"):
        assert find_unseen(str(tmp_path / "a.log"), {}, (), 0) == []
    assert len(told(caplog)) == 1
