from __future__ import annotations

from pathlib import Path

from swak.files import Files
from swak.spool.frames import Frame
from swak.spool.recent import RECENT_BYTES, Recent, Recents
from swak.spool.segments import Segment

SEGMENT = Segment(Path("/nowhere"), 1, Files("test"))


def recent(number: int, size_bytes: int = 1) -> Recent:
    return Recent(SEGMENT, Frame(number, 1, 1, 0, 0, 0), f"batch {number}", size_bytes)


def test_each_is_taken_once_and_in_order() -> None:
    recents = Recents()
    for number in (1, 2, 3):
        recents.add(recent(number))
    assert recents.take(1) == recent(1)
    assert recents.take(1) is None
    assert recents.take(3) == recent(3)
    assert recents.take(2) is None


def test_the_oldest_ones_make_room() -> None:
    recents = Recents()
    for number in (1, 2, 3):
        recents.add(recent(number, RECENT_BYTES // 2))
    assert recents.take(1) is None
    assert recents.take(2) == recent(2, RECENT_BYTES // 2)
    assert recents.has_room(RECENT_BYTES // 2)
    assert not recents.has_room(RECENT_BYTES)


def test_what_is_too_large_is_not_kept() -> None:
    recents = Recents()
    recents.add(recent(1, RECENT_BYTES + 1))
    assert recents.take(1) is None
    assert recents.has_room(RECENT_BYTES)


def test_all_can_be_forgotten() -> None:
    recents = Recents()
    recents.add(recent(1))
    recents.forget()
    assert recents.take(1) is None
    assert recents.has_room(RECENT_BYTES)


def test_a_lower_bound_keeps_less_and_nobody_waits_for_what_never_fits() -> None:
    recents = Recents()
    recents.bound_bytes = 10
    recents.add(recent(1, 6))
    assert not recents.has_room(6)
    assert recents.has_room(11)
    recents.add(recent(2, 6))
    assert recents.take(1) is None
    assert recents.take(2) == recent(2, 6)
