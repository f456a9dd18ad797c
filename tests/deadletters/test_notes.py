from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.deadletters.notes import Taken, begin_anew, harden, load, merged, note, notes_path
from swak.files import Files
from tests.forgetful import ForgetfulFiles

if TYPE_CHECKING:
    from pathlib import Path

FILES = Files("dead")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


def test_ranges_that_touch_are_one() -> None:
    assert merged([(7, 9), (1, 2), (3, 3), (8, 12), (20, 20)]) == [(1, 3), (7, 12), (20, 20)]


def test_a_number_is_taken_when_a_range_holds_it() -> None:
    taken = Taken([(3, 5), (9, 9)])
    assert [number for number in range(12) if number in taken] == [3, 4, 5, 9]
    assert "3" not in taken
    assert (taken.last, Taken().last) == (9, 0)


def test_notes_add_up(path: Path) -> None:
    note(path, FILES, [(1, 2)])
    note(path, FILES, [(3, 3), (9, 9)], dropped=2)
    note(path, FILES, [(8, 8)], dropped=1)
    assert (load(path, FILES).ranges, load(path, FILES).dropped) == ([(1, 3), (8, 9)], 3)


def test_half_a_note_of_a_killed_process_harms_no_other(path: Path) -> None:
    note(path, FILES, [(1, 1)])
    with notes_path(path).open("ab") as file:
        file.write(b'{"taken": [[2,')
    note(path, FILES, [(3, 3)])
    assert load(path, FILES).ranges == [(1, 1), (3, 3)]


def test_a_note_that_cannot_be_synced_is_not_there(path: Path) -> None:
    files = ForgetfulFiles()
    note(path, files, [(1, 1)])
    files.sync_fails = True
    with pytest.raises(OSError, match="Input/output"):
        note(path, files, [(2, 2)])
    assert load(path, files).ranges == [(1, 1)]


def test_notes_that_begin_anew_say_the_same(path: Path) -> None:
    note(path, FILES, [(1, 2), (5, 9)], dropped=4)
    begin_anew(path, FILES, load(path, FILES))
    assert (load(path, FILES).ranges, load(path, FILES).dropped) == ([(1, 9)], 4)
    assert notes_path(path).read_bytes().count(b"\n") == 1


def test_where_there_are_none_nothing_is_taken(path: Path) -> None:
    harden(path, FILES)
    assert load(path, FILES).ranges == []
    assert not notes_path(path).exists()
