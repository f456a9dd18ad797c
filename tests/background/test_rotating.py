from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.background.rotating import LogFile, open_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = open_log(tmp_path / "web.log")
    yield opened
    os.close(opened)


def log_file(folder: Path, fd: int) -> LogFile:
    return LogFile(folder / "web.log", (fd,), size_max=10, kept_max=2)


def test_below_its_size_it_stays(tmp_path: Path, fd: int) -> None:
    os.write(fd, b"123456789")
    assert not log_file(tmp_path, fd).rotate_if_large()


def test_what_is_printed_after_a_rotation_is_in_the_new_file(tmp_path: Path, fd: int) -> None:
    rotated = log_file(tmp_path, fd)
    for text in (b"first.....\n", b"second....\n", b"third.....\n", b"fourth....\n"):
        os.write(fd, text)
        assert rotated.rotate_if_large()
    os.write(fd, b"fifth\n")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"web.log": "fifth\n", "web.log.1": "fourth....\n", "web.log.2": "third.....\n"}


def test_a_log_that_somebody_moved_away_is_begun_anew(tmp_path: Path, fd: int) -> None:
    (tmp_path / "web.log").rename(tmp_path / "moved")
    assert log_file(tmp_path, fd).rotate_if_large()
    os.write(fd, b"here\n")
    assert (tmp_path / "web.log").read_text() == "here\n"


def test_a_descriptor_that_leads_elsewhere_is_left_alone(tmp_path: Path, fd: int) -> None:
    other = open_log(tmp_path / "other")
    os.write(fd, b"0123456789")
    LogFile(tmp_path / "web.log", (fd, other), size_max=10).rotate_if_large()
    os.write(other, b"other\n")
    os.close(other)
    assert (tmp_path / "other").read_text() == "other\n"


def test_only_the_owner_can_read_it(tmp_path: Path, fd: int) -> None:
    assert os.fstat(fd).st_mode & 0o077 == 0, tmp_path
