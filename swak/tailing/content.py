"""What a follower reads from: a plain file by its descriptor, or a compressed file as if it were plain."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Protocol

from swak.tailing.identity import HEAD_BYTES, TAIL_BYTES, pread
from swak.tailing.identity import head_hash as hash_of
from swak.tailing.packing import PACKINGS, RAW_BYTES, Members, UnpackError, module_of

if TYPE_CHECKING:
    from swak.tailing.packing import Packing

AHEAD_BYTES = 256 * 1024
"""How far is unpacked ahead of what was asked for."""
WINDOW_BYTES = 2 * 2**20 + AHEAD_BYTES
"""Unpacked bytes that are kept, up to where unpacking stands: a line of the usual limit, a block, and what is ahead."""
PIECE_BYTES = 64 * 1024
"""Most that is unpacked in one step, however much a few packed bytes may stand for."""

_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".z", ".zip")
_TEXT = bytes({7, 8, 9, 10, 11, 12, 13, 27, *range(32, 256)})
"""Bytes that text is made of. Packed data has others, too, among its first ones."""


class Content(Protocol):
    """Bytes by their position. Whoever opened the descriptor closes it."""

    fd: int

    def size(self) -> int:
        """Return how many bytes can be read now."""

    def pread(self, size: int, offset: int, /) -> bytes:
        """Return up to `size` bytes at `offset`: fewer only where the bytes end."""

    def reaches(self, offset: int) -> bool:
        """Tell whether there are at least `offset` bytes."""

    def hold(self, offset: int, size_bytes: int) -> None:
        """Expect that up to `size_bytes` at `offset` are read again, however far is read before."""

    def close(self) -> None:
        """Free what is held besides the descriptor."""


class Plain:
    """A file as it is."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def size(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_END)

    def pread(self, size: int, offset: int, /) -> bytes:
        return pread(self.fd, size, offset)

    def reaches(self, offset: int) -> bool:
        return self.size() >= offset

    def hold(self, offset: int, size_bytes: int) -> None:
        """Do nothing: a file can be read anywhere at any time."""

    def close(self) -> None:
        """Do nothing: there is only the descriptor."""


