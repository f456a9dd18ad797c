from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.deadletters.clearing import is_used_up, remove_unfinished, removed, rewritten
from swak.deadletters.letter import sealed
from swak.deadletters.notes import Taken
from swak.files import Files
from tests.forgetful import ForgetfulFiles

if TYPE_CHECKING:
    from pathlib import Path

FILES = Files("dead")


def line(number: int) -> bytes:
    return sealed(b'{"id": %d, "x": 1}' % number)


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    path = tmp_path / "dead-letters.0001.jsonl"
    path.write_bytes(line(1) + b"damaged\n" + line(2) + line(3))
    return path


def test_a_segment_goes_when_every_letter_was_taken_off(segment: Path) -> None:
    assert not is_used_up(segment, Taken([(1, 2)]), FILES)
    assert not removed(segment, Taken([(1, 2)]), FILES)
    assert removed(segment, Taken([(1, 3)]), FILES)
    assert not segment.exists()


def test_what_is_damaged_in_it_is_kept(segment: Path) -> None:
    removed(segment, Taken([(1, 3)]), FILES)
    segment.write_bytes(b"another\n")
    removed(segment, Taken(), FILES)
    assert segment.with_name("dead-letters.0001.jsonl.bad").read_bytes() == b"damaged\nanother\n"


def test_a_segment_is_written_anew_without_what_was_taken_off(segment: Path) -> None:
    assert rewritten(segment, Taken([(2, 2)]), FILES)
    assert segment.read_bytes() == line(1) + b"damaged\n" + line(3)
    assert not rewritten(segment, Taken([(2, 2)]), FILES)


def test_a_disk_that_is_full_leaves_it_as_it_was(segment: Path) -> None:
    files = ForgetfulFiles()
    descriptor = files.open(segment, make=True)
    files.append(descriptor, line(1) + line(2))
    files.room = 5
    with pytest.raises(OSError, match="space"):
        rewritten(segment, Taken([(1, 1)]), files)
    assert files.names_now[segment].data == line(1) + line(2)
    assert files.names(segment.parent) == [segment.name]


def test_what_was_not_finished_is_removed_and_nothing_else(segment: Path) -> None:
    for name in ("dead-letters.0001.jsonl.tmp", "dead-letters.taken.tmp", "other.tmp"):
        segment.with_name(name).touch()
    remove_unfinished(segment.with_name("dead-letters.jsonl"), FILES)
    assert sorted(one.name for one in segment.parent.iterdir()) == [segment.name, "other.tmp"]
