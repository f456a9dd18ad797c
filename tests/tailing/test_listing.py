from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.tailing.listing import Listings, beginning_with

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_found_by_its_inode_under_every_name(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    listings = Listings()
    inode = (tmp_path / "a").stat().st_ino
    assert sorted(listings.paths(str(tmp_path), inode)) == [str(tmp_path / "a"), str(tmp_path / "b")]


def test_a_rename_since_the_last_question_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    listings = Listings()
    inode = (tmp_path / "a").stat().st_ino
    listings.paths(str(tmp_path), inode)
    (tmp_path / "a").rename(tmp_path / "b")
    assert listings.paths(str(tmp_path), inode) == [str(tmp_path / "b")]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Listings().paths(str(tmp_path / "none"), 1)


def test_names_are_chosen_by_their_beginning(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1", "b.log"):
        (tmp_path / name).touch()
    assert sorted(beginning_with(str(tmp_path), "a.log")) == ["a.log", "a.log.1"]
