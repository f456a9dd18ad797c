from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import random
import shutil
import subprocess
import tempfile
import time
import tracemalloc
import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swak.tailing import content
from swak.tailing.content import (
    AHEAD_BYTES,
    Content,
    DamagedError,
    Plain,
    Unpacked,
    can_unpack,
    content_of,
    copy_matches,
    suffix_of,
)
from swak.tailing.identity import HEAD_BYTES, head_hash
from swak.tailing.packing import PACKINGS, Packing, module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GZIP, BZIP2, XZ, LZMA, ZSTD = PACKINGS
PACK: dict[Packing, Callable[[bytes], bytes]] = {
    GZIP: gzip.compress,
    BZIP2: bz2.compress,
    XZ: lzma.compress,
    LZMA: lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}
CHECKED = [GZIP, BZIP2, XZ]
"""Formats with a checksum."""
PACKED = pytest.mark.parametrize("packing", PACK, ids=lambda packing: packing.name)
WINDOW_BYTES, SMALL_AHEAD_BYTES = 4_000, 1_000
MIB = 2**20


@cache
def lines(size_bytes: int) -> bytes:
    """Return lines that do not compress well, always the same."""
    dice = random.Random(size_bytes)
    made = bytearray()
    while len(made) < size_bytes:
        made += b"%d %x\n" % (len(made), dice.getrandbits(dice.randrange(1, 400)))
    return bytes(made[:size_bytes])


PLAIN = lines(20_000)


@contextmanager
def packed(raw: bytes, packing: Packing = GZIP, *, small: bool = True) -> Iterator[tuple[Unpacked, int]]:
    """Give the content of a file with these bytes, in a small window, and a descriptor to write on with."""
    with tempfile.NamedTemporaryFile(suffix=packing.suffix) as file:
        file.write(raw)
        file.flush()
        if small:
            yield (
                Unpacked(file.fileno(), packing, window_bytes=WINDOW_BYTES, ahead_bytes=SMALL_AHEAD_BYTES),
                file.fileno(),
            )
        else:
            yield Unpacked(file.fileno(), packing), file.fileno()


def read_all(found: Content, block_bytes: int = 700) -> bytes:
    """Read as a follower does: as far as `size` says, block by block."""
    parts: list[bytes] = []
    at = 0
    while (size := found.size()) > at:
        parts.append(found.pread(min(block_bytes, size - at), at))
        assert parts[-1], "bytes that are counted can be read"
        at += len(parts[-1])
    return b"".join(parts)


def read_to_damage(found: Content) -> tuple[bytes, str]:
    """Return what can be read, and the error that comes then, if one does."""
    parts: list[bytes] = []
    at = 0
    try:
        while (size := found.size()) > at:
            parts.append(found.pread(min(700, size - at), at))
            at += len(parts[-1])
    except DamagedError as error:
        told = error
    else:
        return b"".join(parts), ""
    assert (told.offset, told.errno) == (at, errno.EIO)
    return b"".join(parts), str(told)


def touch(fd: int) -> None:
    os.utime(fd, ns=(1, os.fstat(fd).st_mtime_ns + 1))


