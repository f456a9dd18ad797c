from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from swak.tailing.stamp import Stamp, look_up, target
from tests.tailing.tails import append, no_permission
from tests.tailing.trees import tick

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stamp:
    """Return the stamp of a folder whose last change is long ago."""
    stamp = Stamp()
    monkeypatch.setattr("swak.tailing.stamp.TICK_NS", 0)
    tick()
    stamp.moved_on(tmp_path.stat())
    tick()
    return stamp


def test_the_first_status_is_always_news(tmp_path: Path) -> None:
    assert Stamp().moved_on(tmp_path.stat())
    assert Stamp().moved_on(None)


def test_an_equal_status_is_no_news(settled: Stamp, tmp_path: Path) -> None:
    assert not settled.moved_on(tmp_path.stat())


def test_a_new_name_is_news_once(settled: Stamp, tmp_path: Path) -> None:
    append(tmp_path / "a", b"")
    assert settled.moved_on(tmp_path.stat())
    assert not settled.moved_on(tmp_path.stat())


def test_a_change_is_seen_even_when_its_time_is_set_back(settled: Stamp, tmp_path: Path) -> None:
    before = tmp_path.stat()
    append(tmp_path / "a", b"")
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert settled.moved_on(tmp_path.stat())


def test_after_a_change_just_now_another_one_may_bear_the_same_time(tmp_path: Path) -> None:
    stamp = Stamp()
    append(tmp_path / "a", b"")
    status = tmp_path.stat()
    assert [stamp.moved_on(status) for _ in range(3)] == [True, True, True]


def test_a_clock_that_is_ahead_of_ours_makes_no_endless_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, ahead_s = Stamp(), time.time() + 3_600
    os.utime(tmp_path, (ahead_s, ahead_s))
    assert stamp.moved_on(tmp_path.stat())
    monkeypatch.setattr("swak.tailing.stamp.TICK_NS", 0)  # as if that time had passed
    assert [stamp.moved_on(tmp_path.stat()) for _ in range(2)] == [True, False]


def test_to_come_and_to_go_is_news(settled: Stamp, tmp_path: Path) -> None:
    assert [settled.moved_on(None) for _ in range(2)] == [True, False]
    assert settled.moved_on(tmp_path.stat())


def test_an_unsettled_stamp_takes_anything_for_news(settled: Stamp, tmp_path: Path) -> None:
    settled.unsettle()
    assert [settled.moved_on(tmp_path.stat()) for _ in range(2)] == [True, False]


def test_what_a_path_leads_to(tmp_path: Path) -> None:
    append(tmp_path / "file", b"")
    os.mkfifo(tmp_path / "pipe")
    for name, to in (("to file", "file"), ("to folder", "."), ("to nothing", "none"), ("to itself", "to itself")):
        (tmp_path / name).symlink_to(tmp_path / to)
    assert look_up(str(tmp_path / "file")) == ("file", False)
    assert look_up(str(tmp_path)) == ("folder", False)
    assert look_up(str(tmp_path / "pipe")) == ("nothing", False)
    assert look_up(str(tmp_path / "none")) == ("nothing", False)
    assert look_up(str(tmp_path / "to file")) == ("file", True)
    assert look_up(str(tmp_path / "to folder")) == ("folder", True)
    assert look_up(str(tmp_path / "to nothing")) == ("nothing", True)
    assert look_up(str(tmp_path / "to itself")) == ("nothing", True)
    assert look_up(str(tmp_path / "file" / "below")) == ("nothing", False)


def test_what_must_not_be_looked_at_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    append(tmp_path / "closed" / "a", b"")
    with no_permission(tmp_path / "closed"):
        assert target(str(tmp_path / "closed" / "a")) == "unknown"