class DamagedError(OSError):
    """A compressed file cannot be unpacked beyond `offset`, a position in the unpacked bytes."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(errno.EIO, text)
        self.offset = offset


class Unpacked:
    """What a compressed file holds, unpacked from its beginning on as far as it is asked for.

    Positions count unpacked bytes. Of these only a window is in memory, which ends where unpacking stands, and the
    first HEAD_BYTES. To read before the window, everything is unpacked again from the beginning: that costs time, and
    no memory. Members one after another are one content.

    `size` is how far it has been unpacked, and until the end is known always more than what was asked for.
    A file that ends inside a member may still grow: that is no error, and `torn` tells. Damage is a DamagedError, once
    all bytes before it were asked for, and until the file changes. A checksum stands behind what it guards: bytes
    that it proves wrong were handed out before the error comes. A file that was cut off or rewritten (another
    beginning) is read anew; its size is then smaller, or its head another.
    """

    def __init__(
        self, fd: int, packing: Packing, *, window_bytes: int = WINDOW_BYTES, ahead_bytes: int = AHEAD_BYTES
    ) -> None:
        self.fd = fd
        self._packing = packing
        self._ahead_bytes = ahead_bytes
        self._window_bytes = max(window_bytes, 2 * ahead_bytes)
        self._seen = (0, 0)
        """Size and time of change of the file as it was last looked at."""
        self._raw_head = b""
        self._head = b""
        self._held = bytearray()
        self._held_at = self._held_bytes = 0
        self._known = self._asked = 0
        """How far it was unpacked, and up to where it was asked for, since the file was seen to begin anew."""
        self._at_end = self._inside = False
        """Whether all was unpacked that the file had when it was looked at last; whether that ended inside a member."""
        self._damage: DamagedError | None = None
        self._careful: int | None = None
        """Where unpacking failed: from there on it is done byte by byte, to find out which are before the damage."""
        self._careful_raw = sys.maxsize
        """Where in the file that may begin."""
        self._restart()

    @property
    def torn(self) -> bool:
        """Whether the file, read to its end, ends inside a member: it is still being written, or was cut off."""
        return self._at_end and self._inside

    def size(self) -> int:
        self._look()
        self._know(self._asked + 1, self._ahead_bytes - 1)
        return self._known

    def pread(self, size: int, offset: int, /) -> bytes:
        if size < 0 or offset < 0:
            raise OSError(errno.EINVAL, f"cannot read {size} bytes at {offset}")
        if self._damage is not None and offset >= self._damage.offset:
            self._raise_damage()
        if self._at_end and offset >= self._known:
            self._look()
        end = offset + size
        piece = self._kept(offset, end)
        if piece is None:
            if offset < self._base:
                self._restart()
            self._advance(end, keep=offset)
            piece = self._slice(offset, end)
            if not piece and size:
                self._raise_damage()
        self._asked = max(self._asked, min(end, self._known))
        return piece

    def reaches(self, offset: int) -> bool:
        self._look()
        self._know(offset)
        return self._known >= offset

    def hold(self, offset: int, size_bytes: int) -> None:
        if offset != self._held_at:
            self._held_at, self._held = offset, bytearray()
        self._held_bytes = size_bytes

    def close(self) -> None:
        """Free what is in memory, but for the head. What is read later is unpacked again."""
        self._held.clear()
        self._restart()

    @property
    def _stands(self) -> int:
        return self._base + len(self._window)

    def _restart(self) -> None:
        """Stand at the beginning again. What is known of the content stays known."""
        self._members = Members(self.fd, self._packing, careful_raw=self._careful_raw)
        self._window = bytearray()
        self._base = 0

    def _look(self) -> None:
        """Take note of what has become of the file."""
        status = os.fstat(self.fd)
        seen = (status.st_size, status.st_mtime_ns)
        if seen == self._seen:
            return
        raw_head = pread(self.fd, HEAD_BYTES, 0)
        if seen[0] < self._seen[0] or not raw_head.startswith(self._raw_head):
            self._known = self._asked = 0
            self._head = b""
            self._held.clear()
            self._damage = self._careful = None
            self._careful_raw = sys.maxsize
            self._restart()
        elif self._damage is not None:
            self._careful = self._damage.offset
            self._damage = None
            self._restart()
        self._raw_head, self._seen, self._at_end = raw_head, seen, False

    def _know(self, offset: int, ahead_bytes: int = 0) -> None:
        """Have at least `offset` bytes unpacked at some time, and if not yet, some more. DamagedError when it fails."""
        if self._known >= offset or self._at_end:
            return
        if self._damage is None:
            self._advance(offset + ahead_bytes)
        if self._known < offset:
            self._raise_damage()

    def _advance(self, target: int, keep: int = sys.maxsize) -> None:
        """Unpack up to `target` or the end; what is in the window from `keep` on stays there."""
        while self._stands < target and self._step(min(PIECE_BYTES, target - self._stands), keep):
            continue

    def _step(self, limit: int, keep: int) -> bool:
        if self._damage is not None:
            limit = min(limit, self._damage.offset - self._stands)
        elif self._careful is not None:
            limit = max(1, min(limit, self._careful - self._stands))
        if limit <= 0:
            return False
        try:
            piece = self._members.read(limit)
        except UnpackError as error:
            self._fail(error)
            return True
        if not piece:
            self._at_end, self._inside, self._known = True, self._members.inside, self._stands
            return False
        self._append(piece, keep)
        return True

    def _append(self, piece: bytes, keep: int) -> None:
        at, head = self._stands, len(self._head)
        if at <= head < HEAD_BYTES:
            self._head += piece[head - at : HEAD_BYTES - at]
        self._window += piece
        excess = min(len(self._window) - self._window_bytes, keep - self._base)
        if excess > 0:
            self._save_held(excess)
            del self._window[:excess]
            self._base += excess
        self._known = max(self._known, self._stands)
        if self._careful is not None and self._stands > self._careful + PIECE_BYTES:
            self._careful = None  # the file was mended meanwhile
            self._members.careful_raw = self._careful_raw = sys.maxsize

    def _save_held(self, leaving: int) -> None:
        """Save what leaves the window and may be read again."""
        end = self._held_at + len(self._held)
        wanted = min(leaving, self._held_at + self._held_bytes - self._base)
        if self._base <= end < self._base + wanted:
            self._held += self._window[end - self._base : wanted]

    def _fail(self, error: UnpackError) -> None:
        """Go there again in small steps: the step that failed kept for itself what it had unpacked before."""
        at = self._stands
        if self._careful is None or at < self._careful:
            self._damage, self._careful = None, at
            self._careful_raw = error.raw - RAW_BYTES
            self._restart()
            return
        self._careful, self._known = None, at
        self._damage = DamagedError(f"{error}; the {at} bytes before that can be read", at)

    def _raise_damage(self) -> None:
        if self._damage is not None:
            raise DamagedError(str(self._damage.strerror), self._damage.offset)

    def _kept(self, offset: int, end: int) -> bytes | None:
        """Return bytes that are in memory, apart from the window; None when they are not."""
        if end <= len(self._head):
            return self._head[offset:end]
        if self._at_end and offset >= self._known:
            return b""
        first = offset - self._held_at
        if offset >= self._base or not 0 <= first < len(self._held):
            return None
        piece = bytes(self._held[first : first + end - offset])
        after = offset + len(piece)
        if after == end:
            return piece
        return piece + self._slice(after, end) if self._base <= after and end <= self._stands else None

    def _slice(self, offset: int, end: int) -> bytes:
        with memoryview(self._window) as window:
            return bytes(window[offset - self._base : end - self._base])


def suffix_of(name: str) -> str:
    """Return the end of a file's name that says it is compressed, as it is written there; "" without one."""
    lowered = name.lower()
    for suffix in _SUFFIXES:
        if lowered.endswith(suffix) and name[: -len(suffix)].rpartition("/")[2]:
            return name[-len(suffix) :]
    return ""


