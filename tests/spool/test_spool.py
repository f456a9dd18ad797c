from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak.spool.spool import FullError, InUseError, Spool
from tests.flows.waiting import until
from tests.forgetful import ForgetfulFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = 1 << 30
BODIES = [b"one", b"two" * 30, b"three", b"four" * 10]


def spool_at(folder: Path, max_bytes: int = BIG, max_age_s: float | None = None) -> Spool:
    spool = Spool(folder, max_bytes=max_bytes, max_age_s=max_age_s)
    spool.open()
    return spool


def filled(folder: Path, bodies: list[bytes] = BODIES) -> None:
    spool = spool_at(folder)
    for body in bodies:
        spool.append(body, 1)
    spool.sync()
    spool.close()


def taken(spool: Spool) -> Iterator[bytes | None]:
    while (one := spool.take()) is not None:
        yield one.body


def test_what_was_appended_comes_in_order(tmp_path: Path) -> None:
    filled(tmp_path)
    assert list(taken(spool_at(tmp_path))) == BODIES


def test_what_is_taken_soon_is_the_very_thing_that_was_appended(tmp_path: Path) -> None:
    spool, thing = spool_at(tmp_path), object()
    spool.append(b"body", 1, thing, 10)
    one = spool.take()
    assert one is not None
    assert one.recent is thing


