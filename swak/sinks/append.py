"""A regular file that whole lines are appended to: no torn line stays, no write is half done, renaming is noticed."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from errno import EAGAIN, EINVAL, EPERM, ESTALE
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak import log
from swak.sinks.direct import ALIGN_BYTES, LEAST_BYTES, Direct
from swak.sinks.whole import BLOCK_BYTES, read_at, slices, whole_end

if TYPE_CHECKING:
    from swak.sinks.guard import Guard
    from swak.sinks.whole import Framing

if sys.platform != "win32":
    import fcntl

LOG = log.get("sinks")

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT
_FLAGS |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_datasync = getattr(os, "fdatasync", os.fsync)


class Manner(NamedTuple):
    """How a file is made and added to."""

    durable: bool = True
    """Whether what is written counts as pending until it is synced."""
    mode: int | None = None
    """Permissions of a file that it makes, whatever the umask says."""
    head: bytes = b""
    """What an empty file begins with."""
    framing: Framing = "lines"
    """How its events can be told apart."""


LINES = Manner()


class Debt(NamedTuple):
    """The part of an unfinished write that could not be cut off yet."""

    identity: tuple[int, int]
    keep_bytes: int
    end_bytes: int


class AppendFile:
    """Appends whole lines. What it knows (pending bytes, debts) outlives `close`, for the next `open`.

    Several writers may append to one file; each holds a shared lock on it (flock), and only a writer that is alone
    mends a torn end, so that nobody cuts off what another is just writing.
    """

    def __init__(self, path: str, manner: Manner = LINES) -> None:
        self.path = path
        self.manner = manner
        self.identity = (0, 0)
        self.size_bytes = 0
        """Where our last write ended. In a file of that identity and size, nothing is torn."""
        self.pending_bytes = 0
        """Written and not synced."""
        self.lost = ""
        """Why what was pending is not safe; told by the next `sync`."""
        self.sync_failed = False
        self.debt: Debt | None = None
        self.like: os.stat_result | None = None
        """The file that it follows after a rotation: a new one gets its owner, and its permissions."""
        self._fd = -1
        self._guard: Guard | None = None
        self._new = False
        self._newline_first = False
        self._shares = False
        """Whether other writers know that we are here."""
        self._direct = Direct()

    def open(self, guard: Guard) -> None:
        """Open or create the file and its folder, and mend its end. OSError says what is in the way."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        mode = self.manner.mode
        fd = guard.take(os.open(self.path, _FLAGS, 0o666 if mode is None else mode))
        self._fd, self._guard = fd, guard
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(EINVAL, "not a regular file any more", self.path)
        identity = (status.st_dev, status.st_ino)
        known = identity == self.identity and status.st_size == self.size_bytes
        changed = identity != self.identity or status.st_size < self.size_bytes
        if self.pending_bytes and changed and not self.lost:
            self.lost = "the file was replaced before it was synced; what was in it is written again"
        self.identity = identity
        self._direct = Direct()
        self._new = status.st_size == 0
        if self._new:
            self._dress(fd, status)
        self._share()
        self._pay()
        self._newline_first = False
        if not known and self._is_torn():
            if lock(fd, exclusive=True) and self._is_torn():
                self._cut_torn(guard)
            self._share()
        self.size_bytes = os.fstat(fd).st_size

    def remove_if_empty(self) -> None:
        """Remove the open file if nothing is in it, and no other writer of ours has it."""
        if self._fd >= 0 and not os.fstat(self._fd).st_size and self.leads_here() and lock(self._fd, exclusive=True):
            Path(self.path).unlink()

    def close(self) -> None:
        """Sync what is pending and give the descriptor back. A sync that fails is told by the next `sync`."""
        if self._guard is None or self._fd < 0:
            return
        if self.pending_bytes and not self._guard.aborted:
            with suppress(OSError):  # kept in `lost`
                self._sync_descriptor()
        fd, self._fd = self._fd, -1
        self._guard.close(fd)

    def write(self, data: bytes) -> None:
        """Append all of `data` or nothing. OSError leaves the file as it was, or remembers to cut it back first.

        Nothing is added while something before it is known to be lost: that comes first again.
        """
        self.size_bytes = self._follow_path()
        if not self._shares:
            self._share()
        self._check_lost()
        self._pay()
        self._append((b"\n" if self._newline_first else self._head()) + data)
        if not self.manner.durable and os.fstat(self._fd).st_nlink == 0:  # since the look; otherwise `sync` sees it
            self._follow_path()
            self._check_lost()
            self._append(self._head() + data)
        self._newline_first = False
        self.pending_bytes += len(data) if self.manner.durable else 0

    def sync(self) -> None:
        """Make everything that was written safe, and look whether the file was renamed.

        OSError: what was pending is not safe (deleted, truncated, a disk error); it must be written again.
        """
        if not self.lost:
            with suppress(OSError):  # kept in `lost`
                self._sync_descriptor()
        if self.lost:
            reason, self.lost = self.lost, ""
            self.pending_bytes = 0
            self.sync_failed = True
            raise OSError(ESTALE, reason, self.path)
        self.sync_failed = False
        with suppress(OSError):  # the next write meets it again, and what was written is safe
            self._follow_path()

    @property
    def is_open(self) -> bool:
        """Whether it has a descriptor."""
        return self._fd >= 0

    def flush(self) -> None:
        """Sync what is pending now. OSError: it is not safe, and the next `sync` says so, too."""
        if self.pending_bytes:
            self._sync_descriptor()
        self._check_lost()

    def secured(self) -> int:
        """Return the descriptor, with all that the file holds on disk, whoever wrote it. OSError: it may not be."""
        if self.manner.durable:
            _datasync(self._fd)
            sync_folder(Path(self.path).parent)
        return self._fd

    def leads_here(self) -> bool:
        """Tell whether the path still leads to the open file."""
        try:
            status = Path(self.path).stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    def alone(self) -> bool:
        """Tell whether no other writer of ours has the open file."""
        return lock(self._fd, exclusive=True) and lock(self._fd, exclusive=False)

    def inherit(self, old: AppendFile) -> bool:
        """Take over what `old` left pending, if the path still leads to that file and it did not shrink."""
        if old.lost or old.sync_failed:
            return False
        if old.pending_bytes:
            try:
                status = Path(self.path).stat()
            except OSError:
                return False
            if (status.st_dev, status.st_ino) != old.identity or status.st_size < old.size_bytes:
                return False
        self.identity, self.size_bytes = old.identity, old.size_bytes
        self.pending_bytes, self.debt = old.pending_bytes, old.debt
        return True

    def _check_lost(self) -> None:
        if self.lost:
            raise OSError(ESTALE, self.lost, self.path)

    def _head(self) -> bytes:
        return b"" if self.size_bytes else self.manner.head

    def _append(self, data: bytes) -> None:
        done = cut = 0
        past_cache = self._goes_past_cache(data)
        try:
            while past_cache and self._direct.usable and len(data) - done >= 2 * ALIGN_BYTES:
                begun, rest = done, memoryview(data)[done:]
                odd_bytes = -(self.size_bytes + done) % ALIGN_BYTES
                done += os.write(self._fd, rest[:odd_bytes]) if odd_bytes else self._direct.write(self._fd, rest)
                cut = max(begun, data.rfind(b"\n", begun, done) + 1)
            for lines in slices(data[done:], self.manner.framing):
                cut = done
                while done - cut < len(lines):
                    done += os.write(self._fd, lines[done - cut :])
        except OSError:
            if done:
                end_bytes = os.lseek(self._fd, 0, os.SEEK_CUR)
                alone = end_bytes - done == self.size_bytes  # else lines of another writer may stand between ours
                self.debt = Debt(self.identity, self.size_bytes if alone else end_bytes - done + cut, end_bytes)
                with suppress(OSError):  # kept in `debt`, paid first at the next try
                    self._pay()
            raise
        finally:
            if past_cache:
                self._shares = lock(self._fd, exclusive=False)
        self.size_bytes += len(data)

    def _goes_past_cache(self, data: bytes) -> bool:
        """Tell whether a write goes past the cache, and lock out all other writers of ours if so.

        Its pieces do not end where lines do. Who knows no locks and moves the end makes the next piece fail; from then
        on whole lines are written.
        """
        if len(data) < LEAST_BYTES or not self.manner.durable or not self._direct.usable:
            return False
        self._direct.usable = lock(self._fd, exclusive=True, sure=True)
        if not self._direct.usable:
            self._share()
        return self._direct.usable

    def _pay(self) -> None:
        """Cut off what an unfinished write left behind."""
        debt = self.debt
        if debt is None:
            return
        if self.identity == debt.identity and os.fstat(self._fd).st_size == debt.end_bytes:
            try:
                os.ftruncate(self._fd, debt.keep_bytes)
                self.size_bytes = debt.keep_bytes
            except PermissionError:  # append-only: the next write starts on a line of its own
                if self.manner.framing == "msgpack":
                    raise
                self._newline_first = True
        else:
            LOG.warning("part of a write stays in the file: somebody else changed it since", path=self.path)
        self.debt = None

    def _sync_descriptor(self) -> None:
        try:
            status = os.fstat(self._fd)
            if self.pending_bytes and status.st_nlink == 0:
                self.lost = "the file was deleted before it was synced; what was in it is written again"
            elif self.pending_bytes and status.st_size < self.size_bytes:
                self.lost = "the file was truncated before it was synced; what was in it is written again"
            elif self.pending_bytes:
                _datasync(self._fd)
                if self._new:
                    sync_folder(Path(self.path).parent)
                self._new = False
                self.pending_bytes = 0
        except OSError as error:
            self.lost = f"sync failed ({error.strerror}); what was written since the last one is written again"
            raise

    def _follow_path(self) -> int:
        """Notice that the file was renamed or deleted; sync it, and go on in the file that the path leads to now.

        Return the size of the file: one look at the path before each write is all that is looked at.
        """
        try:
            status = os.stat(self.path)  # noqa: PTH116 - once a write, and a Path costs five times as much
        except (FileNotFoundError, NotADirectoryError):
            status = None
        if self._fd >= 0 and status is not None and (status.st_dev, status.st_ino) == self.identity:
            return status.st_size
        guard = self._guard
        if guard is None:
            raise OSError(EINVAL, "not open", self.path)
        if self._fd >= 0:
            LOG.info("the file was renamed or deleted: the path is opened anew", path=self.path)
            with suppress(OSError):  # kept in `lost`
                self._sync_descriptor()
            fd, self._fd = self._fd, -1
            guard.close(fd)
        self.open(guard)
        return self.size_bytes

    def _share(self) -> None:
        """Tell other writers that we are here. OSError while one of them has the file to itself."""
        self._shares = lock(self._fd, exclusive=False)
        if not self._shares:
            raise BlockingIOError(
                EAGAIN, "another writer has it to itself for a moment, or is mending its end", self.path
            )

    def _is_torn(self) -> bool:
        size_bytes = os.fstat(self._fd).st_size
        if self.manner.framing == "lines":
            return size_bytes > 0 and read_at(self._fd, 1, size_bytes - 1) != b"\n"
        return whole_end(self._fd, size_bytes, self.manner.framing) != size_bytes

    def _dress(self, fd: int, status: os.stat_result) -> None:
        """Give a new file the permissions asked for, or else permissions and owner of the one that it follows."""
        mode, like = self.manner.mode, self.like
        if not hasattr(os, "fchmod"):
            return
        if like is not None and (like.st_uid, like.st_gid) != (status.st_uid, status.st_gid):
            with suppress(PermissionError):  # not root: it stays ours
                os.fchown(fd, like.st_uid, like.st_gid)
        if mode is not None or like is not None:
            os.fchmod(fd, mode if mode is not None else stat.S_IMODE(like.st_mode if like else 0))

    def _cut_torn(self, guard: Guard) -> None:
        """Move what is behind the last whole event to `<path>.torn`: a process was killed while it wrote that."""
        size_bytes = os.fstat(self._fd).st_size
        keep_bytes = whole_end(self._fd, size_bytes, self.manner.framing)
        moved = keep_bytes is not None
        if keep_bytes is not None:
            self._copy_torn(guard, keep_bytes, size_bytes)
            try:
                os.ftruncate(self._fd, keep_bytes)
            except OSError as error:
                if error.errno != EPERM or self.manner.framing == "msgpack":  # EPERM: an append-only file
                    raise
                moved = False
        self._newline_first = not moved
        where = f"{self.path}.torn" if moved else "a line of its own"
        LOG.warning(
            "the file did not end in a whole line; its rest was put aside",
            path=self.path,
            bytes=size_bytes - (keep_bytes or 0),
            where=where,
        )

    def _copy_torn(self, guard: Guard, start: int, stop: int) -> None:
        mode = stat.S_IMODE(os.fstat(self._fd).st_mode)  # it is as secret as the file itself
        fd = guard.take(os.open(f"{self.path}.torn", _FLAGS, mode))
        try:
            while start < stop and (block := read_at(self._fd, min(BLOCK_BYTES, stop - start), start)):
                start += os.write(fd, block)
            guard.check()
            os.write(fd, b"\n")
            os.fsync(fd)
        finally:
            guard.close(fd)


def lock(fd: int, *, exclusive: bool, sure: bool = False) -> bool:
    """Lock the file against other writers of ours without waiting; False when one of them is in the way.

    Where nothing can be locked the answer is True, unless it must be `sure`.
    """
    if sys.platform == "win32":
        return not sure
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        LOG.debug("the file cannot be locked", reason=str(error))
        return not sure
    return True


def sync_folder(folder: Path) -> None:
    """Make the name of a file that was made or renamed safe, too."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
