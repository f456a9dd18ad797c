from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import StateError
from swak.event import Batch
from swak.spool.bodies import to_bytes
from swak.spool.spool import Spool
from swak.spool.survey import contents, repair, survey
from swak.testing import batch_of, event, promise

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 5


def filled(folder: Path) -> Spool:
    spool = Spool(folder, max_bytes=1 << 30)
    spool.open()
    for n in range(FRAMES):
        spool.append(to_bytes(batch_of([event({"n": n}), event({"n": n + 100})])), 2)
    spool.settle(2)
    spool.save()
    return spool


def damage(folder: Path) -> None:
    path = next(folder.glob("*.spool"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def records(folder: Path, *, settled: bool = False) -> list[int]:
    made = [Batch(body, tags, promise()).events() for body, tags in contents(folder, settled=settled)]
    return [one.record["n"] for events in made for one in events]


def test_a_spool_can_be_looked_at_while_it_is_used(tmp_path: Path) -> None:
    filled(tmp_path)
    found = survey(tmp_path)
    assert [(one.frames, one.events, one.waiting, one.bad) for one in found.segments] == [(5, 10, 6, [])]
    assert found.state.settled == 2
    assert records(tmp_path) == [2, 102, 3, 103, 4, 104]
    assert records(tmp_path, settled=True)[:2] == [0, 100]


def test_damage_is_found_told_and_passed_over(tmp_path: Path) -> None:
    filled(tmp_path).close()
    damage(tmp_path)
    assert survey(tmp_path).bad == 1
    assert records(tmp_path) == [3, 103, 4, 104]


def test_repairing_leaves_whole_frames_and_keeps_the_rest(tmp_path: Path) -> None:
    filled(tmp_path).close()
    damage(tmp_path)
    assert repair(tmp_path) == 1
    after = survey(tmp_path)
    assert (after.bad, after.segments[0].frames, len(after.set_aside)) == (0, 4, 1)
    assert repair(tmp_path) == 0
    spool = Spool(tmp_path, max_bytes=1 << 30)
    spool.open()
    assert [one.number for one in iter(spool.take, None) if one is not None] == [4, 5]
    spool.close()


def test_nothing_is_repaired_while_a_swak_uses_it(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    with pytest.raises(StateError, match="uses this spool"):
        repair(tmp_path)
    spool.close()


@pytest.mark.parametrize("look", [survey, repair, lambda folder: list(contents(folder))])
def test_what_is_no_spool_is_said(tmp_path: Path, look: object) -> None:
    assert callable(look)
    with pytest.raises(StateError, match="there is no spool here"):
        look(tmp_path)
    assert list(tmp_path.iterdir()) == []