def can_unpack(name: str) -> bool:
    """Tell whether a file whose name looks compressed can be read."""
    return _packing_of(name) is not None


def content_of(fd: int, name: str, *, window_bytes: int = WINDOW_BYTES) -> Content:
    """Return what an open file holds: unpacked when both its name and its first bytes say that it is compressed.

    Where they name different formats, the bytes are right. Text is plain, whatever its name is. OSError (EOPNOTSUPP)
    when it is compressed in a way that cannot be unpacked here.
    """
    if not suffix_of(name):
        return Plain(fd)
    head = pread(fd, HEAD_BYTES, 0)
    for packing in PACKINGS:
        if head.startswith(packing.magic) and module_of(packing) is not None:
            return Unpacked(fd, packing, window_bytes=window_bytes)
    own = _packing_of(name)
    if own is not None and own.magic.startswith(head):
        return Unpacked(fd, own, window_bytes=window_bytes)  # its first bytes are still to come
    if head and not head.translate(None, _TEXT):
        return Plain(fd)
    if own is None:
        mend = "; the package backports.zstd would do it" if name.lower().endswith(".zst") else ""
        raise OSError(errno.EOPNOTSUPP, f"compressed in a way that cannot be unpacked here{mend}", name)
    return Unpacked(fd, own, window_bytes=window_bytes)


def _packing_of(name: str) -> Packing | None:
    suffix = suffix_of(name).lower()
    return next((one for one in PACKINGS if one.suffix == suffix and module_of(one) is not None), None)


def copy_matches(  # noqa: PLR0917 - a position's own parts
    content: Content, head_len: int, head_hash: str, tail_len: int, tail_hash: str, offset: int
) -> bool:
    """Tell whether a content holds what was read up to `offset` of another: same head, same bytes right before it.

    Unpacks at most once up to `offset`, and leaves it in the window. A file of which more is still to come may match
    later. OSError as `pread`: damage before `offset` is one.
    """
    if not 0 <= head_len <= offset or not 0 <= tail_len <= offset:
        return False
    return (
        _is(content.pread(head_len, 0), head_len, head_hash)
        and content.reaches(offset)
        and _is(content.pread(tail_len, offset - tail_len), tail_len, tail_hash)
    )


def begins_with(content: Content, copy: Content) -> bool:
    """Tell whether `copy` holds the beginning of a content, as far as its head and its last bytes tell."""
    size = copy.size()
    if size > content.size():
        return False
    near = min(TAIL_BYTES, size)
    return all(
        copy.pread(length, start) == content.pread(length, start)
        for length, start in ((min(HEAD_BYTES, size), 0), (near, size - near))
    )


def _is(found: bytes, length: int, hashed: str) -> bool:
    return len(found) == length and (not length or hash_of(found) == hashed)
