from __future__ import annotations

import bz2
import gzip
import lzma
import os
from typing import TYPE_CHECKING

import pytest

from swak.tailing.packing import DICTIONARY_BYTES, PACKINGS, RAW_BYTES, Members, Packing, UnpackError, module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GZIP, BZIP2, XZ, LZMA, ZSTD = PACKINGS
PACK: dict[Packing, Callable[[bytes], bytes]] = {
    GZIP: gzip.compress,
    BZIP2: bz2.compress,
    XZ: lzma.compress,
    LZMA: lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}
PACKED = pytest.mark.parametrize("packing", PACK, ids=lambda packing: packing.name)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "packed", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def members_of(fd: int, packing: Packing, raw: bytes) -> Members:
    os.write(fd, raw)
    return Members(fd, packing)


def pieces(members: Members, limit: int = 100_000) -> list[bytes]:
    return list(iter(lambda: members.read(limit), b""))


@PACKED
def test_members_one_after_another_are_one_content(file: int, packing: Packing) -> None:
    members = members_of(file, packing, b"".join(PACK[packing](part) for part in (b"one\n", b"", b"two\n")))
    assert b"".join(pieces(members)) == b"one\ntwo\n"
    assert not members.inside


@PACKED
def test_a_piece_is_never_longer_than_was_asked_for(file: int, packing: Packing) -> None:
    members = members_of(file, packing, PACK[packing](bytes(1_000_000)))
    assert {len(piece) for piece in pieces(members, 1_000)} == {1_000}
    assert not members.inside


@PACKED
def test_zeros_after_a_member_are_passed_over(file: int, packing: Packing) -> None:
    padded = PACK[packing](b"one\n") + bytes(2 * RAW_BYTES)
    members = members_of(file, packing, padded + PACK[packing](b"two\n") + bytes(512))
    assert b"".join(pieces(members)) == b"one\ntwo\n"
    assert not members.inside


@PACKED
def test_other_bytes_after_a_member_are_damage(file: int, packing: Packing) -> None:
    members = members_of(file, packing, PACK[packing](b"one\n") + b"what is this, really?")
    assert members.read(100) == b"one\n"
    with pytest.raises(UnpackError, match=rf"damaged {packing.name} data before byte \d+ of the file"):
        members.read(100)


@PACKED
def test_a_member_that_is_cut_off_is_unpacked_as_far_as_it_goes_and_goes_on_later(file: int, packing: Packing) -> None:
    raw = PACK[packing](b"".join(b"%d\n" % number for number in range(50_000)))
    members = members_of(file, packing, raw[: len(raw) // 2])
    first = b"".join(pieces(members))
    assert members.inside
    os.write(file, raw[len(raw) // 2 :])
    assert first + b"".join(pieces(members)) == b"".join(b"%d\n" % number for number in range(50_000))
    assert not members.inside


def test_an_empty_file_has_nothing_yet(file: int) -> None:
    members = members_of(file, GZIP, b"")
    assert members.read(10) == b""
    assert not members.inside


def test_an_xz_file_that_wants_too_much_memory_is_refused(file: int) -> None:
    header = lzma.compress(b"one\n", format=lzma.FORMAT_ALONE)
    greedy = header[:1] + (16 * DICTIONARY_BYTES).to_bytes(4, "little") + header[5:]
    with pytest.raises(UnpackError, match="Memory usage limit"):
        members_of(file, LZMA, greedy).read(10)


def test_a_format_whose_module_is_missing_is_not_supported() -> None:
    assert module_of(GZIP._replace(modules=("swak.no_such_module",))) is None
    assert module_of(GZIP._replace(modules=("swak.no_such_module", "zlib"))) is module_of(GZIP)


def test_zstandard_is_unpacked_where_python_can(file: int) -> None:
    zstd = module_of(ZSTD)
    if zstd is None:
        pytest.skip("this Python has no Zstandard")
    members = members_of(file, ZSTD, zstd.compress(b"one\n") + zstd.compress(bytes(1_000_000)))
    found = pieces(members, 1_000)
    assert b"".join(found) == b"one\n" + bytes(1_000_000)
    assert max(map(len, found)) <= 1_000
