"""Which file is behind a descriptor: a text that outlives renames and restarts, and a hash of the file's head."""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.log import get

if TYPE_CHECKING:
    from collections.abc import Mapping

log = get("swak.tailing")

HEAD_BYTES = 1024
"""How much of a file's beginning is hashed. Short, as it is compared before each read; long enough for a banner."""

_EMPTY_PATH = 0x1000
_HANDLE_FID = 0x200
"""Flags of name_to_handle_at: the descriptor itself; a handle for comparing only (overlay file systems need it)."""
_BIRTH = 0x800
_FUSE = 0x65735546
_REMOTE = frozenset(
    {0x6969, 0x517B, 0xFF534D42, 0xFE534D42, _FUSE, 0x01021997, 0x00C36400, 0x5346414F, 0x73757245, 0x786F4256}
)
"""statfs magic of NFS, SMB, CIFS, SMB2, FUSE, 9p, Ceph, AFS, Coda, vboxsf: others write there and no event tells us."""


HEAD_SHOWN = 32
"""How much of the head is kept as it is: for what is shorter than what was hashed."""

TAIL_BYTES = 64
"""How much right before a position is hashed: what was written over a file with the same head differs there."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """A position in one file generation, as the checkpoint keeps it."""

    offset: int
    """Byte after the last whole line that was handed out."""
    path: str
    """Where the file was followed, as `path_text` writes it."""
    head_len: int = 0
    head_hash: str = ""
    """Hash of the first `head_len` bytes: at most HEAD_BYTES and at most `offset`."""
    time_ns: int = 0
    """When the position was reached."""
    cycle: int = 0
    """How often the file's content began anew under the same identity: two positions are never equal by accident."""
    tail_len: int = 0
    tail_hash: str = ""
    """Hash of the `tail_len` bytes right before `offset`: at most TAIL_BYTES."""
    size_bytes: int = 0
    """How large the file was seen to be: what is beyond `offset` was there, and is not read yet."""
    real: str = ""
    """Where the file really was, when that is not `path`: behind a symbolic link."""
    folder: str = ""
    """Device and inode of the directory that it was really in."""
    head: str = ""
    """While `head_len` is below HEAD_BYTES: the first HEAD_SHOWN bytes, or fewer, in hexadecimal digits."""
    begin: int = 0
    """Where reading began in a copy: what is before that was read in the file of which it is one."""
    origin: str = ""
    """Of a copy: the identity of that file, and the cycle of its content."""

    def as_position(self) -> dict[str, Any]:
        """Return the mark as a JSON value."""
        position: dict[str, Any] = msgspec.to_builtins(self)
        return position

    @property
    def reached(self) -> tuple[int, int]:
        """What makes two positions of one file equal, whenever they were taken."""
        return self.cycle, self.offset


class Truncated(NamedTuple):
    """A file that does not hold any more what was read from it."""

    mark: Mark
    """How far it had been read."""
    seen_bytes: int
    """How large it had been seen to be."""


def mark_from(position: Any) -> Mark:
    """Return a checkpoint's position as a Mark. ValueError says what is wrong with it."""
    mark = msgspec.convert(position, Mark)  # a msgspec.ValidationError is a ValueError
    if mark.offset < 0 or not 0 <= mark.head_len <= HEAD_BYTES or not 0 <= mark.tail_len <= TAIL_BYTES:
        raise ValueError(f"offset {mark.offset}, head_len {mark.head_len} or tail_len {mark.tail_len} is out of bounds")
    return mark


def marks_from(positions: Mapping[str, Any]) -> dict[str, Mark]:
    """Return a checkpoint's positions as Marks. One that makes no sense is left out, with an error in the log."""
    marks = {}
    for source, position in positions.items():
        try:
            marks[source] = mark_from(position)
        except ValueError as error:
            log.error("a position makes no sense; that file is read from its start", source=source, error=str(error))
    return marks


class Key(NamedTuple):
    """Device and inode: unique as long as the file is held open, and only that long."""

    device: int
    inode: int


def key_of(status: os.stat_result) -> Key:
    """Return the key of a file by its status."""
    return Key(status.st_dev, status.st_ino)


