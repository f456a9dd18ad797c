from __future__ import annotations

import os
from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from swak.sinks.rotation import STAMPED, Rules, modified_ns, move_aside, prune, renamed

if TYPE_CHECKING:
    from pathlib import Path

HOUR_NS = 3_600 * 10**9


def test_a_file_that_would_grow_too_large_is_due() -> None:
    rules = Rules(size_bytes=100)
    assert not rules.due(90, 10, 0, 0)
    assert rules.due(90, 11, 0, 0)
    assert not rules.due(0, 1_000, 0, 0)


def test_a_file_of_another_period_is_due() -> None:
    rules = Rules(every_s=86_400, zone=ZoneInfo("Asia/Seoul"))
    assert not rules.due(1, 1, 0, 14 * HOUR_NS)
    assert rules.due(1, 1, 14 * HOUR_NS, 15 * HOUR_NS)


def test_without_rules_nothing_is_due() -> None:
    assert not Rules().due(10**12, 1, 0, 10**20)
    assert not Rules().finishes


def test_a_name_that_is_taken_gets_the_time_behind_it(tmp_path: Path) -> None:
    wanted = tmp_path / "app.log"
    moved = []
    for number in range(4):
        part = tmp_path / "app.log.part"
        part.write_text(str(number))
        moved.append(move_aside(str(part), str(wanted), 0, UTC, stamp=False))
    assert moved[:2] == [str(wanted), f"{wanted}.19700101-000000.000000"]
    assert moved[3] == f"{wanted}.19700101-000000.000000.2"
    assert sorted(one.read_text() for one in tmp_path.iterdir()) == ["0", "1", "2", "3"]
    assert [bool(STAMPED.search(one)) for one in moved] == [False, True, True, True]


def test_a_stamp_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert STAMPED.search(move_aside(str(tmp_path / "a"), str(tmp_path / "a"), 0, UTC, stamp=True))


@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_is_written_over(at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not at_once:
        monkeypatch.setattr("swak.sinks.rotation._renamed_at_once", lambda *_: None)
    (tmp_path / "part").write_text("new")
    (tmp_path / "old").write_text("old")
    assert not renamed(str(tmp_path / "part"), str(tmp_path / "old"))
    assert renamed(str(tmp_path / "part"), str(tmp_path / "new"))
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"old": "old", "new": "new"}


@pytest.mark.parametrize("at_once", [True, False])
def test_what_cannot_be_renamed_leaves_no_name_behind(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:
        monkeypatch.setattr("swak.sinks.rotation._renamed_at_once", lambda *_: None)
    with pytest.raises(FileNotFoundError):
        renamed(str(tmp_path / "part"), str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_cannot_be_moved(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        move_aside(str(tmp_path / "a"), str(tmp_path / "b"), 0, UTC, stamp=False)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_are_what_has_the_suffix_or_was_rotated(tmp_path: Path) -> None:
    for name in (
        "a.log",
        "a.log.part",
        "a.log.20261121-010203.000001",
        "a.log.20261121-010203.000001.gz",
        "b.log.part",
    ):
        (tmp_path / name).touch()
    pattern = str(tmp_path / "a.log")
    assert [one.rpartition("/")[2] for one in Rules(suffix=".part").leftovers(pattern)] == ["a.log.part"]
    assert [one.rpartition("/")[2] for one in Rules(compress="gzip").leftovers(pattern)] == [
        "a.log.20261121-010203.000001"
    ]


def test_the_time_of_a_file_is_when_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(1, 5_000_000_000))
    assert modified_ns(str(tmp_path / "a")) == 5_000_000_000
    assert modified_ns(str(tmp_path / "none")) > 10**18


def test_the_oldest_rotated_files_go_first_whatever_their_stamps_say(tmp_path: Path) -> None:
    path = str(tmp_path / "a[1].log")
    names = ["20261025-023000.000001", "20261025-021000.000001.gz", "20261025-021000.000001.2.zst"]
    for age_s, name in enumerate(names):  # clocks went back in between
        (tmp_path / f"a[1].log.{name}").touch()
        os.utime(tmp_path / f"a[1].log.{name}", (age_s, age_s))
    (tmp_path / f"a[1].log.{names[0]}.gz.tmp").touch()
    assert prune(path, 3) == []
    assert prune(path, 2) == [f"{path}.{names[0]}"]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(f"a[1].log.{name}" for name in names[1:])


def test_only_what_was_rotated_is_ever_removed(tmp_path: Path) -> None:
    for name in ("a.log", "a.log.1", "a.log.torn", "a.log.20261025-023000.000001.bak", "b.log.20261025-023000.000001"):
        (tmp_path / name).touch()
    assert prune(str(tmp_path / "a.log"), 1) == []
    assert len(list(tmp_path.iterdir())) == 5
