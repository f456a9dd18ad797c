"""Unpacking compressed files in small steps: gzip, bzip2, xz, lzma, and Zstandard where Python can."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from swak.tailing.identity import pread

if TYPE_CHECKING:
    from collections.abc import Callable

RAW_BYTES = 16 * 1024
"""How much of the file is read at once. Short, as a member that ends in it hands back a copy of the rest."""
DICTIONARY_BYTES = 128 * 2**20
"""Memory that an xz or lzma file may make us use: 65 MiB serve `xz -9`; its header may ask for 4 GiB."""


class Packing(NamedTuple):
    """A format of compressed files. One without a module that can be imported is not supported."""

    name: str
    suffix: str
    magic: bytes
    """What such a file begins with."""
    modules: tuple[str, ...]
    """What unpacks it: the first of them that can be imported."""
    begin: Callable[[Any], Machine]
    """Makes a machine for one member, given the module."""
    error: str = ""
    """The module's own exception for data that makes no sense."""


class Machine(Protocol):
    """Unpacks one member. As the standard library's decompressors, but for zlib's."""

    @property
    def eof(self) -> bool:
        """Whether the member's end was reached, and its checksum is right."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing more to hand out before more is put in."""

    @property
    def unused_data(self) -> bytes:
        """What was put in and comes after the member's end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Put packed bytes in, and take at most `max_length` out."""


class UnpackError(Exception):
    """The packed bytes make no sense: something before `raw`, a position in the file, and after `raw` - RAW_BYTES."""

    def __init__(self, text: str, raw: int) -> None:
        super().__init__(text)
        self.raw = raw


class Members:
    """The members of a compressed file, one after another, from its beginning on.

    Holds at most RAW_BYTES and what the format needs (gzip 32 KiB, bzip2 4 MB, xz DICTIONARY_BYTES, Zstandard
    128 MiB at most). Zeros between and after members are passed over.
    """

    __slots__ = ("_began", "_fd", "_machine", "_packing", "_pending", "_raw", "careful_raw")

    def __init__(self, fd: int, packing: Packing, *, careful_raw: int = sys.maxsize) -> None:
        """From the position `careful_raw` of the file on, its bytes are unpacked one by one.

        So whatever stands before damaged bytes can be had: an error takes all with it that its step had unpacked.
        """
        self._fd = fd
        self._packing = packing
        self.careful_raw = careful_raw
        self._raw = 0
        """How far the file was read."""
        self._pending = b""
        """What was read and no machine has seen yet."""
        self._machine: Machine | None = None
        self._began = False

    @property
    def inside(self) -> bool:
        """Whether a member began and has not ended yet."""
        return self._machine is not None

    def read(self, limit: int) -> bytes:
        """Return the next bytes, at most `limit`; none when the file has no more now.

        After an UnpackError this cannot be used any more.
        """
        while True:
            machine, fed = self._machine, b""
            if machine is None or machine.needs_input:
                if not self._fetch():
                    return b""
                machine = self._machine or self._begin()
                if machine is None:
                    continue
                size = len(self._pending) if self._raw <= self.careful_raw else 1
                fed, self._pending = self._pending[:size], self._pending[size:]
            piece = self._unpack(machine, fed, limit)
            if machine.eof:
                self._pending, self._machine = machine.unused_data + self._pending, None
            if piece:
                return piece

    def _fetch(self) -> bool:
        """Have packed bytes at hand, if there are any."""
        if not self._pending:
            self._pending = pread(self._fd, RAW_BYTES, self._raw)
            self._raw += len(self._pending)
        return bool(self._pending)

    def _begin(self) -> Machine | None:
        """Begin a member, or return None when nothing but zeros is at hand."""
        if self._began:
            self._pending = self._pending.lstrip(b"\0")
            if not self._pending:
                return None
        self._began = True
        self._machine = self._packing.begin(module_of(self._packing))
        return self._machine

    def _unpack(self, machine: Machine, fed: bytes, limit: int) -> bytes:
        error_class = getattr(module_of(self._packing), self._packing.error, OSError)
        try:
            return machine.decompress(fed, limit)
        except (error_class, OSError, EOFError, ValueError) as error:
            at = self._raw - len(self._pending)
            raise UnpackError(f"damaged {self._packing.name} data before byte {at} of the file: {error}", at) from error


class _Gunzip:
    """zlib's decompressor, with the interface of the others."""

    __slots__ = ("_full", "_zlib")

    def __init__(self, zlib: Any) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + 15)  # 16: with gzip's header and checksum; 15: any window
        self._full = False

    @property
    def eof(self) -> bool:
        return bool(self._zlib.eof)

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._zlib.unused_data)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece: bytes = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._full = len(piece) == max_length
        return piece


PACKINGS = (
    Packing("gzip", ".gz", b"\x1f\x8b", ("zlib",), _Gunzip, "error"),
    Packing("bzip2", ".bz2", b"BZh", ("bz2",), lambda bz2: bz2.BZ2Decompressor()),
    Packing(
        "xz",
        ".xz",
        b"\xfd7zXZ\0",
        ("lzma",),
        lambda lzma: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY_BYTES),
        "LZMAError",
    ),
    Packing(
        "lzma",
        ".lzma",
        b"\x5d\0\0",
        ("lzma",),
        lambda lzma: lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=DICTIONARY_BYTES),  # it checks headers, ALONE not
        "LZMAError",
    ),
    Packing(
        "Zstandard",
        ".zst",
        b"\x28\xb5\x2f\xfd",
        ("compression.zstd", "backports.zstd"),
        lambda zstd: zstd.ZstdDecompressor(),
        "ZstdError",
    ),
)
"""Formats that can be read. The package zstandard is not used: it cannot bound what one call unpacks."""


@cache
def module_of(packing: Packing) -> Any:
    """Return the module that unpacks a format, or None."""
    for name in packing.modules:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
