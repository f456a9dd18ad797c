from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from swak.tailing.identity import Mark
from swak.tailing.origins import as_copy, mended
from tests.tailing.tails import Tail, append
from tests.tailing.test_copies import copytruncate, lines

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PATH = "/logs/a.log"


def original(offset: int, cycle: int = 0) -> Mark:
    return Mark(offset, PATH, cycle=cycle)


def copy(begin: int, offset: int, cycle: int = 0) -> Mark:
    """Return the position in a copy of a file "1:2:-" that was read from `begin` on."""
    return msgspec.structs.replace(as_copy(original(begin, cycle), "1:2:-"), offset=offset, path=f"{PATH}.1")


# ---- Positions that do not fit together


def test_what_was_read_in_the_original_and_is_not_settled_there_is_read_in_its_copy() -> None:
    found = mended({"1:2:-": original(10), "copy": copy(begin=40, offset=60)})
    assert (found["copy"].offset, found["copy"].begin, found["copy"].path) == (10, 10, f"{PATH}.1")


def test_of_content_that_nobody_knows_to_be_settled_the_copy_is_read_whole() -> None:
    found = mended({"1:2:-": original(10), "copy": copy(begin=40, offset=60, cycle=1)})
    assert found["copy"].offset == 0


def test_what_is_settled_in_one_copy_is_settled_in_all() -> None:
    found = mended({"one": copy(begin=10, offset=30), "other": copy(begin=20, offset=50), "last": copy(10, 10)})
    assert {source: mark.offset for source, mark in found.items()} == {"one": 50, "last": 50}


def test_what_is_settled_after_a_gap_says_nothing_of_what_is_before_it() -> None:
    assert not mended({"one": copy(begin=10, offset=30), "other": copy(begin=40, offset=50)})


def test_copies_of_different_content_have_nothing_to_do_with_each_other() -> None:
    assert not mended({"one": copy(0, 30), "other": copy(0, 50, cycle=1)})


def test_a_file_of_which_nothing_is_settled_since_it_was_copied_holds_other_content_now() -> None:
    found = mended({"1:2:-": original(0), "older": copy(0, 30), "newer": copy(0, 30, cycle=1)})
    assert found == {"1:2:-": original(0, cycle=2)}


def test_copies_are_told_before_their_original() -> None:
    assert list(mended({"1:2:-": original(0), "copy": copy(begin=40, offset=60)})) == ["copy", "1:2:-"]


@pytest.mark.parametrize("origin", ["", "no cycle", "1:2:-", "1:2:- -1", "1:2:- ²"])
def test_an_origin_that_makes_no_sense_is_none(origin: str) -> None:
    assert not mended({"1:2:-": original(0), "copy": Mark(5, PATH, begin=5, origin=origin)})


def test_positions_that_fit_together_stay_what_they_are() -> None:
    assert not mended({"1:2:-": original(40), "copy": copy(begin=40, offset=60), "other": Mark(7, "/logs/b.log")})


# ---- Copies of the same


def unsettled(path: Path) -> dict[str, Any]:
    """Have 9 lines read, copied and truncated away; return positions with nothing of that settled in the original."""
    append(path, lines(0, 9))
    with Tail(path) as tail:
        tail.read()
        source, before = tail.handed[0][0], tail.steps[1]
        copytruncate(path)
        tail.pass_time(2)
        return {**tail.positions, source: before[source]}


def known_twin(path: Path, twin: Path, positions: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Put a second copy beside the first one; return the positions with one in it."""
    twin.write_bytes(data)
    shutil.copystat(path.with_name("a.log.1"), twin)
    (first,) = (one for one in positions.values() if one.get("origin"))
    with Tail(twin) as tail:
        tail.read()
        (source,) = tail.positions
    return {**positions, source: first}


@pytest.mark.parametrize("name", ["a.log.2", "a.log.1.gz"])
def test_a_copy_that_holds_the_same_as_another_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.log"
    positions = unsettled(path)
    data = gzip.compress(lines(0, 9)) if name.endswith("gz") else lines(0, 9)
    positions = known_twin(path, tmp_path / name, positions, data)
    with Tail(path, positions) as tail:
        assert tail.pass_time(80) == lines(0, 9)


def test_of_two_copies_the_one_that_holds_more_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    positions = known_twin(path, tmp_path / "a.log.2", unsettled(path), lines(0, 12))
    with Tail(path, positions) as tail:
        assert tail.pass_time(80) == lines(0, 12)


def test_what_is_read_in_one_copy_is_told_of_the_other_when_it_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    positions = known_twin(path, tmp_path / "a.log.2", unsettled(path), lines(0, 9))
    with Tail(path, positions) as tail:
        tail.read()
        twins = [one["offset"] for one in tail.positions.values() if one.get("origin")]
        assert sorted(twins) == [0, len(lines(0, 9))], "the first one may be gone after a crash"
        tail.pass_time(3)
        twins = [one["offset"] for one in tail.positions.values() if one.get("origin")]
        assert twins == [len(lines(0, 9))] * 2


def test_a_copy_is_read_when_the_one_that_was_read_first_went_in_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    positions = known_twin(path, tmp_path / "a.log.2", unsettled(path), lines(0, 9))
    with Tail(path, positions) as tail:
        while not tail.handed:
            tail.read_once()
        positions = tail.steps[-2]  # what was handed out is not settled
    (tmp_path / "a.log.1").unlink()
    with Tail(path, positions) as again:
        assert again.pass_time(3) == lines(0, 9)
