from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.ack import Origin
from swak.deadletters import DeadLetter, DeadLetters, Limit, Shelf
from swak.deadletters import segments as segments_module
from swak.testing import event

if TYPE_CHECKING:
    from pathlib import Path


def letters(*numbers: int) -> list[DeadLetter]:
    return [DeadLetter(event({"n": n}), Origin("a.log", n), "web", "Regex", "bad", died_at_ns=1) for n in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


def numbers(path: Path) -> list[int]:
    return [kept.letter.event.record["n"] for kept in Shelf(path).letters()]


def test_letters_are_read_in_order_from_all_files(path: Path) -> None:
    store = DeadLetters(path, limit=Limit(4_000))
    for number in range(10):
        store.append(letters(number))
    assert numbers(path) == list(range(10))
    assert Shelf(path).files > 3
    assert Shelf(path).size_bytes == sum(one.stat().st_size for one in path.parent.iterdir())


def test_a_store_that_is_not_there_is_empty(path: Path) -> None:
    shelf = Shelf(path.parent / "missing" / path.name)
    assert (list(shelf.letters()), shelf.is_there, shelf.size_bytes, shelf.files) == ([], False, 0, 0)


def test_what_was_taken_off_is_there_no_more(path: Path) -> None:
    DeadLetters(path).append(letters(0, 1, 2, 3))
    shelf = Shelf(path)
    shelf.take([(2, 3)])
    assert [kept.number for kept in shelf.letters()] == [1, 4]
    assert numbers(path) == [0, 3]


def test_a_file_that_becomes_a_segment_while_it_is_read_is_read_once(path: Path) -> None:
    store = DeadLetters(path, limit=Limit(4_000))
    store.append(letters(0, 1))
    reading = Shelf(path).letters()
    seen = [next(reading).letter.event.record["n"]]
    store.append(letters(2))  # finishes the file
    assert len(list(path.parent.glob("*.jsonl"))) == 2
    assert seen + [kept.letter.event.record["n"] for kept in reading] == [0, 1]
    assert numbers(path) == [0, 1, 2]


def test_a_segment_that_goes_away_is_passed_over(path: Path) -> None:
    store = DeadLetters(path, limit=Limit(4_000))
    for number in range(6):
        store.append(letters(number))
    reading = Shelf(path).letters()
    next(reading)
    for segment in path.parent.glob("*.0*.jsonl"):
        segment.unlink()
    assert [kept.letter.event.record["n"] for kept in reading][-1] == 5


def test_finished_segments_of_which_nothing_is_left_are_removed(path: Path) -> None:
    store = DeadLetters(path, limit=Limit(4_000))
    for number in range(6):
        store.append(letters(number))
    before = Shelf(path).files
    shelf = Shelf(path)
    shelf.take([(1, 4)])
    shelf.clear()
    assert (shelf.files, numbers(path)) == (before - 4 // 2, [4, 5])


def test_blocks_of_any_size_make_no_difference(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DeadLetters(path).append(letters(*range(20)))
    for size in (1, 7, 64, 1_000):
        monkeypatch.setattr(segments_module, "BLOCK_BYTES", size)
        assert numbers(path) == list(range(20))


def damaged_files(path: Path) -> list[tuple[str, bytes]]:
    """Return every file that one flipped byte, or one truncation, can make of this one."""
    whole = path.read_bytes()
    flips = [
        (f"byte {at} ^ {change}", whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
        for at in range(len(whole))
        for change in (0x01, 0x20, 0xFF, whole[at] ^ 0x0A or 0x80)
    ]
    return flips + [(f"cut at {at}", whole[:at]) for at in range(len(whole))]


def test_no_flip_and_no_truncation_loses_more_than_one_letter(path: Path) -> None:
    DeadLetters(path).append(letters(0, 1, 2))
    whole = path.read_bytes()
    for what, content in damaged_files(path):
        path.write_bytes(content)
        shelf = Shelf(path)
        found = [kept.letter.event.record["n"] for kept in shelf.letters()]
        if what.startswith("byte"):
            assert len(found) >= 2, what
            assert shelf.damaged == 1 or found == [0, 1, 2], what
        else:
            tail = content.rpartition(b"\n")[2]
            is_whole = tail in whole.splitlines()
            assert len(found) == content.count(b"\n") + is_whole, what
            assert shelf.damaged == (bool(tail) and not is_whole), what


def test_after_every_flip_and_every_truncation_letters_are_appended(path: Path) -> None:
    store = DeadLetters(path)
    store.append(letters(0, 1))
    store.close()
    for what, content in damaged_files(path)[::3]:
        path.write_bytes(content)
        before = {kept.number for kept in Shelf(path).letters()}
        again = DeadLetters(path)
        again.append(letters(2))
        again.close()
        after = list(Shelf(path).letters())
        assert after[-1].letter.event.record == {"n": 2}, what
        assert {kept.number for kept in after} > before, what


def test_every_flip_and_every_truncation_of_the_notes_brings_letters_back_at_most(path: Path) -> None:
    DeadLetters(path).append(letters(0, 1, 2, 3))
    Shelf(path).take([(1, 1)])
    Shelf(path).take([(3, 3)])
    notes = path.with_name("dead-letters.taken")
    for what, content in damaged_files(notes):
        notes.write_bytes(content)
        assert set(numbers(path)) >= {1, 3}, what