def identify(fd: int) -> str:
    """Return `device:inode:stamp` of an open file.

    The stamp tells apart files that had the same inode after one another: the kernel's file handle ("h...") where it
    gives one (199 of 199 reused inodes were told apart), else the birth time ("b...", which may be shared by files
    born within one tick), else nothing ("-").
    """
    status = os.fstat(fd)
    return f"{status.st_dev:x}:{status.st_ino}:{_handle(fd) or _birth(fd, status) or '-'}"


def inode_of(source: str) -> int:
    """Return the inode in an identity; 0 when the text is none of ours."""
    part = source.split(":")[1:2]
    return int(part[0]) if part and part[0].isdigit() else 0


def may_be_same(known: str, seen: str) -> bool:
    """Tell whether two different identities may mean one file: the caller must compare the heads, too.

    So it is after the device got another number at boot, and when one of the two could not use file handles.
    """
    if known.count(":") != 2 or inode_of(known) != inode_of(seen):
        return False
    old, new = known.split(":")[2], seen.split(":")[2]
    return old == new or old[:1] != new[:1]


def head_hash(head: bytes) -> str:
    """Return the hash of a file's first bytes."""
    return hashlib.blake2b(head, digest_size=8).hexdigest()


def head_matches(fd: int, mark: Mark) -> bool:
    """Tell whether the file still begins with what was read from it."""
    head = pread(fd, mark.head_len, 0)
    return len(head) == mark.head_len and (not head or head_hash(head) == mark.head_hash)


def origin_text(source: str, cycle: int) -> str:
    """Return what names the content of a file since it began anew for the `cycle`th time."""
    return f"{source} {cycle}"


def path_text(path: str) -> str:
    """Return a path as text that any JSON takes, even when its bytes are no UTF-8."""
    return path if _is_unicode(path) else f"bytes:{os.fsencode(path).hex()}"


def path_from(text: str) -> str:
    """Return the path that `path_text` wrote."""
    return os.fsdecode(bytes.fromhex(text[6:])) if text.startswith("bytes:") else text


def _is_unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


if sys.platform == "win32":

    def pread(fd: int, size: int, offset: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)
else:
    pread = os.pread


def is_remote(fd: int) -> bool:
    """Tell whether the file lies where no event tells of others' writes: on a network or a FUSE file system."""
    return _file_system(fd) in _REMOTE


def lies_remote(directory: str) -> bool:
    """Tell the same of a directory. One that cannot be opened is taken for a local one."""
    if sys.platform != "linux":
        return False
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # not to be listed either: whoever lists it tells
        return False
    try:
        return is_remote(fd)
    finally:
        os.close(fd)


class _FileHandle(ctypes.Structure):
    """struct file_handle of name_to_handle_at(2)."""

    _fields_ = (("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128))


@functools.cache
def libc() -> Any:
    """Return the C library, or None where its calls are not Linux's."""
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _handle(fd: int) -> str:
    call = getattr(libc(), "name_to_handle_at", None)
    if call is None or _file_system(fd) == _FUSE:  # FUSE hands the numbers of forgotten files out again
        return ""
    for flags in (_EMPTY_PATH, _EMPTY_PATH | _HANDLE_FID):
        handle, mount = _FileHandle(size=128), ctypes.c_int()
        if call(fd, b"", ctypes.byref(handle), ctypes.byref(mount), flags) == 0:
            return f"h{handle.type:x}.{bytes(handle.bytes[: handle.size]).hex()}"
        if ctypes.get_errno() not in (errno.ENOTSUP, errno.EOPNOTSUPP):
            break
    return ""


def _birth(fd: int, status: os.stat_result) -> str:
    born_s = getattr(status, "st_birthtime", None)
    if born_s is not None:
        return f"b{round(born_s * 1_000_000_000)}"
    if sys.platform == "win32":
        return f"b{status.st_ctime_ns}"
    call = getattr(libc(), "statx", None)
    if call is None:
        return ""
    record = ctypes.create_string_buffer(256)
    if call(fd, b"", _EMPTY_PATH, _BIRTH, record) != 0:
        return ""
    seconds, nanoseconds = struct.unpack_from("qI", record.raw, 0x50)
    known = struct.unpack_from("I", record.raw)[0] & _BIRTH
    return f"b{seconds * 1_000_000_000 + nanoseconds}" if known else ""


def _file_system(fd: int) -> int:
    call = getattr(libc(), "fstatfs", None)
    if call is None:
        return 0
    record = ctypes.create_string_buffer(256)
    if call(fd, record) != 0:
        return 0
    return int.from_bytes(record.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