def test_a_plain_file_is_read_as_it_is_while_it_grows(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a.log", os.O_RDWR | os.O_CREAT)
    found = content_of(fd, "a.log")
    assert isinstance(found, Plain)
    assert found.size() == 0
    os.write(fd, b"one\ntwo\n")
    assert (found.size(), found.pread(100, 4), found.pread(2, 0)) == (8, b"two\n", b"on")
    assert found.reaches(8)
    assert not found.reaches(9)
    found.hold(0, 8)
    found.close()
    assert found.pread(3, 0) == b"one", "the descriptor is the caller's"
    os.close(fd)


@PACKED
def test_a_compressed_file_is_read_block_by_block_as_if_it_were_plain(packing: Packing) -> None:
    with packed(PACK[packing](PLAIN), packing) as (found, _):
        assert read_all(found) == PLAIN
        assert not found.torn


@PACKED
@settings(max_examples=30, deadline=None)
@given(reads=st.lists(st.tuples(st.integers(0, 21_000), st.integers(0, 6_000)), max_size=12))
def test_any_bytes_can_be_read_in_any_order(packing: Packing, reads: list[tuple[int, int]]) -> None:
    with packed(PACK[packing](PLAIN), packing) as (found, _):
        known = 0
        for offset, size in reads:
            assert found.pread(size, offset) == PLAIN[offset : offset + size]
            size_now = found.size()
            assert size_now >= min(offset + size + 1, len(PLAIN))
            assert size_now >= known, "what was there stays there"
            known = size_now


def test_the_size_is_ahead_of_what_was_asked_for_but_not_far() -> None:
    with packed(gzip.compress(lines(2 * MIB)), small=False) as (found, _):
        assert found.size() == AHEAD_BYTES
        found.pread(AHEAD_BYTES - 1, 0)
        assert found.size() == AHEAD_BYTES
        found.pread(1, AHEAD_BYTES - 1)
        assert found.size() == 2 * AHEAD_BYTES


def test_the_head_and_the_window_are_read_again_without_unpacking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with packed(gzip.compress(PLAIN)) as (found, _):
        assert found.pread(1, 15_000) == PLAIN[15_000:15_001]
        monkeypatch.setattr(Unpacked, "_restart", None)
        assert found.pread(HEAD_BYTES, 0) == PLAIN[:HEAD_BYTES]
        assert found.pread(3_000, 12_000) == PLAIN[12_000:15_000]


def test_what_is_held_is_read_again_without_unpacking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with packed(gzip.compress(PLAIN)) as (found, _):
        found.pread(500, 5_000)
        found.hold(4_900, 3_000)
        monkeypatch.setattr(Unpacked, "_restart", None)
        for offset in range(5_000, 20_000, 500):
            found.pread(500, offset)
            assert found.pread(100, 4_900) == PLAIN[4_900:5_000]
            end = min(offset + 500, 7_900)
            assert found.pread(end - 4_900, 4_900) == PLAIN[4_900:end]


@pytest.mark.parametrize("program", ["gzip", "bzip2", "xz", "lzma", "zstd"])
def test_files_made_by_the_usual_programs_are_read(tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no program {program} here")
    path = tmp_path / "a.log"
    path.write_bytes(PLAIN)
    subprocess.run([program, "-q", path], check=True, timeout=30)
    made = next(one for one in tmp_path.iterdir() if one != path)
    if not can_unpack(made.name):
        pytest.skip(f"this Python cannot unpack {made.suffix}")
    with made.open("rb") as file:
        found = content_of(file.fileno(), str(made))
        assert isinstance(found, Unpacked)
        assert read_all(found) == PLAIN


@PACKED
def test_members_that_are_added_are_read_on(packing: Packing) -> None:
    with packed(PACK[packing](PLAIN[:5_000]), packing) as (found, fd):
        assert read_all(found) == PLAIN[:5_000]
        os.write(fd, PACK[packing](PLAIN[5_000:6_000]))
        assert found.size() == 6_000
        os.write(fd, PACK[packing](PLAIN[6_000:]))
        assert read_all(found) == PLAIN


@PACKED
@settings(max_examples=20, deadline=None)
@given(part=st.floats(0, 1))
def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes_and_on_when_it_grows(packing: Packing, part: float) -> None:
    raw = PACK[packing](PLAIN)
    cut = int(part * len(raw))
    with packed(raw[:cut], packing) as (found, fd):
        first = read_all(found)
        assert PLAIN.startswith(first)
        assert found.torn == (0 < cut < len(raw))
        os.write(fd, raw[cut:])
        assert found.pread(len(PLAIN), len(first)) == PLAIN[len(first) :]
        assert read_all(found) == PLAIN
        assert not found.torn


@pytest.mark.parametrize("packing", CHECKED, ids=lambda packing: packing.name)
@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_wrong_bytes_never_pass_without_an_error(packing: Packing, place: float, flip: int) -> None:
    raw = bytearray(PACK[packing](PLAIN) + PACK[packing](b"last line\n"))
    raw[int(place * len(raw))] ^= flip
    with packed(bytes(raw), packing) as (found, _):
        text, error = read_to_damage(found)
        if not error and not found.torn:
            assert text == PLAIN + b"last line\n", "the flip was in a part that carries no data"


@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=200), cut=st.integers(0, 60), packing=st.sampled_from(list(PACK)))
def test_any_bytes_end_in_an_error_or_at_their_end(raw: bytes, cut: int, packing: Packing) -> None:
    with packed(PACK[packing](b"one\n" * 9)[:cut] + raw, packing) as (found, _):
        assert len(read_to_damage(found)[0]) < MIB


