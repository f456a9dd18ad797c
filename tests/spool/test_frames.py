from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.spool.frames import HEAD_BYTES, MARK, Bad, Frame, find_frames, pack, unpack

SALT = 7
BODIES = [b"one", b"", b"three" * 50, MARK + b"looks like a frame" + MARK]


def segment(bodies: list[bytes], salt: int = SALT) -> bytes:
    return b"".join(pack(number, 1, 0, body, salt) for number, body in enumerate(bodies, 1))


def found(data: bytes, salt: int = SALT) -> list[Frame | Bad]:
    return list(find_frames(lambda size, at: data[at : at + size], len(data), salt))


def numbers(data: bytes) -> list[int]:
    return [one.number for one in found(data) if isinstance(one, Frame)]


def test_a_frame_says_what_it_holds_and_where() -> None:
    data = b"before" + pack(9, 3, 1_000, b"body", SALT)
    frame = unpack(data[6 : 6 + HEAD_BYTES], 6, SALT)
    assert frame is not None
    assert (frame.number, frame.events, frame.time_ns) == (9, 3, 1_000)
    assert data[frame.body_at : frame.end] == b"body"


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_frames_are_found_in_order(bodies: list[bytes]) -> None:
    assert numbers(segment(bodies)) == list(range(1, len(bodies) + 1))


def test_a_flipped_byte_costs_the_frame_that_it_stands_in_at_most() -> None:
    data = segment(BODIES)
    starts = [one.start for one in found(data)]
    for at in range(len(data)):
        broken = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        hit = sum(start <= at for start in starts)
        assert set(numbers(broken)) | {hit} == {1, 2, 3, 4}, at


def test_every_byte_belongs_to_a_frame_or_to_a_bad_piece() -> None:
    data = segment(BODIES)
    for size in range(len(data)):
        pieces = found(data[:size])
        assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
        assert (pieces[-1].end if pieces else 0) == size


def test_a_cut_frame_is_told_with_the_events_that_it_had() -> None:
    last = found(segment(BODIES)[:-1])[-1]
    assert isinstance(last, Bad)
    assert last.events == 1


def test_a_frame_within_the_body_of_a_damaged_one_is_not_taken_for_a_frame() -> None:
    inner = segment([b"of another segment"], salt=8)
    data = segment([inner, b"next"])
    assert numbers(b"\0" + data[1:]) == [2]


@pytest.mark.parametrize("zeros", [1, HEAD_BYTES, 5_000_000])
def test_zeros_between_frames_are_passed_over(zeros: int) -> None:
    first, second = pack(1, 1, 0, b"a", SALT), pack(2, 1, 0, b"b", SALT)
    pieces = found(first + bytes(zeros) + second)
    assert [type(piece) for piece in pieces] == [Frame, Bad, Frame]


@given(st.binary(max_size=300))
def test_any_bytes_are_gone_through(data: bytes) -> None:
    pieces = found(data)
    assert sum(piece.end - piece.start for piece in pieces) == len(data)