def test_what_waits_for_long_is_read_from_the_disk(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    for at in range(10):
        spool.append(b"%d" % at, 1, object(), 1_000_000)
    assert [one.recent is None for one in iter(spool.take, None) if one is not None] == [True] * 6 + [False] * 4


def test_what_is_settled_does_not_come_again(tmp_path: Path) -> None:
    filled(tmp_path)
    spool = spool_at(tmp_path)
    spool.settle(2)
    spool.close()
    assert list(taken(spool_at(tmp_path))) == BODIES[2:]


def test_segments_go_when_everything_in_them_is_settled(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=1_000_000)
    for _ in range(10):
        spool.append(bytes(50_000), 1)
    files = set(tmp_path.glob("*.spool"))
    spool.settle(9)
    spool.save()
    assert len(files) == 5
    assert len(set(tmp_path.glob("*.spool"))) == 1
    spool.close()
    assert len(list(taken(spool_at(tmp_path)))) == 1


def test_a_full_spool_takes_more_when_something_is_settled(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=200_000)
    for _ in range(3):
        spool.append(bytes(60_000), 1)
    with pytest.raises(FullError, match="200000 bytes"):
        spool.append(bytes(60_000), 1)
    spool.settle(1)
    spool.save()
    spool.append(bytes(60_000), 1)


def test_what_is_larger_than_the_spool_enters_an_empty_one(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=100_000)
    spool.append(bytes(300_000), 1)
    with pytest.raises(FullError):
        spool.append(b"x", 1)
    spool.settle(1)
    assert spool.append(b"x", 1) == 2


def test_the_oldest_events_are_dropped_and_counted(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=200_000)
    for _ in range(3):
        spool.append(bytes(60_000), 7)
    assert spool.drop_oldest() == 7
    assert spool.state.dropped == 7
    assert [one.number for one in iter(spool.take, None) if one is not None] == [2, 3]
    assert spool.state.damaged == 0


def test_what_somebody_took_is_not_dropped(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=200_000)
    spool.append(bytes(60_000), 7)
    spool.take()
    assert spool.drop_oldest() == 0


def test_what_is_too_old_only_moves_the_position(tmp_path: Path) -> None:
    filled(tmp_path)
    spool = spool_at(tmp_path, max_age_s=0.0)
    assert list(taken(spool)) == [None] * 4
    assert spool.state.dropped == 4


def test_two_cannot_have_one_spool(tmp_path: Path) -> None:
    first = spool_at(tmp_path)
    with pytest.raises(InUseError, match="another"):
        spool_at(tmp_path)
    first.close()
    spool_at(tmp_path).close()


def test_taking_waits_until_something_comes(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    thread = threading.Timer(0.0, spool.append, (b"late", 1))
    thread.start()
    one = spool.take(wait_s=20)
    thread.join()
    assert one is not None
    assert one.body == b"late"


def test_any_flipped_byte_costs_one_frame_at_most_and_is_counted(tmp_path: Path) -> None:
    filled(tmp_path / "whole")
    name = next((tmp_path / "whole").glob("*.spool")).name
    data = (tmp_path / "whole" / name).read_bytes()
    for at in range(len(data)):
        folder = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "whole", folder)
        (folder / name).write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        spool = spool_at(folder)
        came = [body for body in taken(spool) if body is not None]
        assert len(came) == 3, at
        assert [body for body in BODIES if body in came] == came
        assert spool.state.damaged == 1, at
        assert list(folder.glob("*.bad"))
        spool.append(b"goes on", 1)
        assert list(taken(spool)) == [b"goes on"]
        spool.close()


def test_any_truncation_is_opened_and_gone_on_from(tmp_path: Path) -> None:
    filled(tmp_path / "whole")
    name = next((tmp_path / "whole").glob("*.spool")).name
    data = (tmp_path / "whole" / name).read_bytes()
    for size in range(len(data)):
        folder = tmp_path / f"{size}"
        shutil.copytree(tmp_path / "whole", folder)
        (folder / name).write_bytes(data[:size])
        spool = spool_at(folder)
        came = list(taken(spool))
        assert came == BODIES[: len(came)]
        spool.append(b"goes on", 1)
        assert list(taken(spool)) == [b"goes on"]
        spool.close()


@pytest.mark.parametrize("state", [b"", b"{", b"null", b"[]", b'{"settled": "x"}', b"\0" * 100])
def test_a_state_that_cannot_be_read_repeats_and_loses_nothing(tmp_path: Path, state: bytes) -> None:
    filled(tmp_path)
    (tmp_path / "state.json").write_bytes(state)
    assert list(taken(spool_at(tmp_path))) == BODIES


def test_a_state_beyond_the_end_keeps_numbers_from_coming_twice(tmp_path: Path) -> None:
    filled(tmp_path)
    state = json.loads((tmp_path / "state.json").read_bytes())
    (tmp_path / "state.json").write_text(json.dumps(state | {"settled": 100}))
    spool = spool_at(tmp_path)
    assert list(taken(spool)) == []
    assert spool.append(b"new", 1) == 101
    assert list(taken(spool)) == [b"new"]


def test_a_segment_that_somebody_removed_is_told_as_missing_frames(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=1_000_000)
    for _ in range(6):
        spool.append(bytes(50_000), 1)
    spool.close()
    sorted(tmp_path.glob("*.spool"))[1].unlink()
    again = spool_at(tmp_path)
    assert [one.number for one in iter(again.take, None) if one is not None] == [1, 2, 5, 6]
    assert again.state.damaged == 2


def test_what_was_dropped_does_not_come_out_of_memory_either(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, max_bytes=200_000)
    for _ in range(3):
        spool.append(bytes(60_000), 7, object(), 60_000)
    assert spool.drop_oldest() == 7
    assert [one.number for one in iter(spool.take, None) if one is not None] == [2, 3]


@pytest.mark.parametrize("segments", [1, 6])
def test_a_full_disk_is_free_again_when_what_fills_it_is_settled(segments: int) -> None:
    files = ForgetfulFiles()
    spool = Spool(Path("/spool"), max_bytes=1_000_000, files=files)
    spool.open()
    for _ in range(segments):
        spool.append(bytes(100_000), 1)
        spool.sync()
    files.capacity = files.used
    with pytest.raises(OSError, match="space"):
        spool.append(bytes(100_000), 1)
    while spool.take() is not None:
        pass
    spool.settle(spool.last)
    until(lambda: appended(spool), "there is room again")
    files.crash(lambda _: 0)
    again = Spool(Path("/spool"), max_bytes=1_000_000, files=files)
    again.open()
    assert again.last > segments


def appended(spool: Spool) -> bool:
    with suppress(OSError):
        spool.save()
    try:
        spool.append(bytes(100_000), 1)
    except OSError:
        return False
    spool.sync()
    return True


def test_a_spool_that_could_not_be_opened_can_be_tried_again() -> None:
    files = ForgetfulFiles()
    first = Spool(Path("/spool"), max_bytes=BIG, files=files)
    first.open()
    first.append(b"body", 1)
    first.close()
    node = files.names_now[Path("/spool/00000000000000000001.spool")]
    node.data += b"torn"
    files.sync_fails = True
    with pytest.raises(OSError, match="Input/output"):
        Spool(Path("/spool"), max_bytes=BIG, files=files).open()
    files.heal()
    spool = Spool(Path("/spool"), max_bytes=BIG, files=files)
    spool.open()
    assert list(taken(spool)) == [b"body"]


def test_a_full_disk_keeps_no_spool_from_opening() -> None:
    files = ForgetfulFiles()
    files.capacity = 0
    spool = Spool(Path("/spool"), max_bytes=BIG, files=files)
    spool.open()
    with pytest.raises(OSError, match="space"):
        spool.append(b"body", 1)
    files.heal()
    spool.append(b"body", 1)
    assert list(taken(spool)) == [b"body"]