def test_every_byte_before_the_damage_can_be_read() -> None:
    squeeze = zlib.compressobj(wbits=31)
    raw = squeeze.compress(PLAIN[:12_345]) + squeeze.flush(zlib.Z_FULL_FLUSH)
    with packed(raw + b"\xff" * 100) as (found, _):
        text, error = read_to_damage(found)
        assert text == PLAIN[:12_345]
        assert f"damaged gzip data before byte {len(raw) + 1} of the file" in error
        assert "the 12345 bytes before that can be read" in error


def test_a_wrong_checksum_is_told_after_the_bytes_were_handed_out() -> None:
    raw = bytearray(gzip.compress(PLAIN))
    raw[-5] ^= 1
    with packed(bytes(raw)) as (found, _):
        text, error = read_to_damage(found)
        assert text == PLAIN
        assert "incorrect data check" in error


def test_damage_is_told_again_without_unpacking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with packed(gzip.compress(PLAIN) + b"no such thing") as (found, _):
        first = read_to_damage(found)
        found.pread(10, 2_000)
        monkeypatch.setattr(Unpacked, "_step", None)
        monkeypatch.setattr(Unpacked, "_restart", None)
        for ask in (found.size, lambda: found.pread(1, len(PLAIN)), lambda: found.reaches(len(PLAIN) + 1)):
            with pytest.raises(DamagedError, match="incorrect header check") as told:
                ask()
            assert str(told.value) == first[1]
        assert found.reaches(len(PLAIN))


def test_bytes_before_the_damage_can_be_read_again() -> None:
    with packed(gzip.compress(PLAIN) + b"no such thing") as (found, _):
        read_to_damage(found)
        assert found.pread(3_000, 1_500) == PLAIN[1_500:4_500]
        assert found.pread(9_000, 15_000) == PLAIN[15_000:]


@PACKED
def test_a_damaged_file_that_was_mended_is_read_on(packing: Packing) -> None:
    raw = PACK[packing](PLAIN)
    with packed(raw + b"no such thing" + bytes(1_000), packing) as (found, fd):
        assert read_to_damage(found)[0] == PLAIN
        more = PACK[packing](b"more\n")
        os.pwrite(fd, more + bytes(1_013 - len(more)), len(raw))
        touch(fd)
        assert found.size() == len(PLAIN) + 5
        assert found.pread(100, len(PLAIN)) == b"more\n"


def test_a_damaged_file_that_was_only_touched_is_damaged_still() -> None:
    with packed(gzip.compress(PLAIN) + b"no such thing") as (found, fd):
        first = read_to_damage(found)
        touch(fd)
        with pytest.raises(DamagedError) as told:
            found.size()
        assert str(told.value) == first[1]


@pytest.mark.parametrize("other", [b"other lines\n", PLAIN[::-1], b""])
def test_a_file_that_was_rewritten_is_read_anew(other: bytes) -> None:
    with packed(gzip.compress(PLAIN)) as (found, fd):
        read_all(found)
        os.ftruncate(fd, 0)
        os.pwrite(fd, gzip.compress(other, mtime=1), 0)
        touch(fd)
        assert read_all(found) == other
        assert found.pread(HEAD_BYTES, 0) == other[:HEAD_BYTES]


