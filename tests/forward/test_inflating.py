from __future__ import annotations

import gzip

import pytest

from swak.forward.faults import ProtocolError
from swak.forward.inflating import inflated


def test_members_stand_one_after_the_other() -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two" * 100_000)
    assert inflated(memoryview(data), 1_000_000) == b"one " + b"two" * 100_000


@pytest.mark.parametrize("room", [0, 1, 99, 4_999_999])
def test_no_more_is_unpacked_than_there_is_room_for(room: int) -> None:
    with pytest.raises(ProtocolError, match="too large"):
        inflated(memoryview(gzip.compress(bytes(5_000_000))), room)


def test_what_just_fits_is_taken() -> None:
    assert len(inflated(memoryview(gzip.compress(bytes(5_000_000))), 5_000_000)) == 5_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"no gzip",
        gzip.compress(b"torn", mtime=0)[:-1],
        gzip.compress(b"more", mtime=0) + b"rest",
        gzip.compress(b"x", mtime=0)[:5],
    ],
)
def test_what_is_not_whole_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="compressed chunk"):
        inflated(memoryview(data), 1_000)
