from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import StateError
from swak.files import Files
from swak.sealed import CorruptError, Sealed

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = {"one": {"at": 1}}, {"one": {"at": 2}}


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    made = Sealed("notebook", "notes", tmp_path / "notes.json", Files("notes"))
    made.save(OLD)
    made.save(NEW)
    return made


def test_the_newest_generation_is_loaded(sealed: Sealed) -> None:
    assert sealed.load() == NEW


def test_a_damaged_one_gives_way_to_the_one_before_and_is_kept(sealed: Sealed, tmp_path: Path) -> None:
    sealed.path.write_bytes(b"x")
    assert sealed.load() == OLD
    assert [path.read_bytes() for path in tmp_path.glob("*.bad-*")] == [b"x"]


def test_looking_leaves_a_damaged_one_where_it_is(sealed: Sealed) -> None:
    sealed.path.write_bytes(b"x")
    assert sealed.load(touch=False) == OLD
    assert sealed.path.read_bytes() == b"x"


def test_without_a_whole_generation_both_are_named(sealed: Sealed) -> None:
    sealed.path.write_bytes(b"")
    sealed.previous.write_bytes(b"yy")
    with pytest.raises(CorruptError, match=r"notes\.json \(empty\) and .*prev \(the sum over its 2 bytes"):
        sealed.load()


def test_a_format_of_the_future_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Sealed("notebook", "notes", tmp_path / "notes.json", Files("notes"))
    monkeypatch.setattr("swak.sealed.FORMAT", 2)
    made.save(NEW)
    monkeypatch.undo()
    with pytest.raises(StateError, match="unknown format 2"):
        made.load()