@PACKED
def test_a_few_bytes_that_unpack_to_very_many_are_read_in_bounded_memory(packing: Packing) -> None:
    many = 32 * MIB
    with packed(PACK[packing](bytes(many)), packing, small=False) as (found, _):
        tracemalloc.start()
        at = 0
        while (size := found.size()) > at:
            at += len(found.pread(min(AHEAD_BYTES, size - at), at))
        assert found.pread(100, 5 * MIB) == bytes(100)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert at == many
        assert peak_bytes < 15 * MIB  # bzip2 and lzma take 4 and 8 of them


def test_skipping_to_a_position_takes_no_more_memory_than_reading() -> None:
    with packed(gzip.compress(bytes(64 * MIB)), small=False) as (found, _):
        tracemalloc.start()
        assert found.reaches(60 * MIB)
        assert found.size() == 60 * MIB
        assert found.pread(100, 60 * MIB - 50) == bytes(100)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 6 * MIB


def test_reading_far_beyond_the_end_returns_nothing() -> None:
    with packed(gzip.compress(PLAIN)) as (found, fd):
        assert found.pread(10, 10**15) == b""
        assert found.size() == len(PLAIN)
        os.write(fd, gzip.compress(b"more\n"))
        assert found.size() == len(PLAIN) + 5


def test_what_os_pread_refuses_is_refused() -> None:
    with packed(gzip.compress(PLAIN)) as (found, _), pytest.raises(OSError, match="cannot read 1 bytes at -1"):
        found.pread(1, -1)


def test_closing_frees_memory_and_leaves_the_descriptor_open() -> None:
    with packed(gzip.compress(lines(2 * MIB)), small=False) as (found, fd):
        tracemalloc.start()
        found.pread(2 * MIB, 0)
        found.close()
        kept_bytes = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert kept_bytes < MIB / 10
        assert os.fstat(fd).st_size


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("no /proc here")
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(PLAIN) + b"no such thing")
    before = len(list(descriptors.iterdir()))
    with path.open("rb") as file:
        found = content_of(file.fileno(), path.name)
        read_to_damage(found)
        found.close()
    assert len(list(descriptors.iterdir())) == before


