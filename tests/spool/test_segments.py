from __future__ import annotations

from typing import TYPE_CHECKING

from swak.files import Files
from swak.spool.frames import Bad, Frame, pack
from swak.spool.segments import Segment, find_segments

if TYPE_CHECKING:
    from pathlib import Path


def segment(folder: Path, bodies: list[bytes]) -> Segment:
    made = Segment(folder, 1, Files("test"))
    made.path.write_bytes(b"".join(pack(n, 1, 0, body, made.salt) for n, body in enumerate(bodies, 1)))
    return made


def test_segments_are_found_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    for first in (1, 300, 20):
        (tmp_path / f"{first:020d}.spool").touch()
    for name in ("state.json", "1.spool", f"{1:020d}.spool.0.bad", f"{2:020d}.spool.tmp"):
        (tmp_path / name).touch()
    assert [one.first for one in find_segments(tmp_path, Files("test"))] == [1, 20, 300]


def test_bodies_are_read_and_checked(tmp_path: Path) -> None:
    one = segment(tmp_path, [b"a", b"b" * 100_000, b"c"])
    frames = [frame for frame in one.frames() if isinstance(frame, Frame)]
    assert [one.body(frame) for frame in frames] == [b"a", b"b" * 100_000, b"c"]
    assert one.body(frames[0]._replace(crc=0)) is None
    one.close()


def test_what_is_appended_later_is_seen(tmp_path: Path) -> None:
    one = segment(tmp_path, [b"a"])
    assert len(list(one.frames())) == 1
    with one.path.open("ab") as file:
        file.write(pack(2, 1, 0, b"b", one.salt))
    assert [frame.number for frame in one.frames() if isinstance(frame, Frame)] == [1, 2]
    one.close()


def test_what_is_set_aside_is_what_stood_there(tmp_path: Path) -> None:
    one = segment(tmp_path, [b"a"])
    aside = one.set_aside(Bad(3, 9, None, "why"))
    assert aside.read_bytes() == one.path.read_bytes()[3:9]
    assert aside.name == f"{one.path.name}.3.bad"
    one.close()


def test_a_segment_can_be_cut(tmp_path: Path) -> None:
    one = segment(tmp_path, [b"a", b"b"])
    first = next(one.frames())
    one.cut(first.end)
    assert one.size_bytes == first.end
    assert len(list(one.frames())) == 1
    one.close()
