from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.tailing import identity
from swak.tailing.identity import (
    Mark,
    head_hash,
    head_matches,
    identify,
    inode_of,
    is_remote,
    mark_from,
    marks_from,
    may_be_same,
    path_from,
    path_text,
)
from tests.tailing.tails import append, told

if TYPE_CHECKING:
    from pathlib import Path


def identity_at(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return identify(fd)
    finally:
        os.close(fd)


def test_a_file_keeps_its_identity_when_it_is_renamed_and_written_to(tmp_path: Path) -> None:
    append(tmp_path / "a", b"one\n")
    before = identity_at(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    append(tmp_path / "b", b"two\n")
    assert identity_at(tmp_path / "b") == before


def test_files_that_have_the_same_inode_after_one_another_differ(tmp_path: Path) -> None:
    seen = set()
    for _ in range(50):
        append(tmp_path / "a", b"")
        seen.add(identity_at(tmp_path / "a"))
        (tmp_path / "a").unlink()
    assert len(seen) == 50


def test_without_file_handles_the_birth_time_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path / "a", b"")
    monkeypatch.setattr(identity, "_handle", lambda _fd: "")
    before = identity_at(tmp_path / "a")
    assert before.split(":")[2].startswith("b")
    append(tmp_path / "a", b"more")
    assert identity_at(tmp_path / "a") == before


def test_without_the_system_calls_of_linux_there_still_is_an_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "libc", lambda: None)
    append(tmp_path / "a", b"")
    assert inode_of(identity_at(tmp_path / "a")) == (tmp_path / "a").stat().st_ino


@pytest.mark.parametrize(
    ("known", "seen", "maybe"),
    [
        ("1:20:h1.aa", "2:20:h1.aa", True),  # the device got another number
        ("1:20:h1.aa", "1:20:b5", True),  # one of the two could not use handles
        ("1:20:h1.aa", "1:20:h1.bb", False),
        ("1:20:h1.aa", "1:21:h1.aa", False),
        ("nonsense", "1:20:h1.aa", False),
    ],
)
def test_two_identities_may_mean_one_file(known: str, seen: str, maybe: bool) -> None:
    assert may_be_same(known, seen) is maybe


def test_a_head_matches_as_long_as_it_is_only_added_to(tmp_path: Path) -> None:
    append(tmp_path / "a", b"one\n")
    mark = Mark(4, "a", 4, head_hash(b"one\n"))
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    append(tmp_path / "a", b"two\n")
    assert head_matches(fd, mark)
    os.truncate(tmp_path / "a", 2)
    assert not head_matches(fd, mark)
    (tmp_path / "a").write_bytes(b"two\n")
    assert not head_matches(fd, mark)
    os.close(fd)


def test_a_mark_survives_the_checkpoint() -> None:
    mark = Mark(10, "/a", 4, "00ff", 99, 2)
    assert mark_from(mark.as_position()) == mark


def test_a_position_needs_an_offset_and_a_path_only() -> None:
    assert mark_from({"offset": 3, "path": "/a"}) == Mark(3, "/a")


@pytest.mark.parametrize(
    "position", [None, 3, [], {}, {"offset": -1, "path": "/a"}, {"offset": 1, "path": "/a", "head_len": 10**9}]
)
def test_a_position_that_makes_no_sense_is_left_out_and_told(
    position: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert marks_from({"good": {"offset": 1, "path": "/a"}, "bad": position}) == {"good": Mark(1, "/a")}
    assert len(told(caplog)) == 1


@pytest.mark.parametrize("raw", [b"/var/log/a.log", b"/var/\xff\xfe.log", "/var/é".encode()])
def test_any_path_survives_as_text(raw: bytes) -> None:
    path = os.fsdecode(raw)
    assert path_text(path).encode()
    assert path_from(path_text(path)) == path


def test_a_local_file_is_not_remote(tmp_path: Path) -> None:
    append(tmp_path / "a", b"")
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    assert not is_remote(fd)
    os.close(fd)