def test_an_error_of_the_file_itself_is_raised_as_it_is_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(lines(100_000)))
    fd = os.open(path, os.O_RDONLY)
    found = Unpacked(fd, GZIP, ahead_bytes=1_000)
    found.size()
    spare = os.dup(fd)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        found.pread(50_000, 0)
    os.dup2(spare, fd)
    assert found.pread(50_000, 0) == lines(100_000)[:50_000]
    os.close(fd)
    os.close(spare)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.log.gz", ".gz"),
        ("/x/a.log-20240131.BZ2", ".BZ2"),
        ("a.Z", ".Z"),
        ("a.tar.zst", ".zst"),
        ("a.log", ""),
        ("agz", ""),
        ("a.gz.1", ""),
        (".gz", ""),
        ("/x/.gz", ""),
    ],
)
def test_a_name_that_looks_compressed_is_told_by_its_end(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


def test_what_can_be_unpacked_is_known_by_the_name() -> None:
    names = ["a.gz", "a.GZ", "a.bz2", "a.xz", "a.lzma", "a.zip", "a.lz4", "a.Z", "a.log"]
    assert [name for name in names if can_unpack(name)] == names[:5]
    assert can_unpack("a.zst") == (module_of(ZSTD) is not None)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Give a function that returns the descriptor of a file with these bytes."""
    fds: list[int] = []

    def open_(raw: bytes) -> int:
        (tmp_path / "any").write_bytes(raw)
        fds.append(os.open(tmp_path / "any", os.O_RDWR))
        return fds[-1]

    yield open_
    for fd in fds:
        os.close(fd)


def test_the_bytes_decide_what_a_name_means(opened: Callable[[bytes], int]) -> None:
    assert read_all(content_of(opened(lzma.compress(PLAIN)), "a.gz")) == PLAIN
    assert read_all(content_of(opened(gzip.compress(PLAIN)), "a.Z")) == PLAIN


def test_text_is_plain_though_its_name_looks_compressed(opened: Callable[[bytes], int]) -> None:
    assert isinstance(content_of(opened(b"caf\xc3\xa9\tx\r\n\x1b[0m"), "a.gz"), Plain)
    assert isinstance(content_of(opened(b"text\n"), "a.zip"), Plain)


def test_a_name_that_looks_plain_is_plain(opened: Callable[[bytes], int]) -> None:
    assert isinstance(content_of(opened(gzip.compress(PLAIN)), "a.log"), Plain)


@PACKED
def test_a_file_without_its_first_bytes_yet_is_taken_by_its_name(
    opened: Callable[[bytes], int], packing: Packing
) -> None:
    for begun in range(3):
        raw = PACK[packing](PLAIN)
        fd = opened(raw[:begun])
        found = content_of(fd, f"a{packing.suffix}")
        assert found.size() == 0
        os.pwrite(fd, raw, 0)
        assert read_all(found) == PLAIN


def test_a_damaged_beginning_is_an_error_and_not_lines(opened: Callable[[bytes], int]) -> None:
    found = content_of(opened(b"\x1e" + gzip.compress(PLAIN)[1:]), "a.gz")
    assert read_to_damage(found)[0] == b""
    with pytest.raises(DamagedError, match="incorrect header check"):
        found.size()


@pytest.mark.parametrize("name", ["a.zip", "a.lz4", "a.Z"])
def test_what_cannot_be_unpacked_is_refused(opened: Callable[[bytes], int], name: str) -> None:
    with pytest.raises(OSError, match="compressed in a way that cannot be unpacked here") as told:
        content_of(opened(b"PK\x03\x04\x00\x00"), name)
    assert told.value.errno == errno.EOPNOTSUPP


def test_a_zstandard_file_is_refused_with_what_would_help(
    opened: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "PACKINGS", (GZIP,))
    with pytest.raises(OSError, match=r"the package backports\.zstd would do it"):
        content_of(opened(b"\x28\xb5\x2f\xfd\x00"), "a.zst")


def matches(found: Content, offset: int, *, head: bytes | None = None, tail: bytes | None = None) -> bool:
    head = PLAIN[: min(HEAD_BYTES, offset)] if head is None else head
    tail = PLAIN[max(0, offset - 64) : offset] if tail is None else tail
    return copy_matches(found, len(head), head_hash(head), len(tail), head_hash(tail), offset)


@PACKED
@pytest.mark.parametrize("offset", [0, 10, 1_500, 12_000, 20_000])
def test_a_copy_is_known_by_its_head_and_the_bytes_before_the_position(packing: Packing, offset: int) -> None:
    with packed(PACK[packing](PLAIN), packing) as (found, _):
        assert matches(found, offset)
        assert found.size() >= offset
        assert found.pread(100, offset) == PLAIN[offset : offset + 100]


def test_a_file_with_another_head_or_tail_or_too_short_is_no_copy(opened: Callable[[bytes], int]) -> None:
    with packed(gzip.compress(PLAIN)) as (unpacked, _):
        for found in (unpacked, Plain(opened(PLAIN))):
            assert matches(found, 12_000)
            assert not matches(found, 12_000, head=b"other")
            assert not matches(found, 12_000, tail=b"other")
            assert not matches(found, 20_001)
            assert not matches(found, 20_001, tail=b"")
            assert not matches(found, 3, head=b"", tail=PLAIN[:64])


def test_a_copy_is_compared_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with packed(gzip.compress(PLAIN)) as (found, _):
        monkeypatch.setattr(Unpacked, "_restart", None)
        assert matches(found, 18_000)
        assert found.pread(2_000, 18_000) == PLAIN[18_000:]


def test_a_copy_that_is_damaged_before_the_position_is_an_error() -> None:
    with packed(gzip.compress(PLAIN[:9_000]) + b"no such thing") as (found, _), pytest.raises(DamagedError):
        matches(found, 12_000)


def test_asking_for_the_size_again_and_again_is_cheap() -> None:
    with packed(gzip.compress(PLAIN), small=False) as (found, _):
        read_all(found)
        began = time.process_time()
        for _turn in range(10_000):
            found.size()
        assert time.process_time() - began < 2
